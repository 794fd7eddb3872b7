"""Kernel calls with secrets, in threads: the event loop never waits for arithmetic.

Everything here demands a `Permission`. Malformed ciphertexts end in a typed failure.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import tkms_kernel as kernel

from core import keystore
from core.authorize import Permission
from core.errors import PublishError, VaultError, WorkFailed
from core.keystore import PartyKey
from core.publish import Storage
from core.vault import Vault
from mpc.public_decryption import ELEMENT_BYTES, Item
from wire.digests import sha3_256
from wire.fhe import FheType, Format, plaintext_bytes
from wire.ids import KeyId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.isc.v1 import isc_pb2

Answer = TypeVar("Answer")

MALFORMED = asc_pb2.FAILURE_CODE_CIPHERTEXT_MALFORMED
UNAVAILABLE = asc_pb2.FAILURE_CODE_CIPHERTEXT_UNAVAILABLE
UNKNOWN_KEY = asc_pb2.FAILURE_CODE_UNKNOWN_KEY

_WORKERS = 2
_RING_BITS = 128
_MASK_SEPARATOR = b"tkms/mask/v1"
_SERVER_KEY = "server-key"


@dataclass(frozen=True, slots=True)
class PartialDecryption:
    """One ciphertext's masked share: what a session needs, and the share."""

    item: Item
    share: bytes = field(repr=False)
    # 2-bit blocks of the message in each block of the share.
    packing_factor: int = kernel.USER_SHARE_PACKING_FACTOR

    @property
    def vector(self) -> bytes:
        """The share as clients read it: u64 little-endian count and the elements (bincode)."""
        count = len(self.share) // ELEMENT_BYTES
        return count.to_bytes(8, "little") + self.share

    def plaintext(self) -> bytes:
        """Little-endian plaintext where we are the only party: our share is the whole sharing.

        Raises
        ------
        tkms_kernel.KernelError
            The noise is out of range, or the value does not fit its type.
        """
        opened = kernel.online_open(_RING_BITS, 1, 0, 0, [(1, self.share)], [])
        if opened is None:
            raise kernel.InternalError("a single share must open")
        blocks = kernel.round_squashed(opened[0], self.item.blocks, 1, 0)
        value = kernel.plaintext_from_blocks(blocks, self.item.fhe_type)
        return value.to_bytes(plaintext_bytes(FheType(self.item.fhe_type)), "little")


class Engine:
    """Decrypts partially with the keys of one vault."""

    __slots__ = (
        "_active",
        "_keys",
        "_pool",
        "_server_key_lock",
        "_server_keys",
        "_storage",
        "_vault",
    )

    def __init__(
        self,
        vault: Vault,
        storage: Storage | None,
        active: Callable[[KeyId], bool] = lambda _key_id: True,
    ) -> None:
        """Bind to a vault; `storage` is where server keys come from, None: never squash here.

        `active` says of a key whether the chain lets it decrypt, as far as we know.
        """
        self._vault = vault
        self._active = active
        self._storage = storage
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="engine")
        self._keys: dict[tuple[KeyId, int], PartyKey] = {}
        self._server_keys: dict[KeyId, kernel.ServerKey] = {}
        self._server_key_lock = asyncio.Lock()

    @property
    def pool(self) -> Executor:
        """Threads of online work."""
        return self._pool

    def close(self) -> None:
        """End the threads after the calls in progress."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def drop(self, epoch_id: int) -> None:
        """Keep no share of an epoch in memory: some were erased, the others are in the vault."""
        for found in [each for each in self._keys if each[1] == epoch_id]:
            self._keys.pop(found, None)

    def forget(self, key_id: KeyId, epoch_id: int) -> None:
        """Drop a share that was erased."""
        self._keys.pop((key_id, epoch_id), None)

    async def run(self, work: Callable[[], Answer]) -> Answer:
        """Run something short in a thread of the engine."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def key(self, permission: Permission) -> PartyKey:
        """The share of the request's key, of the request's epoch.

        Raises
        ------
        WorkFailed
            Unknown, or not to be used.
        """
        return await self.run(lambda: self._key(permission))

    async def partial_decryptions(
        self,
        permission: Permission,
        blobs: dict[bytes, bytes],
        ciphertexts: Sequence[isc_pb2.Ciphertext],
    ) -> list[PartialDecryption]:
        """Our masked share of some ciphertexts of the request, in their order.

        Raises
        ------
        WorkFailed
            Unknown key, bytes that are not there, or a malformed ciphertext.
        """
        key = await self.key(permission)
        shares = []
        for ciphertext in ciphertexts:
            data = blobs.get(ciphertext.digest)
            if data is None:
                raise WorkFailed(UNAVAILABLE, "the ciphertext's bytes did not come")
            if len(data) != ciphertext.size:
                raise WorkFailed(MALFORMED, "the ciphertext has another size than registered")
            number, data = await self._squashed(permission, key, ciphertext, data)
            info = mask_info(permission, ciphertext.digest)
            shares.append(
                await self.run(
                    lambda c=ciphertext, n=number, d=data, i=info: _partial(key, c, n, d, i)  # type: ignore[misc]  # defaults bind the loop's values
                )
            )
        return shares

    def _key(self, permission: Permission) -> PartyKey:
        """The share of the request's key, of the request's epoch."""
        epoch = permission.epoch
        if not self._active(permission.key_id):
            raise WorkFailed(UNKNOWN_KEY, "the key is not active any more")
        place = (permission.key_id, epoch.id)
        if place not in self._keys:
            try:
                self._keys[place] = keystore.load(self._vault, *place)
            except VaultError as error:
                raise WorkFailed(UNKNOWN_KEY, str(error)) from error
        key = self._keys[place]
        fits = (key.share.parties, key.share.threshold, key.share.party) == (
            len(epoch.parties),
            epoch.threshold,
            permission.party,
        )
        if not fits:
            raise WorkFailed(UNKNOWN_KEY, "our share of the key is of another party")
        return key

    async def _squashed(
        self,
        permission: Permission,
        key: PartyKey,
        ciphertext: isc_pb2.Ciphertext,
        data: bytes,
    ) -> tuple[int, bytes]:
        """Format and bytes to decrypt: squashed already, or squashed here where allowed.

        The 128-bit Fourier transform is floating point: parties on different processors may
        squash to different words. Their digests then differ and say so; see `MaskedShare`.
        """
        if ciphertext.format in {Format.BIG_COMPRESSED, Format.BIG_EXPANDED}:
            return ciphertext.format, data
        if ciphertext.format != Format.SMALL_EXPANDED or self._storage is None:
            raise WorkFailed(MALFORMED, "this core decrypts squashed ciphertexts only")
        server_key = await self._server_key(permission.key_id, key)
        fhe_type = ciphertext.fhe_type
        try:
            squashed = await self.run(lambda: server_key.squash(data, fhe_type, compressed=False))
        except kernel.KernelError as error:
            raise WorkFailed(MALFORMED, str(error)) from error
        return Format.BIG_EXPANDED, squashed

    async def _server_key(self, key_id: KeyId, key: PartyKey) -> kernel.ServerKey:
        """The evaluation key from storage, verified by the digest that we signed; kept."""
        async with self._server_key_lock:
            if key_id not in self._server_keys:
                digests = [m.digest for m in key.materials if m.kind == _SERVER_KEY]
                if self._storage is None or not digests:
                    raise WorkFailed(UNKNOWN_KEY, "no server key is known")
                try:
                    data = await self._storage.get(digests[0])
                    loaded = await self.run(lambda: kernel.ServerKey.load(data))
                except (PublishError, kernel.KernelError) as error:
                    raise WorkFailed(UNKNOWN_KEY, f"server key: {error}") from error
                self._server_keys[key_id] = loaded
            return self._server_keys[key_id]


def mask_info(permission: Permission, digest: bytes) -> bytes:
    """What a mask is bound to: key, epoch, request and ciphertext, all of fixed length.

    Without the ciphertext, two answers for different bytes under one id would reveal the
    difference of their noise. The kernel binds the squashed words as well.
    """
    return b"".join(
        (
            _MASK_SEPARATOR,
            permission.key_id.value,
            permission.record.epoch_id.to_bytes(8, "big"),
            permission.request_id.value,
            digest,
        )
    )


def _partial(
    key: PartyKey, ciphertext: isc_pb2.Ciphertext, number: int, data: bytes, info: bytes
) -> PartialDecryption:
    """One ciphertext, in a thread."""
    fhe_type = ciphertext.fhe_type
    try:
        blocks, _ = kernel.squashed_info(data, fhe_type, number)
        share = key.share.partial_decrypt(data, fhe_type, number, key.mask_keys, info)
    except kernel.KernelError as error:
        raise WorkFailed(MALFORMED, str(error)) from error
    return PartialDecryption(Item(sha3_256(data), fhe_type, blocks), share)
