"""Which engine a binary really is: its build record, not the constant that it prints.

CometBFT v0.40.0 prints 0.39.0: the constant was forgotten in that release and linker flags cannot
change it. The Go linker's own record of modules is right.
"""

import mmap
import re
from dataclasses import dataclass
from pathlib import Path

WANTED = "v0.40.0"
_MODULE = re.compile(rb"(?:mod|dep)\tgithub\.com/cometbft/cometbft\t(v[0-9][0-9A-Za-z.+-]*)")
_GO = re.compile(rb"\bgo(1\.[0-9]+(?:\.[0-9]+)?)\b")
_COMMAND = re.compile(rb"path\t([\x21-\x7e]+)\n")
# Where the linker's record begins, and more than it is long.
_MAGIC = b"\xff Go buildinf:"
_RECORD = 256 * 1024


@dataclass(frozen=True, slots=True)
class EngineBuild:
    """What the linker wrote into a binary; empty where it is no Go program."""

    path: Path
    command: str
    cometbft: str
    go: str

    def document(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "path": str(self.path),
            "command": self.command,
            "cometbft": self.cometbft,
            "go": self.go,
        }


def build_of(path: Path) -> EngineBuild:
    """Read the build record of a binary."""
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        start = content.find(_MAGIC)
        record = content[start : start + _RECORD] if start >= 0 else b""
    return EngineBuild(path, _first(_COMMAND, record), _first(_MODULE, record), _first(_GO, record))


def _first(pattern: re.Pattern[bytes], record: bytes) -> str:
    found = pattern.search(record)
    return found.group(1).decode() if found else ""
