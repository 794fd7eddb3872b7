"""A chain as its users see it: proven values, transactions, and the life of a request."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from google.protobuf.message import DecodeError

from client.errors import (
    HeightUnavailable,
    NodeError,
    RejectedByChain,
    Timeout,
    Unreachable,
    VerificationFailed,
)
from client.header_store import HeaderStore
from client.headers import HeaderChain, default_policy
from client.pins import pinned_validators_hash
from client.rpc import ChainRpc, IncludedTransaction, QueryAnswer
from light import (
    LightError,
    PinnedValidators,
    TrustedHeader,
    TrustRoot,
    verify_absent,
    verify_value,
)
from wire.digests import sha256
from wire.ids import RequestId
from wire.limits import NONCE_BYTES
from wire.pb.tkms.state.v1 import state_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.signing import Signer
from wire.tx import REQUEST_KINDS, build, decode

DEFAULT_TTL_BLOCKS: Final = 100
# Simulated with the largest value of a varint of nine bytes: the real one is never longer.
_UNBOUNDED_FEE: Final = 2**63 - 1
_POLL_S: Final = 0.2
# The same bytes are offered again this often: a mempool is not durable.
_REBROADCAST_S: Final = 3.0
# A block every second or so; far more means that the chain stands.
_HEADER_WAIT_S: Final = 30.0
_HEADER_POLL_S: Final = 0.05
# Queries of one evidence are sent together; a block may fall between them.
_SAME_HEIGHT_ATTEMPTS: Final = 8
# Keys of the index that every node derives from the proven keys; not in the state tree.
DERIVED_PREFIX: Final = b"~"


@dataclass(frozen=True, slots=True)
class Proven:
    """A state value with the evidence that was checked; `value` is None for proven absence."""

    key: bytes
    value: bytes | None
    proof: bytes
    height: int
    header: TrustedHeader


@dataclass(frozen=True, slots=True)
class Submitted:
    """A transaction on its way. Keep `raw`: sending the same bytes again is always safe."""

    hash: bytes
    raw: bytes
    request_ids: tuple[RequestId, ...]
    expires_at_height: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """A transaction that took effect in a block."""

    hash: bytes
    height: int
    request_ids: tuple[RequestId, ...]


class Chain:
    """One chain through one node that is not trusted for anything proven."""

    def __init__(self, rpc: ChainRpc, headers: HeaderChain) -> None:
        """Use `connect` unless the parts are at hand."""
        self.rpc = rpc
        self.headers = headers
        self.chain_id = headers.policy.chain_id

    @classmethod
    async def connect(
        cls,
        rpc: ChainRpc,
        *,
        root: TrustRoot | None = None,
        validators_hash: bytes | None = None,
        pin: Path | None = None,
        chain_id: str = "",
        witnesses: Sequence[ChainRpc] = (),
        store: Path | None = None,
    ) -> Self:
        """Chain behind a node, believed from a root of trust, or from the validators in the pin file.

        `validators_hash` is short for a root of pinned validators.

        Every header upwards is confirmed by a witness where there are any; the newest one is kept in
        the folder `store`, from where the next run continues.

        Raises:
            VerificationFailed: neither is given, or the node is on another chain.
        """
        status = await rpc.status()
        if chain_id and status.chain_id != chain_id:
            raise VerificationFailed(f"the node is on chain {status.chain_id}, not {chain_id}")
        if root is None and validators_hash is not None:
            root = PinnedValidators(validators_hash)
        if root is None:
            if pin is None:
                raise VerificationFailed("no root of trust and no file to pin one in")
            root = PinnedValidators(await pinned_validators_hash(rpc, status.chain_id, pin))
        policy = default_policy(status.chain_id)
        kept = None if store is None else HeaderStore.beneath(store, policy.chain_id, root)
        return cls(rpc, HeaderChain(rpc, policy, root, witnesses=witnesses, store=kept))

    async def height(self) -> int:
        """Latest height of the node."""
        return (await self.rpc.status()).latest_height

    async def proven_value(self, key: bytes, height: int = 0) -> Proven:
        """Value of a raw state key, checked against a verified header; see `proven_values`."""
        return (await self.proven_values([key], height))[0]

    async def proven_values(self, state_keys: Sequence[bytes], height: int = 0) -> list[Proven]:
        """Values of raw state keys after block H = `height`, checked against header H + 1.

        Height 0 is the newest state; its header is signed one block later, so this waits for up to a
        block.

        Raises:
            VerificationFailed: a proof or the header does not hold, or is of another height.
            HeightUnavailable: header H + 1 does not come.
            RejectedByChain: the node does not keep that height any more.
        """
        for key in state_keys:
            if key.startswith(DERIVED_PREFIX):
                raise ValueError(f"{key!r} is derived by every node for itself: nothing proves it")
        for _ in range(_SAME_HEIGHT_ATTEMPTS):
            answers = await asyncio.gather(*(self._prove(key, height) for key in state_keys))
            heights = {answer.height for answer in answers}
            if len(heights) == 1:
                break
        else:
            raise HeightUnavailable("the state moves on between the queries")
        found = heights.pop()
        if height not in (0, found):
            raise VerificationFailed(f"asked for the state of height {height}, got {found}")
        header = await self._coming_header(found + 1)
        proven: list[Proven] = []
        for key, answer in zip(state_keys, answers, strict=True):
            value = answer.value or None
            check_proof(answer.proof, header.app_hash, key, value)
            proven.append(Proven(key, value, answer.proof, answer.height, header))
        return proven

    async def query(self, path: str, data: bytes = b"") -> bytes:
        """Unproven answer of an application query; for display and planning only.

        Raises:
            RejectedByChain: the application refuses the query.
        """
        answer = await self.rpc.abci_query(path, data)
        if answer.code != 0:
            raise RejectedByChain(answer.code, f"{path}: {answer.log}")
        return answer.value

    async def request(self, request: RequestId) -> state_pb2.RequestView:
        """Request with status and answers, unproven."""
        return state_pb2.RequestView.FromString(await self.query("/asc/request", bytes(request)))

    async def config(self) -> state_pb2.ConfigView:
        """Current epoch, prices and parameters, unproven."""
        return state_pb2.ConfigView.FromString(await self.query("/config"))

    async def simulate(self, raw: bytes) -> state_pb2.Simulation:
        """What the transaction would cost and do now; the signature is not needed."""
        return state_pb2.Simulation.FromString(await self.query("/simulate", raw))

    async def build(
        self,
        messages: Sequence[tx_pb2.Message],
        signer: Signer,
        max_fee: int | None = None,
        ttl_blocks: int = DEFAULT_TTL_BLOCKS,
    ) -> Submitted:
        """Sign a transaction without sending it; without `max_fee` the simulated cost is the bound.

        Raises:
            RejectedByChain: the simulation says that the chain would refuse it.
        """
        expires = await self.height() + ttl_blocks
        if max_fee is None:
            draft = self._signed(messages, signer, expires, _UNBOUNDED_FEE)
            simulation = await self.simulate(draft)
            if simulation.code != 0:
                raise RejectedByChain(simulation.code, simulation.detail)
            max_fee = simulation.fee + simulation.escrow
        raw = self._signed(messages, signer, expires, max_fee)
        return Submitted(sha256(raw), raw, request_ids(self.chain_id, raw), expires)

    async def submit(
        self,
        messages: Sequence[tx_pb2.Message],
        signer: Signer,
        max_fee: int | None = None,
        ttl_blocks: int = DEFAULT_TTL_BLOCKS,
    ) -> Submitted:
        """Sign and offer a transaction; hash and request ids are known at once.

        Raises:
            RejectedByChain: simulation or CheckTx refuse it; nothing was sent or kept.
        """
        submitted = await self.build(messages, signer, max_fee, ttl_blocks)
        await self.send(submitted)
        return submitted

    async def send(self, submitted: Submitted) -> None:
        """Offer the same bytes (again); a node that has them already is content."""
        answer = await self.rpc.broadcast_sync(submitted.raw)
        if answer.code != 0:
            raise RejectedByChain(answer.code, answer.log, submitted.hash)

    async def wait(self, submitted: Submitted, timeout_s: float = 60.0) -> Outcome:
        """Wait until a block has the transaction, offering the same bytes again on the way.

        Raises:
            RejectedByChain: included, and refused at execution; or expired without inclusion.
            Timeout: not seen in time; it may still be included until it expires.
        """
        deadline = time.monotonic() + timeout_s
        resend = time.monotonic() + _REBROADCAST_S
        while time.monotonic() < deadline:
            found = await self._find(submitted)
            if found is not None:
                return _outcome(found)
            if time.monotonic() > resend:
                await self._resend(submitted)
                resend = time.monotonic() + _REBROADCAST_S
            await asyncio.sleep(_POLL_S)
        raise Timeout(
            f"transaction {submitted.hash.hex()} was not seen in {timeout_s:.0f} s", submitted.hash
        )

    def _signed(
        self, messages: Sequence[tx_pb2.Message], signer: Signer, expires: int, max_fee: int
    ) -> bytes:
        return build(
            signer,
            self.chain_id,
            messages,
            expires_at_height=expires,
            max_fee=max_fee,
            nonce=os.urandom(NONCE_BYTES),
        )

    async def _prove(self, key: bytes, height: int) -> QueryAnswer:
        answer = await self.rpc.abci_query("/store", key, height, prove=True)
        if answer.code != 0:
            raise RejectedByChain(answer.code, f"/store: {answer.log}")
        return answer

    async def _coming_header(self, height: int) -> TrustedHeader:
        """Verified header that is at most a few blocks away."""
        deadline = time.monotonic() + _HEADER_WAIT_S
        while True:
            try:
                return await self.headers.header(height)
            except HeightUnavailable:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(_HEADER_POLL_S)

    async def _find(self, submitted: Submitted) -> IncludedTransaction | None:
        try:
            return await self.rpc.tx(submitted.hash)
        except Unreachable:
            return None

    async def _resend(self, submitted: Submitted) -> None:
        try:
            await self.send(submitted)
        except (Unreachable, NodeError):
            return
        except RejectedByChain:
            # Included in the meantime (replayed) or expired: only the blocks can tell.
            found = await self._find(submitted)
            if found is None and await self.height() > submitted.expires_at_height + 1:
                raise


def check_proof(proof: bytes, root: bytes, key: bytes, value: bytes | None) -> None:
    """Membership of (key, value) or absence of key under a state root.

    Raises:
        VerificationFailed: the proof does not show it.
    """
    try:
        if value is None:
            verify_absent(root, key, proof)
        else:
            verify_value(root, key, value, proof)
    except LightError as error:
        raise VerificationFailed(f"state proof of {key!r} does not hold: {error}") from error


def request_ids(chain_id: str, raw: bytes) -> tuple[RequestId, ...]:
    """Ids of the requests that a transaction makes on a chain, in message order."""
    transaction = decode(raw)
    if transaction.body.chain_id != chain_id:
        return ()
    return tuple(
        transaction.request_id(index)
        for index in range(len(transaction.messages))
        if transaction.kind(index) in REQUEST_KINDS
    )


def _outcome(found: IncludedTransaction) -> Outcome:
    if found.code != 0:
        raise RejectedByChain(found.code, found.log, found.hash)
    try:
        data = tx_pb2.TxData.FromString(found.data)
    except DecodeError as error:
        raise VerificationFailed("the transaction's result is not a TxData") from error
    ids = tuple(RequestId(item) for item in data.request_ids if item)
    return Outcome(found.hash, found.height, ids)
