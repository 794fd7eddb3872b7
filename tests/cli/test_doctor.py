"""`tkms doctor`, `config` and `version`: each provoked fault is found, named, and has a remedy."""

import json
import os
import shutil
import socket
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cli.doctor.machine import clock, listeners
from cli.engine import binary as engine_binary
from cli.findings import Finding, Severity, exit_code
from cli.home import settings as settings_files
from cli.home.files import OperatorFiles
from cli.home.meaning import MEANINGS
from tests.support.operator import Operator, make_operators, tkms


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Operator:
    """A home as `init` leaves it."""
    return make_operators(tmp_path_factory.mktemp("made"))[0]


@pytest.fixture
def operator(made: Operator, tmp_path: Path) -> Operator:
    """A copy to break. Its node still names the first home's socket: that is mended here."""
    home = tmp_path / "op1"
    shutil.copytree(made.home, home)
    copy = Operator(home, made.rpc_port)
    address = f"unix://{home / 'app' / 'app.sock'}"
    copy.tkms("config", "set", "node.proxy_socket", address)
    copy.tkms("config", "set", "engine.proxy_app", address)
    return copy


def _doctor(operator: Operator, *options: str, code: int) -> list[dict[str, Any]]:
    # The last of an option counts: what is not asked for says nothing of the machine under test.
    quiet = ("--min-free-gib", "0", "--max-fsync-ms", "1e9")
    document = operator.tkms("doctor", *quiet, *options, code=code)
    return list(document["findings"])


def _bad(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [finding for finding in findings if finding["severity"] in {"warning", "error"}]


def test_a_new_home_is_healthy(operator: Operator) -> None:
    """Nothing to warn of; every check said something."""
    findings = _doctor(operator, code=0)
    assert _bad(findings) == []
    assert {finding["check"] for finding in findings} >= {
        *("versions", "permissions", "config.toml", "node.toml", "genesis", "keys", "ports"),
        *("descriptors", "disk", "clock", "databases", "heights", "votes"),
    }


def test_a_taken_port(operator: Operator) -> None:
    """Somebody else listens: the setting, the port and the process are named."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", operator.rpc_port))
        taken.listen()
        findings = _bad(_doctor(operator, code=1))
    assert [finding["check"] for finding in findings] == ["ports"]
    sentence = findings[0]["sentence"]
    assert f"engine.rpc.laddr 127.0.0.1:{operator.rpc_port} is taken" in sentence
    assert f"process {os.getpid()}" in sentence


def test_every_listener_is_known(operator: Operator) -> None:
    """RPC, p2p, metrics and the core's peers."""
    names = [name for name, _, _ in listeners(OperatorFiles.of(operator.home))]
    assert names[:3] == [
        *("engine.rpc.laddr", "engine.p2p.laddr"),
        "engine.instrumentation.prometheus_listen_addr",
    ]
    assert "core.peer_listen" in names


def test_little_room(operator: Operator) -> None:
    """A threshold that no disk meets is a warning, exit code 8."""
    findings = _bad(_doctor(operator, "--min-free-gib", "1e9", code=8))
    assert [finding["check"] for finding in findings] == ["disk"]
    assert "prune" in findings[0]["remedy"]


@pytest.mark.parametrize(
    "name", ["config/priv_validator_key.json", "core/vault.key", "connector/account.key", "core"]
)
def test_open_secrets(operator: Operator, name: str) -> None:
    """A secret or its folder that others may read is an error with its chmod."""
    path = operator.home / name
    path.chmod(0o755 if path.is_dir() else 0o644)
    findings = _bad(_doctor(operator, code=1))
    assert [finding["check"] for finding in findings] == ["permissions"]
    right = 700 if path.is_dir() else 600
    assert findings[0]["remedy"] == f"chmod {right} {path}"


def test_broken_toml_does_not_hide_the_rest(operator: Operator) -> None:
    """The broken file is named with its line; checks that do not need it still run."""
    path = operator.home / "config" / "config.toml"
    path.write_text(path.read_text().replace("[rpc]", "[rpc"))
    findings = _doctor(operator, code=1)
    words = [finding["sentence"] for finding in _bad(findings)]
    assert any("config.toml is not TOML" in line and "line" in line for line in words)
    assert {"permissions", "genesis", "disk", "node.toml"} <= {
        finding["check"] for finding in findings if finding["severity"] == "ok"
    }


def test_a_few_open_files(made: Operator) -> None:
    """A low limit is an error that says what to set."""
    import resource

    from cli.doctor.machine import descriptors

    files = OperatorFiles.of(made.home)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        found = descriptors(files)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert found[0].severity is Severity.ERROR
    assert "LimitNOFILE" in found[0].remedy


def test_settings_that_do_not_fit_each_other(operator: Operator) -> None:
    """Another socket, another chain, another root of trust, an unknown key: each is found."""
    operator.tkms("config", "set", "engine.proxy_app", "unix:///elsewhere")
    operator.tkms("config", "set", "node.chain_id", "other")
    operator.tkms("config", "set", "core.trusted_validators_hash", "ab" * 32)
    path = operator.home / "connector" / "connector.toml"
    path.write_text(path.read_text() + "surprise = 1\n")
    words = " ".join(finding["sentence"] for finding in _bad(_doctor(operator, code=1)))
    assert "proxy_app = 'unix:///elsewhere'" in words
    assert "node.toml is of chain 'other'" in words
    assert "core.toml trusts other validators" in words
    assert "surprise" in words


@pytest.mark.parametrize(
    ("name", "value", "severity"),
    [
        ("rpc.unsafe", "true", "error"),
        ("rpc.laddr", "tcp://0.0.0.0:26657", "warning"),
        ("instrumentation.prometheus_listen_addr", ":26660", "warning"),
        ("abci", "grpc", "error"),
        ("mempool.type", "app", "error"),
        ("mempool.recheck", "false", "warning"),
        ("rpc.experimental_websocket_write_buffer_size", "100", "error"),
        ("rpc.experimental_close_on_slow_client", "false", "warning"),
        ("event_bus_buffer_capacity", "0", "warning"),
        ("blocksync.adaptive_sync", "true", "error"),
        ("consensus.create_empty_blocks", "false", "warning"),
        ("statesync.enable", "true", "error"),
        ("storage.discard_abci_responses", "true", "warning"),
        ("tx_index.indexer", "null", "error"),
        ("p2p.persistent_peers", "me@nowhere:1", "error"),
        ("rpc.cors_allowed_origins", '["*"]', "warning"),
        ("rpc.pprof_laddr", "localhost:6060", "warning"),
    ],
)
def test_dangerous_settings_are_flagged(
    operator: Operator, name: str, value: str, severity: str
) -> None:
    """`config set` does what it is told and warns; `config validate` ends with 8 or 3."""
    changed = operator.tkms("config", "set", f"engine.{name}", value)
    assert [entry["severity"] for entry in changed["warnings"]] == [severity]
    document = operator.tkms("config", "validate", code=3 if severity == "error" else 8)
    assert len(_bad(document["findings"])) == 1


def test_set_keeps_comments_and_types(operator: Operator) -> None:
    """Only the one value changes; a new key gets its meaning as a comment."""
    path = operator.home / "config" / "config.toml"
    before = path.read_text()
    changed = operator.tkms("config", "set", "engine.consensus.timeout_commit", "1s")
    assert (changed["before"], changed["value"]) == ("200ms", "1s")
    after = path.read_text()
    assert after == before.replace('timeout_commit = "200ms"', 'timeout_commit = "1s"')
    operator.tkms("config", "set", "node.log_level", "debug")
    text = (operator.home / "app" / "node.toml").read_text()
    assert '# debug, info, warning or error.\nlog_level = "debug"' in text
    shown = operator.tkms("config", "show", "node.log_level")["settings"]
    assert shown == [
        {
            "name": "node.log_level",
            "value": "debug",
            "set": True,
            "meaning": MEANINGS["node"]["log_level"],
        }
    ]


@pytest.mark.parametrize(
    ("name", "value", "code", "words"),
    [
        ("engine.consensus.timeout_commit", "soon", 2, "a duration like 500ms"),
        ("engine.mempool.size", "many", 2, "is a number, not 'many'"),
        ("engine.rpc.unsafe", "maybe", 2, "true or false"),
        ("engine.rpc.cors_allowed_origins", "x", 2, "is a list"),
        ("engine.no.such", "1", 2, "config.toml has no setting no.such"),
        ("node.no_such", "1", 2, "node has no setting no_such"),
        ("nobody.x", "1", 2, "nobody.x names no setting"),
        ("node.log_level", "loud", 3, "log_level must be one of"),
        ("core.party", "0", 3, "start at 1"),
        ("connector.trusted_validators_hash", "00", 3, "64 hexadecimal digits"),
    ],
)
def test_wrong_values_change_nothing(
    made: Operator, name: str, value: str, code: int, words: str
) -> None:
    """Wrong type, wrong name or a value that the process refuses: the file stays as it is."""
    paths = [file.path for file in settings_files.files_of(OperatorFiles.of(made.home)).values()]
    before = [path.read_bytes() for path in paths]
    error = made.tkms("config", "set", name, value, code=code)["error"]
    assert words in error["sentence"]
    assert [path.read_bytes() for path in paths] == before


def test_diff_is_what_differs_from_init(operator: Operator) -> None:
    """Policy is compared, identity is not."""
    names = [entry["name"] for entry in operator.tkms("config", "diff")["differences"]]
    assert names == ["engine.consensus.timeout_commit"]
    operator.tkms("config", "set", "engine.moniker", "renamed")
    operator.tkms("config", "set", "node.keep_versions", "5")
    found = operator.tkms("config", "diff")["differences"]
    assert [(entry["name"], entry["value"], entry["init"]) for entry in found] == [
        ("engine.consensus.timeout_commit", "200ms", "500ms"),
        ("node.keep_versions", 5, 1000),
    ]


def test_every_setting_has_a_meaning() -> None:
    """The table names exactly the settings that the processes know."""
    for name, meanings in MEANINGS.items():
        known = {field.name for field in settings_files._fields(name)}
        assert set(meanings) == known, name


def test_show_all_lists_defaults(made: Operator) -> None:
    """Settings that the file leaves alone are shown with --all, and said to be unset."""
    few = made.tkms("config", "show", "core")["settings"]
    everything = made.tkms("config", "show", "core", "--all")["settings"]
    assert all(entry["set"] and entry["meaning"] for entry in few)
    unset = {entry["name"] for entry in everything if not entry["set"]}
    assert "core.trusting_period_s" in unset
    engine = made.tkms("config", "show", "engine", "--all")["settings"]
    values = tomllib.loads((made.home / "config" / "config.toml").read_text())
    assert len(engine) > 100
    assert {"engine.rpc.laddr": values["rpc"]["laddr"]}.items() <= {
        entry["name"]: entry["value"] for entry in engine
    }.items()


def test_a_damaged_sign_state(operator: Operator) -> None:
    """Without its record of votes a validator must not start."""
    (operator.home / "data" / "priv_validator_state.json").unlink()
    words = [finding["sentence"] for finding in _bad(_doctor(operator, code=1))]
    assert any("priv_validator_state.json is not there" in line for line in words)


def test_another_key_than_address(operator: Operator) -> None:
    """A key file that was put together by hand is noticed."""
    path = operator.home / "config" / "priv_validator_key.json"
    document = json.loads(path.read_text())
    document["address"] = "AB" * 20
    path.write_text(json.dumps(document))
    words = [finding["sentence"] for finding in _bad(_doctor(operator, code=1))]
    assert "priv_validator_key.json: address and key differ" in words


def test_another_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A program that is not CometBFT v0.40.0 is an error, whatever it prints."""
    from cli.doctor.machine import versions

    assert versions()[0].severity is Severity.OK
    other = tmp_path / "cometbft"
    other.write_bytes(b"#!/bin/sh\necho 0.39.0\n")
    other.chmod(0o700)
    monkeypatch.setenv("TKMS_COMETBFT", str(other))
    found = versions()[0]
    assert found.severity is Severity.ERROR
    assert "nobody knows what" in found.sentence
    assert engine_binary.build_of(other).go == ""


def test_exit_codes_follow_the_worst() -> None:
    """0 up to notes, 8 for warnings, 1 for errors."""
    for severity, code in zip(Severity, (0, 0, 8, 1), strict=True):
        assert exit_code([Finding(Severity.OK, "a", "b"), Finding(severity, "a", "b")]) == code
    assert exit_code([]) == 0


def test_a_clock_that_disagrees(made: Operator) -> None:
    """Another node's time and the time of blocks from our future are seen; silence is a warning."""
    import http.server
    import threading

    class Node(http.server.BaseHTTPRequestHandler):
        shift = 0.0

        def do_GET(self) -> None:
            import datetime as dt

            block = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.shift)
            body = json.dumps(
                {
                    "result": {
                        "sync_info": {
                            "latest_block_time": block.strftime("%Y-%m-%dT%H:%M:%S.123456789Z")
                        }
                    }
                }
            ).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def date_time_string(self, timestamp: float | None = None) -> str:
            import time

            del timestamp
            return super().date_time_string(time.time() + self.shift)

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Node)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    files = OperatorFiles.of(made.home)
    try:
        Node.shift = 0.0
        assert clock(files, (url,))[-1].severity is Severity.OK
        Node.shift = -60.0
        assert "has another time: -" in clock(files, (url,))[-1].sentence
        Node.shift = 60.0
        assert "our clock is behind" in clock(files, (url,))[-1].sentence
    finally:
        server.shutdown()
        server.server_close()
    assert clock(files, ("http://127.0.0.1:9",))[-1].severity is Severity.WARNING


@pytest.mark.localnet
def test_heights_and_locks_of_a_life(operator: Operator) -> None:
    """While it runs, after it stopped, and when the node is ahead of the engine."""
    with operator.running(height=3):
        findings = _doctor(operator, code=0)
        words = {finding["check"]: finding["sentence"] for finding in findings}
        assert "node at" in words["heights"]
        assert words["databases"].startswith("held by this home: state.db")
        assert any("is held by this home" in finding["sentence"] for finding in findings)
        height = operator.height()
    early = operator.home.parent / "early"
    shutil.copytree(operator.home / "data", early)
    findings = _doctor(operator, code=0)
    assert any("to replay" in finding["sentence"] for finding in findings)
    with operator.running(height=height + 8):
        pass
    shutil.rmtree(operator.home / "data")
    shutil.copytree(early, operator.home / "data")
    words = " ".join(finding["sentence"] for finding in _bad(_doctor(operator, code=1)))
    assert "it refuses to start" in words


def test_version_long() -> None:
    """Everything that takes part; the engine by its build record."""
    assert set(tkms("version")) == {"tkms"}
    found = tkms("version", "--long")
    assert found["engine"]["cometbft"] == "v0.40.0"
    assert found["engine"]["go"].startswith("1.")
    assert {"app_version", "kernel", "plyvel", "protobuf", "python"} <= set(found)
