"""Install the kernel (a wheel built by maturin) and the Python packages (editable) into the running environment.

Two distributions, one checkout: see docs/adr/0001-two-distributions.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIP = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]


def main() -> int:
    """Build and install; stops at the first failing command."""
    with tempfile.TemporaryDirectory() as folder:
        build = [
            "maturin",
            "build",
            "--release",
            "--locked",
            "--manifest-path",
            "kernel/Cargo.toml",
        ]
        subprocess.run([*build, "--out", folder], cwd=ROOT, check=True, env=os.environ)
        wheels = [str(wheel) for wheel in Path(folder).glob("*.whl")]
        subprocess.run([*PIP, "--force-reinstall", *wheels], cwd=ROOT, check=True)
    subprocess.run([*PIP, "--no-build-isolation", "--editable", "."], cwd=ROOT, check=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
