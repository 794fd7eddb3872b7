"""One supervised process: start, readiness, restart with back-off, stop.

waiting -> starting -> ready -> (exit) back-off -> waiting ...
                                (exit) failed              when the policy says that it is enough
                                (exit) finished            with code 0, where the plan allows it
any -> stopping -> stopped                                 only on request
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cli.errors import ExitCode
from cli.supervision.plan import ProcessPlan

_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.5, 10.0
# A process that lived this long was healthy: its next crash starts the back-off anew.
_HEALTHY_S = 30.0
_TERMINATE_S = 15.0
_PROBE_S = 0.2
_READY_HEIGHT = 2
_CHUNK = 64 * 1024
# Ends that no restart mends.
_FINAL = (ExitCode.CONFIG, ExitCode.DISK, ExitCode.VERSION)
_LONGEST_ERROR = 300
# Consensus has stopped for good while process and RPC live on: only a restart helps.
_DEAD_INSIDE = b"CONSENSUS FAILURE"
# An engine that loses its node ends itself, but for the times when it waits for an answer that nobody gives.
_ORPHANED = b"Did the application crash?"
_ORPHAN_S = 5.0
_ERROR_LINE = re.compile(
    rb"^E\[|level=(?:error|critical)|\"level\": ?\"(?:error|critical)\"|^tkms: error"
)


class LogSink(Protocol):
    """Where the words of processes go."""

    def write(self, name: str, line: bytes) -> None:
        """Take one line (without its end)."""


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """When a process that ended is started again.

    `attempts` is how often in a row without having been healthy; None is for ever. What a wrong
    setting or a full disk ended is not tried again where there is a limit: no restart mends it.
    """

    attempts: int | None = None

    def gives_up(self, failures: int, exit_code: int | None) -> bool:
        """Whether it is enough."""
        if self.attempts is None:
            return False
        return failures > self.attempts or exit_code in _FINAL


FOR_EVER = RestartPolicy()


class Supervised:
    """A process that is kept running until somebody asks to stop it."""

    def __init__(
        self,
        plan: ProcessPlan,
        home: Path,
        logs: LogSink,
        is_ready: Callable[[str], bool],
        changed: Callable[[], None],
        policy: RestartPolicy = FOR_EVER,
    ) -> None:
        """Prepare; `start` begins. `is_ready` tells of other processes by name."""
        self.plan = plan
        self.state = "stopped"
        self.restarts = 0
        self.exit_code: int | None = None
        self.last_error = ""
        self.pid: int | None = None
        self._home = home
        self._logs = logs
        self._is_ready = is_ready
        self._changed = changed
        self._policy = policy
        self._life: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._since = time.time()
        kind, _, self._target = plan.ready.partition(":")
        self._probes_rpc = kind == "rpc"
        # The event of a log line in logfmt, JSON or plain form.
        self._ready_line = re.compile(
            rb'(?:event="?|"event": ?"|^|\s)' + re.escape(self._target.encode()) + rb'(?:"|\s|$)'
        )

    def document(self) -> dict[str, object]:
        """Return what `status` shows."""
        return {
            "name": self.plan.name,
            "state": self.state,
            "pid": self.pid,
            "restarts": self.restarts,
            "exit_code": self.exit_code,
            "last_error": self.last_error,
            "since": round(self._since, 1),
        }

    def start(self) -> None:
        """Begin to keep the process running; nothing when it is already kept."""
        if self._life is None or self._life.done():
            self._set("waiting")
            self._life = asyncio.create_task(self._keep_running(), name=self.plan.name)

    async def stop(self) -> None:
        """End the process and do not restart it; who asks meanwhile waits for the same end."""
        life = self._life
        if life is not None:
            # A second cancellation would cut off the end that the first one began.
            if not life.done() and self.state != "stopping":
                self._set("stopping")
                life.cancel()
            await asyncio.wait([life])
            if not life.cancelled() and (error := life.exception()) is not None:
                self._say(f"was lost: {error}")
            if self._life is not life:
                # Somebody has started it again.
                return
        self._set("stopped")

    def kill(self) -> None:
        """End the process as a crash would (SIGKILL); it is restarted."""
        self._signal(signal.SIGKILL)

    async def _keep_running(self) -> None:
        delay, failures = _FIRST_DELAY_S, 0
        try:
            while True:
                await self._wait_for_others()
                begun = time.monotonic()
                await self._run_or_fail()
                healthy = time.monotonic() - begun > _HEALTHY_S
                delay = _FIRST_DELAY_S if healthy else delay
                failures = 1 if healthy else failures + 1
                if self.plan.may_finish and self.exit_code == ExitCode.OK:
                    self._say("has finished")
                    self._set("finished")
                    return
                if self._policy.gives_up(failures, self.exit_code):
                    self._say(f"ended with {self.exit_code}; not started again")
                    self._set("failed")
                    return
                self._say(f"ended with {self.exit_code}; next start in {delay:.1f} s")
                self._set("back-off")
                await asyncio.sleep(delay)
                delay = min(2 * delay, _LONGEST_DELAY_S)
                self.restarts += 1
                self._set("waiting")
        finally:
            await self._end()

    async def _wait_for_others(self) -> None:
        """Wait for the processes that must be ready first."""
        while not all(self._is_ready(name) for name in self.plan.after):  # noqa: ASYNC110 - crosses tasks
            await asyncio.sleep(_PROBE_S)

    async def _run_or_fail(self) -> None:
        """Run the process until it ends by itself; one that cannot begin has failed."""
        try:
            await self._run_once()
        except OSError as error:
            self.last_error, self.exit_code = str(error), ExitCode.FAILURE

    async def _run_once(self) -> None:
        process = self._process = await asyncio.create_subprocess_exec(
            *self.plan.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=self._home,
            env=child_environment(),
            # A group of its own: helpers of a killed process are ended with it.
            process_group=0,
        )
        self.pid = process.pid
        self._set("starting")
        probe = asyncio.create_task(self._probe_rpc()) if self._probes_rpc else None
        try:
            await self._pump(process)
            self.exit_code = await process.wait()
        finally:
            if probe is not None:
                probe.cancel()
        self._signal(signal.SIGKILL)
        self.pid = self._process = None

    async def _pump(self, process: asyncio.subprocess.Process) -> None:
        """Copy output to the logs; a line with the awaited event makes the process ready."""
        if process.stdout is None:
            return
        rest = b""
        while chunk := await process.stdout.read(_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._write(line)
                self._notice(line)
                waits = self.state == "starting" and not self._probes_rpc
                if waits and self._ready_line.search(line):
                    self._set("ready")
        if rest:
            self._write(rest)

    def _notice(self, line: bytes) -> None:
        """Keep the last error; end an engine that only pretends to live."""
        if _ERROR_LINE.search(line) or _DEAD_INSIDE in line:
            self.last_error = _shortened(line.decode("utf-8", "replace").strip())
        if _DEAD_INSIDE in line:
            self._say("consensus has stopped: killed")
            self.kill()
        if _ORPHANED in line:
            loop = asyncio.get_running_loop()
            loop.call_later(_ORPHAN_S, self._end_orphan, self._process)

    def _end_orphan(self, process: asyncio.subprocess.Process | None) -> None:
        """Kill an engine that lost its node and hangs on its way out."""
        if process is not None and process is self._process:
            self._say("did not end after its node did: killed")
            self.kill()

    async def _probe_rpc(self) -> None:
        """Ask the engine until the chain moves."""
        while self.state == "starting":
            if await chain_height(self._target) >= _READY_HEIGHT:
                self._set("ready")
                return
            await asyncio.sleep(_PROBE_S)

    async def _end(self) -> None:
        """End what still runs: SIGTERM, then SIGKILL to its whole group."""
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        drain = asyncio.create_task(self._pump(process))
        try:
            async with asyncio.timeout(_TERMINATE_S):
                await process.wait()
        except TimeoutError:
            self._say("did not end on SIGTERM: killed")
        self._signal(signal.SIGKILL)
        self.exit_code = await process.wait()
        drain.cancel()
        self.pid = self._process = None

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def _say(self, text: str) -> None:
        self._write(f"supervisor: {text}".encode())

    def _write(self, line: bytes) -> None:
        """Log a line. Words that no disk or terminal takes are lost: their process must not be."""
        with contextlib.suppress(OSError, ValueError):
            self._logs.write(self.plan.name, line)

    def _set(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self._since = time.time()
            self._changed()


def _shortened(text: str) -> str:
    """Return beginning and end of a long line: of a traceback, the end says what happened."""
    if len(text) <= _LONGEST_ERROR:
        return text
    return f"{text[: _LONGEST_ERROR // 3]} ... {text[-2 * _LONGEST_ERROR // 3 :]}"


def child_environment() -> dict[str, str]:
    """Return our environment with this source tree importable: it need not be installed."""
    root = str(Path(__file__).resolve().parents[2])
    inherited = os.environ.get("PYTHONPATH")
    path = f"{root}{os.pathsep}{inherited}" if inherited else root
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


async def chain_height(url: str) -> int:
    """Return the height of the chain behind an RPC endpoint; 0 when there is no answer."""
    host, _, port = url.removeprefix("http://").partition(":")
    try:
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                writer.write(f"GET /status HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
                answer = await reader.read()
            finally:
                writer.close()
        document = json.loads(answer.partition(b"\r\n\r\n")[2])
        return int(document["result"]["sync_info"]["latest_block_height"])
    except (OSError, TimeoutError, ValueError, KeyError):
        return 0
