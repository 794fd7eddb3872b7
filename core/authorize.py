"""From an untrusted submission to permission to act.

Nothing else in the core can make a `Permission`, and everything that touches a secret demands one.
Order of the checks, each with its own `Refusal`:
1. headers verify from the trusted one (HEADER);
2. `asc/log/<sequence>` has this entry (STALE, PROOF), well formed (MALFORMED), of this chain
   (WRONG_CHAIN);
3. `config/epoch/<id>` has the epoch that the entry pins, with the same numbers (WRONG_EPOCH), and
   we are a party of it with our keys (NOT_A_PARTY);
4. `asc/key/<key id>` is active, unless the request makes a key (KEY);
5. ciphertext bytes hash to the digests of the entry (CIPHERTEXT_DIGEST);
6. the deadline lies above the trusted height (state EXPIRED, not a refusal);
7. the id was never accepted with another entry (CONFLICT). An answered id gives its state.
"""

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

_SEAL: Final = object()
_MAX_HEADERS = 1024

KEY_GENERATION = asc_pb2.REQUEST_KIND_KEY_GENERATION
CRS_GENERATION = asc_pb2.REQUEST_KIND_CRS_GENERATION
PUBLIC_DECRYPTION = asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION
USER_DECRYPTION = asc_pb2.REQUEST_KIND_USER_DECRYPTION


@dataclass(frozen=True, slots=True)
class Permission:
    """Proof inside this process that the chain asks this party for this work.

    The bytes are those that were proven; `entry` and `epoch` parse them anew at each access, so
    that nobody can change what was authorised.
    """

    record: Record
    epoch_record: bytes = field(repr=False)
    party: PartyId
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

    __slots__ = ("_chain_id", "_identity", "_journal", "_trust")

    def __init__(
        self, chain_id: str, identity: OwnIdentity, trust: Trust, journal: Journal
    ) -> None:
        """Bind to one chain and one party."""
        self._chain_id = chain_id
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
        epoch = self._epoch(submission, entry)
        parameters = self._parameters(submission, entry)
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
        self._journal.save_epoch(epoch.id, submission.epoch.value)
        state = self._journal.accept(record)
        if state != ACCEPTED:
            return Verdict(state)
        return Verdict(state, self._permission(record, submission.epoch.value))

    def resume(self) -> list[Permission]:
        """Permissions of requests that were accepted before a restart and have no answer yet."""
        epochs = {config_pb2.Epoch.FromString(raw).id: raw for raw in self._journal.epochs()}
        return [
            self._permission(record, epochs[record.epoch_id])
            for record in self._journal.unanswered()
        ]

    def _permission(self, record: Record, epoch_record: bytes) -> Permission:
        return Permission(record, epoch_record, self._identity.party, _SEAL)

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

    def _epoch(
        self, submission: core_pb2.SubmitRequest, entry: asc_pb2.LogEntry
    ) -> config_pb2.Epoch:
        """Check 3."""
        key = b"config/epoch/" + entry.epoch_id.to_bytes(8, "big")
        value = self._trust.require_value(submission.epoch, key)
        try:
            epoch = config_pb2.Epoch.FromString(value)
        except DecodeError as error:
            raise Refused(Refusal.MALFORMED, "the epoch does not decode") from error
        _require_pinned(epoch, entry)
        own = {party.index: party for party in epoch.parties}.get(self._identity.party)
        if own is None or (own.verification_key, own.tls_certificate) != (
            self._identity.verification_key,
            self._identity.tls_certificate,
        ):
            raise Refused(Refusal.NOT_A_PARTY, "the epoch names other keys for our party")
        return epoch

    def _parameters(self, submission: core_pb2.SubmitRequest, entry: asc_pb2.LogEntry) -> str:
        """Check 4."""
        if entry.kind == KEY_GENERATION:
            return entry.parameters
        value = self._trust.require_value(submission.key, b"asc/key/" + entry.key_id)
        try:
            record = asc_pb2.MaterialRecord.FromString(value)
        except DecodeError as error:
            raise Refused(Refusal.MALFORMED, "the key record does not decode") from error
        if record.id != entry.key_id or record.status != asc_pb2.KEY_STATUS_ACTIVE:
            raise Refused(Refusal.KEY, "the key is not active")
        return record.parameters


def _require_pinned(epoch: config_pb2.Epoch, entry: asc_pb2.LogEntry) -> None:
    """The epoch must be the one that the entry pins, and one that our arithmetic serves."""
    count = len(epoch.parties)
    same = (epoch.id, count, epoch.threshold) == (entry.epoch_id, entry.parties, entry.threshold)
    if not same or epoch.thresholds != entry.thresholds:
        raise Refused(Refusal.WRONG_EPOCH, "entry and epoch disagree")
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
