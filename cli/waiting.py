"""Waiting for requests: progress while parties answer, an error unless the request is fulfilled."""

import asyncio
from typing import TYPE_CHECKING, Any

from cli.errors import CliError, ExitCode
from cli.output import Progress, Terminal

if TYPE_CHECKING:
    from client.chain import Chain
    from client.requests import Event
    from wire.ids import RequestId

_WORDS = {1: "pending", 2: "fulfilled", 3: "failed", 4: "expired"}


def status_word(status: int) -> str:
    """Return a request's status as a word."""
    return _WORDS.get(status, "unknown")


def failure_word(code: int) -> str:
    """Return why a request failed as a word."""
    from wire.pb.tkms.asc.v1 import asc_pb2  # noqa: PLC0415 - slow import

    name = str(asc_pb2.FailureCode.Name(code))
    return name.removeprefix("FAILURE_CODE_").lower().replace("_", "-")


async def until_decided(
    out: Terminal, chain: "Chain", request: "RequestId", timeout_s: float, what: str
) -> None:
    """Wait until the request is fulfilled.

    Raises:
        CliError: REQUEST_FAILED, REQUEST_EXPIRED, or TIMEOUT with the id.
    """
    from client.errors import RequestUndone  # noqa: PLC0415 - slow import
    from client.requests import watch  # noqa: PLC0415

    parties = len((await chain.config()).epoch.parties)
    try:
        with out.progress() as progress:
            async with asyncio.timeout(timeout_s):
                progress.step(what, 0, parties)
                async for event in watch(chain, request):
                    _show(progress, what, event)
    except TimeoutError as error:
        raise CliError(
            f"request {request} is not decided after {timeout_s:.0f} s",
            reason="TIMEOUT",
            exit_code=ExitCode.TIMEOUT,
            hint=f"it goes on: tkms request wait {request}",
            details={"request": str(request)},
        ) from error
    except RequestUndone as error:
        raise _undone(request, error.status) from error


def _show(progress: Progress, what: str, event: "Event") -> None:
    """Show what happened."""
    from client.requests import Answered, Phase  # noqa: PLC0415 - slow import

    if isinstance(event, Answered):
        progress.step(what, len(event.parties), event.of)
    elif isinstance(event, Phase):
        where = f"{what}: {event.name} ({event.parties} of {event.of} parties)"
        progress.step(where, event.done, event.total)


def _undone(request: "RequestId", status: Any) -> CliError:
    word = status_word(status.status)
    details: dict[str, object] = {
        "request": str(request),
        "answered": list(status.answered),
        "failed": list(status.failed),
    }
    if word == "failed":
        details["failure"] = failure_word(status.failure)
    hint = (
        "too few parties answered before the deadline; the escrow is returned"
        if word == "expired"
        else "the escrow is returned"
    )
    return CliError(
        f"the request {word}", reason=f"REQUEST_{word.upper()}", hint=hint, details=details
    )
