"""Preprocessing of a key: every batch of random bits and triples is made and kept as a record."""

from functools import partial

import tkms_kernel as kernel

from core.authorize import Permission
from core.flows.recorded import Recorded, Recorder
from core.flows.tools import Tools
from core.host import StepsFactory
from core.record_store import digest_of
from mpc.dealing import Material
from mpc.exchange import Setting, Steps
from mpc.key_generation import Names, plan
from mpc.preprocessing import Batch, preprocess
from wire.digests import sha3_256
from wire.pb.tkms.core.v1 import core_pb2

KIND = "preprocessing"
PHASE = "bits-and-triples"

_DOMAIN = b"tkms/preprocessing/v1"


class Preprocessing:
    """One core's part in the preprocessing of keys."""

    def __init__(self, tools: Tools) -> None:
        """Bind to one core."""
        self._tools = tools

    async def answer(self, permission: Permission) -> core_pb2.Result:
        """Make all batches and sign the digest of their records."""
        epoch_id, parameters = permission.record.epoch_id, permission.parameters
        keys = await self._tools.epoch_keys.get(epoch_id)
        names = Names(epoch_id, permission.request_id.value, parameters)
        recorder = Recorder(self._tools, permission)
        batches = plan(parameters).batches
        digests = []
        for number, batch in enumerate(batches):
            self._tools.progress.tell(permission, PHASE, number, len(batches))
            body = await recorder.record(recorded_batch(keys, names.batch(number), batch))
            digests.append(digest_of(body))
        self._tools.progress.tell(permission, PHASE, len(batches), len(batches))
        digest = sha3_256(_DOMAIN + b"".join(digests))
        return self._tools.signer.generation(permission, [Material(KIND, digest, 0)])


def recorded_batch(keys: kernel.PrssKeys, name: bytes, batch: Batch) -> Recorded:
    """The run of one batch."""
    return Recorded(name, partial(_steps, keys, name, batch))


def _steps(keys: kernel.PrssKeys, name: bytes, batch: Batch) -> StepsFactory[bytes]:
    def steps(setting: Setting) -> Steps[bytes]:
        record = yield from preprocess(setting, keys, name, batch)
        return record.to_bytes()

    return steps
