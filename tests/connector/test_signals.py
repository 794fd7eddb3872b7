"""A second signal does not cut off the end that the first one began: of a connector, of a relay."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest

import connector.main
import connector.relay.main


@pytest.mark.parametrize(
    ("module", "serves"), [(connector.main, "carry"), (connector.relay.main, "_serve")]
)
async def test_an_orderly_end_is_not_cut_off(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, serves: str
) -> None:
    """What is done on the way out is done to its end."""
    began, ended = asyncio.Event(), asyncio.Event()

    async def serving(*_: object) -> None:
        try:
            began.set()
            await asyncio.Event().wait()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0.05)
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(0.05)
            ended.set()

    monkeypatch.setattr(module, serves, serving)
    running = asyncio.create_task(cast("Any", module)._until_signal(None, Path()))
    await began.wait()
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(30):
        await running
    assert ended.is_set()
