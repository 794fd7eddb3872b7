"""A chain as its users see it: proven values, transactions, and the life of a request."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import tkms_kernel
from google.protobuf.message import DecodeError

from client.errors import (
    HeightUnavailable,
    NodeError,
    RejectedByChain,
    Timeout,
    Unreachable,
    VerificationFailed,
)
from client.headers import HeaderChain, TrustOptions, pinned_validators_hash
from wire.digests import sha256
from wire.ids import RequestId, request_id
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.tx import build, decode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from client.headers import VerifiedHeader
    from client.rpc import ChainRpc, IncludedTransaction
    from wire.signing import Signer

DEFAULT_TTL_BLOCKS: Final = 100
# Simulated with the largest value of a varint of nine bytes: the real one is never longer.
_UNBOUNDED_FEE: Final = 2**63 - 1
_POLL_S: Final = 0.2
# The same bytes are offered again this often: a mempool is not durable.
_REBROADCAST_S: Final = 3.0
_REQUEST_KINDS: Final = frozenset(
    {
        "request_key_generation",
        "request_crs_generation",
        "request_public_decryption",
        "request_user_decryption",
    }
)
_OPEN: Final = (asc_pb2.STATUS_UNSPECIFIED, asc_pb2.STATUS_PENDING)


@dataclass(frozen=True, slots=True)
class Proven:
    """A state value with the evidence that was checked; `value` is None for proven absence."""

    key: bytes
    value: bytes | None
    proof: bytes
    height: int
    header: VerifiedHeader


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
        self.chain_id = headers.chain_id

    @classmethod
    async def connect(
        cls,
        rpc: ChainRpc,
        *,
        validators_hash: bytes | None = None,
        pin: Path | None = None,
        chain_id: str = "",
        options: TrustOptions | None = None,
    ) -> Self:
        """Chain behind a node, believed from `validators_hash` or from the pin file.

        Raises:
            VerificationFailed: neither is given, or the node is on another chain.
        """
        status = await rpc.status()
        if chain_id and status.chain_id != chain_id:
            raise VerificationFailed(f"the node is on chain {status.chain_id}, not {chain_id}")
        if validators_hash is None:
            if pin is None:
                raise VerificationFailed("no trusted validators hash and no file to pin one in")
            validators_hash = await pinned_validators_hash(rpc, status.chain_id, pin)
        return cls(rpc, HeaderChain(rpc, status.chain_id, validators_hash, options))

    async def height(self) -> int:
        """Latest height of the node."""
        return (await self.rpc.status()).latest_height

    async def proven_value(self, key: bytes, height: int = 0) -> Proven:
        """Value of a raw state key, checked against a verified header.

        `height` is the state's height H (0: the newest that has a signed header H + 1).

        Raises:
            VerificationFailed: proof or header do not hold.
            HeightUnavailable: the node does not have H or H + 1.
        """
        if height == 0:
            height = await self._newest_provable()
        answer = await self.rpc.abci_query("/store", key, height, prove=True)
        if answer.code != 0:
            raise NodeError(f"/store: code {answer.code}: {answer.log}")
        header = await self.headers.header(answer.height + 1)
        if answer.height != height:
            raise VerificationFailed(f"asked for state {height}, got {answer.height}")
        value = answer.value or None
        check_proof(answer.proof, header.app_hash, key, value)
        return Proven(key, value, answer.proof, answer.height, header)

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
            draft = build(
                signer, self.chain_id, messages, expires, _UNBOUNDED_FEE, os.urandom(16)
            )
            simulation = await self.simulate(draft)
            if simulation.code != 0:
                raise RejectedByChain(simulation.code, simulation.detail)
            max_fee = simulation.fee + simulation.escrow
        raw = build(signer, self.chain_id, messages, expires, max_fee, os.urandom(16))
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

    async def wait_request(
        self, request: RequestId, poll_s: float = _POLL_S
    ) -> AsyncIterator[asc_pb2.RequestStatus]:
        """Yield the status whenever it changes, last when the request is decided; unproven.

        The caller bounds the time (`asyncio.timeout`); stop iterating whenever enough is known.
        """
        previous = b""
        while True:
            try:
                status = (await self.request(request)).status
            except (Unreachable, RejectedByChain):
                # Not in a block yet, or the node restarts: both pass.
                await asyncio.sleep(poll_s)
                continue
            encoded = status.SerializeToString(deterministic=True)
            if encoded != previous:
                previous = encoded
                yield status
            if status.status not in _OPEN:
                return
            await asyncio.sleep(poll_s)

    async def _newest_provable(self) -> int:
        height = await self.height() - 1
        if height < 1:
            raise HeightUnavailable("the chain has no signed state yet: two blocks are needed")
        return height

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
            tkms_kernel.verify_non_membership(proof, root, key)
        else:
            tkms_kernel.verify_membership(proof, root, key, value)
    except tkms_kernel.KernelError as error:
        raise VerificationFailed(f"state proof of {key!r} does not hold: {error}") from error


def request_ids(chain_id: str, raw: bytes) -> tuple[RequestId, ...]:
    """Ids of the requests that a transaction makes, in message order."""
    transaction = decode(raw, len(raw))
    return tuple(
        request_id(chain_id, transaction.body_bytes, index)
        for index, message in enumerate(transaction.messages)
        if message.WhichOneof("kind") in _REQUEST_KINDS
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
