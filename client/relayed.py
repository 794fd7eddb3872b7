"""Results that a gateway's relay hands out, believed only with what comes inside of them.

No connection is needed but the one to the relay: entry, status and epoch are proven under a header, and
the header is verified from the caller's root of trust::

    trust = RelayTrust(chain_id, PinnedValidators(validators_hash))
    values = trust.public(response.result, application, [handle]).values

A result says itself whose it is. A relay may hand out a true result of something else, so what was asked
for is compared with what the chain proves was answered.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from client import keys
from client.chain import check_proof
from client.decrypt import Combiner, PublicDecryption, UserAnswer, UserDecryption, UserKeyPair
from client.decrypt import verify_public as verify_signed
from client.errors import VerificationFailed
from client.evidence import Evidence
from client.headers import default_policy
from light import (
    LightBlock,
    LightError,
    PinnedHeader,
    Policy,
    Supplied,
    TrustRoot,
    VerifiedBlock,
    skip,
    verify_root,
)
from wire.answers import answering_epoch_id
from wire.digests import sha3_256
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.core.v1 import core_pb2
from wire.pb.tkms.gateway.v1 import gateway_pb2
from wire.pb.tkms.state.v1 import state_pb2


@dataclass(frozen=True, slots=True)
class RelayedRequest:
    """A request whose records are proven, with the answers that came along; those carry signatures."""

    evidence: Evidence
    answers: tuple[asc_pb2.Answer, ...]

    @property
    def fulfilments(self) -> list[asc_pb2.Fulfil]:
        """Answers that are no failures."""
        return [
            answer.fulfil for answer in self.answers if answer.WhichOneof("outcome") == "fulfil"
        ]


class RelayTrust:
    """What a caller believes: a root of trust, and the newest header that was verified from it."""

    def __init__(
        self,
        chain_id: str,
        root: TrustRoot,
        *,
        policy: Policy | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Nothing is verified yet."""
        self.chain_id = chain_id
        self._root = root
        self._policy = policy or default_policy(chain_id)
        self._now_ns = now_ns
        self._newest: VerifiedBlock | None = None

    @property
    def trusted_height(self) -> int:
        """What to ask a relay with: results then lead on from there."""
        if self._newest is not None:
            return self._newest.height
        return self._root.height if isinstance(self._root, PinnedHeader) else 0

    def verify(self, result: gateway_pb2.RequestResult) -> RelayedRequest:
        """Check headers and proofs of a result; signatures of answers are checked by who reads them.

        It may be a result of another request than the caller's: that is seen in the entry.

        Raises:
            VerificationFailed: anything does not hold.
        """
        header = self._header(result.headers).header
        status = asc_pb2.RequestStatus()
        entry = asc_pb2.LogEntry()
        epoch = config_pb2.Epoch()
        try:
            for proven, record in (
                (result.entry, entry),
                (result.status, status),
                (result.epoch, epoch),
            ):
                record.ParseFromString(proven.value)
        except DecodeError as error:
            raise VerificationFailed("a record of the result is not of this schema") from error
        for proven, key in (
            (result.entry, keys.log_entry(entry.sequence)),
            (result.status, keys.status(result.request_id)),
            (result.epoch, keys.epoch(answering_epoch_id(entry))),
        ):
            self._check(proven, key, header.height, header.app_hash)
        if entry.request_id != result.request_id or entry.chain_id != self.chain_id:
            raise VerificationFailed("the proven entry is another request's")
        return RelayedRequest(
            Evidence(entry, status, epoch, header.height - 1), tuple(result.answers)
        )

    def public(
        self, result: gateway_pb2.RequestResult, application: str, handles: Sequence[bytes]
    ) -> PublicDecryption:
        """Verified plaintexts of an application's handles, in their order.

        Raises:
            VerificationFailed: anything does not hold, or something else was decrypted.
        """
        proven = self._asked(result, application, handles)
        return verify_signed(proven.evidence, proven.fulfilments)

    def user(
        self,
        result: gateway_pb2.RequestResult,
        application: str,
        handles: Sequence[bytes],
        key: UserKeyPair,
    ) -> UserDecryption | None:
        """Verified plaintexts of an application's handles; None where more answers are needed.

        Raises:
            VerificationFailed: anything does not hold, or something else was decrypted.
        """
        proven = self._asked(result, application, handles)
        combiner = Combiner(proven.evidence, key)
        for answer in proven.fulfilments:
            found = answer.user_decryption
            if sha3_256(found.payload) == found.payload_digest:
                combiner.add(UserAnswer(answer.party, found.payload, answer.signature))
        return combiner.result()

    def _asked(
        self, result: gateway_pb2.RequestResult, application: str, handles: Sequence[bytes]
    ) -> RelayedRequest:
        """The proven request, if it is about these values."""
        proven = self.verify(result)
        evidence = proven.evidence
        if evidence.entry.application != application or evidence.handles != list(handles):
            raise VerificationFailed("the result is of other values than those asked for")
        return proven

    def _check(
        self, proven: state_pb2.ProvenValue, key: bytes, height: int, app_hash: bytes
    ) -> None:
        if proven.key != key or proven.height + 1 != height or not proven.value:
            raise VerificationFailed(f"the result proves something else than {key!r}")
        check_proof(proven.proof, app_hash, key, proven.value)

    def _header(self, headers: Sequence[core_pb2.LightBlock]) -> VerifiedBlock:
        """The last header, verified; the newest one is remembered."""
        if not headers:
            raise VerificationFailed("the result has no header")
        blocks = {
            block.height: LightBlock(block.signed_header, block.validators, block.next_validators)
            for block in headers
        }
        target = headers[-1].height
        if self._newest is not None and self._newest.height == target:
            return self._newest
        try:
            verified = self._from_newest(blocks, target) or self._from_root(blocks, target)
        except LightError as error:
            raise VerificationFailed(f"header {target}: {error}") from error
        if self._newest is None or verified.height > self._newest.height:
            self._newest = verified
        return verified

    def _from_newest(self, blocks: dict[int, LightBlock], target: int) -> VerifiedBlock | None:
        """From the newest trusted header; None where the way from there is not in the result."""
        if self._newest is None or target < self._newest.height:
            return None
        return self._climb(self._newest, blocks, target)

    def _from_root(self, blocks: dict[int, LightBlock], target: int) -> VerifiedBlock:
        """From the root of trust, by the first header that it vouches for."""
        failure: LightError | None = None
        for height in sorted(blocks):
            try:
                header = verify_root(self._policy, self._root, blocks[height], self._now_ns())
            except LightError as error:
                failure = error
                continue
            if header.height != height:
                raise VerificationFailed(f"header {header.height} is said to be {height}")
            start = VerifiedBlock(header, blocks[height])
            reached = start if height == target else self._climb(start, blocks, target)
            if reached is None:
                raise VerificationFailed(
                    f"headers between {height} and {target} are missing: ask with trusted_height"
                )
            return reached
        raise VerificationFailed(f"no header follows from the root of trust: {failure}")

    def _climb(
        self, start: VerifiedBlock, blocks: dict[int, LightBlock], target: int
    ) -> VerifiedBlock | None:
        """Skip up through the headers of the result; None where one is missing."""
        walk = skip(self._policy, start, target)
        try:
            wanted = next(walk)
            while wanted in blocks:
                wanted = walk.send(Supplied(blocks[wanted], self._now_ns()))
        except StopIteration as done:
            trace: tuple[VerifiedBlock, ...] = done.value
            return trace[-1]
        return None
