"""Events: what an accepted transaction or a block did, for people and as a wake-up; never a source of truth."""

from __future__ import annotations

from dataclasses import dataclass

from wire.ids import Address

Attribute = tuple[str, str]
Value = str | int | bytes | Address

# Indexed by CometBFT; everything else is only shown.
INDEXED = frozenset(
    {"request_id", "kind", "application", "key_id", "requester", "status", "proposal"}
)


@dataclass(frozen=True, slots=True)
class Event:
    """A typed event with ordered attributes."""

    type: str
    values: tuple[tuple[str, Value], ...]

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """The attributes as text. Most executions of a transaction are checks whose events nobody reads."""
        return tuple((key, _text(value)) for key, value in self.values)


def event(event_type: str, **values: Value) -> Event:
    """Build an event; bytes become hexadecimal, numbers decimal, addresses EIP-55. Order is kept."""
    return Event(event_type, tuple(values.items()))


def _text(value: Value) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
