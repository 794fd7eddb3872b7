"""Make an environment of another Python beside ours, for replaying blocks under it; print its interpreter.

It has what the node needs, from the same lock, and the kernel of our own environment: one abi3 build serves every
Python from 3.11 on. It is made once for each lock and Python, in the cache outside the checkout.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "runtime.txt"
# What the state machine imports; the rest of the lock is for other processes.
WANTED = (
    "cffi",
    "coincurve",
    "markdown-it-py",
    "mdurl",
    "plyvel",
    "protobuf",
    "pycparser",
    "pygments",
    "pynacl",
    "rich",
    "safe-pysha3",
    "structlog",
)
_NEWEST_FIRST = ("3.15", "3.14", "3.13", "3.12")
_PATIENCE_SECONDS = 300
_COMPLETE = ".complete"


class NoOtherPythonError(Exception):
    """There is none, or its packages cannot be had; the text says why."""


def make() -> Path:
    """Return the interpreter of the environment, made now or before.

    Raises:
        NoOtherPythonError: there is no newer Python, or its packages cannot be installed.
    """
    reasons = []
    pythons = list(_found())
    # One that is complete already goes before a newer one that could not be completed.
    for python in sorted(pythons, key=lambda python: not _is_complete(python)):
        try:
            return _make_of(python)
        except NoOtherPythonError as error:
            # Packages come as wheels, and not every one has been built for the newest Python yet.
            reasons.append(str(error))
    raise NoOtherPythonError("; ".join(reasons) or f"no Python of {', '.join(_NEWEST_FIRST)}")


def _make_of(python: Path) -> Path:
    home = _home(python)
    interpreter = home / "bin" / "python"
    if not _is_complete(python):
        shutil.rmtree(home, ignore_errors=True)
        _run(python, "-m", "venv", str(home))
        lock = home / "requirements.txt"
        lock.write_text(_part_of_lock())
        install = ("-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes")
        _run(interpreter, *install, "--only-binary", ":all:", "--requirement", str(lock))
        (home / _COMPLETE).touch()
    _put_kernel(interpreter)
    return interpreter


def _home(python: Path) -> Path:
    """Folder of the environment of this Python and this lock."""
    version = _run(python, "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])").strip()
    stamp = hashlib.sha256(LOCK.read_bytes() + repr(WANTED).encode()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tkms"
    return cache / f"python-{version}-{stamp}"


def _is_complete(python: Path) -> bool:
    return (_home(python) / _COMPLETE).exists()


def _found() -> Iterator[Path]:
    """Newer Pythons than ours, newest first: pyenv's, or on the path."""
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for version in _NEWEST_FIRST:
        if version == own:
            continue
        installed = sorted(pyenv.glob(f"{version}.*/bin/python"))
        named = shutil.which(f"python{version}")
        # pyenv puts stand-ins on the path that refuse to run: ask before believing.
        for candidate in [*installed, *([Path(named)] if named else [])]:
            asked = subprocess.run(
                [candidate, "-c", "import venv, ensurepip"], capture_output=True, check=False
            )
            if asked.returncode == 0:
                yield candidate
                break


def _part_of_lock() -> str:
    """The wanted packages with their hashes, as the lock has them."""
    blocks = re.split(r"\n(?=[a-z0-9])", LOCK.read_text())
    found = {block.split("==", 1)[0]: block for block in blocks if "==" in block}
    missing = [name for name in WANTED if name not in found]
    if missing:
        raise NoOtherPythonError(f"the lock has no {', '.join(missing)}")
    return "\n".join(found[name] for name in WANTED) + "\n"


def _put_kernel(interpreter: Path) -> None:
    """Copy the kernel that is installed here: always the present one."""
    (folder,) = {
        Path(str(file.locate())).parent
        for file in metadata.files("tkms_kernel") or ()
        if file.name.endswith(".abi3.so")
    }
    site = _run(interpreter, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    target = Path(site) / folder.name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder, target)


def _run(*command: str | Path) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_PATIENCE_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoOtherPythonError(f"{command[0]}: {error}") from error
    if done.returncode:
        raise NoOtherPythonError(f"{command[0]} {command[2]}: {done.stderr.strip()[-300:]}")
    return done.stdout


if __name__ == "__main__":
    try:
        print(make())
    except NoOtherPythonError as failure:
        sys.exit(str(failure))
