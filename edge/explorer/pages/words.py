"""How values look on pages: times, amounts, states. Pure."""

from __future__ import annotations

import datetime as dt
from typing import Final

_GOOD: Final = frozenset(
    {"fulfilled", "active", "answered", "agreed", "activated", "ok", "decided", "proven", "ready"}
)
_WAIT: Final = frozenset(
    {"pending", "suspended", "opened", "checking", "busy", "unavailable", "proposed", "approved"}
)
_PLAIN: Final = frozenset(
    {"consumed", "closed", "unspecified", "", "withdrawn", "dropped", "unknown", "progress"}
)
_BASES: Final = {
    "public": "The handle was public.",
    "grant": "The account of the claim held a grant for the handle.",
    "role": "The requester held the role that this operation needs.",
    "change": "A configuration change that a quorum approved asked for it.",
    "schedule": "The schedule of the configuration asked for it.",
}
_KINDS: Final = {"crs-generation": "reference string generation"}
# A value that there is not.
_NOTHING: Final = "\N{EN DASH}"
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def utc(milliseconds: float | None) -> str:
    """Date and time in UTC, to the second."""
    moment = _moment(milliseconds)
    return "" if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S")


def iso(milliseconds: float | None) -> str:
    """The same for machines, to the millisecond."""
    moment = _moment(milliseconds)
    return "" if moment is None else moment.isoformat(timespec="milliseconds")[:23] + "Z"


def _moment(milliseconds: float | None) -> dt.datetime | None:
    if milliseconds is None:
        return None
    try:
        return dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)
    except (OverflowError, ValueError, OSError):
        return None


def duration(milliseconds: float | None) -> str:
    """A length of time: 340 ms, 1.24 s, 2 min 3 s."""
    if milliseconds is None:
        return _NOTHING
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def grouped(number: float | None) -> str:
    """A number with its thousands marked."""
    if number is None:
        return _NOTHING
    return f"{number:,}" if isinstance(number, int) else f"{number:,.2f}"


def size(count: int) -> str:
    """A number of bytes."""
    amount = float(count)
    for unit in _UNITS:
        if amount < 1024 or unit == _UNITS[-1]:
            return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return ""


def percent(share: float | None) -> str:
    """A share of one as percent; never rounded up to all."""
    if share is None:
        return _NOTHING
    rounded = f"{share * 100:.1f}"
    return f"{'99.9' if rounded == '100.0' and share < 1 else rounded} %".replace(".0 %", " %")


def spoken(name: str) -> str:
    """An identifier of the schema as words: public-decryption → public decryption."""
    return _KINDS.get(name, name).replace("-", " ").replace("_", " ")


def titled(name: str) -> str:
    """The same, as a heading begins."""
    words = spoken(name)
    return words[:1].upper() + words[1:]


def mood(state: str) -> str:
    """Class of a state's colour; the state itself is always there in words."""
    if state in _GOOD:
        return "good"
    if state in _WAIT:
        return "wait"
    return "plain" if state in _PLAIN else "bad"


def basis(name: str) -> str:
    """Why a claim was accepted, as a sentence."""
    return _BASES.get(name, f"{titled(name)}.")


def byte_rows(raw: str) -> str:
    """Hexadecimal bytes, sixteen a line with their offset."""
    lines = []
    for start in range(0, len(raw), 32):
        part = raw[start : start + 32]
        pairs = " ".join(part[at : at + 2] for at in range(0, len(part), 2))
        lines.append(f"{start // 2:05x}  {pairs}")
    return "\n".join(lines)
