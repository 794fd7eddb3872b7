"""What is fuzzed: each target takes bytes, and raises where something is wrong.

framing        the stream of the engine, in any pieces
transactions   bytes that claim to be a transaction
handlers       every message, in blocks, through two nodes
queries        every path, with data that may be anything
kernel, peers, protocols, documents, facts    what a core takes from outside, each in a module of its own
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from google.protobuf.message import DecodeError

from abci_app.errors import FramingError
from abci_app.framing import Deframer, encode_length, frame
from abci_app.known import KnownTransactions
from light import verify_absent, verify_value
from tests.fuzz.choices import Choices
from tests.fuzz.documents import documents
from tests.fuzz.kernel_calls import kernel_calls
from tests.fuzz.mutation import Dictionary, mutate
from tests.fuzz.peer_streams import peers
from tests.fuzz.protocols import protocols
from tests.fuzz.proven_facts import Facts
from tests.fuzz.twins import Twins, dictionary_of, require_no_bugs
from tests.support.chain import ALICE, CHAIN_ID, SERVICE, Chain
from wire.pb.tkms.comet.v1 import abci_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.reasons import Reason, Rejection
from wire.tx import MESSAGE_KINDS, SignedTransaction, build, decode, verify_signature

Target = Callable[[bytes], None]

_SMALL_LIMIT: Final = 2_000
# Blocks after which the two nodes are compared completely and begin anew.
_BLOCKS_OF_A_LIFE: Final = 40
_MOST_BLOCKS: Final = 4


# --- framing


def framing(data: bytes) -> None:
    """Any stream in any pieces gives what the whole stream gives; nothing is held beyond the limit."""
    choices = Choices(data)
    stream = _stream(choices)
    expected, broken = _frames(stream)
    deframer = Deframer(_SMALL_LIMIT)
    found: list[bytes] = []
    position = 0
    try:
        while position < len(stream):
            size = 1 + choices.below(choices.pick((2, 40, 3000)))
            found += deframer.feed(stream[position : position + size])
            position += size
            assert deframer.pending <= _SMALL_LIMIT + 5
    except FramingError:
        # Messages in the piece with the mistake are lost with the connection.
        assert broken
        assert found == expected[: len(found)]
        _stays_dead(deframer)
        return
    assert found == expected
    assert broken is False
    assert b"".join(map(frame, found)) == stream[: len(stream) - deframer.pending]
    for message in found:
        _read_request(message)


def _stream(choices: Choices) -> bytes:
    """Good frames, frames of random length and plain bytes."""
    parts = []
    for _ in range(choices.below(12)):
        action = choices.below(4)
        body = choices.some(300)
        if action == 0:
            parts.append(frame(body))
        elif action == 1:
            parts.append(frame(_request(choices).SerializeToString()))
        elif action == 2:
            parts.append(
                encode_length(choices.pick((0, 127, 128, 2000, 2001, 2**32, 2**35))) + body
            )
        else:
            parts.append(body)
    return b"".join(parts)


def _frames(stream: bytes) -> tuple[list[bytes], bool]:
    """What a reader without state finds in a whole stream, and whether it is broken."""
    found = []
    position = 0
    while position < len(stream):
        length, used = 0, 0
        while True:
            if position + used >= len(stream):
                return found, False
            byte = stream[position + used]
            length |= (byte & 127) << 7 * used
            used += 1
            if byte < 128:
                break
            if used == 5:
                return found, True
        if (used > 1 and byte == 0) or length > _SMALL_LIMIT:
            return found, True
        if position + used + length > len(stream):
            return found, False
        found.append(stream[position + used : position + used + length])
        position += used + length
    return found, False


def _stays_dead(deframer: Deframer) -> None:
    try:
        deframer.feed(frame(b"x"))
    except FramingError:
        assert deframer.pending == 0
        return
    raise AssertionError("a broken stream came to life")


def _request(choices: Choices) -> abci_pb2.Request:
    """A call of the engine."""
    return choices.pick(
        (
            abci_pb2.Request(flush=abci_pb2.RequestFlush()),
            abci_pb2.Request(echo=abci_pb2.RequestEcho(message="x" * choices.byte())),
            abci_pb2.Request(check_tx=abci_pb2.RequestCheckTx(tx=choices.some(200))),
            abci_pb2.Request(query=abci_pb2.RequestQuery(path="/store", data=choices.some(40))),
        )
    )


def _read_request(message: bytes) -> None:
    try:
        request = abci_pb2.Request.FromString(message)
    except DecodeError:
        return
    request.WhichOneof("value")


# --- transactions


def transactions(data: bytes) -> None:
    """Only Rejection refuses; what is taken is canonical, has one name, and its signature is judged."""
    choices = Choices(data)
    raw = _transaction(choices)
    limit = choices.pick((300_000, 300, 0))
    known = KnownTransactions(choices.pick((1_000, 0, 100_000)))
    refused = _refused(lambda: decode(raw, limit))
    assert refused is not Reason.INTERNAL
    assert _refused(lambda: known.decode(raw, limit)) == refused
    if refused is not None:
        return
    transaction = decode(raw, limit)
    _is_canonical(transaction)
    first = _refused(lambda: verify_signature(transaction, CHAIN_ID))
    for _ in range(2):
        assert _refused(lambda: known.verify(known.decode(raw, limit), CHAIN_ID)) == first
    assert first in (None, Reason.BAD_SIGNATURE)


def _transaction(choices: Choices) -> bytes:
    """A good transaction, one with changed fields or bytes, or bytes."""
    action = choices.below(5)
    if action == 4:
        return choices.rest()
    messages = [_free_message(choices) for _ in range(choices.below(4))]
    raw = build(
        choices.pick((ALICE, SERVICE)),
        choices.pick((CHAIN_ID, "", "other")),
        messages,
        expires_at_height=choices.below(300),
        max_fee=choices.bits(64),
        nonce=choices.take(choices.pick((16, 0, 15, 17))),
    )
    if action == 0:
        return raw
    outer = tx_pb2.Tx.FromString(raw)
    if action == 1:
        mutate(outer, choices, _plain_dictionary())
    elif action == 2:
        body = tx_pb2.TxBody.FromString(outer.body)
        mutate(body, choices, _plain_dictionary())
        outer.body = body.SerializeToString(deterministic=choices.chance(128))
    changed = bytearray(outer.SerializeToString(deterministic=True))
    for _ in range(choices.below(4) if action == 3 else 0):
        _change_bytes(changed, choices)
    return bytes(changed)


def _change_bytes(changed: bytearray, choices: Choices) -> None:
    """Flip, insert, cut, repeat: what a length-delimited format must notice."""
    place = choices.below(len(changed) + 1)
    action = choices.below(4)
    if action == 0 and place < len(changed):
        changed[place] = choices.byte()
    elif action == 1:
        changed[place:place] = choices.some(12)
    elif action == 2:
        del changed[place : place + choices.byte()]
    else:
        changed += changed[place : place + choices.byte()]


def _free_message(choices: Choices) -> tx_pb2.Message:
    """A message of any kind whose fields are chosen freely."""
    kind = choices.pick(MESSAGE_KINDS)
    message = tx_pb2.Message()
    inner = getattr(message, kind)
    inner.SetInParent()
    for _ in range(choices.below(4)):
        mutate(inner, choices, _plain_dictionary())
    return message


def _plain_dictionary() -> Dictionary:
    return Dictionary([b"", bytes(20), bytes(32), bytes(65)], [0, 1, 100])


def _is_canonical(transaction: SignedTransaction) -> None:
    """The bytes are the only form of what they say."""
    outer = tx_pb2.Tx.FromString(transaction.raw)
    assert outer.SerializeToString(deterministic=True) == transaction.raw
    assert transaction.body.SerializeToString(deterministic=True) == transaction.body_bytes
    assert len(transaction.kinds) == len(transaction.body.messages) > 0
    assert decode(transaction.raw).hash == transaction.hash


def _refused(call: Callable[[], object]) -> Reason | None:
    """Reason of a refusal."""
    try:
        call()
    except Rejection as rejection:
        return rejection.reason
    return None


# --- handlers


class Handlers:
    """Blocks through two nodes, which live for a while so that their state grows deep."""

    def __init__(self, blocks_of_a_life: int = _BLOCKS_OF_A_LIFE) -> None:
        """Begin with the first input."""
        self._twins: Twins | None = None
        self._blocks = 0
        self._blocks_of_a_life = blocks_of_a_life

    def __call__(self, data: bytes) -> None:
        """Some blocks."""
        choices = Choices(data)
        if self._twins is None:
            self._twins = Twins.start()
            self._blocks = 0
        twins = self._twins
        for _ in range(1 + choices.below(_MOST_BLOCKS)):
            twins.block(choices)
            self._blocks += 1
            if twins.halted or not choices.left:
                break
        if twins.halted or self._blocks >= self._blocks_of_a_life:
            self._twins = None
            twins.close()

    def calls(self) -> list[abci_pb2.Request]:
        """Everything since the two began: what a finding needs to be shown again."""
        return [] if self._twins is None else self._twins.calls


# --- queries


class Queries:
    """Questions to a prepared chain, each asked twice."""

    def __init__(self) -> None:
        """Prepare with the first input."""
        self._twins: Twins | None = None

    def __call__(self, data: bytes) -> None:
        """One question."""
        if self._twins is None:
            self._twins = Twins.start()
        twins, choices = self._twins, Choices(data)
        request = self._request(twins, choices)
        answers = [
            chain.call(query=request) for chain in (twins.maker, twins.follower, twins.maker)
        ]
        raw = [answer.SerializeToString(deterministic=True) for answer in answers]
        assert raw[0] == raw[1] == raw[2]
        answer = answers[0]
        assert isinstance(answer, abci_pb2.ResponseQuery)
        require_no_bugs()
        assert answer.code in {0, *map(int, Reason)}
        assert answer.code != Reason.INTERNAL
        if answer.code == 0 and request.path == "/store" and request.prove:
            _is_proven(twins.maker, request, answer)

    def _request(self, twins: Twins, choices: Choices) -> abci_pb2.RequestQuery:
        paths = [
            *sorted(twins.maker.application._queries),
            "/store",
            "/simulate",
            "",
            "/x",
            "/asc/",
        ]
        height = choices.pick((0, 0, 0, twins.maker.height, 1, twins.maker.height + 1, 2**62, -1))
        path = choices.pick(paths)
        return abci_pb2.RequestQuery(
            path=path,
            data=self._data(twins, path, choices),
            height=height,
            prove=choices.chance(128),
        )

    def _data(self, twins: Twins, path: str, choices: Choices) -> bytes:
        known = twins.known(choices)
        dictionary = dictionary_of(known)
        if path == "/simulate" and choices.chance(200):
            return twins.transaction(choices, known)
        if path == "/asc/audit" and choices.chance(200):
            query = state_pb2.AuditQuery(limit=choices.byte())
            for _ in range(choices.below(3)):
                mutate(query, choices, dictionary)
            return query.SerializeToString()
        return _octets(choices, dictionary)


def _octets(choices: Choices, dictionary: Dictionary) -> bytes:
    """Data of a query: ids, keys of the state, numbers, handles, or anything."""
    action = choices.below(5)
    if action == 0:
        return choices.pick(dictionary.values)
    if action == 1:
        return choices.pick(_PREFIXES) + choices.pick(dictionary.values)
    if action == 2:
        return choices.pick((choices.below(300), 2**64 - 1)).to_bytes(8, "big") + choices.some(4)
    if action == 3:
        return b"shop\x00" + choices.pick(dictionary.values)
    return choices.rest()


_PREFIXES: Final = (
    *(b"asc/status/", b"asc/log/", b"bank/account/", b"config/epoch/", b"isc/application/"),
    *(b"~asc/deadline/", b"~", b"", b"ante/seen/", b"clock/time"),
)


def _is_proven(
    chain: Chain, request: abci_pb2.RequestQuery, answer: abci_pb2.ResponseQuery
) -> None:
    """A proof of the newest state verifies against the app hash, for what is there and what is not."""
    if answer.height != chain.height or request.data.startswith(b"~"):
        return
    (operation,) = answer.proof_ops.ops
    if answer.value:
        verify_value(chain.app_hash, request.data, answer.value, operation.data)
    else:
        verify_absent(chain.app_hash, request.data, operation.data)


TARGETS: dict[str, Callable[[], Target]] = {
    "framing": lambda: framing,
    "transactions": lambda: transactions,
    "handlers": Handlers,
    "queries": Queries,
    "kernel": lambda: kernel_calls,
    "peers": lambda: peers,
    "protocols": lambda: protocols,
    "documents": lambda: documents,
    "facts": Facts,
}


def seeds(count: int = 40) -> Iterator[bytes]:
    """Inputs to start from: long enough for several blocks, different from each other."""
    for number in range(count):
        yield bytes(
            (number * 37 + place * (number + 11)) % 256 for place in range(40 + 25 * number)
        )


def corpus_of(name: str, folder: Path) -> list[bytes]:
    """Inputs that once found something: they are run first, for ever."""
    found = sorted((folder / name).glob("*")) if (folder / name).is_dir() else []
    return [path.read_bytes() for path in found]
