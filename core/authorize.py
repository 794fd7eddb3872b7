"""From an untrusted submission to permission to act.

Nothing else in the core can make a `Permission`, and everything that touches a secret demands one.
Order of the checks, each with its own `Refusal`:
1. headers verify from the trusted one (HEADER);
2. `asc/log/<sequence>` has this entry (STALE, PROOF), well formed (MALFORMED), of this chain
   (WRONG_CHAIN);
3. `config/epoch/<id>` has the epoch that the entry pins, with the same numbers (WRONG_EPOCH), and
   we are a party of it with our keys (NOT_A_PARTY); of a change of epoch the next one as well, and
   a party of one of them is enough;
4. `asc/key/<key id>` allows the kind (KEY), by the newest proof that we have: active to decrypt,
   destroyed to be erased, neither destroyed nor unfinished to be reshared; a key generation's
   `asc/preprocessing/<id>` was given to it;
5. ciphertext bytes hash to the digests of the entry (CIPHERTEXT_DIGEST);
6. the deadline lies above the trusted height (state EXPIRED, not a refusal);
7. the id was never accepted with another entry (CONFLICT). An answered id gives its state.
An entry that pins an epoch proves that the chain had made it current. An entry of an epoch whose
secrets were erased since is expired.
"""

from collections.abc import Callable, Mapping
from dataclasses import InitVar, dataclass, field
from typing import Final

import tkms_kernel as kernel
from google.protobuf.message import DecodeError

from core.errors import Refusal, Refused
from core.journal import ACCEPTED, EXPIRED, Journal, Record
from core.trust import Trust
from wire.digests import sha3_256
from wire.ids import Height, KeyId, PartyId, RequestId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.core.v1 import core_pb2
from wire.pb.tkms.state.v1 import state_pb2

_SEAL: Final = object()
_MAX_HEADERS = 1024

KEY_GENERATION = asc_pb2.REQUEST_KIND_KEY_GENERATION
CRS_GENERATION = asc_pb2.REQUEST_KIND_CRS_GENERATION
PUBLIC_DECRYPTION = asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION
USER_DECRYPTION = asc_pb2.REQUEST_KIND_USER_DECRYPTION
PREPROCESSING = asc_pb2.REQUEST_KIND_PREPROCESSING
EPOCH_CHANGE = asc_pb2.REQUEST_KIND_EPOCH_CHANGE
KEY_DESTRUCTION = asc_pb2.REQUEST_KIND_KEY_DESTRUCTION

_ACTIVE: Final = frozenset({asc_pb2.KEY_STATUS_ACTIVE})
_DESTROYED: Final = frozenset({asc_pb2.KEY_STATUS_DESTROYED})
_KEPT: Final = _ACTIVE | {asc_pb2.KEY_STATUS_SUSPENDED, asc_pb2.KEY_STATUS_REVOKED}


@dataclass(frozen=True, slots=True)
class Permission:
    """Proof inside this process that the chain asks this party for this work.

    The bytes are those that were proven; `entry` and `epoch` parse them anew at each access, so
    that nobody can change what was authorised.
    """

    record: Record
    epoch_record: bytes = field(repr=False)
    # Changes of epoch only.
    next_epoch_record: bytes = field(repr=False)
    party: PartyId
    # DER; names us in every epoch.
    certificate: bytes = field(repr=False)
    # Not kept, so that `dataclasses.replace` cannot pass it on to a changed copy.
    seal: InitVar[object]

    def __post_init__(self, seal: object) -> None:
        """Refuse everybody but this module."""
        if seal is not _SEAL:
            raise TypeError("only core.authorize gives permissions")

    @property
    def request_id(self) -> RequestId:
        """Id of the request."""
        return self.record.request_id

    @property
    def deadline_height(self) -> Height:
        """No answer counts from this height on."""
        return self.record.deadline_height

    @property
    def parameters(self) -> str:
        """TFHE parameter set of the key or the generation."""
        return self.record.parameters

    @property
    def entry(self) -> asc_pb2.LogEntry:
        """The proven log entry."""
        return asc_pb2.LogEntry.FromString(self.record.entry)

    @property
    def epoch(self) -> config_pb2.Epoch:
        """The proven epoch that the entry pins."""
        return config_pb2.Epoch.FromString(self.epoch_record)

    @property
    def next_epoch(self) -> config_pb2.Epoch:
        """The proven epoch to which a change of epoch leads."""
        return config_pb2.Epoch.FromString(self.next_epoch_record)

    @property
    def key_id(self) -> KeyId:
        """Key whose shares are used; for key generation the id of the new key."""
        entry = self.entry
        return KeyId(entry.request_id if entry.kind == KEY_GENERATION else entry.key_id)


@dataclass(frozen=True, slots=True)
class Verdict:
    """State of the request, and permission where there is (still) work."""

    state: core_pb2.WorkState
    permission: Permission | None = None


@dataclass(frozen=True, slots=True)
class OwnIdentity:
    """What an epoch record must say about us: 33-byte key and DER certificate."""

    party: PartyId
    verification_key: bytes
    tls_certificate: bytes = field(repr=False)


class Authorizer:
    """Decides what this core believes. Blocks for the disk; call it off the loop."""

    __slots__ = ("_chain_id", "_current", "_identity", "_journal", "_trust")

    def __init__(
        self,
        chain_id: str,
        identity: OwnIdentity,
        trust: Trust,
        journal: Journal,
        current: Callable[[int], None] = lambda _epoch_id: None,
    ) -> None:
        """Bind to one chain and one party; `current` is told the epoch that each proven entry pins."""
        self._chain_id = chain_id
        self._current = current
        self._identity = identity
        self._trust = trust
        self._journal = journal

    def authorize(self, submission: core_pb2.SubmitRequest) -> Verdict:
        """Run the checks and accept durably.

        Raises
        ------
        Refused
            Not believed; apart from verified headers and epochs nothing was kept.
        """
        if len(submission.headers) > _MAX_HEADERS:
            raise Refused(Refusal.MALFORMED, f"more than {_MAX_HEADERS} headers")
        self._trust.advance(submission.headers)
        entry = self._entry(submission)
        more = {proven.key: proven for proven in submission.more}
        epochs = self._epochs(submission, entry, more)
        parameters = self._parameters(submission, entry, more)
        blobs = _blobs(submission, entry)
        request_id = RequestId(entry.request_id)
        if entry.deadline_height <= self._trust.height:
            known = self._journal.state(request_id)
            if known in {core_pb2.WORK_STATE_UNSPECIFIED, ACCEPTED}:
                return Verdict(EXPIRED)
        record = Record(
            request_id,
            entry.sequence,
            Height(entry.deadline_height),
            entry.epoch_id,
            submission.entry.value,
            parameters,
            blobs,
        )
        for epoch_id, value in epochs.items():
            self._journal.save_epoch(epoch_id, value)
        self._current(entry.epoch_id)
        if self._journal.epoch_states().lost(entry.epoch_id):
            return Verdict(EXPIRED)
        state = self._journal.accept(record)
        if state != ACCEPTED:
            return Verdict(state)
        return Verdict(state, self._permission(record, epochs))

    def resume(self) -> list[Permission]:
        """Permissions of requests that were accepted before a restart and have no answer yet."""
        epochs = {config_pb2.Epoch.FromString(raw).id: raw for raw in self._journal.epochs()}
        return [self._permission(record, epochs) for record in self._journal.unanswered()]

    def _permission(self, record: Record, epochs: Mapping[int, bytes]) -> Permission:
        next_id = asc_pb2.LogEntry.FromString(record.entry).next_epoch_id
        return Permission(
            record,
            epochs[record.epoch_id],
            epochs[next_id] if next_id else b"",
            self._identity.party,
            self._identity.tls_certificate,
            _SEAL,
        )

    def _entry(self, submission: core_pb2.SubmitRequest) -> asc_pb2.LogEntry:
        """Check 2."""
        try:
            entry = asc_pb2.LogEntry.FromString(submission.entry.value)
        except DecodeError as error:
            raise Refused(Refusal.MALFORMED, "the entry does not decode") from error
        key = b"asc/log/" + entry.sequence.to_bytes(8, "big")
        self._trust.require_value(submission.entry, key)
        if entry.chain_id != self._chain_id:
            raise Refused(Refusal.WRONG_CHAIN, "the entry is of another chain")
        if len(entry.request_id) != RequestId.LENGTH or entry.height > submission.entry.height:
            raise Refused(Refusal.MALFORMED, "the entry contradicts itself")
        return entry

    def _epochs(
        self,
        submission: core_pb2.SubmitRequest,
        entry: asc_pb2.LogEntry,
        more: Mapping[bytes, state_pb2.ProvenValue],
    ) -> dict[int, bytes]:
        """Check 3: records of the pinned epoch and, of a change, of the next one, by id."""
        proven = {entry.epoch_id: submission.epoch}
        if entry.kind == EPOCH_CHANGE:
            if entry.next_epoch_id <= entry.epoch_id:
                raise Refused(Refusal.WRONG_EPOCH, "the next epoch is not a later one")
            proven[entry.next_epoch_id] = _one_of(more, _epoch_key(entry.next_epoch_id))
        found = {
            epoch_id: self._trust.require_value(value, _epoch_key(epoch_id))
            for epoch_id, value in proven.items()
        }
        parsed = [_parse_epoch(epoch_id, value) for epoch_id, value in found.items()]
        for epoch in parsed:
            _require_served(epoch)
        # The numbers in the entry are those of the parties that answer.
        _require_pinned(parsed[-1], entry)
        if not any(self._is_ours(epoch) for epoch in parsed):
            raise Refused(Refusal.NOT_A_PARTY, "the epoch names other keys for our party")
        return found

    def _is_ours(self, epoch: config_pb2.Epoch) -> bool:
        """Whether we are the party of our number, with our keys."""
        own = self._identity
        return any(
            (party.index, party.verification_key, party.tls_certificate)
            == (own.party, own.verification_key, own.tls_certificate)
            for party in epoch.parties
        )

    def _parameters(
        self,
        submission: core_pb2.SubmitRequest,
        entry: asc_pb2.LogEntry,
        more: Mapping[bytes, state_pb2.ProvenValue],
    ) -> str:
        """Check 4."""
        if entry.kind == EPOCH_CHANGE:
            for key_id in entry.key_ids:
                self._key(_one_of(more, b"asc/key/" + key_id), key_id, _KEPT)
            return ""
        if entry.kind == KEY_GENERATION:
            if entry.preprocessing_id:
                self._require_preprocessing(entry, more)
            return entry.parameters
        if entry.kind == PREPROCESSING:
            return entry.parameters
        allowed = _DESTROYED if entry.kind == KEY_DESTRUCTION else _ACTIVE
        return self._key(submission.key, entry.key_id, allowed).parameters

    def _require_preprocessing(
        self, entry: asc_pb2.LogEntry, more: Mapping[bytes, state_pb2.ProvenValue]
    ) -> None:
        """The chain gave this preprocessing to this generation, of this epoch and these parameters."""
        key = b"asc/preprocessing/" + entry.preprocessing_id
        record = _parse_material(self._trust.require_value(_one_of(more, key), key))
        found = (record.id, record.consumed_by, record.parameters, record.epoch_id)
        expected = (entry.preprocessing_id, entry.request_id, entry.parameters, entry.epoch_id)
        if found != expected:
            raise Refused(Refusal.KEY, "the preprocessing is not that of this generation")

    def _key(
        self, proven: state_pb2.ProvenValue, key_id: bytes, allowed: frozenset[asc_pb2.KeyStatus]
    ) -> asc_pb2.MaterialRecord:
        """The newest record of a key: this proof's, or that of a later height that we were told."""
        value = self._trust.require_value(proven, b"asc/key/" + key_id)
        if _parse_material(value).id != key_id:
            raise Refused(Refusal.KEY, "the record is of another key")
        self._journal.save_key(key_id, proven.height, value)
        newest = _parse_material(self._journal.key(key_id) or value)
        if newest.status not in allowed:
            raise Refused(Refusal.KEY, f"the key's state {newest.status} does not allow it")
        return newest


def _epoch_key(epoch_id: int) -> bytes:
    return b"config/epoch/" + epoch_id.to_bytes(8, "big")


def _one_of(more: Mapping[bytes, state_pb2.ProvenValue], key: bytes) -> state_pb2.ProvenValue:
    """Further evidence that the kind needs."""
    if key not in more:
        raise Refused(Refusal.PROOF, f"no proof of {key[:16].decode('ascii', 'replace')}")
    return more[key]


def _parse_epoch(epoch_id: int, value: bytes) -> config_pb2.Epoch:
    try:
        epoch = config_pb2.Epoch.FromString(value)
    except DecodeError as error:
        raise Refused(Refusal.MALFORMED, "the epoch does not decode") from error
    if epoch.id != epoch_id:
        raise Refused(Refusal.WRONG_EPOCH, "the record is of another epoch")
    return epoch


def _parse_material(value: bytes) -> asc_pb2.MaterialRecord:
    try:
        return asc_pb2.MaterialRecord.FromString(value)
    except DecodeError as error:
        raise Refused(Refusal.MALFORMED, "the record does not decode") from error


def _require_pinned(epoch: config_pb2.Epoch, entry: asc_pb2.LogEntry) -> None:
    """The epoch must be the one that the entry pins."""
    same = (len(epoch.parties), epoch.threshold) == (entry.parties, entry.threshold)
    if not same or epoch.thresholds != entry.thresholds:
        raise Refused(Refusal.WRONG_EPOCH, "entry and epoch disagree")


def _require_served(epoch: config_pb2.Epoch) -> None:
    """Our arithmetic must serve the epoch."""
    count = len(epoch.parties)
    if sorted(party.index for party in epoch.parties) != list(range(1, count + 1)):
        raise Refused(Refusal.WRONG_EPOCH, "parties are not numbered from 1 to n")
    if count < 3 * epoch.threshold + 1 or not kernel.mask_capacity_ok(count, epoch.threshold):
        raise Refused(Refusal.WRONG_EPOCH, "masks do not fit this number of parties")


def _blobs(
    submission: core_pb2.SubmitRequest, entry: asc_pb2.LogEntry
) -> tuple[tuple[bytes, bytes], ...]:
    """Check 5. Bytes that are missing may come with a later submission."""
    wanted = {ciphertext.digest for ciphertext in entry.ciphertexts}
    blobs = []
    for blob in submission.ciphertexts:
        digest = sha3_256(blob.data)
        if digest != blob.digest or digest not in wanted:
            raise Refused(Refusal.CIPHERTEXT_DIGEST, "bytes do not hash to a digest of the entry")
        blobs.append((digest, blob.data))
    return tuple(blobs)
