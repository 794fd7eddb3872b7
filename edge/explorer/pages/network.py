"""Parties, validators, configuration, charts, search."""

from __future__ import annotations

from typing import Final

from edge.explorer.pages.asked import Asked, PageError, Shown, found
from edge.explorer.reader import Reader
from edge.explorer.reading.charts import RANGES
from edge.explorer.search import MAX_QUERY_CHARACTERS, SearchRefused, find

_ROWS: Final = 25
_MAX_PARTY: Final = 2**31 - 1
# Blocks below the head: nobody who joins meets a header that is not there yet.
_TRUST_BEHIND: Final = 20


def parties(reader: Reader, _asked: Asked) -> Shown:
    """Parties of the current epoch."""
    return Shown("parties.html", {"parties": reader.parties(), "epochs": reader.epochs()})


def party(reader: Reader, asked: Asked) -> Shown:
    """One party."""
    number = asked.number("number", _MAX_PARTY)
    shown = found(reader.party(number), f"party {number} in the current epoch")
    return Shown("party.html", {"party": shown})


def validators(reader: Reader, _asked: Asked) -> Shown:
    """Validators with their uptime."""
    return Shown("validators.html", {"validators": reader.validators()})


def config(reader: Reader, asked: Asked) -> Shown:
    """The configuration and what became of proposed changes."""
    history = reader.config_history(asked.cursor, _ROWS)
    values = {"changes": history.items, "following": asked.following(history)}
    return Shown("config.html", values)


def consensus(reader: Reader, _asked: Asked) -> Shown:
    """Where the engine is with the next block, and what a node that joins must trust."""
    head = reader.head()
    behind = 0 if head is None else max(head.first_height, head.height - _TRUST_BEHIND)
    return Shown("consensus.html", {"joining": reader.block(behind) if behind else None})


def charts(reader: Reader, asked: Asked) -> Shown:
    """Charts of a range of time."""
    chosen = asked.choice("range", tuple(RANGES)) or "day"
    return Shown("charts.html", {"charts": reader.charts(chosen), "ranges": tuple(RANGES)})


def search(reader: Reader, asked: Asked) -> Shown:
    """Everything that a text names."""
    text = asked.text("q")
    if len(text) > MAX_QUERY_CHARACTERS:
        raise PageError(400, "Too long", f"At most {MAX_QUERY_CHARACTERS} characters.")
    try:
        result = find(reader, text)
    except SearchRefused as error:
        raise PageError(400, "Too long", f"{error}.") from error
    elsewhere = result.hits[0].path if len(result.hits) == 1 else ""
    return Shown("search.html", {"result": result}, elsewhere)
