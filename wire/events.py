"""Events: what an accepted transaction or a block did, for people and as a wake-up; never a source of truth."""

from __future__ import annotations

from dataclasses import dataclass

Attribute = tuple[str, str]

# Indexed by CometBFT; everything else is only shown.
INDEXED = frozenset({"request_id", "kind", "application", "key_id", "requester", "status"})


@dataclass(frozen=True, slots=True)
class Event:
    """A typed event with ordered text attributes."""

    type: str
    attributes: tuple[Attribute, ...]


def event(event_type: str, **attributes: str | int | bytes) -> Event:
    """Build an event; bytes become hexadecimal, numbers decimal. Order is the order of the arguments."""
    return Event(event_type, tuple((key, _text(value)) for key, value in attributes.items()))


def _text(value: str | int | bytes) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
