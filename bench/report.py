"""Rows of results, their file and their table."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results.json"
_PIPE_COLUMNS = 140


@dataclass(frozen=True, slots=True)
class Row:
    """One measured quantity: a median (or the named quantile) with its spread."""

    name: str
    value: float
    unit: str
    min: float
    max: float
    runs: int


def row(name: str, unit: str, samples: Sequence[float]) -> Row:
    """Median with minimum and maximum."""
    return Row(name, statistics.median(samples), unit, min(samples), max(samples), len(samples))


def quantile_row(name: str, unit: str, samples: Sequence[float], fraction: float) -> Row:
    """The sample below which `fraction` of all samples lie (nearest rank)."""
    ordered = sorted(samples)
    index = max(0, min(len(ordered) - 1, round(fraction * len(ordered)) - 1))
    return Row(name, ordered[index], unit, ordered[0], ordered[-1], len(ordered))


def machine() -> str:
    """What the numbers were measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    gibibytes = round(pages / 2**30)
    return f"{os.cpu_count()} x {model}, {gibibytes} GiB, Python {platform.python_version()}"


def write(rows: Sequence[Row]) -> None:
    """Merge into results.json by name: a partial run keeps the other rows."""
    kept = {}
    if RESULTS.exists():
        kept = {entry["name"]: entry for entry in json.loads(RESULTS.read_text())}
    kept |= {entry.name: asdict(entry) for entry in rows}
    RESULTS.write_text(json.dumps([kept[name] for name in sorted(kept)], indent=1) + "\n")


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    table = Table(title=machine())
    for heading in ("name", "value", "min", "max", "unit", "runs"):
        table.add_column(
            heading,
            justify="left" if heading in {"name", "unit"} else "right",
            no_wrap=heading == "name",
        )
    for entry in rows:
        # Ratios and seconds are small: their second digit counts.
        digits = 2 if abs(entry.value) < 10 else 1
        numbers = (f"{number:,.{digits}f}" for number in (entry.value, entry.min, entry.max))
        value, least, most = numbers
        table.add_row(entry.name, value, least, most, entry.unit, str(entry.runs))
    # A pipe has no width, and rich would cut the numbers at 80 columns.
    Console(width=None if sys.stdout.isatty() else _PIPE_COLUMNS).print(table)
