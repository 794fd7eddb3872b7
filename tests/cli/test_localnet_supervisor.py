"""The supervisor, with toy processes: readiness, order, restart, stop, and nothing left behind."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.localnet import life
from cli.localnet import plan as localnet_plan
from cli.localnet.plan import OperatorPlan, Plan
from cli.supervision.plan import ProcessPlan

_SERVE = "import signal, sys; print('event=ready name=toy', flush=True); signal.pause()"
_CRASH = "import sys; print('boom', flush=True); sys.exit(9)"
# The words of an engine that lost its node; it means to end and does not.
_ORPHAN = (
    "import signal; print('event=ready', flush=True); "
    "print('consensus connection terminated. Did the application crash?', flush=True); "
    "signal.pause()"
)
_PARENT = (
    "import subprocess, sys, signal; "
    "subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()', sys.argv[-1]]); "
    "print('event=ready', flush=True); signal.pause()"
)


def _toy(name: str, code: str, home: Path, **more: tuple[str, ...]) -> ProcessPlan:
    return ProcessPlan(name, (sys.executable, "-c", code, str(home)), "log:ready", **more)


def _plan(home: Path, *processes: ProcessPlan) -> Plan:
    home.mkdir(exist_ok=True)
    (home / "logs").mkdir(exist_ok=True)
    plan = Plan(home, "toy", "test", 0, (OperatorPlan(1, 1, 2, 3, 4),), 5, 6, "00", {}, processes)
    plan.save()
    return plan


def _until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


def _state(home: Path, name: str) -> dict[str, object]:
    return next(state for state in life.ask(home, "status") if state["name"] == name)


def _processes_of(home: Path) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if str(home) in line:
                found.append(line)
    return found


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A folder whose processes are ended whatever happens."""
    folder = tmp_path / "net"
    yield folder
    if folder.exists():
        life.end(folder)
    _until(lambda: _processes_of(folder) == [])


def test_starts_in_order_and_ends_without_traces(home: Path) -> None:
    """A process starts only after those it needs; `end` removes sockets, pid files, processes."""
    plan = _plan(home, _toy("late", _SERVE, home, after=("early",)), _toy("early", _SERVE, home))
    life.start(plan)
    states = {str(state["name"]): state for state in life.wait_ready(plan, 15)}
    assert states["early"]["since"] <= states["late"]["since"]
    assert {state["state"] for state in states.values()} == {"ready"}
    log = (home / "logs" / "combined.log").read_text()
    assert "early" in log
    assert " | event=ready name=toy" in log
    life.end(home)
    assert _processes_of(home) == []
    assert sorted(path.name for path in home.iterdir()) == ["localnet.json", "logs"]


def test_restarts_what_was_killed(home: Path) -> None:
    """A crash is answered by a restart with another pid; `stop` is not."""
    plan = _plan(home, _toy("one", _SERVE, home))
    life.start(plan)
    life.wait_ready(plan, 15)
    first = _state(home, "one")["pid"]
    life.ask(home, "kill", ["one"])
    _until(lambda: _state(home, "one")["restarts"] == 1 and _state(home, "one")["state"] == "ready")
    assert _state(home, "one")["pid"] != first
    life.ask(home, "stop", ["one"])
    assert _state(home, "one")["state"] == "stopped"
    assert _state(home, "one")["pid"] is None
    life.ask(home, "start", ["one"])
    _until(lambda: _state(home, "one")["state"] == "ready")


def test_reports_a_process_that_does_not_stay_up(home: Path) -> None:
    """Waiting ends with the name and the last words of what crashes again and again."""
    plan = _plan(home, _toy("bad", _CRASH, home))
    life.start(plan)
    with pytest.raises(life.CliError) as caught:
        life.wait_ready(plan, 30)
    assert caught.value.reason == "PROCESS_CRASHED"
    assert "boom" in caught.value.sentence
    assert "exit code 9" in caught.value.sentence


def test_bound_processes_go_along(home: Path) -> None:
    """Stopping a node stops its engine; starting it starts both."""
    plan = _plan(
        home,
        _toy("node1", _SERVE, home, binds=("engine1",)),
        _toy("engine1", _SERVE, home, after=("node1",)),
    )
    life.start(plan)
    life.wait_ready(plan, 15)
    states = life.ask(home, "stop", ["node1"])
    assert {state["state"] for state in states} == {"stopped"}
    life.ask(home, "start", ["node1"])
    life.wait_ready(plan, 15)


def test_an_engine_that_hangs_without_its_node_is_killed(home: Path) -> None:
    """What says that it ends and does not is ended, and started again."""
    plan = _plan(home, _toy("engine1", _ORPHAN, home))
    life.start(plan)
    life.wait_ready(plan, 15)
    first = _state(home, "engine1")["pid"]
    _until(lambda: int(str(_state(home, "engine1")["restarts"])) > 0)
    assert _state(home, "engine1")["pid"] != first
    log = (home / "logs" / "engine1.log").read_text()
    assert "did not end after its node did: killed" in log


def test_children_of_a_killed_process_end_with_it(home: Path) -> None:
    """Helpers that a process started do not outlive it."""
    plan = _plan(home, _toy("parent", _PARENT, home))
    life.start(plan)
    life.wait_ready(plan, 15)
    _until(lambda: len(_processes_of(home)) == 3)
    life.ask(home, "kill", ["parent"])
    _until(lambda: _state(home, "parent")["restarts"] == 1)
    life.wait_ready(plan, 15)
    _until(lambda: len(_processes_of(home)) == 3)


def test_nothing_survives_a_killed_supervisor(home: Path) -> None:
    """`end` finds the processes of a supervisor that was killed, by what it recorded."""
    plan = _plan(home, _toy("one", _SERVE, home), _toy("two", _SERVE, home))
    life.start(plan)
    life.wait_ready(plan, 15)
    record = json.loads((home / "running.json").read_text())
    os.kill(record["supervisor"], signal.SIGKILL)
    os.waitpid(record["supervisor"], 0)
    assert len(_processes_of(home)) == 2
    life.end(home)
    _until(lambda: _processes_of(home) == [])


def test_ends_with_its_owner(home: Path) -> None:
    """A supervisor that was started for somebody ends when that process is gone."""
    plan = _plan(home, _toy("one", _SERVE, home))
    owner = os.spawnlp(os.P_NOWAIT, "sleep", "sleep", "60")  # noqa: S606 - no shell is wanted
    try:
        life.start(plan, owner)
        life.wait_ready(plan, 15)
    finally:
        os.kill(owner, signal.SIGKILL)
        os.waitpid(owner, 0)
    _until(lambda: not life.running(home))
    _until(lambda: not (home / "supervisor.pid").exists())


def test_a_second_supervisor_is_refused(home: Path) -> None:
    """One home has one supervisor."""
    plan = _plan(home, _toy("one", _SERVE, home))
    life.start(plan)
    life.wait_ready(plan, 15)
    from cli.localnet import supervisor as localnet_supervisor

    with pytest.raises(life.CliError) as caught:
        localnet_supervisor.run(home)
    assert caught.value.reason == "ALREADY_RUNNING"
    assert life.running(home)


def test_unknown_names_are_refused(home: Path) -> None:
    """The supervisor says which processes there are."""
    plan = _plan(home, _toy("one", _SERVE, home))
    life.start(plan)
    with pytest.raises(life.CliError) as caught:
        life.ask(home, "stop", ["nine"])
    assert caught.value.reason == "NO_PROCESS"
    assert caught.value.hint == "known: one"


def test_remove_refuses_a_foreign_folder(tmp_path: Path) -> None:
    """Nothing is deleted where something else lies in the folder."""
    home = tmp_path / "net"
    _plan(home)
    (home / "thesis.txt").write_text("years of work")
    with pytest.raises(life.ConfigError):
        life.remove(home)
    assert (home / "thesis.txt").exists()
    (home / "thesis.txt").unlink()
    life.remove(home)
    assert not home.exists()


def test_plan_survives_its_file(tmp_path: Path) -> None:
    """What is loaded is what was saved."""
    plan = _plan(tmp_path / "net", _toy("one", _SERVE, tmp_path, after=("x",)))
    assert localnet_plan.load(tmp_path / "net") == plan
