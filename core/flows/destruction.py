"""Destruction of a key: every share that this core holds is erased, in all epochs, then it says so."""

import asyncio

import structlog

from core.authorize import Permission
from core.flows.tools import Tools
from mpc.dealing import Material
from wire.answers import destruction_statement
from wire.pb.tkms.core.v1 import core_pb2

KIND = "destruction"

log = structlog.get_logger("core.flows.destruction")


class Destruction:
    """No run: nobody is needed for forgetting."""

    def __init__(self, tools: Tools) -> None:
        """Bind to one core."""
        self._tools = tools

    async def answer(self, permission: Permission) -> core_pb2.Result:
        """Erase and sign the statement. The same again finds nothing and says the same."""
        found = await asyncio.to_thread(self._tools.epochs.erase_key, permission.key_id)
        log.warning("key is destroyed", key=permission.key_id.hex, shares=found)
        await asyncio.to_thread(self._tools.dealer.forget, permission.key_id)
        digest = destruction_statement(permission.entry)
        return self._tools.signer.generation(permission, [Material(KIND, digest, 0)])
