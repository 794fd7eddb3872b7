"""What became of things that this core knows: proven values of the chain's state, taken one by one.

config/epoch-current        a new epoch: its shares are used from now on
asc/key/<key id>            the state of a key: only an active one decrypts
asc/status/<request id>     the end of a request: a change of epoch that failed is given up
"""

from dataclasses import dataclass

from google.protobuf.message import DecodeError

from core.epochs import Epochs
from core.errors import Refusal, Refused
from core.journal import Journal
from core.trust import Trust
from wire.ids import KeyId, RequestId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.core.v1 import core_pb2
from wire.pb.tkms.state.v1 import state_pb2

CURRENT_EPOCH = b"config/epoch-current"
_KEY = b"asc/key/"
_STATUS = b"asc/status/"
_MAX_FACTS = 1024
_OVER = frozenset({asc_pb2.STATUS_FAILED, asc_pb2.STATUS_EXPIRED})


@dataclass(frozen=True, slots=True)
class Learned:
    """What the process has to know of new facts: erased epochs, and requests that came to nothing."""

    erased: tuple[int, ...]
    ended: tuple[RequestId, ...]


class Facts:
    """Believes what the state proves. Blocks for the disk; call it off the loop."""

    __slots__ = ("_epochs", "_journal", "_trust")

    def __init__(self, trust: Trust, journal: Journal, epochs: Epochs) -> None:
        """Bind to one core."""
        self._trust = trust
        self._journal = journal
        self._epochs = epochs

    def learn(self, inform: core_pb2.InformRequest) -> Learned:
        """Take all facts, then erase what nothing needs any more.

        Raises
        ------
        Refused
            A header or a fact is not proven; earlier facts of the call stay.
        """
        if len(inform.facts) > _MAX_FACTS:
            raise Refused(Refusal.MALFORMED, f"more than {_MAX_FACTS} facts")
        self._trust.advance(inform.headers)
        ended: list[RequestId] = []
        for fact in inform.facts:
            value = self._trust.require_value(fact, fact.key)
            try:
                ended.extend(self._take(fact, value))
            except (DecodeError, ValueError) as error:
                raise Refused(Refusal.MALFORMED, "a fact does not decode") from error
        erased = self._epochs.erase_idle() if inform.old_epochs_done else ()
        return Learned(erased, tuple(ended))

    def _take(self, fact: state_pb2.ProvenValue, value: bytes) -> list[RequestId]:
        """One proven fact by the kind of its key; the request that it ends, if it ends one."""
        if fact.key == CURRENT_EPOCH:
            self._epochs.current(int.from_bytes(value, "big"))
        elif fact.key.startswith(_KEY):
            key_id = KeyId(fact.key.removeprefix(_KEY))
            asc_pb2.MaterialRecord.FromString(value)
            self._journal.save_key(key_id.value, fact.height, value)
        elif fact.key.startswith(_STATUS):
            request_id = RequestId(fact.key.removeprefix(_STATUS))
            if asc_pb2.RequestStatus.FromString(value).status in _OVER:
                self._epochs.given_up(request_id)
                return [request_id]
        else:
            raise Refused(Refusal.MALFORMED, "a fact of no known kind")
        return []
