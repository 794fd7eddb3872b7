"""The supervisor of the processes of a folder: a local network's, or one operator's.

It holds `supervisor.pid` locked while it lives, answers one JSON line a connection on
`supervisor.sock`, and records the pids of its processes in `running.json` so that even after its
own SIGKILL nothing stays behind.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from cli.errors import CliError
from cli.supervision.client import PID_FILE, RUNNING, SOCKET
from cli.supervision.plan import ProcessPlan, stop_order
from cli.supervision.process import FOR_EVER, LogSink, RestartPolicy, Supervised

_OWNER_POLL_S = 0.5


class Supervisor:
    """All processes of one folder, and the socket by which they are controlled."""

    def __init__(
        self,
        home: Path,
        plans: Sequence[ProcessPlan],
        logs: LogSink,
        policy: RestartPolicy = FOR_EVER,
    ) -> None:
        """Prepare the processes; `run` starts them."""
        self._home = home
        self._shutdown = asyncio.Event()
        self._processes = {
            plan.name: Supervised(plan, home, logs, self._is_ready, self._changed, policy)
            for plan in plans
        }

    async def run(self, owner: int | None = None) -> list[dict[str, object]]:
        """Serve until told to shut down, by signal, by socket or because the owner ended.

        Also ends when a process is given up. Returns how all processes ended; one that was given up
        stays `failed`.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._shutdown.set)
        socket = self._home / SOCKET
        socket.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._serve, path=str(socket))
        socket.chmod(0o600)
        watch = asyncio.create_task(self._watch_owner(owner)) if owner else None
        try:
            self._start(self._processes)
            await self._shutdown.wait()
        finally:
            if watch:
                watch.cancel()
            failed = self._failed()
            await self._stop(self._processes)
            server.close()
            socket.unlink(missing_ok=True)
            (self._home / RUNNING).unlink(missing_ok=True)
        states = [process.document() for process in self._processes.values()]
        return [
            {**state, "state": "failed" if state["name"] in failed else state["state"]}
            for state in states
        ]

    def _failed(self) -> list[str]:
        return [name for name, process in self._processes.items() if process.state == "failed"]

    def _is_ready(self, name: str) -> bool:
        return self._processes[name].state == "ready"

    def _changed(self) -> None:
        """Note a change of any process; one that was given up or has finished ends the others too."""
        self._record()
        finished = any(process.state == "finished" for process in self._processes.values())
        if finished or self._failed():
            self._shutdown.set()

    def _record(self) -> None:
        """Keep pids on disk for the sweep after a crash of the supervisor itself."""
        pids = [process.pid for process in self._processes.values() if process.pid]
        path = self._home / RUNNING
        temporary = path.with_suffix(".new")
        with contextlib.suppress(OSError):
            temporary.write_text(json.dumps({"supervisor": os.getpid(), "pids": pids}))
            temporary.replace(path)

    def _start(self, names: Iterable[str]) -> None:
        for name in self._with_bound(names):
            self._processes[name].start()

    async def _stop(self, names: Iterable[str]) -> None:
        """Stop in order: an engine before the node that answers it."""
        plans = [self._processes[name].plan for name in self._with_bound(names)]
        for group in stop_order(plans):
            await asyncio.gather(*(self._processes[plan.name].stop() for plan in group))

    def _with_bound(self, names: Iterable[str]) -> list[str]:
        """Return the names and what stops and starts with them, each once."""
        found: dict[str, None] = {}
        for name in names:
            found[name] = None
            found.update(dict.fromkeys(self._processes[name].plan.binds))
        return list(found)

    def expand(self, names: Iterable[str]) -> list[str]:
        """Turn `operator2` into its four processes; refuse unknown names."""
        found: list[str] = []
        for name in names:
            number = name.removeprefix("operator")
            if name != number and f"node{number}" in self._processes:
                found += [f"{kind}{number}" for kind in ("node", "engine", "core", "connector")]
            elif name in self._processes:
                found.append(name)
            else:
                known = ", ".join(self._processes)
                raise CliError(
                    f"there is no process {name}", reason="NO_PROCESS", hint=f"known: {known}"
                )
        return found

    async def _watch_owner(self, owner: int) -> None:
        while _alive(owner):  # noqa: ASYNC110 - a foreign process gives no event
            await asyncio.sleep(_OWNER_POLL_S)
        self._shutdown.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = json.loads(await reader.readline())
            answer = await self._answer(request)
        except CliError as error:
            answer = error.as_document()
        except (ValueError, KeyError, TypeError):
            answer = CliError("the supervisor does not understand this").as_document()
        with contextlib.suppress(ConnectionError):
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
            writer.close()

    async def _answer(self, request: dict[str, object]) -> dict[str, object]:
        verb = request["verb"]
        wanted = request.get("names", [])
        names = self.expand(map(str, wanted)) if isinstance(wanted, list) else []
        if verb == "stop":
            await self._stop(names)
        elif verb == "start":
            self._start(names)
        elif verb == "kill":
            for name in names:
                self._processes[name].kill()
        elif verb == "shutdown":
            self._shutdown.set()
        elif verb != "status":
            raise CliError(f"unknown verb {verb}")
        return {"processes": [process.document() for process in self._processes.values()]}


@contextlib.contextmanager
def sole_supervisor(home: Path, what: str, hint: str) -> Iterator[None]:
    """Hold the folder's lock; CliError when another supervisor runs there."""
    path = home / PID_FILE
    lock = path.open("a+", encoding="ascii")
    try:
        _lock(lock, what, hint)
    except CliError:
        lock.close()
        raise
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        lock.close()


def _lock(file: TextIO, what: str, hint: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise CliError(f"{what} runs already", reason="ALREADY_RUNNING", hint=hint) from error
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
