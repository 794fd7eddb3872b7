"""How values look on pages."""

from __future__ import annotations

import hashlib

import pytest

from edge.explorer.index.model import Chart, Series
from edge.explorer.pages import drawing, words
from edge.explorer.pages.rendering import STATIC

VENDORED = {
    "htmx-4.0.1.min.js": "a0abb04f2f45a1f8",
    "uplot-1.6.32.min.css": "df630c6a8d6f8eea",
    "uplot-1.6.32.min.js": "19c8d4c6ad88929a",
}


def test_times() -> None:
    """UTC, to the second for people and to the millisecond for machines; nonsense is no time."""
    assert words.utc(1_764_110_400_123) == "2025-11-25 22:40:00"
    assert words.iso(1_764_110_400_123) == "2025-11-25T22:40:00.123Z"
    assert words.utc(None) == words.utc(10**20) == ""


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (None, "\N{EN DASH}"),
        (0, "0 ms"),
        (999, "999 ms"),
        (1240, "1.24 s"),
        (123_000, "2 min 3 s"),
        (7_380_000, "2 h 3 min"),
        (180_000_000, "2 d 2 h"),
    ],
)
def test_durations(milliseconds: int | None, text: str) -> None:
    """In the unit that a reader expects."""
    assert words.duration(milliseconds) == text


def test_amounts() -> None:
    """Thousands are marked, bytes have units, a share that is not all is never shown as all."""
    assert words.grouped(1_234_567) == "1,234,567"
    assert words.size(1023) == "1023 B"
    assert words.size(1536) == "1.5 KiB"
    assert words.percent(1) == "100 %"
    assert words.percent(0.9999) == "99.9 %"
    assert words.percent(0.5) == "50 %"


def test_states() -> None:
    """What went wrong never looks good; a word that is new looks bad until somebody decides."""
    assert [words.mood(state) for state in ("fulfilled", "pending", "failed", "expired")] == [
        "good",
        "wait",
        "bad",
        "bad",
    ]
    assert words.mood("something new") == "bad"
    assert words.titled("public-decryption") == "Public decryption"
    assert words.basis("grant").startswith("The account of the claim")


def test_bytes_in_rows() -> None:
    """Sixteen a line, with the offset."""
    assert words.byte_rows("00" * 17).splitlines() == ["00000  " + "00 " * 15 + "00", "00010  00"]


def test_uptime_names_what_it_draws() -> None:
    """For those who do not see it; what is no vote counts for neither side."""
    drawn = drawing.uptime("-110", 9, '<b>"x"')
    assert "signed 2 of 3 blocks up to height 9" in drawn
    assert drawn.count("<rect") == 4
    assert "<title>6</title>" in drawn
    assert "<b>" not in drawn


def test_chart_has_gaps() -> None:
    """A missing value is no zero: the line breaks."""
    line = Series("mean", "s", (1.0, 2.0, None, 3.0))
    drawn = drawing.chart(Chart("c", "<i>", (1, 2, 3, 4), (line,)))
    assert drawn.count("<polyline") == 2
    assert "<i>" not in drawn
    assert ">01-01 00:00</text>" in drawn
    assert drawing.chart(Chart("c", "t", (), ())).startswith("<svg")


def test_lag_stays_inside() -> None:
    """Whatever the numbers are."""
    assert 'width="100.00"' in drawing.lag(9, 3, good=True)
    assert 'width="1.00"' in drawing.lag(None, 0, good=False)


def test_vendored_files_are_as_published() -> None:
    """Nobody edits them; an update changes this list."""
    digests = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        for path in (STATIC / "vendor").iterdir()
        if path.suffix in {".js", ".css"}
    }
    assert digests == VENDORED
    for name in ("htmx-LICENSE.txt", "uplot-LICENSE.txt"):
        assert "Permission" in (STATIC / "vendor" / name).read_text()


def test_sheets_and_scripts_fetch_nothing() -> None:
    """No address of others in what is ours."""
    for name in ("explorer.css", "explorer.js"):
        text = (STATIC / name).read_text()
        assert "http" not in text
        assert "url(" not in text
        assert "eval(" not in text
