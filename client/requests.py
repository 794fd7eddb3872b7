"""The whole life of a request, for programs: estimate, submit, follow, combine, verify.

    async with ChainRpc(node) as rpc, StorageClient([url]) as storage:
        chain = await Chain.connect(rpc, validators_hash=root)
        requests = Requests(chain, storage, "demo", payer)
        print(await requests.estimate_public([handle]))
        revealed = await requests.decrypt([handle], progress=print)
        print(revealed.values, revealed.parties)

Every step can be done by itself: a request id and, for a user decryption, the key pair are all that must be
kept between them. What is returned is verified; what is told on the way is the node's word.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from client.chain import DEFAULT_TTL_BLOCKS, Chain, Submitted
from client.decrypt import (
    Application,
    UserKeyPair,
    new_user_key,
    public_decryption,
    user_decryption,
    user_request,
)
from client.errors import (
    RejectedByChain,
    RequestExpired,
    RequestFailed,
    Timeout,
    Unreachable,
)
from client.storage import StorageClient
from wire.fhe import FheType
from wire.ids import RequestId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.signing import Signer

AUTHORIZATION_BLOCKS: Final = 1000
"""How long a user's authorization is good: it is one request's and need not outlive its transaction."""

_POLL_S: Final = 0.2
_PHASE_POLL_S: Final = 1.0
_OPEN: Final = (asc_pb2.STATUS_UNSPECIFIED, asc_pb2.STATUS_PENDING)


@dataclass(frozen=True, slots=True)
class Answered:
    """These parties have answered, of so many."""

    parties: tuple[int, ...]
    of: int


@dataclass(frozen=True, slots=True)
class Phase:
    """Most parties are in this phase of long work; the last of them is so far."""

    name: str
    parties: int
    of: int
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Decided:
    """The request is fulfilled."""

    height: int


Event = Answered | Phase | Decided


@dataclass(frozen=True, slots=True)
class Estimate:
    """Units: the fee is taken in any case, the price only when the request is fulfilled."""

    fee: int
    price: int


@dataclass(frozen=True, slots=True)
class Revealed:
    """Verified plaintexts in the order of the handles, with the parties that gave them.

    `liars` are parties whose own signature covers a wrong share; `rejected` says why an answer did not count.
    """

    request: RequestId
    handles: tuple[bytes, ...]
    types: tuple[FheType, ...]
    values: tuple[int, ...]
    parties: tuple[int, ...]
    liars: tuple[int, ...] = ()
    rejected: tuple[tuple[int, str], ...] = ()


async def registered(
    chain: Chain, application: str, handles: Sequence[bytes]
) -> list[isc_pb2.Ciphertext]:
    """What the application registered under handles: a request names exactly that.

    Raises:
        RejectedByChain: a handle is not registered.
        ValueError: no handle, or handles under different keys.
    """
    found = []
    for handle in handles:
        data = application.encode() + b"\0" + handle
        view = state_pb2.HandleView.FromString(await chain.query("/isc/handle", data))
        found.append(view.ciphertext)
    if len({ciphertext.key_id for ciphertext in found}) != 1:
        raise ValueError("a request names one handle or more, all under one key")
    return found


def public_message(application: str, ciphertexts: Sequence[isc_pb2.Ciphertext]) -> tx_pb2.Message:
    """Request for values that everybody may see."""
    return tx_pb2.Message(
        request_public_decryption=asc_pb2.RequestPublicDecryption(
            application=application, key_id=ciphertexts[0].key_id, ciphertexts=ciphertexts
        )
    )


async def user_message(
    chain: Chain,
    application: str,
    ciphertexts: Sequence[isc_pb2.Ciphertext],
    user: Signer,
    pair: UserKeyPair,
) -> tx_pb2.Message:
    """Request for values that only the owner of the key pair can read, signed by the user."""
    raw = await chain.query("/isc/application", application.encode())
    domain = state_pb2.ApplicationView.FromString(raw).application.domain
    request = user_request(
        Application(application, domain, chain.chain_id),
        ciphertexts,
        user,
        pair.public_key,
        await chain.height() + AUTHORIZATION_BLOCKS,
    )
    return tx_pb2.Message(request_user_decryption=request)


async def watch(chain: Chain, request: RequestId) -> AsyncIterator[Event]:
    """What happens to a request until it is decided; the caller bounds the time.

    Raises:
        RequestFailed, RequestExpired: it was decided without a result; the escrow is returned.
    """
    answered: tuple[int, ...] | None = None
    told: Phase | None = None
    phases_at = time.monotonic() + _PHASE_POLL_S
    while True:
        try:
            view = await chain.request(request)
            status = view.status
            if tuple(status.answered) != answered:
                answered = tuple(status.answered)
                yield Answered(answered, view.entry.parties)
            if status.status not in _OPEN:
                yield _decided(request, status)
                return
            if time.monotonic() >= phases_at:
                phases_at = time.monotonic() + _PHASE_POLL_S
                raw = await chain.query("/asc/progress", bytes(request))
                phase = phase_of(state_pb2.ProgressList.FromString(raw).progress)
                if phase is not None and phase != told:
                    told = phase
                    yield phase
        except (Unreachable, RejectedByChain):
            # Not in a block yet, or the node restarts: both pass.
            pass
        await asyncio.sleep(_POLL_S)


def phase_of(reports: Sequence[asc_pb2.Progress]) -> Phase | None:
    """The phase in which most parties are, and how far the last of them is; nothing without reports."""
    if not reports:
        return None
    counts: dict[str, int] = {}
    for report in reports:
        counts[report.phase] = counts.get(report.phase, 0) + 1
    name = max(counts, key=lambda phase: counts[phase])
    inside = [report for report in reports if report.phase == name]
    last = min(inside, key=lambda report: report.done / max(report.total, 1))
    return Phase(name, counts[name], len(reports), last.done, last.total)


class Requests:
    """Requests about the values of one application, paid by one account."""

    def __init__(
        self, chain: Chain, storage: StorageClient, application: str, payer: Signer
    ) -> None:
        """Nothing is sent yet."""
        self.chain = chain
        self.storage = storage
        self.application = application
        self.payer = payer

    async def estimate_public(self, handles: Sequence[bytes]) -> Estimate:
        """What a public decryption costs now, by the node's word.

        Raises:
            RejectedByChain: it would be refused.
        """
        message = public_message(self.application, await self._ciphertexts(handles))
        return await self._estimate(message)

    async def estimate_user(self, handles: Sequence[bytes], user: Signer) -> Estimate:
        """What a user decryption costs now; raises as `estimate_public`."""
        ciphertexts = await self._ciphertexts(handles)
        pair = new_user_key()
        return await self._estimate(
            await user_message(self.chain, self.application, ciphertexts, user, pair)
        )

    async def submit_public(self, handles: Sequence[bytes]) -> Submitted:
        """Offer a public decryption; its request id is known at once.

        Raises:
            RejectedByChain: refused; nothing was sent or kept.
        """
        message = public_message(self.application, await self._ciphertexts(handles))
        return await self.chain.submit([message], self.payer, ttl_blocks=DEFAULT_TTL_BLOCKS)

    async def submit_user(
        self, handles: Sequence[bytes], user: Signer, pair: UserKeyPair
    ) -> Submitted:
        """Offer a user decryption to a key pair; raises as `submit_public`."""
        ciphertexts = await self._ciphertexts(handles)
        message = await user_message(self.chain, self.application, ciphertexts, user, pair)
        return await self.chain.submit([message], self.payer, ttl_blocks=DEFAULT_TTL_BLOCKS)

    async def public_result(self, request: RequestId) -> Revealed:
        """Verified values of a fulfilled public decryption.

        Raises:
            VerificationFailed: signatures or proofs do not hold.
        """
        entry = (await self.chain.request(request)).entry
        result = await public_decryption(self.chain, request)
        return _revealed(request, entry.ciphertexts, result.values, result.signers)

    async def user_result(self, request: RequestId, pair: UserKeyPair) -> Revealed:
        """Verified values of a user decryption, as soon as enough parties have answered.

        Raises:
            VerificationFailed: the answers do not give a plaintext.
        """
        entry = (await self.chain.request(request)).entry
        result, combiner = await user_decryption(self.chain, self.storage, request, pair)
        return _revealed(
            request,
            entry.ciphertexts,
            result.values,
            result.parties,
            result.liars,
            tuple(sorted(combiner.rejected.items())),
        )

    async def decrypt(
        self,
        handles: Sequence[bytes],
        *,
        timeout_s: float = 600.0,
        progress: Callable[[Event], object] = lambda _: None,
    ) -> Revealed:
        """The whole life of a public decryption.

        Raises:
            RejectedByChain, RequestFailed, RequestExpired, VerificationFailed: no result.
            Timeout: no result in time; there may still be one, under the request's id.
        """
        sent = await self.submit_public(handles)
        async with _in_time(sent, timeout_s):
            await self._follow(sent, timeout_s, progress)
            return await self.public_result(sent.request_ids[0])

    async def reencrypt(
        self,
        handles: Sequence[bytes],
        user: Signer,
        *,
        pair: UserKeyPair | None = None,
        timeout_s: float = 600.0,
        progress: Callable[[Event], object] = lambda _: None,
    ) -> Revealed:
        """The whole life of a user decryption; raises as `decrypt`.

        Without `pair` a fresh one is made and lost with this call: keep one to go on after a Timeout.
        """
        pair = pair or new_user_key()
        sent = await self.submit_user(handles, user, pair)
        async with _in_time(sent, timeout_s):
            await self._follow(sent, timeout_s, progress)
            return await self.user_result(sent.request_ids[0], pair)

    async def _ciphertexts(self, handles: Sequence[bytes]) -> list[isc_pb2.Ciphertext]:
        return await registered(self.chain, self.application, handles)

    async def _estimate(self, message: tx_pb2.Message) -> Estimate:
        draft = await self.chain.build([message], self.payer)
        simulation = await self.chain.simulate(draft.raw)
        return Estimate(simulation.fee, simulation.escrow)

    async def _follow(
        self, sent: Submitted, timeout_s: float, progress: Callable[[Event], object]
    ) -> None:
        await self.chain.wait(sent, timeout_s)
        async for event in watch(self.chain, sent.request_ids[0]):
            progress(event)


@asynccontextmanager
async def _in_time(sent: Submitted, timeout_s: float) -> AsyncIterator[None]:
    """Bound everything after the submission, the collecting of answers as well."""
    request = sent.request_ids[0]
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError as error:
        raise Timeout(f"{request} has no result after {timeout_s:.0f} s", sent.hash) from error


def _decided(request: RequestId, status: asc_pb2.RequestStatus) -> Decided:
    if status.status == asc_pb2.STATUS_FULFILLED:
        return Decided(status.decided_height)
    if status.status == asc_pb2.STATUS_EXPIRED:
        raise RequestExpired(request, status)
    raise RequestFailed(request, status)


def _revealed(
    request: RequestId,
    ciphertexts: Sequence[isc_pb2.Ciphertext],
    values: tuple[int, ...],
    parties: tuple[int, ...],
    liars: tuple[int, ...] = (),
    rejected: tuple[tuple[int, str], ...] = (),
) -> Revealed:
    return Revealed(
        request,
        tuple(ciphertext.handle for ciphertext in ciphertexts),
        tuple(FheType(ciphertext.fhe_type) for ciphertext in ciphertexts),
        values,
        parties,
        liars,
        rejected,
    )
