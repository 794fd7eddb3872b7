"""The official checker of call order (Go, from the engine's end-to-end tests), as a function."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "interop/grammar"
AVAILABLE = shutil.which("go") is not None


@cache
def _binary() -> Path:
    """Build it; the compiler keeps what it built."""
    cache_home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    target = cache_home / "tkms/bin/abci-grammar"
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["go", "build", "-o", target, "."],
        cwd=SOURCE,
        env={**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"},
        check=True,
    )
    return target


def verdicts(lives: Sequence[tuple[bool, str]]) -> list[str]:
    """A verdict a life, "good" or why not; a life is whether it began with nothing, and its letters.

    A height that was not finished is left out, as the official tests do.
    """
    lines = [f"{'clean' if clean else 'recovery'} {word}\n" for clean, word in lives if word]
    done = subprocess.run(
        [_binary()], input="".join(lines), capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()
