"""Generation of a key without a dealer, out of preprocessing that the chain gave to it.

1. Records of the batches are here, or are taken from peers.
2. The seed of the public masks is opened, once for one preprocessing.
3. Chunk by chunk the bodies of the keys' rows are opened; each is a record, so work goes on behind the
   last one after any crash.
4. The share is sealed, the check ciphertext kept, public material stored; then the digests are signed.
Everything is a function of the epoch's keys and of records: doing it again gives the same key.
"""

import asyncio
from functools import partial

import structlog
import tkms_kernel as kernel

from core import keystore
from core.authorize import Permission
from core.errors import WorkFailed
from core.flows import checks
from core.flows.preprocessing import recorded_batch
from core.flows.recorded import Recorded, Recorder
from core.flows.tools import Tools
from core.host import StepsFactory
from core.publish import publish
from mpc.dealing import Deal, Material
from mpc.exchange import Setting, Steps
from mpc.key_generation import Chunk, GeneratedKey, KeyGeneration, Names
from mpc.preprocessing import Record, record_from_bytes
from wire.digests import sha3_256
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.core.v1 import core_pb2

SEED, SECRETS, BODIES, KEYS = "seed", "secret-keys", "key-bodies", "keys"

log = structlog.get_logger("core.flows.generation")


class Generation:
    """One core's part in the generation of keys."""

    def __init__(self, tools: Tools) -> None:
        """Bind to one core."""
        self._tools = tools

    async def answer(self, permission: Permission) -> core_pb2.Result:
        """Make the key, keep our share, and sign the digests of what is public."""
        tools, epoch_id = self._tools, permission.record.epoch_id
        if not permission.entry.preprocessing_id:
            raise WorkFailed(asc_pb2.FAILURE_CODE_INTERNAL, "neither a dealer nor preprocessing")
        keys = await tools.epoch_keys.get(epoch_id)
        made = await _Work(tools, permission, keys).run()
        public = {"public-key": made.public_key, "server-key": made.server_key, "check": made.check}
        materials = tuple(
            [
                Material(kind, await asyncio.to_thread(sha3_256, data), len(data))
                for kind, data in public.items()
            ]
        )
        await checks.keep(tools, permission.key_id, epoch_id, made.check)
        deal = Deal(made.share.to_bytes(), keys.to_bytes(), permission.parameters, materials)
        save = partial(keystore.save, tools.vault, permission.key_id, epoch_id, deal, dealer=False)
        await asyncio.to_thread(save)
        log.info("key is made", key=permission.key_id.hex)
        tools.prepare(epoch_id)
        await publish(tools.storage, permission.request_id.hex, list(public.values()))
        return tools.signer.generation(permission, materials)


class _Work:
    """One generation in progress."""

    def __init__(self, tools: Tools, permission: Permission, keys: kernel.PrssKeys) -> None:
        """Bind to the request and the keys of its epoch."""
        self._tools = tools
        self._permission = permission
        self._recorder = Recorder(tools, permission)
        self._epoch_id = permission.record.epoch_id
        self._keys = keys
        preprocessing_id = permission.entry.preprocessing_id
        self._names = Names(self._epoch_id, preprocessing_id, permission.parameters)
        self._generation = KeyGeneration(keys, self._names)

    async def run(self) -> GeneratedKey:
        """All steps."""
        generation, compute = self._generation, self._tools.compute
        self._tell(SEED, 0, 1)
        run = Recorded(self._names.seed(), lambda: generation.open_seed)
        seed = await self._recorder.record(run)
        self._tell(SECRETS, 0, 1)
        secrets = await self._batches(range(generation.plan.secrets))
        await compute(lambda: generation.begin(seed, secrets))
        chunks = generation.plan.chunks
        for chunk in chunks:
            self._tell(BODIES, chunk.number, len(chunks))
            bodies = await self._chunk(chunk)
            await compute(partial(generation.accept, chunk, bodies))
        self._tell(BODIES, len(chunks), len(chunks))
        self._tell(KEYS, 0, 1)
        made = await compute(generation.finish)
        self._tell(KEYS, 1, 1)
        return made

    async def _chunk(self, chunk: Chunk) -> bytes:
        """Opened bodies of a chunk; its batches are read only where it was not opened before."""
        name = self._names.chunk(chunk.number)
        stored = await self._tools.records.get(name, self._epoch_id)
        if stored is not None:
            return stored
        bits = await self._batches(chunk.batches)
        triples = None
        if chunk.triples is not None:
            (triples,) = await self._batches(range(chunk.triples, chunk.triples + 1))
        steps = partial(_steps, self._generation, chunk, bits, triples)
        return await self._recorder.record(Recorded(name, steps))

    async def _batches(self, numbers: range) -> list[Record]:
        """Records of some batches, in their order; all together make again what all have lost."""
        found = []
        for number in numbers:
            batch = self._generation.plan.batches[number]
            run = recorded_batch(self._keys, self._names.batch(number), batch)
            found.append(record_from_bytes(batch, await self._recorder.record(run)))
        return found

    def _tell(self, phase: str, done: int, total: int) -> None:
        self._tools.progress.tell(self._permission, phase, done, total)


def _steps(
    generation: KeyGeneration, chunk: Chunk, bits: list[Record], triples: Record | None
) -> StepsFactory[bytes]:
    def steps(setting: Setting) -> Steps[bytes]:
        return generation.open_chunk(setting, chunk, bits, triples)

    return steps
