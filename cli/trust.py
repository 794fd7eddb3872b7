"""Options of commands that verify: where trust begins, and who gives a second opinion."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from cli.errors import UsageError
from cli.hashes import parse_hash

if TYPE_CHECKING:
    from light import PinnedHeader


@dataclass(frozen=True, slots=True)
class Trust:
    """What the person at the keyboard trusts; without a header, the network's pinned validators."""

    height: int = 0
    hash: bytes = b""
    witnesses: tuple[str, ...] = ()

    @property
    def root(self) -> "PinnedHeader | None":
        """Header to start from, if one was named."""
        from light import PinnedHeader  # noqa: PLC0415 - slow import

        return PinnedHeader(self.height, self.hash) if self.height else None


_OPTIONS = (
    click.option(
        "--trust-height",
        type=click.IntRange(min=1),
        help="Height of a header that you trust [default: the pinned validators].",
    ),
    click.option("--trust-hash", help="Hash of that header, 64 hexadecimal digits."),
    click.option(
        "--witness",
        "witnesses",
        multiple=True,
        metavar="URL",
        help="RPC address of another operator's node that must have the same headers; repeatable.",
    ),
)


def with_trust(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the trust options and a Trust as its argument `trust`."""

    @functools.wraps(function)
    def wrapped(*arguments: Any, **values: Any) -> Any:
        height, digest = values.pop("trust_height"), values.pop("trust_hash")
        witnesses = values.pop("witnesses")
        if (height is None) != (digest is None):
            raise UsageError("--trust-height and --trust-hash belong together")
        trust = Trust(height or 0, parse_hash(digest) if digest else b"", tuple(witnesses))
        return function(*arguments, trust=trust, **values)

    decorated: Callable[..., Any] = wrapped
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated
