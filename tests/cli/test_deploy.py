"""`tkms deploy`: what it writes is valid for its reader and names exactly our processes."""

import configparser
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.home.files import OperatorFiles
from cli.home.processes import plans, table
from tests.support.operator import Operator, make_operators, tkms


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Operator:
    """A home with all six processes; nothing runs."""
    made = make_operators(tmp_path_factory.mktemp("deploy"))[0]
    made.tkms("add", "relay", "--listen", "127.0.0.1:19106")
    made.tkms("add", "explorer", "--listen", "127.0.0.1:19107")
    return made


def _units(operator: Operator, out: Path, *options: str) -> dict[str, Any]:
    written = operator.tkms("deploy", "systemd", "--out", str(out), *options)
    found: dict[str, Any] = {}
    for file in written["files"]:
        parser = configparser.RawConfigParser(strict=False, delimiters="=")
        parser.optionxform = str  # type: ignore[assignment,method-assign] # keys keep their case
        parser.read(file)
        found[Path(file).name] = parser
    return found


def test_a_unit_for_each_process(operator: Operator, tmp_path: Path) -> None:
    """Command lines, order and binding are those of our process table."""
    units = _units(operator, tmp_path)
    entries = table(OperatorFiles.of(operator.home))
    assert set(units) == {f"tkms-{entry.name}.service" for entry in entries} | {"tkms.target"}
    assert len(entries) == 6
    for entry in entries:
        unit = units[f"tkms-{entry.name}.service"]
        start = unit["Service"]["ExecStart"]
        assert start.endswith(f" {' '.join(entry.arguments)}")
        for name in entry.after:
            assert f"tkms-{name}.service" in unit["Unit"]["After"]
        assert int(unit["Service"]["LimitNOFILE"]) >= 65536
        assert unit["Service"]["NoNewPrivileges"] == "yes"
        assert unit["Service"]["ReadWritePaths"] == str(operator.home)
        assert unit["Service"]["RestartPreventExitStatus"] == "3 9 10"
    engine, node = units["tkms-engine.service"], units["tkms-node.service"]
    assert engine["Unit"]["BindsTo"] == "tkms-node.service"
    assert node["Unit"]["Wants"] == "tkms-engine.service"
    assert (node["Service"]["Restart"], engine["Service"]["Restart"]) == ("on-failure", "always")
    assert "TKMS_COMETBFT=" in engine["Service"]["Environment"]
    assert units["tkms-core.service"]["Service"]["LimitCORE"] == "0"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
def test_systemd_accepts_the_units(operator: Operator, tmp_path: Path) -> None:
    """Systemd's own verification has nothing to say."""
    _units(operator, tmp_path, "--name", "kms-1")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )
    complaints = [line for line in done.stderr.splitlines() if str(tmp_path) in line]
    assert complaints == []
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
def test_a_broken_unit_would_be_noticed(operator: Operator, tmp_path: Path) -> None:
    """The verification that we rely on does see mistakes."""
    _units(operator, tmp_path)
    path = tmp_path / "tkms-node.service"
    path.write_text(path.read_text().replace("ExecStart=", "ExecStart=/nonexistent/"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, check=False
    )
    assert done.returncode != 0


def test_compose_names_our_processes(operator: Operator, tmp_path: Path) -> None:
    """The file is YAML; services, commands and dependencies are those of our process table."""
    tkms(
        "deploy", "compose", "--home", str(operator.home), "--out", str(tmp_path), "--image", "i:1"
    )
    document = yaml.safe_load((tmp_path / "compose.yaml").read_text())
    entries = table(OperatorFiles.of(operator.home))
    assert set(document["services"]) == {entry.name for entry in entries}
    for entry in entries:
        service = document["services"][entry.name]
        assert service["command"] == ["tkms", *entry.arguments]
        assert set(service.get("depends_on", {})) == set(entry.after)
        assert service["volumes"] == [f"{operator.home}:{operator.home}"]
        assert (service["cap_drop"], service["read_only"]) == (["ALL"], True)
    assert document["services"]["engine"]["depends_on"]["node"]["restart"] is True
    check = document["services"]["engine"]["healthcheck"]["test"]
    assert check == ["CMD", "tkms", "status", "--node", operator.url]


def test_start_runs_the_same_table(operator: Operator) -> None:
    """The supervisor's plans are the table's processes with the same command lines."""
    files = OperatorFiles.of(operator.home)
    wanted = {"core", "connector", "relay", "explorer"}
    found = {plan.name: plan for plan in plans(files, wanted, ())}
    for entry in table(files):
        assert found[entry.name].argv[3:] == entry.arguments
    assert {plan.name for plan in plans(files, set(), ())} == {"node", "engine"}


def test_foreign_files_are_not_replaced(operator: Operator, tmp_path: Path) -> None:
    """Our own files may be written again, other people's not."""
    arguments = ("deploy", "compose", "--out", str(tmp_path))
    operator.tkms(*arguments)
    operator.tkms(*arguments)
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    error = operator.tkms(*arguments, code=3)["error"]
    assert "was not written by tkms" in error["sentence"]


def test_a_home_without_backend_has_two_units(tmp_path: Path) -> None:
    """No core, no connector, no unit for them; `start --core` says so."""
    home = tmp_path / "full"
    genesis = make_operators(tmp_path / "chain")[0].home / "config" / "genesis.json"
    tkms(
        *("init", "full", "--home", str(home), "--chain-id", "kms-test", "--role", "full"),
        *("--genesis", str(genesis)),
    )
    written = tkms("deploy", "systemd", "--home", str(home), "--out", str(tmp_path / "out"))
    names = sorted(Path(file).name for file in written["files"])
    assert names == ["tkms-engine.service", "tkms-node.service", "tkms.target"]
    error = tkms("start", "--home", str(home), "--core", code=3)["error"]
    assert "has no core" in error["sentence"]


def test_names_are_checked(operator: Operator) -> None:
    """A name goes into file names."""
    error = operator.tkms("deploy", "systemd", "--name", "../x", code=2)["error"]
    assert "letters, digits" in error["sentence"]
