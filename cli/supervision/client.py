"""How commands talk to a running supervisor: one JSON line there, one back, over its socket."""

import json
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cli.errors import CliError, ExitCode

SOCKET, PID_FILE, RUNNING = "supervisor.sock", "supervisor.pid", "running.json"
# Shutting down may take as long as the slowest process takes to end.
ANSWER_S = 30.0


class NotRunningError(CliError):
    """No supervisor answers in this folder."""

    exit_code = ExitCode.UNREACHABLE
    reason = "NOT_RUNNING"


def ask(home: Path, verb: str, names: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Send one request to the supervisor and return the states of all processes.

    Raises:
        NotRunningError: nobody answers.
        CliError: the supervisor refuses.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_S)
        try:
            connection.connect(str(home.resolve() / SOCKET))
            connection.sendall(json.dumps({"verb": verb, "names": list(names)}).encode() + b"\n")
            with connection.makefile("rb") as stream:
                answer = json.loads(stream.readline())
        except (OSError, ValueError) as error:
            raise NotRunningError(
                f"nothing runs in {home}", hint="tkms localnet up, or tkms start --home DIR"
            ) from error
    refused = answer.get("error")
    if refused:
        raise CliError(refused["sentence"], reason=refused["reason"], hint=refused["hint"])
    return list(answer["processes"])
