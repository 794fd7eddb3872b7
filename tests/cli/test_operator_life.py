"""`tkms start`: a home really runs, survives crashes, stops in order, and only once at a time."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.supervision import client as supervisor_client
from cli.supervision import leftovers
from cli.supervision.plan import ProcessPlan, stop_order
from tests.support.operator import Operator, make_operators, until

pytestmark = pytest.mark.localnet


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    """The only validator of a chain."""
    return make_operators(tmp_path)[0]


def _pid(operator: Operator, name: str) -> int:
    states = supervisor_client.ask(operator.home, "status")
    return int(next(state["pid"] for state in states if state["name"] == name) or 0)


def _gone(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
    # Nobody may be there to collect an orphan.
    return stat.rpartition(")")[2].split()[0] == "Z"


def test_starts_grows_and_stops_in_order(operator: Operator) -> None:
    """All four processes run; SIGTERM ends the engine before the node; exit code 0; it goes on later."""
    with operator.running("--core", "--connector") as process:
        pids = [_pid(operator, name) for name in ("node", "engine", "core", "connector")]
        assert all(pids)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    document = json.loads(out)
    assert {state["state"] for state in document["processes"]} == {"stopped"}
    assert {state["exit_code"] for state in document["processes"] if state["name"] != "engine"} == {
        0
    }
    assert all(_gone(pid) for pid in pids)
    log = operator.log()
    assert log.index("signal trapped") < log.index("event=stopped")
    assert not (operator.home / "supervisor.pid").exists()
    first = operator.tkms("status", code=4)
    assert first["ok"] is False
    with operator.running():
        until(lambda: operator.height() > 4, "the chain goes on")


def test_one_home_runs_once(operator: Operator) -> None:
    """A second start is refused while the first one lives, and harms nothing."""
    with operator.running():
        error = operator.tkms("start", code=1)["error"]
        assert error["reason"] == "ALREADY_RUNNING"
        height = operator.height()
        until(lambda: operator.height() > height, "blocks")


@pytest.mark.parametrize("name", ["node", "engine"])
def test_a_killed_process_comes_back(operator: Operator, name: str) -> None:
    """SIGKILL of either side: both are up again and the chain grows."""
    with operator.running():
        first, height = _pid(operator, name), operator.height()
        os.kill(first, signal.SIGKILL)
        until(lambda: _pid(operator, name) not in (0, first), "a new process")
        until(lambda: operator.height() > height + 2, "the chain goes on", 60)


def test_a_killed_supervisor_leaves_nothing_in_the_way(operator: Operator) -> None:
    """The next start ends the orphans that are still there, and the chain goes on.

    The first line that one of them writes into the pipe of its dead supervisor ends it too.
    """
    with operator.running() as process:
        orphans = [_pid(operator, name) for name in ("node", "engine")]
        process.kill()
        process.wait()
    with operator.running(height=0):
        until(lambda: all(_gone(pid) for pid in orphans), "orphans are ended")
        until(lambda: operator.height() > 0, "the engine is back")
        height = operator.height()
        until(lambda: operator.height() > height + 2, "the chain goes on")


def test_orphans_are_ended_in_order(tmp_path: Path) -> None:
    """Recorded processes of this home end by SIGTERM, the last started first; others are let live."""
    script = (
        "import signal, sys, time; from pathlib import Path; me = Path(sys.argv[1]);"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit("
        "me.write_text(str(time.monotonic())) and 0));"
        "Path(sys.argv[1] + '.up').touch(); time.sleep(60)"
    )

    def run(folder: Path, name: str) -> subprocess.Popen[bytes]:
        folder.mkdir(exist_ok=True)
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(folder / name)], process_group=0
        )
        until((folder / f"{name}.up").exists, "it runs")
        return process

    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    node, engine, foreign = run(home, "node"), run(home, "engine"), run(elsewhere, "other")
    try:
        record = {"supervisor": 1, "pids": [node.pid, engine.pid, foreign.pid]}
        (home / supervisor_client.RUNNING).write_text(json.dumps(record))
        assert leftovers.end_gently(home)
        assert (node.wait(60), engine.wait(60)) == (0, 0)
        ends = [float((home / name).read_text()) for name in ("engine", "node")]
        assert ends == sorted(ends)
        assert foreign.poll() is None
        assert not leftovers.end_gently(home)
    finally:
        for process in (node, engine, foreign):
            process.kill()
            process.wait()


def test_gives_up_on_what_does_not_stay_up(operator: Operator) -> None:
    """A wrong setting is not retried: exit code 1, the process and its words are named."""
    path = operator.home / "app" / "node.toml"
    path.write_text(path.read_text() + "surprise = 1\n")
    with operator.running(height=0) as process:
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    error = json.loads(out)["error"]
    assert error["reason"] == "PROCESS_CRASHED"
    assert "node does not stay up (exit code 3)" in error["sentence"]
    assert "surprise" in error["sentence"]


def test_restarts_are_limited(operator: Operator) -> None:
    """An engine that cannot start is tried again as often as was said."""
    (operator.home / "config" / "node_key.json").write_text("{}")
    with operator.running("--restarts", "1", height=0) as process:
        out, _ = process.communicate(timeout=60)
    states = {state["name"]: state for state in json.loads(out)["error"]["processes"]}
    assert (states["engine"]["state"], states["engine"]["restarts"]) == ("failed", 1)
    assert states["node"]["state"] == "stopped"


def test_halts_at_a_height(operator: Operator) -> None:
    """At halt_height everything ends by itself with 0, and is not started again."""
    operator.tkms("config", "set", "node.halt_height", "4")
    with operator.running(height=0) as process:
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    assert json.loads(out)["stopped"] is True
    operator.tkms("config", "set", "node.halt_height", "0")
    with operator.running(height=6):
        pass


def test_json_logs(operator: Operator) -> None:
    """Every line is one object with time, process and the process's own record."""
    with operator.running("--log-format", "json"):
        pass
    lines = [json.loads(line) for line in operator.log().splitlines()]
    assert {line["process"] for line in lines} == {"node", "engine"}
    assert all(
        set(line) in ({"time", "process", "record"}, {"time", "process", "text"}) for line in lines
    )
    assert any("record" in line for line in lines if line["process"] == "engine")


def test_stop_order() -> None:
    """Nothing ends before what needs it; what depends on nobody ends first."""

    def plan(name: str, *after: str) -> ProcessPlan:
        return ProcessPlan(name, (), "log:ready", after=after)

    groups = stop_order([plan("node"), plan("engine", "node"), plan("core")])
    assert [[entry.name for entry in group] for group in groups] == [["engine", "core"], ["node"]]
    circle = stop_order([plan("a", "b"), plan("b", "a")])
    assert sorted(entry.name for entry in circle[0]) == ["a", "b"]


def test_own_signatures_are_looked_for_until_the_sign_state_is_live(tmp_path: Path) -> None:
    """Only a record that grew on this machine spares the look into the last blocks."""
    from cli.engine import sign_state
    from cli.errors import ConfigError

    data = tmp_path / "data"
    data.mkdir()
    with pytest.raises(ConfigError, match="is not there"):
        sign_state.is_live_here(tmp_path)
    state = data / "priv_validator_state.json"
    state.write_text('{"height": "7", "round": 0, "step": 3}')
    assert sign_state.is_live_here(tmp_path) is False
    assert sign_state.is_live_here(tmp_path) is False
    state.write_text('{"height": "8", "round": 0, "step": 3}')
    assert sign_state.is_live_here(tmp_path) is True
    # The folder is copied to another place: what was signed there since is unknown here.
    import shutil

    shutil.copytree(tmp_path, tmp_path.parent / "copy")
    assert sign_state.is_live_here(tmp_path.parent / "copy") is False
    state.write_text("{")
    with pytest.raises(ConfigError, match="not readable"):
        sign_state.is_live_here(tmp_path)


def test_a_validator_restarts_at_once_and_a_restored_copy_does_not(tmp_path: Path) -> None:
    """With the look-back on: a restart passes by its live record; an old copy refuses to sign."""
    import shutil

    operator = make_operators(tmp_path, 1, "--indexer", "kv")[0]
    config = operator.home / "config" / "config.toml"
    assert "double_sign_check_height = 5" in config.read_text()
    with operator.running(height=6):
        pass
    with operator.running(height=8):
        pass
    kept = tmp_path / "kept"
    shutil.move(operator.home, kept)
    shutil.copytree(kept, operator.home)
    # As on another machine: the origin of the record is unknown.
    (operator.home / "data" / "sign-state-origin.json").unlink()
    with operator.running("--restarts", "0", height=0) as process:
        out, _ = process.communicate(timeout=60)
    assert "engine does not stay up" in json.loads(out)["error"]["sentence"]
    assert "signature" in operator.log()
