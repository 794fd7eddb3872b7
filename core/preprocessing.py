"""Assembly of what ordinary decryption rests on: keys of epochs, records, the pool."""

import asyncio
from functools import partial
from pathlib import Path

import structlog

from core import keystore
from core.engine import Engine
from core.epoch_keys import EpochKeys
from core.following import FollowingKeys, FollowingPool, Line, Tell, Wish
from core.host import Host
from core.journal import Journal
from core.ordinary import OrdinaryDecryption, batch_steps
from core.peers import Peers
from core.pool import Pool
from core.record_store import RecordStore
from core.records import Records
from core.slices import SliceError
from core.vault import Vault
from wire.ids import RequestId
from wire.pb.tkms.config.v1 import config_pb2

log = structlog.get_logger("core.preprocessing")


class Preprocessing:
    """Keys, records and pool of one core."""

    __slots__ = ("_closing", "_loop", "_pool", "_vault", "keys", "ordinary", "records")

    def __init__(
        self,
        host: Host,
        peers: Peers,
        vault: Vault,
        engine: Engine,
        store: tuple[Path, int],
        tell: Tell | None = None,
    ) -> None:
        """`store` is the folder of records and how many blocks are kept ready there.

        With `tell` another core of this party makes keys and material, and is told what we need.
        """
        folder, blocks = store
        self._vault = vault
        self._closing: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.records = Records(peers, RecordStore(folder))
        self.keys: EpochKeys
        self._pool: Pool
        if tell is None:
            self.keys = EpochKeys(host, vault)
            self._pool = Pool(host, self.records, partial(batch_steps, self.keys), blocks)
        else:
            self.keys = FollowingKeys(host, vault, tell)
            make = partial(batch_steps, self.keys)
            self._pool = FollowingPool(host, self.records, make, blocks, tell)
        self.ordinary = OrdinaryDecryption(host, engine, self.keys, self._pool)

    def start(self, epoch: config_pb2.Epoch, journal: Journal, *, current: bool) -> None:
        """A proven epoch at the start of the process: what was used, and what to make."""
        self._loop = asyncio.get_running_loop()
        if not epoch.threshold:
            return
        self.ordinary.restore(epoch.id, journal.entries(epoch.id))
        shares = keystore.shares(self._vault)
        if current and any(epoch_id == epoch.id for _, epoch_id in shares):
            self.ordinary.prepare(epoch.id)

    def forget_epoch(self, epoch_id: int) -> None:
        """Erase what belongs to an epoch that is over. Blocks for the disk, in any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._pool.drop, epoch_id)
        self.keys.forget(epoch_id)
        self.records.store.remove_epoch(epoch_id)

    def serve(self, data: bytes) -> None:
        """What a follower needs or has used; a line that makes no sense changes nothing."""
        try:
            line = Line.decode(data)
            self._serve(line)
        except (ValueError, SliceError) as error:
            log.warning("a follower's line was refused", reason=str(error))

    def _serve(self, line: Line) -> None:
        epoch_id = line.epoch_id
        if line.wish is Wish.KEYS:
            self.keys.begin(epoch_id)
        elif line.wish is Wish.BATCH:
            self._pool.want(epoch_id, line.first)
        elif line.wish is Wish.RESERVED:
            self.ordinary.prepare(epoch_id)
            self._pool.reserve(epoch_id, RequestId(line.request_id), line.first, line.count)
        else:
            closing = asyncio.create_task(self._pool.closed(epoch_id, RequestId(line.request_id)))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def drop_epoch(self, epoch_id: int) -> None:
        """Another core of ours has erased an epoch: keep nothing of it in memory."""
        self._pool.drop(epoch_id)
        self.keys.drop(epoch_id)

    async def close(self) -> None:
        """Stop; everything goes on after the next start."""
        await self._pool.close()
        await self.records.close()
        await self.keys.close()
