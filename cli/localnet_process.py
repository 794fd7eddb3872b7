"""One supervised process: start, readiness, restart with back-off, stop.

waiting -> starting -> ready -> (exit) back-off -> waiting ...
any -> stopping -> stopped                    only on request
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

from cli.localnet_logs import LogFiles
from cli.localnet_plan import ProcessPlan

_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.5, 10.0
# A process that lived this long was healthy: its next crash starts the back-off anew.
_HEALTHY_S = 30.0
_TERMINATE_S = 15.0
_PROBE_S = 0.2
_READY_HEIGHT = 2
_CHUNK = 64 * 1024


class Supervised:
    """A process that is kept running until somebody asks to stop it."""

    def __init__(
        self,
        plan: ProcessPlan,
        home: Path,
        logs: LogFiles,
        is_ready: Callable[[str], bool],
        changed: Callable[[], None],
    ) -> None:
        """Prepare; `start` begins. `is_ready` tells of other processes by name."""
        self.plan = plan
        self.state = "stopped"
        self.restarts = 0
        self.exit_code: int | None = None
        self.pid: int | None = None
        self._home = home
        self._logs = logs
        self._is_ready = is_ready
        self._changed = changed
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
            "since": round(self._since, 1),
        }

    def start(self) -> None:
        """Begin to keep the process running; nothing when it is already kept."""
        if self._life is None or self._life.done():
            self._set("waiting")
            self._life = asyncio.create_task(self._keep_running(), name=self.plan.name)

    async def stop(self) -> None:
        """End the process and do not restart it."""
        life, self._life = self._life, None
        if life is not None:
            self._set("stopping")
            life.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await life
        self._set("stopped")

    def kill(self) -> None:
        """End the process as a crash would (SIGKILL); it is restarted."""
        self._signal(signal.SIGKILL)

    async def _keep_running(self) -> None:
        delay = _FIRST_DELAY_S
        try:
            while True:
                await self._wait_for_others()
                begun = time.monotonic()
                await self._run_once()
                delay = _FIRST_DELAY_S if time.monotonic() - begun > _HEALTHY_S else delay
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

    async def _run_once(self) -> None:
        """Run the process until it ends by itself."""
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
                self._logs.write(self.plan.name, line)
                waits = self.state == "starting" and not self._probes_rpc
                if waits and self._ready_line.search(line):
                    self._set("ready")
        if rest:
            self._logs.write(self.plan.name, rest)

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
        self._logs.write(self.plan.name, f"supervisor: {text}".encode())

    def _set(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self._since = time.time()
            self._changed()


def child_environment() -> dict[str, str]:
    """Return our environment with this source tree importable: it need not be installed."""
    root = str(Path(__file__).resolve().parent.parent)
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
