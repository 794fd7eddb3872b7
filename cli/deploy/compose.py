"""A compose file of an operator's home: one service a process, all on the host's network."""

import json
from typing import Any

from cli.home.files import OperatorFiles
from cli.home.processes import Entry, table

_STOP = "60s"
_OPEN_FILES = 65536


def compose(files: OperatorFiles, image: str, name: str) -> str:
    """Return the text of compose.yaml.

    The home is mounted where it lies, because settings name sockets by absolute path, and the host's
    network is used, because RPC and metrics listen on loopback only.
    """
    status = files.home.stat()
    user = f"{status.st_uid}:{status.st_gid}"
    document = {
        "name": name,
        "services": {entry.name: _service(files, entry, image, user) for entry in table(files)},
    }
    head = (
        "# Written by `tkms deploy compose`; write again instead of editing.\n"
        f"# The image {image} must have `tkms` and the engine (TKMS_COMETBFT) in it.\n"
    )
    return head + "\n".join(_yaml(document, 0)) + "\n"


def _service(files: OperatorFiles, entry: Entry, image: str, user: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "image": image,
        "command": ["tkms", *entry.arguments],
        "user": user,
        "network_mode": "host",
        "volumes": [f"{files.home}:{files.home}"],
        "working_dir": str(files.home),
        "restart": "on-failure" if entry.may_finish else "unless-stopped",
        "stop_grace_period": _STOP,
        "read_only": True,
        "tmpfs": ["/tmp"],  # noqa: S108 - inside the container
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "ulimits": {"nofile": _OPEN_FILES, **({"core": 0} if entry.name == "core" else {})},
    }
    if entry.after:
        found["depends_on"] = {
            name: {"condition": "service_started", "restart": name == entry.bound}
            for name in entry.after
        }
    if entry.name == "engine":
        found["healthcheck"] = {
            # Not /health of the engine: that says yes while consensus is dead.
            "test": ["CMD", "tkms", "status", "--node", files.rpc_url()],
            "interval": "30s",
            "timeout": "10s",
            "start_period": "5m",
        }
    return found


def _yaml(value: Any, depth: int) -> list[str]:
    """Return lines of block YAML with JSON scalars: every reader agrees on these."""
    pad = "  " * depth
    lines: list[str] = []
    for key, item in value.items():
        if isinstance(item, dict):
            lines += [f"{pad}{key}:", *_yaml(item, depth + 1)]
        else:
            lines.append(f"{pad}{key}: {json.dumps(item)}")
    return lines
