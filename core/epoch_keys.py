"""Keys for pseudorandom sharing, one set an epoch: made by the parties together at first need.

The set-up is a durable run: its private coins come from a seed that is sealed before it begins, and
what it sent is sealed too, so it survives restarts of everybody. The result is sealed as
`epochs/<id>/prss`; an epoch that is over takes its keys with it.
"""

import asyncio
import secrets

import structlog
import tkms_kernel as kernel

from core.errors import CoreError, VaultError
from core.host import Host
from core.vault import Vault
from mpc.names import run_name
from mpc.prss_setup import set_up_prss

_SEED_BYTES = 32
_ROUND_S = 20.0
_SHORT_ROUND_S = 5.0
"""While a party cannot be reached."""

_SET_UP = "prss"

log = structlog.get_logger("core.epoch_keys")


class EpochKeys:
    """Keys of all epochs of one core."""

    __slots__ = ("_host", "_keys", "_making", "_vault", "_woken")

    def __init__(self, host: Host, vault: Vault) -> None:
        """Bind to the vault."""
        self._host = host
        self._vault = vault
        self._keys: dict[int, kernel.PrssKeys] = {}
        self._making: dict[int, asyncio.Task[kernel.PrssKeys]] = {}
        self._woken: set[asyncio.Task[None]] = set()

    async def get(self, epoch_id: int) -> kernel.PrssKeys:
        """The keys of an epoch; the first call makes them, with all parties.

        Raises
        ------
        RunAborted
            The set-up ended without keys.
        VaultError
            What is stored are no keys.
        """
        keys = self._keys.get(epoch_id)
        if keys is not None:
            return keys
        task = self._making.get(epoch_id)
        if task is None:
            task = asyncio.create_task(self._make(epoch_id), name=f"keys of epoch {epoch_id}")
            self._making[epoch_id] = task
            task.add_done_callback(lambda _: self._making.pop(epoch_id, None))
        # Who gives up waiting does not end the set-up for others.
        return await asyncio.shield(task)

    def expect(self, epoch_id: int) -> None:
        """Take part as soon as a peer begins."""
        made = epoch_id in self._keys or epoch_id in self._making
        if not made and not self._vault.has(_keys_name(epoch_id)):
            self._host.expect(_run_name(epoch_id), lambda: self.begin(epoch_id))

    def drop(self, epoch_id: int) -> None:
        """Keep an epoch's keys in memory no longer: they were erased elsewhere."""
        self._keys.pop(epoch_id, None)

    def forget(self, epoch_id: int) -> None:
        """Erase the keys of an epoch that is over, and what its set-up sent. Blocks for the disk."""
        self._keys.pop(epoch_id, None)
        self._vault.remove(_keys_name(epoch_id))
        self._vault.remove(_seed_name(epoch_id))
        self._host.erase_epoch(epoch_id)

    async def close(self) -> None:
        """Stop what is being made; it goes on after the next start."""
        tasks = [*self._making.values(), *self._woken]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def begin(self, epoch_id: int) -> None:
        """Make the keys, for a peer or another core of ours that has begun."""
        task = asyncio.create_task(self._report(epoch_id))
        self._woken.add(task)
        task.add_done_callback(self._woken.discard)

    async def _report(self, epoch_id: int) -> None:
        """A set-up that nobody here waits for says why it failed."""
        try:
            await self.get(epoch_id)
        except CoreError as error:
            log.warning("pseudorandom keys were not made", reason=str(error))

    async def _make(self, epoch_id: int) -> kernel.PrssKeys:
        """From the vault, or by the protocol."""
        stored = await asyncio.to_thread(self._load, epoch_id)
        if stored is None:
            seed = await asyncio.to_thread(self._seed, epoch_id)
            made = await self._host.run(
                _run_name(epoch_id),
                epoch_id,
                lambda setting: set_up_prss(setting, seed),
                round_timeout_s=_ROUND_S if self._host.connected(epoch_id) else _SHORT_ROUND_S,
                durable=True,
            )
            if made.corrupt:
                log.warning("parties deviated in the set-up of keys", parties=sorted(made.corrupt))
            stored = made.keys
            await asyncio.to_thread(self._vault.put, _keys_name(epoch_id), stored.to_bytes())
            await asyncio.to_thread(self._vault.remove, _seed_name(epoch_id))
            log.info("pseudorandom keys are made", epoch=epoch_id)
        self._keys[epoch_id] = stored
        return stored

    def _load(self, epoch_id: int) -> kernel.PrssKeys | None:
        if not self._vault.has(_keys_name(epoch_id)):
            return None
        try:
            return kernel.PrssKeys.from_bytes(self._vault.get(_keys_name(epoch_id)))
        except kernel.KernelError as error:
            raise VaultError(f"{_keys_name(epoch_id)}: not keys") from error

    def _seed(self, epoch_id: int) -> bytes:
        """The private coins of the set-up: the same after a restart."""
        name = _seed_name(epoch_id)
        if not self._vault.has(name):
            self._vault.put(name, secrets.token_bytes(_SEED_BYTES))
        return self._vault.get(name)


def _run_name(epoch_id: int) -> bytes:
    return run_name(_SET_UP, epoch_id)


def _keys_name(epoch_id: int) -> str:
    return f"epochs/{epoch_id}/prss"


def _seed_name(epoch_id: int) -> str:
    return f"epochs/{epoch_id}/seed"
