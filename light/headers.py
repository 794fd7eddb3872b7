"""From trusted header to trusted header.

Rules: CometBFT specification, light client verification. Pure: the caller fetches the JSON, brings
the clock and keeps the newest ``TrustedHeader``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import tkms_kernel

from light.errors import Unverified
from light.kernel_errors import translated


@dataclass(frozen=True, slots=True)
class Policy:
    """What a client decides once: the chain, and how far clocks and old headers are trusted."""

    chain_id: str
    trusting_period_s: int
    """Seconds for which a verified header may serve as a start; shorter than the time after which
    validators that have left could sign another history without loss."""
    drift_s: int
    """Seconds by which a block time may be ahead of the own clock."""


@dataclass(frozen=True, slots=True)
class LightBlock:
    """Untrusted JSON bytes as the RPC of a node returns them."""

    signed_header: bytes
    """The object ``signed_header`` of the answer to ``/commit``."""
    validators: bytes
    """The list ``validators`` of ``/validators`` at the same height, all pages joined."""
    next_validators: bytes = b""
    """The same list one height later. Needed only where the set changes, and only if a later step
    from this header shall skip heights."""


@dataclass(frozen=True, slots=True)
class TrustedHeader:
    """A verified header with what the next step needs."""

    height: int
    time_ns: int
    """Block time, nanoseconds since 1970."""
    hash: bytes
    app_hash: bytes
    """State root after block ``height - 1``."""
    validators_hash: bytes
    next_validators_hash: bytes
    last_results_hash: bytes
    """Root of the results of block ``height - 1``; empty if it had none."""
    data_hash: bytes
    signed_header: bytes
    """JSON, as it was verified."""
    next_validators: bytes
    """JSON list of the validators of ``height + 1``; empty if it was not supplied, and then only the
    next height can be verified from here."""


@dataclass(frozen=True, slots=True)
class VerifiedBlock:
    """A verified header with the bytes that convinced, to convince others with."""

    header: TrustedHeader
    block: LightBlock

    @property
    def height(self) -> int:
        """Height of the header."""
        return self.header.height


@dataclass(frozen=True, slots=True)
class PinnedValidators:
    """Root of trust: whatever this validator set signed is believed."""

    hash: bytes
    """32 bytes, see ``tkms_kernel.validators_hash``."""


@dataclass(frozen=True, slots=True)
class PinnedHeader:
    """Root of trust: one header, named by somebody who is trusted."""

    height: int
    hash: bytes
    """32 bytes, the block hash that explorers and nodes show."""


TrustRoot = PinnedValidators | PinnedHeader


def verify_root(policy: Policy, root: TrustRoot, block: LightBlock, now_ns: int) -> TrustedHeader:
    """Verify a block against a root of trust.

    A pinned header needs no signature to be believed; the commit is checked all the same, because it
    becomes evidence for others.

    Raises:
        Malformed, Unverified: the block must not be believed.

    """
    if isinstance(root, PinnedValidators):
        return verify_genesis(policy, root.hash, block, now_ns)
    verified = verify_own(policy, block, now_ns)
    if (verified.height, verified.hash) != (root.height, root.hash):
        raise Unverified(
            f"header {verified.height} is {verified.hash.hex()}, the trusted one is"
            f" {root.height}, {root.hash.hex()}"
        )
    return verified


def verify_previous(
    policy: Policy, trusted: TrustedHeader, block: LightBlock, now_ns: int
) -> TrustedHeader:
    """Verify the header just below a trusted one, by the hash that the trusted one holds of it.

    Hashes do not grow old: the trusting period plays no part.

    Raises:
        Malformed, Unverified: the block must not be believed.

    """
    verified = verify_own(policy, block, now_ns)
    if verified.height != trusted.height - 1 or verified.hash != last_block_hash(trusted):
        raise Unverified(f"header {trusted.height} does not follow the header that was served")
    if verified.time_ns >= trusted.time_ns:
        raise Unverified(f"header {verified.height} is not older than the one after it")
    return verified


def last_block_hash(trusted: TrustedHeader) -> bytes:
    """Hash of the header one below; empty for the first header of a chain."""
    return bytes.fromhex(json.loads(trusted.signed_header)["header"]["last_block_id"]["hash"])


def verify_genesis(
    policy: Policy, validators_hash: bytes, block: LightBlock, now_ns: int
) -> TrustedHeader:
    """Verify the first header: signed by more than two thirds of a pinned validator set.

    Args:
        policy: chain id and drift; the trusting period is not used.
        validators_hash: 32 bytes from the client's own settings, see ``tkms_kernel.validators_hash``.
        block: a block that the pinned set signed.
        now_ns: the clock, nanoseconds since 1970.

    Raises:
        Malformed, Unverified: the block must not be believed.

    """
    with translated():
        facts = tkms_kernel.light_genesis(
            policy.chain_id,
            validators_hash,
            block.signed_header,
            block.validators,
            now_ns,
            policy.drift_s,
        )
    return _trusted(facts, block)


def verify_next(
    policy: Policy, trusted: TrustedHeader, block: LightBlock, now_ns: int
) -> TrustedHeader:
    """Verify a later header: the next one, or a skipping step over any number of heights.

    Raises:
        NotEnoughTrust: a skipping step needs a header in between.
        Malformed, Unverified: the block must not be believed.

    """
    with translated():
        facts = tkms_kernel.light_verify(
            policy.chain_id,
            trusted.signed_header,
            trusted.next_validators,
            block.signed_header,
            block.validators,
            policy.trusting_period_s,
            policy.drift_s,
            now_ns,
        )
    return _trusted(facts, block)


def verify_own(policy: Policy, block: LightBlock, now_ns: int) -> TrustedHeader:
    """Check that a block holds together and its own validators signed it: no trust comes of it.

    Raises:
        Malformed, Unverified: not even that is so.

    """
    with translated():
        own = tkms_kernel.validators_hash(block.validators)
    return verify_genesis(policy, own, block, now_ns)


def _trusted(facts: tkms_kernel.HeaderFacts, block: LightBlock) -> TrustedHeader:
    """Attach the validators of the next height, after a check against the header."""
    following = block.next_validators
    if not following and facts["next_validators_hash"] == facts["validators_hash"]:
        following = block.validators
    if following:
        with translated():
            found = tkms_kernel.validators_hash(following)
        if found != facts["next_validators_hash"]:
            message = "the next validators are not those that the header announces"
            raise Unverified(message)
    return TrustedHeader(
        height=facts["height"],
        time_ns=facts["time_ns"],
        hash=facts["hash"],
        app_hash=facts["app_hash"],
        validators_hash=facts["validators_hash"],
        next_validators_hash=facts["next_validators_hash"],
        last_results_hash=facts["last_results_hash"],
        data_hash=facts["data_hash"],
        signed_header=block.signed_header,
        next_validators=following,
    )
