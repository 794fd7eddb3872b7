"""Logs of a local network: one file a process and one combined, readable file.

A line of the combined file is `<time> <process> | <text>`; colours are added only when shown.
"""

import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

COMBINED = "combined.log"
# A file that grows beyond this is kept once as `<name>.1` and started anew.
_LARGEST = 64 * 2**20
_COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)
_POLL_S = 0.2


class LogFiles:
    """Where the supervisor writes what its processes say."""

    def __init__(self, folder: Path) -> None:
        """Append to the files of a folder."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._files: dict[str, BinaryIO] = {}

    def write(self, name: str, line: bytes) -> None:
        """Write one line (without its end) to the process's file and to the combined one."""
        self._append(f"{name}.log", line + b"\n")
        now = dt.datetime.now(dt.UTC).strftime("%H:%M:%S.%f")[:-3]
        self._append(COMBINED, f"{now} {name:<12} | ".encode() + line + b"\n")

    def close(self) -> None:
        """Close all files."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _append(self, name: str, data: bytes) -> None:
        file = self._files.get(name)
        if file is None:
            file = self._files[name] = (self._folder / name).open("ab", buffering=0)
        if file.tell() > _LARGEST:
            file.close()
            path = self._folder / name
            path.replace(path.with_name(f"{name}.1"))
            file = self._files[name] = path.open("ab", buffering=0)
        file.write(data)


def tail(path: Path, names: tuple[str, ...], lines: int) -> list[str]:
    """Return the last lines of the combined file that belong to `names` (all when empty)."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", errors="replace") as file:
        wanted = [line.rstrip("\n") for line in file if _belongs(line, names)]
    return wanted[-lines:] if lines else wanted


def follow(path: Path, names: tuple[str, ...]) -> Iterator[str]:
    """Yield new lines for ever, over rotation; the caller interrupts."""
    file = path.open(encoding="utf-8", errors="replace") if path.exists() else None
    if file:
        file.seek(0, 2)
    rest = ""
    while True:
        chunk = file.read() if file else ""
        if not chunk:
            if path.exists() and (file is None or path.stat().st_size < file.tell()):
                file = path.open(encoding="utf-8", errors="replace")
            time.sleep(_POLL_S)
            continue
        *complete, rest = (rest + chunk).split("\n")
        yield from (line for line in complete if _belongs(line, names))


def split(line: str) -> dict[str, object]:
    """Return a combined line as a document for `-o json`."""
    head, _, text = line.partition(" | ")
    when, _, name = head.partition(" ")
    return {"time": when, "process": name.strip(), "text": text}


def coloured(line: str) -> str:
    """Return a combined line with its prefix coloured by process."""
    head, bar, text = line.partition(" | ")
    name = head.partition(" ")[2].strip()
    colour = _COLOURS[sum(name.encode()) % len(_COLOURS)]
    return f"\x1b[{colour}m{head}{bar}\x1b[0m{text}"


def _belongs(line: str, names: tuple[str, ...]) -> bool:
    return not names or line.partition(" | ")[0].partition(" ")[2].strip() in names
