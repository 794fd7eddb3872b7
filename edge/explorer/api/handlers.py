"""Starlette routes of operations: read in a thread, answer as JSON or CSV, refuse in one form."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.explorer.api.answers import (
    JSON,
    OPEN,
    PREFLIGHT,
    answer,
    encoded,
    is_known,
    validators,
    wants_table,
)
from edge.explorer.api.operations import Operation, values_of
from edge.explorer.api.schemas import json_of
from edge.explorer.api.tables import columns_of
from edge.serving import ProblemError, problem_response

METHODS: Final = ("GET", "HEAD", "OPTIONS")


class Handler:
    """One operation over what its `read` needs."""

    def __init__(self, operation: Operation, context: Any) -> None:
        """`context` is given to `read`; a `read` that is no coroutine runs in a thread."""
        self._operation = operation
        self._context = context
        self._columns = None if operation.listed is None else columns_of(operation.listed)

    async def __call__(self, request: Request) -> Response:
        """The answer, or the refusal as application/problem+json."""
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=PREFLIGHT)
        try:
            return await self._answer(request)
        except ProblemError as error:
            return refused(error)

    async def _answer(self, request: Request) -> Response:
        operation = self._operation
        values = values_of(operation, request.path_params, request.query_params)
        chosen = values.pop("format", "")
        if inspect.iscoroutinefunction(operation.read):
            found = await operation.read(self._context, values)
        else:
            found = await run_in_threadpool(operation.read, self._context, values)
        if found is None:
            raise ProblemError(404, "not found", f"{operation.summary}: nothing of that name")
        columns = self._columns if wants_table(request, operation, chosen) else None
        return answer(request, operation, json_of(found), columns)


class Document:
    """A document that never changes while the process lives."""

    def __init__(self, value: Any) -> None:
        """Encode it once."""
        self._body = encoded(value)

    async def __call__(self, request: Request) -> Response:
        """The document."""
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=PREFLIGHT)
        headers = OPEN | validators(self._body)
        if is_known(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        return Response(self._body, headers=headers, media_type=JSON)


def refused(error: ProblemError) -> Response:
    """A refusal that pages of others may read too."""
    response = problem_response(error.status, error.title, error.detail)
    response.headers.update(OPEN)
    return response


async def unknown_path(request: Request) -> Response:
    """Whatever else is asked for below the API's address."""
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=PREFLIGHT)
    return refused(ProblemError(404, "no such address", "the OpenAPI document lists all"))


async def on_error(_request: Request, error: Exception) -> Response:
    """Exception handler: in the form of all other refusals, without anything about the inside."""
    if isinstance(error, ProblemError):
        return refused(error)
    if isinstance(error, HTTPException):
        return refused(ProblemError(error.status_code, error.detail))
    return refused(ProblemError(500, "internal error"))


def routes_of(operations: Sequence[Operation], context: Any) -> list[Route]:
    """One route an operation."""
    return [route(operation.path, Handler(operation, context)) for operation in operations]


def route(path: str, handler: Callable[..., Any]) -> Route:
    """Route of a callable object, for all methods that only read."""
    return Route(path, _function(handler), methods=list(METHODS))


def _function(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Starlette takes objects for ASGI applications: it is given a function."""

    async def handle(request: Request) -> Response:
        response: Response = await handler(request)
        return response

    return handle
