"""Whether this machine's own record of signed votes protects the validator's key.

The engine never signs a height twice while `data/priv_validator_state.json` is its own latest. A home
that was copied or restored brings an old one: then the engine must look into the last blocks for its
own signature before it signs (`consensus.double_sign_check_height`). Where the record is known to be
live, that look only does harm: after a halt of the whole network nobody could start again.

`data/sign-state-origin.json` remembers machine and folder together with the height of the record when
the engine was first started there. A record that has grown since was written here.
"""

import hashlib
import json
import platform
from pathlib import Path

from cli.errors import ConfigError

_ORIGIN = "sign-state-origin.json"
_MACHINE_ID = Path("/etc/machine-id")


def height(home: Path) -> int:
    """Return the last height for which this home signed; 0 before the first.

    Raises:
        ConfigError: the record is missing or damaged: signing without it risks two votes.
    """
    path = home / "data" / "priv_validator_state.json"
    try:
        return int(json.loads(path.read_text("utf-8"))["height"])
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path} is not there",
            reason="NO_SIGN_STATE",
            hint="a new validator has one of height 0; never restore an old copy: make a new key",
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is not readable: {error}", reason="NO_SIGN_STATE") from error


def is_live_here(home: Path) -> bool:
    """Whether this machine has signed with this home since it first started it; remembers a first start."""
    signed, here = height(home), _here(home)
    path = home / "data" / _ORIGIN
    try:
        origin = json.loads(path.read_text("utf-8"))
        known, first = str(origin["here"]), int(origin["height"])
    except (OSError, ValueError, KeyError, TypeError):
        known, first = "", 0
    if known == here:
        return signed > first
    path.write_text(json.dumps({"here": here, "height": signed}) + "\n", encoding="utf-8")
    return False


def _here(home: Path) -> str:
    try:
        machine = _MACHINE_ID.read_text("ascii").strip()
    except OSError:
        machine = ""
    return hashlib.sha256(f"{machine}|{platform.node()}|{home.resolve()}".encode()).hexdigest()
