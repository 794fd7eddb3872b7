"""A second opinion on verified headers from nodes of other operators.

A third of the validators (or old validators whose keys leaked) can sign a history of their own, and it
verifies. Whoever asks only the node that serves it cannot notice; one honest witness is enough to.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog

from client.errors import (
    ClientError,
    Conflict,
    ConflictingHeaders,
    VerificationFailed,
    WitnessesSilent,
)
from client.header_store import HeaderStore
from client.light_source import LightSource
from client.rpc import ChainRpc
from light import (
    Attack,
    AttackKind,
    Divergence,
    LightError,
    Policy,
    TrustRoot,
    VerifiedBlock,
    accuse,
    compare,
    verify_own,
    verify_root,
)

_LOG = structlog.get_logger(__name__)

# An honest witness may be a few blocks behind the primary.
PATIENCE_S: Final = 10.0
_POLL_S: Final = 0.2
_FIRST_HEIGHT: Final = 1


class Witnesses:
    """Compares what was verified from the primary with what other nodes serve."""

    def __init__(
        self,
        policy: Policy,
        root: TrustRoot,
        rpcs: Sequence[ChainRpc],
        store: HeaderStore | None,
        now_ns: Callable[[], int],
    ) -> None:
        """Evidence goes beside the store, if there is one."""
        self._policy = policy
        self._root = root
        self._sources = [LightSource(rpc, now_ns) for rpc in rpcs]
        self._store = store
        self._now_ns = now_ns
        self.patience_s = PATIENCE_S

    async def confirm(self, primary: LightSource, trace: Sequence[VerifiedBlock]) -> None:
        """Return when at least one witness has the last header of a trace and none contradicts.

        Raises:
            ConflictingHeaders: a witness proves another header.
            WitnessesSilent: there are witnesses, and none of them has it.
        """
        if not self._sources:
            return
        opinions = await asyncio.gather(
            *(self._opinion(primary, source, trace) for source in self._sources)
        )
        for source, opinion in zip(self._sources, opinions, strict=True):
            if isinstance(opinion, Divergence):
                raise await self._conflict(primary, source, opinion)
        if not any(opinions):
            names = ", ".join(source.url for source in self._sources)
            raise WitnessesSilent(f"no witness confirms header {trace[-1].height}: {names}")

    async def _opinion(
        self, primary: LightSource, witness: LightSource, trace: Sequence[VerifiedBlock]
    ) -> bool | Divergence:
        """Whether a witness agrees; False when it cannot tell or its contradiction proves nothing."""
        last = trace[-1]
        try:
            height = await self._claimed_height(witness, last)
            if height is None:
                return False
            if height == last.height and _hash(await witness.rpc.commit(height)) == (
                last.header.hash
            ):
                return True
            divergence = await self._divergence(primary, witness, trace, height)
        except (ClientError, LightError) as error:
            _LOG.warning(
                "witness proves nothing", witness=witness.url, height=last.height, error=str(error)
            )
            return False
        return divergence or False

    async def _claimed_height(self, witness: LightSource, last: VerifiedBlock) -> int | None:
        """Height to compare at: the header's own, or the witness's newest if that is not older.

        Block times grow with heights, so a header above the end of the chain that is not younger than
        that end is a lie, too. None: the witness is behind.
        """
        deadline = time.monotonic() + self.patience_s
        while True:
            newest = (await witness.rpc.status()).latest_height
            if newest >= last.height:
                return last.height
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(_POLL_S)
        supplied = await witness.supplied(newest)
        end = verify_own(self._policy, supplied.block, supplied.now_ns)
        return newest if end.time_ns >= last.header.time_ns else None

    async def _divergence(
        self,
        primary: LightSource,
        witness: LightSource,
        trace: Sequence[VerifiedBlock],
        height: int,
    ) -> Divergence | None:
        """Where the witness leaves the trace.

        Raises:
            LightError, ClientError: the witness's header does not verify.
        """
        if len(trace) > 1:
            return await witness.lead(compare(self._policy, trace, height))
        last = trace[-1]
        # Verified by the pinned validators alone: evidence needs a header that both sides share.
        if last.height > _FIRST_HEIGHT:
            try:
                supplied = await primary.supplied(_FIRST_HEIGHT)
                header = verify_root(self._policy, self._root, supplied.block, supplied.now_ns)
                first = VerifiedBlock(header, supplied.block)
                return await witness.lead(compare(self._policy, (first, last), height))
            except (LightError, ClientError):
                _LOG.warning("no common header", primary=primary.url, witness=witness.url)
        supplied = await witness.supplied(height)
        header = verify_root(self._policy, self._root, supplied.block, supplied.now_ns)
        own = VerifiedBlock(header, supplied.block)
        return None if header.hash == last.header.hash else Divergence(own, last, (own,))

    async def _conflict(
        self, primary: LightSource, witness: LightSource, divergence: Divergence
    ) -> ConflictingHeaders:
        """Accuse both sides, tell each of the other, and write it down."""
        against_primary = accuse(divergence)
        against_witness = accuse(await self._reverse(primary, divergence))
        conflict = Conflict(
            primary=primary.url,
            witness=witness.url,
            height=divergence.conflicting.height,
            against_primary=against_primary,
            against_witness=against_witness,
        )
        reported = {
            witness.url: await _report(witness.rpc, against_primary),
            primary.url: await _report(primary.rpc, against_witness),
        }
        file = None
        if self._store is not None:
            name = f"attack-{conflict.height}-{divergence.conflicting.header.hash.hex()[:8]}"
            file = self._store.write_evidence(name, _document(conflict, reported))
        _LOG.error(
            "conflicting headers",
            primary=primary.url,
            witness=witness.url,
            height=conflict.height,
            attack=str(against_primary.kind),
            evidence=str(file) if file else "",
        )
        return ConflictingHeaders(conflict, file)

    async def _reverse(self, primary: LightSource, divergence: Divergence) -> Divergence:
        """The same with the primary held to be right."""
        lie = divergence.conflicting
        try:
            found = await primary.lead(compare(self._policy, divergence.trace, lie.height))
        except (ClientError, LightError):
            # It does not matter for us any more whether the primary still answers.
            found = None
        return found or Divergence(divergence.common, divergence.trusted, (divergence.common, lie))


async def _report(rpc: ChainRpc, attack: Attack) -> str:
    """Hand evidence to a node; what it said. Only a node on the other chain can accept it."""
    if attack.kind is AttackKind.AMNESIA:
        # It names nobody, and CometBFT v0.40.0 takes it into its pool and then rejects every block in
        # which it proposes it: reporting would stop an honest node.
        return "not reported: names nobody"
    try:
        await rpc.broadcast_evidence(attack.evidence)
    except ClientError as error:
        return f"refused: {error}"
    return "accepted"


def _document(conflict: Conflict, reported: dict[str, str]) -> dict[str, Any]:
    return {
        "height": conflict.height,
        "primary": conflict.primary,
        "witness": conflict.witness,
        "reported": reported,
        "against_primary": _accusation(conflict.against_primary),
        "against_witness": _accusation(conflict.against_witness),
    }


def _accusation(attack: Attack) -> dict[str, Any]:
    return {
        "kind": str(attack.kind),
        "conflicting_hash": attack.conflicting.header.hash.hex(),
        "trusted_hash": attack.trusted.header.hash.hex(),
        "common_height": attack.common_height,
        "total_power": attack.total_power,
        "byzantine_validators": [
            {
                "address": validator.address.hex(),
                "public_key": validator.public_key.hex(),
                "power": validator.power,
            }
            for validator in attack.byzantine
        ],
        # The argument of `broadcast_evidence`, as the engine takes it.
        "evidence": json.loads(attack.evidence),
    }


def _hash(signed_header: bytes) -> bytes:
    """Hash that a node claims for a header; enough to agree, nothing to contradict with."""
    try:
        return bytes.fromhex(json.loads(signed_header)["commit"]["block_id"]["hash"])
    except (ValueError, KeyError, TypeError) as error:
        raise VerificationFailed("the witness's header is malformed") from error
