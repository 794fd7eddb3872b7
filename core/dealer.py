"""Key and reference string generation by one party. INSECURE: development only.

The lowest party of the epoch makes the key, and so knows it. It happens only where the proven log
entry says `dealer`, which the chain writes only while its parameter `insecure_dealing` is on.
Its sealed copy of everybody's shares is erased as soon as all parties have shown a right share.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import tkms_kernel as kernel

from core.authorize import CRS_GENERATION, Permission
from core.codec import envelope_of
from core.errors import VaultError, WorkFailed
from core.keystore import deal_from_message
from core.publish import Storage
from core.vault import Vault
from mpc.dealing import Deal, Dealing, Material
from wire.digests import sha3_256
from wire.ids import KeyId, PartyId, RequestId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.peer.v1 import peer_pb2

INTERNAL = asc_pb2.FAILURE_CODE_INTERNAL
KEY_KINDS = ("public-key", "server-key")
CRS_KINDS = ("crs",)


@dataclass(frozen=True, slots=True)
class Generated:
    """What a dealer made: everybody's deal, and public bytes by kind."""

    deals: Mapping[PartyId, Deal] = field(repr=False)
    public: Mapping[str, bytes] = field(repr=False)


class Dealer:
    """Makes and keeps deals until they are not asked for any more."""

    __slots__ = ("_pool", "_storage", "_vault")

    def __init__(self, vault: Vault, storage: Storage | None) -> None:
        """Deals are sealed in the vault before anything leaves this process."""
        self._vault = vault
        self._storage = storage
        # Its own thread: a production key takes a minute and must not delay decryptions.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="dealer")

    def close(self) -> None:
        """End the thread after the generation in progress."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def session(self, permission: Permission) -> Dealing:
        """This party's end of the dealing that the entry asks for.

        Raises
        ------
        WorkFailed
            The entry does not allow dealing, or generation failed.
        PublishError
            Storage did not take the public material.
        """
        if not permission.entry.dealer:
            raise WorkFailed(INTERNAL, "this core generates keys by a dealer only")
        dealer = PartyId(min(party.index for party in permission.epoch.parties))
        deals = None
        if permission.party == dealer:
            stored = self._load(permission.request_id)
            if stored is None:
                deals = await self._make(permission)
            elif not stored:
                raise WorkFailed(INTERNAL, "the deals of this request were erased")
            else:
                deals = {party: deal_from_message(item.deal) for party, item in stored.items()}
        return Dealing(permission.party, dealer, _acceptable(permission), deals)

    async def _make(self, permission: Permission) -> Mapping[PartyId, Deal]:
        """Generate, publish, seal: in this order, so that a sealed deal's material is public."""
        loop = asyncio.get_running_loop()
        try:
            generated = await loop.run_in_executor(self._pool, lambda: _generate(permission))
        except kernel.KernelError as error:
            raise WorkFailed(INTERNAL, f"generation: {error}") from error
        if self._storage is None:
            raise WorkFailed(INTERNAL, "no storage is configured for public material")
        for data in generated.public.values():
            await self._storage.put(data, permission.request_id.hex)
        await loop.run_in_executor(
            self._pool,
            lambda: self._vault.put(
                _name(permission.request_id), _encode(permission, generated.deals)
            ),
        )
        return generated.deals

    def stored(self, request_id: RequestId, party: PartyId) -> peer_pb2.Envelope | None:
        """The sealed deal for one party, if we dealt this request. Blocks for the disk."""
        return (self._load(request_id) or {}).get(party)

    def forget(self, key_id: KeyId) -> None:
        """Erase everybody's shares of a key that nobody needs to be dealt again. Blocks for the disk.

        An empty secret stays: it keeps this party from ever dealing the request a second time.
        """
        name = _name(RequestId(key_id.value))
        if self._vault.has(name) and self._vault.get(name):
            self._vault.put(name, b"")

    def _load(self, request_id: RequestId) -> Mapping[PartyId, peer_pb2.Envelope] | None:
        """The deals of an earlier run of this process: never two keys for one request."""
        if not self._vault.has(_name(request_id)):
            return None
        try:
            return _decode(self._vault.get(_name(request_id)))
        except VaultError as error:
            raise WorkFailed(INTERNAL, str(error)) from error


def _generate(permission: Permission) -> Generated:
    """Key or reference string, in a thread."""
    if permission.entry.kind == CRS_GENERATION:
        return _generate_crs(permission)
    epoch = permission.epoch
    parties = [PartyId(party.index) for party in epoch.parties]
    client_key = kernel.ClientKey.generate(permission.parameters)
    public = dict(
        zip(KEY_KINDS, (client_key.compact_public_key(), client_key.server_key()), strict=True)
    )
    materials = tuple(_material(kind, data) for kind, data in public.items())
    shares = client_key.deal(len(parties), epoch.threshold)
    masks = kernel.PrssKeys.deal(len(parties), epoch.threshold, secrets.token_bytes(32))
    deals = {
        party: Deal(
            shares[party - 1].to_bytes(),
            masks[party - 1].to_bytes(),
            permission.parameters,
            materials,
        )
        for party in parties
    }
    return Generated(deals, public)


def _generate_crs(permission: Permission) -> Generated:
    """A reference string has no secret that anybody keeps; every deal names its digest only."""
    crs = kernel.Crs.generate(permission.parameters, permission.entry.max_bits).to_bytes()
    deal = Deal(parameters=permission.parameters, materials=(_material(CRS_KINDS[0], crs),))
    deals = {PartyId(party.index): deal for party in permission.epoch.parties}
    return Generated(deals, {CRS_KINDS[0]: crs})


def _material(kind: str, data: bytes) -> Material:
    return Material(kind, sha3_256(data), len(data))


def _acceptable(permission: Permission) -> Callable[[Deal], bool]:
    """Whether a deal is well formed and meant for us: what a receiver can check alone."""
    expected = CRS_KINDS if permission.entry.kind == CRS_GENERATION else KEY_KINDS
    epoch = permission.epoch
    place = (len(epoch.parties), epoch.threshold, permission.party, permission.parameters)

    def check(deal: Deal) -> bool:
        kinds = tuple(material.kind for material in deal.materials)
        sound = all(len(m.digest) == 32 and m.size > 0 for m in deal.materials)
        if kinds != expected or not sound or deal.parameters != permission.parameters:
            return False
        if expected == CRS_KINDS:
            return not deal.key_share and not deal.mask_keys
        try:
            share = kernel.KeyShare.from_bytes(deal.key_share)
            kernel.PrssKeys.from_bytes(deal.mask_keys)
        except kernel.KernelError:
            return False
        return (share.parties, share.threshold, share.party, share.parameters) == place

    return check


def _name(request_id: RequestId) -> str:
    return f"deals/{request_id.hex}"


def _encode(permission: Permission, deals: Mapping[PartyId, Deal]) -> bytes:
    """Envelopes as they go to the receivers, each with its length; `sender` is the dealer."""
    parts = []
    for party, deal in sorted(deals.items()):
        message = envelope_of(permission, deal).SerializeToString()
        parts.append(bytes([party]) + len(message).to_bytes(4, "big") + message)
    return b"".join(parts)


def _decode(data: bytes) -> Mapping[PartyId, peer_pb2.Envelope]:
    """Inverse of `_encode`; sealed data is ours and complete."""
    deals = {}
    while data:
        end = 5 + int.from_bytes(data[1:5], "big")
        deals[PartyId(data[0])] = peer_pb2.Envelope.FromString(data[5:end])
        data = data[end:]
    return deals
