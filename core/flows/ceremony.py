"""The ceremony for a reference string: one run, its coins sealed until its outcome is a record."""

import asyncio
import secrets
from functools import partial

import tkms_kernel as kernel

from core.authorize import Permission
from core.flows.tools import Tools
from core.publish import publish
from mpc.crs_ceremony import Ceremony, generate_reference_string
from mpc.dealing import Material
from mpc.exchange import Setting, Steps
from mpc.names import run_name
from wire.digests import sha3_256
from wire.pb.tkms.core.v1 import core_pb2

KIND = "crs"
RUN = "crs"
PHASE = "contributions"

_SEED_BYTES = 32
# A contribution and each check take ten seconds at full size on a busy machine.
_ROUND_S = 180.0


class CeremonyFlow:
    """One core's part in ceremonies."""

    def __init__(self, tools: Tools) -> None:
        """Bind to one core."""
        self._tools = tools

    async def answer(self, permission: Permission) -> core_pb2.Result:
        """Contribute, check the others, and sign the digest of the string."""
        epoch_id = permission.record.epoch_id
        name = run_name(RUN, epoch_id, permission.request_id.value)
        body = await self._tools.records.fetch(name, epoch_id)
        if body is None:
            body = await self._make(permission, name)
            await self._tools.records.keep(name, epoch_id, body)
        await asyncio.to_thread(self._tools.vault.remove, _seed_name(permission))
        material = Material(KIND, await asyncio.to_thread(sha3_256, body), len(body))
        await publish(self._tools.storage, permission.request_id.hex, [body])
        return self._tools.signer.generation(permission, [material])

    async def _make(self, permission: Permission, name: bytes) -> bytes:
        """The run; the same seed again after a crash."""
        tools, epoch_id = self._tools, permission.record.epoch_id
        seed = await asyncio.to_thread(self._seed, permission)
        bits = permission.entry.max_bits
        beginning = await tools.compute(
            partial(kernel.CrsCeremony.begin, permission.parameters, bits, name)
        )
        tools.progress.tell(permission, PHASE, 0, 1)

        def steps(setting: Setting) -> Steps[Ceremony]:
            return generate_reference_string(setting, beginning, seed)

        made = await tools.host.run(
            name,
            epoch_id,
            steps,
            background=True,
            round_timeout_s=_ROUND_S,
            durable=True,
            accuse=tools.accuse(permission),
        )
        tools.progress.tell(permission, PHASE, 1, 1)
        return await tools.compute(lambda: made.state.finish().to_bytes())

    def _seed(self, permission: Permission) -> bytes:
        """Our secret factor: drawn once, erased when the string is a record."""
        name = _seed_name(permission)
        if not self._tools.vault.has(name):
            self._tools.vault.put(name, secrets.token_bytes(_SEED_BYTES))
        return self._tools.vault.get(name)


def _seed_name(permission: Permission) -> str:
    return f"ceremonies/{permission.request_id.hex}"
