"""Home, blocks and transactions."""

from __future__ import annotations

from typing import Final

from edge.explorer.pages.asked import Asked, Shown, found
from edge.explorer.reader import Reader
from wire.tx import MESSAGE_KINDS

_ON_HOME: Final = 8
_ROWS: Final = 40
# Transactions and events of a full block that its page shows; its twin has all of them.
_MOST: Final = 200
OUTCOMES: Final = ("executed", "refused")


def home(reader: Reader, _asked: Asked) -> Shown:
    """The newest blocks and requests, and how the last hour went."""
    return Shown("home.html", _newest(reader) | {"charts": reader.charts("hour").charts[:2]})


def home_part(reader: Reader, _asked: Asked) -> Shown:
    """What of the home page moves with the head."""
    return Shown("home_part.html", _newest(reader))


def _newest(reader: Reader) -> dict[str, object]:
    return {
        "blocks": reader.blocks(None, _ON_HOME).items,
        "requests": reader.requests(None, _ON_HOME).items,
    }


def blocks(reader: Reader, asked: Asked) -> Shown:
    """All blocks."""
    listed = reader.blocks(asked.cursor, _ROWS)
    return Shown("blocks.html", {"blocks": listed.items, "following": asked.following(listed)})


def block(reader: Reader, asked: Asked) -> Shown:
    """One block."""
    height = asked.number("height")
    shown = found(reader.block(height), f"block {height}")
    return Shown("block.html", {"block": shown, "most": _MOST})


def transactions(reader: Reader, asked: Asked) -> Shown:
    """All transactions, or some."""
    kind = asked.choice("kind", MESSAGE_KINDS)
    outcome = asked.choice("outcome", OUTCOMES)
    listed = reader.transactions(
        asked.cursor,
        _ROWS,
        kind=kind,
        sender=asked.filtered_bytes("sender", 20),
        failed=None if outcome is None else outcome == "refused",
    )
    values = {
        "transactions": listed.items,
        "following": asked.following(listed),
        "kinds": MESSAGE_KINDS,
        "outcomes": OUTCOMES,
        "kind": kind,
        "outcome": outcome,
        "sender": asked.text("sender"),
    }
    return Shown("transactions.html", values)


def transaction(reader: Reader, asked: Asked) -> Shown:
    """One transaction."""
    digest = asked.identifier("hash", 32)
    shown = found(reader.transaction(digest), "transaction")
    return Shown("transaction.html", {"transaction": shown})
