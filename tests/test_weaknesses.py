"""The table of known weaknesses names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMED = re.compile(r"`(tests/[a-z_/]+\.py)(?:::(\w+))?`")
MARKS = [
    *(f"S{number}" for number in range(1, 12)),
    *(f"C{number}" for number in range(1, 13)),
    *(f"L{number}" for number in range(1, 11)),
    *(f"E{number}" for number in range(1, 5)),
    *(f"O{number}" for number in range(1, 7)),
]


def test_every_weakness_has_a_row_and_a_test() -> None:
    """In order, none left out; a renamed or removed test fails here."""
    text = (ROOT / "docs" / "weaknesses.md").read_text()
    rows = [line for line in text.splitlines() if re.match(r"\| [A-Z]\d", line)]
    assert [row.split()[1] for row in rows] == MARKS
    for row in rows:
        assert NAMED.search(row.split("|")[3]), row
    for file, name in NAMED.findall(text):
        source = (ROOT / file).read_text()
        assert not name or re.search(rf"def {name}\(", source), f"{file}::{name}"
