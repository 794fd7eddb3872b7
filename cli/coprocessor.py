"""Calls of the coprocessor stand-in: JSON over HTTP, refusals as errors of the command line."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from cli.errors import CliError, ExitCode

# Operations on production ciphertexts take seconds on a small machine.
_TIMEOUT_S = 900


async def post(
    base: str,
    path: str,
    *,
    json: object = None,
    data: bytes | None = None,
    query: Mapping[str, str] | None = None,
) -> Any:
    """Return the JSON answer of one call.

    Raises:
        CliError: unreachable, or refused with the server's own title and detail.
    """
    import aiohttp  # noqa: PLC0415 - slow import

    url = base.rstrip("/") + path
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S, sock_connect=10)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.post(url, json=json, data=data, params=query) as response,
        ):
            answer = await response.json(content_type=None)
            status = response.status
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as error:
        raise CliError(
            f"the coprocessor at {base} does not answer: {type(error).__name__}",
            reason="UNREACHABLE",
            exit_code=ExitCode.UNREACHABLE,
            hint="does it run? `tkms status`",
        ) from error
    if status >= 400:  # noqa: PLR2004 - the HTTP boundary of errors
        title, detail = str(answer.get("title", "refused")), str(answer.get("detail", ""))
        raise CliError(
            f"the coprocessor refused: {title}",
            reason="COPROCESSOR_REFUSED",
            exit_code=ExitCode.REJECTED,
            code=status,
            details={"detail": detail} if detail else {},
        )
    return answer


async def operate(base: str, operation: str, operands: Sequence[str]) -> dict[str, Any]:
    """Compute on handles and return the result's handle and type."""
    body = {"operation": operation, "operands": list(operands)}
    return dict(await post(base, "/v1/operations", json=body))


async def prepare(base: str, handles: Sequence[str], form: int) -> list[dict[str, Any]]:
    """Have ciphertexts squashed, stored and registered on the chain."""
    body = {"handles": list(handles), "format": form}
    answer = await post(base, "/v1/prepare", json=body)
    return list(answer if isinstance(answer, list) else answer["ciphertexts"])
