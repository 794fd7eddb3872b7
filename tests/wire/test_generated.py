"""Generated code is what the schema generates."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_no_drift() -> None:
    """`make proto` would change nothing."""
    done = subprocess.run(
        [sys.executable, "tools/generate_protobuf.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
