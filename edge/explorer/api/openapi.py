"""The OpenAPI 3.1 document, made of the same records as the routes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from edge.explorer.api import tables
from edge.explorer.api.operations import Operation, Parameter
from edge.explorer.api.schemas import Components, Schema

_PROBLEM: Final[Schema] = {
    "type": "object",
    "description": "A refusal (RFC 9457).",
    "properties": {
        "type": {"type": "string"},
        "status": {"type": "integer"},
        "title": {"type": "string"},
        "detail": {"type": "string"},
    },
    "required": ["type", "status", "title"],
    "additionalProperties": False,
}
_REFUSALS: Final = {
    "400": "A parameter is unknown, missing, given twice or malformed.",
    "404": "There is nothing of that name.",
    "405": "The explorer only reads: GET, HEAD, OPTIONS.",
    "413": "Requests here have no body.",
    "414": "Path and query are longer than any that mean something.",
    "429": "Too many requests; `Retry-After` says when there is room again.",
    "503": "The index is not there yet, or too many read at once.",
}
_DESCRIPTION: Final = """\
Everything that a page of the explorer shows, as JSON. Read-only; nothing needs an account.

Identifiers are lower-case hexadecimal without a prefix unless a field says otherwise. Integers may be as large as
64 bits: read them with a parser that keeps them. Lists are in pages, newest first: `next` of a page, given as `cursor`,
leads to the following one. Lists come as CSV with `format=csv` or `Accept: text/csv`. Every answer has an `ETag`.
Errors are `application/problem+json`.
"""


def document(operations: Sequence[Operation], version: str) -> dict[str, Any]:
    """OpenAPI document of the operations."""
    components = Components()
    components.schemas["Problem"] = _PROBLEM
    paths = {operation.path: {"get": _get(operation, components)} for operation in operations}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tkms explorer",
            "version": version,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.schemas.items())),
            "responses": {
                f"Refusal{status}": _refusal(words) for status, words in _REFUSALS.items()
            },
        },
    }


def _get(operation: Operation, components: Components) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": components.of(operation.answer)}}
    headers: dict[str, Any] = {
        "ETag": {
            "description": "Changes with the answer; give it back as If-None-Match.",
            "schema": {"type": "string"},
        }
    }
    if operation.listed is not None:
        content[tables.MEDIA_TYPE] = {"schema": {"type": "string"}}
        headers["Link"] = {
            "description": 'Address of the next page, rel="next"; absent on the last.',
            "schema": {"type": "string"},
        }
    refusals = [status for status in _REFUSALS if operation.absent or status != "404"]
    return {
        "operationId": operation.name.replace("-", "_"),
        "summary": operation.summary,
        "parameters": [_parameter(parameter) for parameter in operation.parameters],
        "responses": {
            "200": {"description": operation.summary, "headers": headers, "content": content},
            "304": {"description": "Not changed since the ETag of If-None-Match."},
            **{status: {"$ref": f"#/components/responses/Refusal{status}"} for status in refusals},
        },
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": "path" if parameter.in_path else "query",
        "required": parameter.in_path or parameter.required,
        "description": parameter.description,
        "schema": parameter.schema,
    }


def _refusal(words: str) -> dict[str, Any]:
    return {
        "description": words,
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        },
    }
