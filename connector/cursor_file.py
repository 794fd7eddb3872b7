"""Tells the node which blocks this operator's core still needs.

A core follows the chain by its own light client and may ask for any header from its trusted one on, to find a way
to a newer one. The node keeps blocks from the height in this file (`retain_cursors` in node.toml); without the file
it keeps them all.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import structlog

from connector.core import CoreClient
from connector.errors import ConnectorError

FILE_NAME: Final = "cursor"
_LOG = structlog.get_logger(__name__)
_EVERY_S: Final = 10.0


class CursorFile:
    """The height of the core's trusted header, in a file that is replaced as a whole."""

    def __init__(self, core: CoreClient, path: Path) -> None:
        """Write to `path`; its folder exists."""
        self._core = core
        self._path = path
        self._written = -1

    async def run(self) -> None:
        """Write for ever, whenever the core has moved on."""
        while True:
            try:
                await self.step()
            except ConnectorError as error:
                _LOG.debug("the core did not tell its height", error=str(error))
            except OSError as error:
                # The node then keeps more than it must: worth a word, not the connector's work.
                _LOG.warning("cursor file not written", path=str(self._path), error=str(error))
            await asyncio.sleep(_EVERY_S)

    async def step(self) -> None:
        """Write the height unless it stands there.

        Raises:
            ConnectorError: the core does not answer.
            OSError: the file cannot be written.
        """
        height = (await self._core.status()).trusted_height
        if height == self._written:
            return
        unfinished = self._path.with_name(f".{self._path.name}")
        unfinished.write_text(f"{height}\n", encoding="ascii")
        unfinished.replace(self._path)
        self._written = height
