"""Ways through a chain: forward by skipping, backward by hashes, and a second opinion on both.

Each way is a generator and does no I/O: it yields the height that it needs next from its source, is
sent what the source has there together with the clock, and returns what it verified::

    walk = skip(policy, start, 1000)
    height = next(walk)
    try:
        while True:
            height = walk.send(Supplied(fetch(height), now_ns()))
    except StopIteration as done:
        trace = done.value

Rules: CometBFT specification, light client: verification ("VerifyToTarget") and attack detector.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from light.errors import NotEnoughTrust, Unverified
from light.headers import (
    LightBlock,
    Policy,
    TrustedHeader,
    VerifiedBlock,
    verify_next,
    verify_own,
    verify_previous,
)

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Supplied:
    """Answer to a height that a walk asked for, and when it came."""

    block: LightBlock
    now_ns: int


Walk = Generator[int, Supplied, _Result]


@dataclass(frozen=True, slots=True)
class Divergence:
    """Two headers of one chain that cannot both be right, each verified from the same header."""

    common: VerifiedBlock
    """Last header on which both sides agree."""
    conflicting: VerifiedBlock
    """The header of the trace that the source contradicts."""
    trace: tuple[VerifiedBlock, ...]
    """The source's way from the common header to its own version."""

    @property
    def trusted(self) -> VerifiedBlock:
        """The source's own version; at another height only if the trace is ahead in height alone."""
        return self.trace[-1]


def skip(policy: Policy, start: VerifiedBlock, target: int) -> Walk[tuple[VerifiedBlock, ...]]:
    """Verify ``target`` from a lower trusted header, with as few headers between as it takes.

    Where too few of the known validators signed, the way is halved. The result is the trace: the
    start, every header that was verified, the target.

    Raises:
        Malformed, Unverified: the source lies, or the start is too old.

    """
    if target <= start.height:
        raise ValueError(f"height {target} is not above {start.height}")
    trace = [start]
    waiting: list[tuple[int, LightBlock]] = []
    wanted = target
    while True:
        supplied = yield wanted
        waiting.append((wanted, supplied.block))
        while waiting:
            height, block = waiting[-1]
            verified = _step(policy, trace[-1].header, height, block, supplied.now_ns)
            if verified is None:
                wanted = _between(trace[-1].header, height)
                break
            trace.append(VerifiedBlock(verified, block))
            waiting.pop()
        else:
            return tuple(trace)


def back(policy: Policy, start: VerifiedBlock, target: int) -> Walk[VerifiedBlock]:
    """Verify ``target`` from a higher trusted header, one height after the other by hash links.

    Raises:
        Malformed, Unverified: the source lies.

    """
    if not 0 < target < start.height:
        raise ValueError(f"height {target} is not below {start.height}")
    reached = start
    while reached.height > target:
        supplied = yield reached.height - 1
        header = verify_previous(policy, reached.header, supplied.block, supplied.now_ns)
        reached = VerifiedBlock(header, supplied.block)
    return reached


def compare(
    policy: Policy, trace: Sequence[VerifiedBlock], claimed_height: int
) -> Walk[Divergence | None]:
    """Check a verified trace against another source, whose newest relevant height is ``claimed_height``.

    Both must agree on the first header of the trace. The result is the first header of the trace that
    the source contradicts by one that verifies just as well, or None when the source agrees.

    A source that ends below the trace contradicts only if its newest block is not older than a header
    of the trace with a greater height: block times grow with heights.

    Raises:
        Malformed, Unverified: the source's headers do not verify; it proves nothing against the trace.

    """
    common = trace[0]
    supplied = yield common.height
    if verify_own(policy, supplied.block, supplied.now_ns).hash != common.header.hash:
        raise Unverified(f"the other source has another header {common.height} from the start")
    for step in trace[1:]:
        end = min(step.height, claimed_height)
        if end > common.height:
            found = yield from skip(policy, common, end)
        else:
            found = (common,)
        own = found[-1].header
        if step.height > claimed_height:
            if own.time_ns < step.header.time_ns:
                return None
            return Divergence(common, step, found)
        if own.hash != step.header.hash:
            return Divergence(common, step, found)
        common = step
    return None


def _step(
    policy: Policy, trusted: TrustedHeader, height: int, block: LightBlock, now_ns: int
) -> TrustedHeader | None:
    """One verification; None where a header between may help."""
    adjacent = height == trusted.height + 1
    if not adjacent and not trusted.next_validators:
        # Nobody told who signs after the trusted header; the very next header does.
        return None
    try:
        verified = verify_next(policy, trusted, block, now_ns)
    except NotEnoughTrust:
        if adjacent:
            raise
        return None
    if verified.height != height:
        raise Unverified(f"asked for header {height}, got {verified.height}")
    return verified


def _between(trusted: TrustedHeader, height: int) -> int:
    if not trusted.next_validators:
        return trusted.height + 1
    return (trusted.height + height) // 2
