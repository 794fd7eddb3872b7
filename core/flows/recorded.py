"""Runs whose outcome is a public record: made together, or taken from peers by who was not there.

A record that is here is never made again, so work goes on where it stopped. Who starts late takes what
others have (t + 1 equal digests name it) until they have no more, and then takes part. Who takes
part and gets nowhere, because the others are done and gone, looks for the record meanwhile.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from core.authorize import Permission
from core.flows.tools import Tools
from core.host import StepsFactory

_LOOK_S: Final = 8.0
"""A run that takes longer is perhaps over everywhere else."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One run: its name and protocol, which gives the bytes of the record."""

    name: bytes
    steps: Callable[[], StepsFactory[bytes]]


class Recorder:
    """Makes or takes the records of one request, in their order."""

    __slots__ = ("_behind", "_permission", "_tools")

    def __init__(self, tools: Tools, permission: Permission) -> None:
        """Peers may be ahead when we begin."""
        self._tools = tools
        self._permission = permission
        self._behind = True

    async def record(self, run: Recorded) -> bytes:
        """The record of a run, durable and shown to peers when this returns.

        Raises
        ------
        RunAborted
            More parties than the threshold allows were silent or wrong.
        """
        records, epoch_id = self._tools.records, self._permission.record.epoch_id
        body = await records.get(run.name, epoch_id)
        if body is None and self._behind:
            body = await records.fetch(run.name, epoch_id)
            self._behind = body is not None
        if body is None:
            body = await self._make(run)
            await records.keep(run.name, epoch_id, body)
        return body

    async def _make(self, run: Recorded) -> bytes:
        """Take part, and look for the record while nothing comes of it."""
        tools, epoch_id = self._tools, self._permission.record.epoch_id
        own = asyncio.create_task(
            tools.host.run(
                run.name,
                epoch_id,
                run.steps(),
                background=True,
                gives_way=lambda: True,
                round_timeout_s=tools.round_timeout_s(epoch_id),
                accuse=tools.accuse(self._permission),
            )
        )
        try:
            while True:
                await asyncio.wait([own], timeout=_LOOK_S)
                if own.done():
                    return await own
                body = await tools.records.fetch(run.name, epoch_id)
                if body is not None:
                    self._behind = True
                    return body
        finally:
            own.cancel()
            await asyncio.gather(own, return_exceptions=True)
