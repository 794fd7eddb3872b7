"""The list of all pages, and how one is made: reading and rendering in a thread, live answers before."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from edge.explorer.index.database import IndexUnusable
from edge.explorer.index.model import Head
from edge.explorer.live import Live
from edge.explorer.node import NodeAway, NodeView
from edge.explorer.pages import chain, network, requests, things
from edge.explorer.pages.asked import Asked, PageError, Shown
from edge.explorer.pages.rendering import STATIC, page
from edge.explorer.proof import Verifier
from edge.explorer.reader import BadCursor, Reader
from wire.ids import RequestId

_LOG = structlog.get_logger(__name__)

# A page does not wait for a proof: it says that the check runs and asks again.
_PATIENCE_S: Final = 0.05
_FOREVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Sources:
    """What pages are made from."""

    reader: Reader
    verifier: Verifier
    node: NodeView
    live: Live


Read = Callable[[Reader, Asked], Shown]
# What must be awaited: values from the node or the light client.
Ask = Callable[[Sources, Asked], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class _Page:
    """A page, as its route calls it."""

    sources: Sources
    read: Read
    ask: Ask | None
    section: str

    async def __call__(self, request: Request) -> Response:
        """The page, or a page that says why not."""
        asked = Asked(request)
        try:
            answers = await self.ask(self.sources, asked) if self.ask else {}
            return await run_in_threadpool(self._made, request, asked, answers)
        except PageError as error:
            return await run_in_threadpool(self._refused, request, asked, error)

    def _made(self, request: Request, asked: Asked, answers: dict[str, Any]) -> Response:
        try:
            shown = self.read(self.sources.reader, asked)
        except BadCursor as error:
            raise PageError(400, "No such page", "Begin at the first page of the list.") from error
        except (sqlite3.Error, IndexUnusable) as error:
            _LOG.warning("page not read", path=asked.path, error=str(error))
            raise PageError(503, "Not now", "The index is not readable now. Try again.") from error
        if shown.elsewhere:
            return RedirectResponse(shown.elsewhere, 303)
        return page(request, shown.template, self._common(asked) | shown.values | answers)

    def _refused(self, request: Request, asked: Asked, error: PageError) -> Response:
        values = self._common(asked) | {"title": error.title, "detail": error.detail}
        return page(request, "refused.html", values | {"status": error.status}, error.status)

    def _common(self, asked: Asked) -> dict[str, Any]:
        """What every page shows."""
        head = self.sources.live.head or self._head()
        return {
            "head": head,
            "section": self.section,
            "twin": asked.twin(),
            "newest": asked.newest(),
        }

    def _head(self) -> Head | None:
        try:
            return self.sources.reader.head()
        except (sqlite3.Error, IndexUnusable):
            return None


async def _verification(sources: Sources, asked: Asked) -> dict[str, Any]:
    request = RequestId(asked.identifier("id", RequestId.LENGTH))
    return {"verification": await sources.verifier.verify(request, _PATIENCE_S)}


async def _balance(sources: Sources, asked: Asked) -> dict[str, Any]:
    address = asked.identifier("address", 20)
    return {"balance": await _or_none(sources.node.balance(address))}


async def _config(sources: Sources, _asked: Asked) -> dict[str, Any]:
    return {"config": await _or_none(sources.node.config())}


async def _consensus(sources: Sources, _asked: Asked) -> dict[str, Any]:
    return {"consensus": await _or_none(sources.node.consensus())}


async def _or_none(question: Awaitable[Any]) -> Any:
    try:
        return await question
    except NodeAway:
        return None


def _unknown(_reader: Reader, _asked: Asked) -> Shown:
    raise PageError(404, "Nothing here", "This address leads nowhere. The search box may help.")


# Address, section of the menu, what is read, what is asked.
PAGES: Final[tuple[tuple[str, str, Read, Ask | None], ...]] = (
    ("/", "home", chain.home, None),
    ("/part/home", "", chain.home_part, None),
    ("/blocks", "blocks", chain.blocks, None),
    ("/block/{height}", "blocks", chain.block, None),
    ("/transactions", "transactions", chain.transactions, None),
    ("/transaction/{hash}", "transactions", chain.transaction, None),
    ("/requests", "requests", requests.requests, None),
    ("/request/{id}", "requests", requests.request, _verification),
    ("/part/request/{id}", "", requests.request_part, _verification),
    ("/keys", "keys", things.keys, None),
    ("/key/{id}", "keys", things.key, None),
    ("/reference-strings", "keys", things.reference_strings, None),
    ("/reference-string/{id}", "keys", things.reference_string, None),
    ("/preprocessings", "keys", things.preprocessings, None),
    ("/preprocessing/{id}", "keys", things.preprocessing, None),
    ("/applications", "applications", things.applications, None),
    ("/application/{id}", "applications", things.application, None),
    ("/handle/{id}", "applications", things.handle, None),
    ("/account/{address}", "", things.account, _balance),
    ("/parties", "parties", network.parties, None),
    ("/party/{number}", "parties", network.party, None),
    ("/validators", "validators", network.validators, None),
    ("/config", "config", network.config, _config),
    ("/consensus", "consensus", network.consensus, _consensus),
    ("/charts", "charts", network.charts, None),
    ("/audit", "audit", requests.audit, None),
    ("/evidence", "evidence", requests.evidence, None),
    ("/search", "", network.search, None),
)


class _Assets(StaticFiles):
    """Files of ours: their addresses change with them."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Let them be kept."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = _FOREVER
        return response

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Only what is meant to be served."""
        if path.endswith((".css", ".js", ".svg", "-LICENSE.txt")):
            return await super().get_response(path, scope)
        raise HTTPException(404)


def routes(sources: Sources) -> list[BaseRoute]:
    """All routes of the pages; the last answers every address that nothing else does."""
    listed: list[BaseRoute] = [
        Route(path, _function(_Page(sources, read, ask, section)), methods=["GET"])
        for path, section, read, ask in PAGES
    ]
    return [
        *listed,
        Route("/live", sources.live.stream, methods=["GET"]),
        Mount("/static", _Assets(directory=STATIC)),
        Route("/{rest:path}", _function(_Page(sources, _unknown, None, "")), methods=["GET"]),
    ]


def _function(made: _Page) -> Callable[[Request], Awaitable[Response]]:
    """Starlette takes objects for ASGI applications: it is given a function."""

    async def answer(request: Request) -> Response:
        return await made(request)

    return answer
