"""A party of several cores: one door for the connector, a request to one of them, one answer.

Rules
1. Cores are processes of our own on one home; who ends is started again, later and later.
2. A request goes to the core that the hash of its event chooses among those that are there, and stays
   with it. When a core ends, its open requests go to the others at once; what it had computed and not
   recorded is computed again, with the same outcome.
3. Results come from the common journal, so a connector's cursor means the same whoever answered.
4. What only one core may do (keys, epochs, strings, material ahead) is for the first; while that is
   away, nobody does it.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import structlog

from core.errors import SettingsError
from core.journal import ACCEPTED, Journal
from core.results import Results
from core.seats import MAX_SEATS, choose
from core.service import OPTIONS, Door, bind
from core.settings import Settings
from wire.ids import RequestId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.core.v1 import core_pb2, core_pb2_grpc

_GRACE_S = 5.0
_CALL_S = 110.0
_FIRST_BACK_OFF_S = 0.1
_LAST_BACK_OFF_S = 10.0
_LOOK_S = 0.05
_AGAIN_S = 0.5
_STEADY_S = 10.0
_PROGRAM = "import sys; from core.main import run_seat; run_seat(*sys.argv[1:])"

log = structlog.get_logger("core.coordinator")


@dataclass(slots=True)
class _Core:
    """One core: its process, and how it is asked."""

    number: int
    channel: grpc.aio.Channel
    stub: core_pb2_grpc.CoreServiceStub
    ready: bool = False
    process: asyncio.subprocess.Process | None = None
    requests: set[bytes] = field(default_factory=set)


class Coordinator(core_pb2_grpc.CoreServiceServicer):
    """CoreService in front of several cores."""

    def __init__(self, settings: Settings, door: Door) -> None:
        """Open the journal that all cores share.

        Raises
        ------
        SettingsError
            A number of cores that no party has.
        """
        if not 1 < settings.cores <= MAX_SEATS:
            raise SettingsError(f"cores: 2 to {MAX_SEATS} for a coordinator")
        self._settings = settings
        self._door = door
        self._journal = Journal(settings.journal, settings.chain_id, settings.party)
        self._cores: dict[int, _Core] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._results = Results()
        self._server: grpc.aio.Server | None = None

    @property
    def processes(self) -> dict[int, int]:
        """Process id of each core that runs."""
        return {
            number: core.process.pid
            for number, core in self._cores.items()
            if core.process is not None and core.ready
        }

    async def start(self) -> int:
        """Start all cores, then serve; returns the port, 0 for a socket."""
        for number in range(1, self._settings.cores + 1):
            channel = grpc.aio.insecure_channel(
                f"unix:{seat_socket(self._settings.home, number)}",
                options=(*OPTIONS, ("grpc.use_local_subchannel_pool", 1)),
            )
            stub = core_pb2_grpc.CoreServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
            core = self._cores[number] = _Core(number, channel, stub)
            self._tasks.append(asyncio.create_task(self._keep(core), name=f"core {number}"))
        server = grpc.aio.server(options=OPTIONS)
        core_pb2_grpc.add_CoreServiceServicer_to_server(self, server)  # type: ignore[no-untyped-call]  # generated
        port = bind(server, self._door)
        await server.start()
        self._server = server
        log.info("ready", service="coordinator", cores=len(self._cores))
        return 0 if self._door.address.startswith("unix:") else port

    async def stop(self) -> None:
        """Stop serving, then the cores."""
        if self._server:
            await self._server.stop(_GRACE_S / 10)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for core in self._cores.values():
            await core.channel.close(None)
        self._journal.close()

    async def Submit(  # noqa: N802 - the name in the schema
        self,
        request: core_pb2.SubmitRequest,
        context: grpc.aio.ServicerContext,  # type: ignore[type-arg]  # stubs
    ) -> core_pb2.SubmitReply:
        """To the core that has the request, or the one that its hash chooses."""
        entry = asc_pb2.LogEntry.FromString(request.entry.value)
        core = self._owner(entry.request_id) or self._chosen(entry, request.entry.value)
        if core is None:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "no core is there for this request")
            raise AssertionError  # abort raises
        core.requests.add(entry.request_id)
        try:
            reply: core_pb2.SubmitReply = await _relayed(core.stub.Submit, request, context)
        except BaseException:
            if await asyncio.to_thread(self._state, entry.request_id) != ACCEPTED:
                core.requests.discard(entry.request_id)
            raise
        if reply.state != ACCEPTED:
            core.requests.discard(entry.request_id)
        elif not core.ready:
            # It ended after it had accepted: whoever is there takes it.
            await self._hand_over(core)
        return reply

    async def Inform(  # noqa: N802 - the name in the schema
        self,
        request: core_pb2.InformRequest,
        context: grpc.aio.ServicerContext,  # type: ignore[type-arg]  # stubs
    ) -> core_pb2.InformReply:
        """To every core that is there, the first one first."""
        present = self._present()
        if not present:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "no core is there")
        for number in present:
            await _relayed(self._cores[number].stub.Inform, request, context)
        return core_pb2.InformReply()

    async def Results(  # noqa: N802 - the name in the schema
        self,
        request: core_pb2.ResultsRequest,
        context: grpc.aio.ServicerContext,  # type: ignore[type-arg]  # stubs
    ) -> AsyncIterator[core_pb2.Result]:
        """Results of all cores behind a cursor, then new ones as they come."""
        del context
        async for result in self._results.stream(self._journal, request.after_cursor):
            yield result

    async def Status(  # noqa: N802 - the name in the schema
        self,
        request: core_pb2.StatusRequest,
        context: grpc.aio.ServicerContext,  # type: ignore[type-arg]  # stubs
    ) -> core_pb2.StatusReply:
        """The first core's account of the party; a later one's while that is away."""
        present = self._present()
        if not present:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "no core is there")
        stub = self._cores[present[0]].stub
        reply: core_pb2.StatusReply = await _relayed(stub.Status, request, context)
        return reply

    def _present(self) -> list[int]:
        return [number for number, core in sorted(self._cores.items()) if core.ready]

    def _owner(self, request_id: bytes) -> _Core | None:
        """Who works on a request and is there."""
        owners = (core for core in self._cores.values() if request_id in core.requests)
        return next((core for core in owners if core.ready), None)

    def _chosen(self, entry: asc_pb2.LogEntry, payload: bytes) -> _Core | None:
        number = choose(entry.kind, payload, self._present())
        return None if number is None else self._cores[number]

    def _state(self, request_id: bytes) -> int:
        if len(request_id) != RequestId.LENGTH:
            return core_pb2.WORK_STATE_UNSPECIFIED
        return self._journal.state(RequestId(request_id))

    async def _keep(self, core: _Core) -> None:
        """Rule 1, until cancelled."""
        loop = asyncio.get_running_loop()
        back_off = _FIRST_BACK_OFF_S
        while True:
            started = loop.time()
            try:
                with _going_on("a core was not started"):
                    await self._live(core)
            finally:
                core.ready = False
            log.error("A CORE HAS ENDED", core=core.number)
            with _going_on("what a core had waits for the next one that comes"):
                await self._hand_over(core)
            back_off = min(2 * back_off, _LAST_BACK_OFF_S)
            if loop.time() - started > _STEADY_S:
                back_off = _FIRST_BACK_OFF_S
            await asyncio.sleep(back_off)

    async def _live(self, core: _Core) -> None:
        """One process from start to end. It ends when its standard input does: with us, too."""
        arguments = (str(self._settings.home), str(core.number), str(self._settings.cores))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _PROGRAM, *arguments, stdin=asyncio.subprocess.PIPE
        )
        core.process = process
        listening = asyncio.create_task(self._listen(core))
        try:
            await process.wait()
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await _end(process)

    async def _listen(self, core: _Core) -> None:
        """From the moment it answers: it is there, and its results wake whoever waits for some.

        Until cancelled, when its process has ended: a stream that breaks before goes on where it was.
        """
        cursor = await self._first_cursor(core)
        core.ready = True
        adopted = False
        while True:
            with _going_on("a core's results broke off"):
                if not adopted:
                    await self._adopt()
                    adopted = True
                async for result in core.stub.Results(core_pb2.ResultsRequest(after_cursor=cursor)):
                    if not result.cursor:
                        self._results.report(result)
                        continue
                    cursor = result.cursor
                    core.requests.discard(result.request_id)
                    self._results.notify()
            await asyncio.sleep(_AGAIN_S)

    async def _first_cursor(self, core: _Core) -> int:
        """The journal's end when a core begins to answer: whatever it records comes behind that."""
        while True:
            with _going_on("a core does not answer yet"):
                await core.stub.Status(core_pb2.StatusRequest(), timeout=_CALL_S)
                return await asyncio.to_thread(self._journal.last_cursor)
            await asyncio.sleep(_LOOK_S)

    async def _adopt(self) -> None:
        """Give requests that nobody has, from before our start or a core's end, to who is there."""
        owned = set().union(*(core.requests for core in self._cores.values() if core.ready))
        for record in await asyncio.to_thread(self._journal.unanswered):
            if record.request_id.value in owned:
                continue
            entry = asc_pb2.LogEntry.FromString(record.entry)
            core = self._chosen(entry, record.entry)
            if core is not None:
                await self._give(core, [record.request_id.value])

    async def _hand_over(self, core: _Core) -> None:
        """Rule 2: what an ended core had."""
        core.requests.clear()
        self._results.notify()
        await self._adopt()

    async def _give(self, core: _Core, request_ids: list[bytes]) -> None:
        core.requests |= set(request_ids)
        with contextlib.suppress(grpc.aio.AioRpcError):
            await core.stub.Take(core_pb2.TakeRequest(request_ids=request_ids), timeout=_CALL_S)


@contextlib.contextmanager
def _going_on(failure: str) -> Iterator[None]:
    """At the root of a task that keeps a core: say what failed, and let it try again."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        log.debug(failure, reason=error.details())
    except Exception:
        log.exception(failure)


def seat_socket(home: Path, number: int) -> Path:
    """Where a core of several is asked by its coordinator."""
    return home / f"core-{number}.sock"


async def _relayed(
    method: Callable[..., Any],
    request: object,
    context: grpc.aio.ServicerContext,  # type: ignore[type-arg]  # stubs
) -> Any:
    """A core's answer, or its refusal in its own words."""
    try:
        return await method(request, timeout=_CALL_S)
    except grpc.aio.AioRpcError as error:
        await context.abort(error.code(), error.details() or "")
        raise AssertionError from error  # abort raises


async def _end(process: asyncio.subprocess.Process) -> None:
    """Let a core stop by itself, then make it."""
    if process.returncode is not None:
        return
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(_GRACE_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
