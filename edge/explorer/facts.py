"""What the chain proves about one request, fact by fact, under one verified header.

Everything here is checked by the explorer's own light client: the node that it reads is not believed.
A fact that does not hold makes the whole verification fail; there is no partial belief.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from google.protobuf.message import DecodeError

from client import keys
from client.chain import Chain, Proven
from client.errors import RejectedByChain, VerificationFailed
from light import LightBlock, TrustedHeader
from wire.answers import answering_epoch_id, signed_digest
from wire.digests import sha3_256
from wire.eip712 import linker_digest
from wire.ids import RequestId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.reasons import Reason
from wire.signing import SignatureError, address_of, recover_address

_AGREEMENT_SEPARATOR: Final = b"tkms/generation/v1"
_AUDIT_PAGE: Final = 100
# Far above what binary search over 2^64 sequences and one page of equal heights need.
_MAX_AUDIT_QUERIES: Final = 80


class NotYetProvable(Exception):  # noqa: N818 - a state of affairs, it passes
    """The newest state with a signed header does not have the request yet."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One statement that was checked, with the bytes and the proof where it is a value of the state."""

    name: str
    statement: str
    key: bytes = b""
    value: bytes = b""
    proof: bytes = b""


@dataclass(frozen=True, slots=True)
class ProvenFacts:
    """All facts about a request; `height` is that of the state, the header is the next one."""

    request_id: RequestId
    height: int
    header: TrustedHeader
    light_block: LightBlock
    facts: tuple[Fact, ...]
    entry: asc_pb2.LogEntry
    status: asc_pb2.RequestStatus
    audit: asc_pb2.AuditRecord | None
    # Parties whose signature over the agreed result was checked.
    signers: tuple[int, ...]

    @property
    def final(self) -> bool:
        """Whether nothing of it changes any more."""
        return self.status.closed_height != 0


async def prove_request(chain: Chain, request: RequestId) -> ProvenFacts:
    """Entry, status, epoch, answers and audit record of a request, and who signed what was agreed.

    Raises:
        NotYetProvable: no signed header covers the request yet.
        VerificationFailed: something the node says does not hold.
        RejectedByChain: the node knows no such request.
    """
    hint = await chain.request(request)
    if hint.entry.request_id != bytes(request):
        raise VerificationFailed("the node answers about another request")
    # The newest state whose header is signed: nobody waits for a block.
    height = await chain.height() - 1
    if height < max(hint.entry.height, 1):
        raise NotYetProvable(f"opened at height {hint.entry.height}")
    wanted = [
        keys.log_entry(hint.entry.sequence),
        keys.status(bytes(request)),
        keys.epoch(answering_epoch_id(hint.entry)),
    ]
    parties = [answer.party for answer in hint.answers]
    wanted += [keys.answer(bytes(request), party) for party in parties]
    sequence = await _audit_sequence(chain, hint)
    if sequence:
        wanted.append(keys.audit(sequence))
    proven = await chain.proven_values(wanted, height)
    records = _Records(chain.chain_id, request, proven, len(parties))
    block = await chain.headers.block(height + 1)
    return records.checked(block)


class _Records:
    """Proven values, read and held against each other."""

    def __init__(
        self, chain_id: str, request: RequestId, proven: list[Proven], answers: int
    ) -> None:
        self._request = request
        self._proven = proven
        if proven[0].value is None or proven[1].value is None:
            raise NotYetProvable("the state of the newest signed header does not have it")
        try:
            self.entry = asc_pb2.LogEntry.FromString(proven[0].value)
            self.status = asc_pb2.RequestStatus.FromString(proven[1].value)
            self.epoch = config_pb2.Epoch.FromString(_present(proven[2]))
            # An answer that arrived after the proven height is proven to be absent: it is left out.
            self.answers = [
                asc_pb2.Answer.FromString(item.value)
                for item in proven[3 : 3 + answers]
                if item.value is not None
            ]
            rest = [item.value for item in proven[3 + answers :] if item.value is not None]
            self.audit = asc_pb2.AuditRecord.FromString(rest[0]) if rest else None
        except DecodeError as error:
            raise VerificationFailed("a proven record is not of this schema") from error
        if self.entry.chain_id != chain_id:
            raise VerificationFailed("the proven entry is of another chain")

    def checked(self, block: LightBlock) -> ProvenFacts:
        """The facts, once all of them hold together."""
        self._require_belonging()
        signers = self._signers()
        self._require_agreement(signers)
        first = self._proven[0]
        return ProvenFacts(
            request_id=self._request,
            height=first.height,
            header=first.header,
            light_block=block,
            facts=self._facts(signers),
            entry=self.entry,
            status=self.status,
            audit=self.audit,
            signers=signers,
        )

    def _require_belonging(self) -> None:
        entry, status, epoch = self.entry, self.status, self.epoch
        request = bytes(self._request)
        if not entry.request_id == status.request_id == request:
            raise VerificationFailed("the proven records are another request's")
        numbers = (epoch.id, len(epoch.parties), epoch.threshold)
        if numbers != (answering_epoch_id(entry), entry.parties, entry.threshold):
            raise VerificationFailed("the epoch is not the one that the request pins")
        audit = self.audit
        if audit is None:
            if status.decided_height:
                raise VerificationFailed("a decided request without an audit record")
            return
        said = (audit.request_id, audit.request_sequence, audit.kind, audit.status)
        if said != (request, entry.sequence, entry.kind, status.status):
            raise VerificationFailed("the audit record contradicts entry or status")
        if audit.result_digest != status.agreed_digest or audit.price != entry.price:
            raise VerificationFailed("the audit record names another result or price")
        if audit.decided_height != status.decided_height:
            raise VerificationFailed("the audit record names another height")

    def _signers(self) -> tuple[int, ...]:
        """Parties of the epoch that signed the agreed result, ascending."""
        if self.status.status != asc_pb2.STATUS_FULFILLED:
            return ()
        known = {party.index: party.verification_key for party in self.epoch.parties}
        return tuple(
            sorted(
                answer.party
                for answer in self.answers
                if answer.party in known
                and answer.WhichOneof("outcome") == "fulfil"
                and self._signed(answer.fulfil, known[answer.party])
            )
        )

    def _signed(self, fulfil: asc_pb2.Fulfil, verification_key: bytes) -> bool:
        try:
            digest = self._agreed_signed_digest(fulfil)
            return digest is not None and recover_address(digest, fulfil.signature) == address_of(
                verification_key
            )
        except (SignatureError, KeyError, IndexError, ValueError):
            return False

    def _agreed_signed_digest(self, fulfil: asc_pb2.Fulfil) -> bytes | None:
        """Digest that the signature is over where it is an answer with the agreed result."""
        entry, agreed = self.entry, self.status.agreed_digest
        if entry.kind == asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION:
            result = fulfil.public_decryption.decrypted_result
            # A dropped plaintext leaves its digest, which is what was signed.
            same = not result or signed_digest(entry, fulfil) == agreed
            return agreed if same else None
        digest = signed_digest(entry, fulfil)
        if entry.kind == asc_pb2.REQUEST_KIND_USER_DECRYPTION:
            handles = [ciphertext.handle for ciphertext in entry.ciphertexts]
            link = linker_digest(entry.domain, entry.user_public_key, handles, entry.user)
            return digest if sha3_256(link) == agreed else None
        sizes = b"".join(item.size.to_bytes(8, "big") for item in fulfil.generation.digests)
        return digest if sha3_256(_AGREEMENT_SEPARATOR + digest + sizes) == agreed else None

    def _require_agreement(self, signers: tuple[int, ...]) -> None:
        if self.status.status != asc_pb2.STATUS_FULFILLED:
            return
        needed = needed_signers(self.entry)
        if len(signers) < needed:
            raise VerificationFailed(
                f"{len(signers)} parties signed the agreed result, {needed} are needed"
            )

    def _facts(self, signers: tuple[int, ...]) -> tuple[Fact, ...]:
        status = asc_pb2.Status.Name(self.status.status).removeprefix("STATUS_").lower()
        statements = [
            ("entry", f"entry {self.entry.sequence} of the request log"),
            ("status", f"the request is {status}"),
            ("epoch", f"{len(self.epoch.parties)} parties of epoch {self.epoch.id}"),
        ]
        named = list(zip(statements, self._proven[:3], strict=True))
        for item in self._proven[3:]:
            if item.value is None:
                continue
            if item.key.startswith(b"asc/audit/"):
                sequence = 0 if self.audit is None else self.audit.sequence
                named.append((("audit", f"record {sequence} of the audit log"), item))
            else:
                party = int.from_bytes(item.key[-4:], "big")
                named.append(((f"answer {party}", f"party {party} answered"), item))
        facts = [
            Fact(name, statement, item.key, item.value or b"", item.proof)
            for (name, statement), item in named
        ]
        if signers:
            listed = ", ".join(map(str, signers))
            needed = needed_signers(self.entry)
            statement = f"parties {listed} signed the agreed result; {needed} are needed"
            facts.append(Fact("agreement", statement))
        return tuple(facts)


def needed_signers(entry: asc_pb2.LogEntry) -> int:
    """Signatures that a result of the request needs, never fewer than its threshold protects with."""
    if entry.kind == asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION:
        return max(entry.thresholds.public_decryption, entry.threshold + 1)
    if entry.kind == asc_pb2.REQUEST_KIND_USER_DECRYPTION:
        return max(entry.thresholds.user_decryption, 2 * entry.threshold + 1)
    return max(entry.thresholds.generation, entry.threshold + 1)


async def _audit_sequence(chain: Chain, hint: state_pb2.RequestView) -> int:
    """Where the node says that the request's audit record is, 0 while it is open.

    Records are in the order of the decisions, so the height of the decision is searched for.
    """
    decided = hint.status.decided_height
    if not decided:
        return 0
    low, high = 1, (await _audit(chain, 1, 1)).last_sequence
    for _ in range(_MAX_AUDIT_QUERIES):
        if low >= high:
            break
        middle = (low + high) // 2
        page = await _audit(chain, middle, 1)
        if page.records and page.records[0].decided_height < decided:
            low = middle + 1
        else:
            high = middle
    for _ in range(_MAX_AUDIT_QUERIES):
        page = await _audit(chain, low, _AUDIT_PAGE)
        for record in page.records:
            if record.request_id == hint.entry.request_id:
                return record.sequence
        if not page.next_sequence or page.records[-1].decided_height > decided:
            break
        low = page.next_sequence
    raise VerificationFailed("the node shows no audit record of a decided request")


async def _audit(chain: Chain, sequence: int, limit: int) -> state_pb2.AuditList:
    query = state_pb2.AuditQuery(from_sequence=sequence, limit=limit)
    data = query.SerializeToString(deterministic=True)
    try:
        page = state_pb2.AuditList.FromString(await chain.query("/asc/audit", data))
    except DecodeError as error:
        raise VerificationFailed("the node's audit log is not of this schema") from error
    if any(record.sequence < sequence for record in page.records):
        raise VerificationFailed("the node's audit log goes backwards")
    return page


def is_unknown(error: RejectedByChain) -> bool:
    """Whether the node says that there is no such request."""
    return error.reason is Reason.NOT_FOUND


def _present(proven: Proven) -> bytes:
    if proven.value is None:
        raise VerificationFailed(f"the state proves that {proven.key!r} is absent")
    return proven.value
