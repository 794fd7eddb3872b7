"""The table of attacks names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMED = re.compile(r"`(tests/[a-z0-9_/]+(?:\.py)?)(?:::(\w+))?`")


def test_every_attack_has_a_row_and_a_test() -> None:
    """In order, none left out; a renamed or removed test fails here."""
    text = (ROOT / "docs" / "attacks.md").read_text()
    rows = [line for line in text.splitlines() if re.match(r"\| A\d", line)]
    assert [row.split()[1] for row in rows] == [f"A{number}" for number in range(1, 22)]
    for row in rows:
        assert NAMED.search(row.split("|")[3]), row
    for file, name in NAMED.findall(text):
        path = ROOT / file
        assert path.exists(), file
        assert not name or re.search(rf"def {name}\(", path.read_text()), f"{file}::{name}"
