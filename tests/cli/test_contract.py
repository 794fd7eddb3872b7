"""The contract of every command: one JSON document with -o json, documented exit codes, examples."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from cli.errors import CliError, ConfigError, ExitCode, UsageError
from cli.main import SECTIONS, root, run, wants_json

ROOT = Path(__file__).resolve().parents[2]


def _commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """All command paths of the tree, groups included."""
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None, name
            yield from _commands(child, (*path, name))


def _leaf(path: tuple[str, ...]) -> click.Command:
    command: click.Command = root
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    return command


PATHS = list(_commands(root))
LEAVES = [path for path in PATHS if not isinstance(_leaf(path), click.Group)]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No network, no configuration, no terminal of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("TKMS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TKMS_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("TKMS_LOCALNET_HOME", str(tmp_path / "none"))
    # Nobody listens on the discard port.
    monkeypatch.setenv("TKMS_NODE", "http://127.0.0.1:9")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_help_is_one_json_document(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """`--help` with -o json is one object that names the command."""
    assert run([*path, "-o", "json", "--help"]) == ExitCode.OK
    document = json.loads(capsys.readouterr().out)
    assert document["command"] == " ".join(["tkms", *path])
    assert document["help"].startswith("Usage:")


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_help_has_an_example(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Every command shows how it is used, beginning with its own name."""
    assert run([*path, "--help"]) == ExitCode.OK
    text = capsys.readouterr().out
    assert "Example:" in text
    example = text.split("Example:")[1]
    assert f"tkms {path[0]}" in example or path == ("query", "tx")


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_usage_errors_are_one_json_document(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """An unknown option is exit code 2 and one object with code, reason, sentence and hint."""
    assert run([*path, "-o", "json", "--no-such-option"]) == ExitCode.USAGE
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["exit_code"], error["reason"]) == (2, "USAGE")
    assert "--no-such-option" in error["sentence"]
    assert "--help" in error["hint"]


ARGUMENTS = {
    ("tx", "send"): ["0x" + "11" * 20, "5", "--from", "nobody"],
    ("tx", "wait"): ["ab" * 32],
    ("tx", "show"): ["ab" * 32],
    ("tx", "broadcast"): ["signed.tx"],
    ("faucet",): ["0x" + "11" * 20, "--from", "nobody"],
    ("key", "new"): ["alice", "--passphrase-file", "none"],
    ("key", "show"): ["alice"],
    ("key", "import"): ["alice", "--file", "none"],
    ("key", "export"): ["alice"],
    ("key", "delete"): ["alice", "--yes"],
    ("application", "register"): ["app", "--contract", "0x" + "11" * 20],
    ("application", "delegate"): ["app", "0x" + "11" * 20],
    ("application", "show"): ["app"],
    ("fhe-key", "suspend"): ["ab" * 20],
    ("fhe-key", "resume"): ["ab" * 20],
    ("fhe-key", "revoke"): ["ab" * 20, "--yes"],
    ("fhe-key", "destroy"): ["ab" * 20, "--yes"],
    ("request", "abort"): ["ab" * 20],
    ("governance", "approve"): ["1"],
    ("governance", "withdraw"): ["1"],
    ("governance", "show"): ["1"],
    ("governance", "propose", "parameters"): ["--set", "max_messages=3"],
    ("governance", "propose", "prices"): ["--price", "transfer=3"],
    ("governance", "propose", "epoch"): ["none.json"],
    ("governance", "propose", "role", "grant"): ["admin", "0x" + "11" * 20],
    ("governance", "propose", "role", "revoke"): ["admin", "0x" + "11" * 20],
    ("governance", "propose", "quorum"): ["admin", "2"],
    ("governance", "propose", "validator", "join"): ["--key", "11" * 32, "--power", "1"],
    ("governance", "propose", "validator", "power"): ["--key", "11" * 32, "--power", "1"],
    ("governance", "propose", "validator", "leave"): ["--key", "11" * 32],
    ("governance", "propose", "consensus"): ["--set", "block.max_gas=-1"],
    ("governance", "propose", "application"): [
        "app",
        "--owner",
        "0x" + "11" * 20,
        "--contract",
        "0x" + "22" * 20,
    ],
    ("governance", "propose", "upgrade"): ["2"],
    ("governance", "propose", "file"): ["none.toml"],
    ("encrypt",): ["--type", "euint8", "--value", "5"],
    ("prepare",): ["0x" + "22" * 32],
    ("grant",): ["0x" + "11" * 20, "0x" + "22" * 32],
    ("revoke",): ["0x" + "11" * 20, "0x" + "22" * 32],
    ("public",): ["0x" + "22" * 32],
    ("decrypt",): ["0x" + "22" * 32],
    ("reencrypt",): ["0x" + "22" * 32],
    ("request", "show"): ["33" * 20],
    ("request", "wait"): ["33" * 20],
    ("query", "tx"): ["ab" * 32],
    ("query", "account"): ["0x" + "11" * 20],
    ("query", "state"): ["parameters", "--prove"],
    ("query", "header"): ["7", "--prove"],
    ("query", "isc"): ["0x" + "22" * 32, "--application", "demo"],
    ("completion",): ["bash"],
    ("localnet", "kill"): ["node1"],
    ("localnet", "up"): ["--topology", "none.toml"],
    ("demo",): ["--parameters", "none"],
} | {
    (name,): ["--home", "none"]
    for name in (
        "node",
        "engine",
        "core",
        "connector",
        "storage",
        "coprocessor",
        "start",
        "stop",
        "doctor",
    )
}
ARGUMENTS |= {
    ("init",): ["alice", "--home", "new", "--chain-id", "c", "--rpc-listen", "nowhere"],
    ("genesis", "new"): ["g.json", "--chain-id", "", "--storage-url", "http://127.0.0.1:9"],
    ("genesis", "add-operator"): ["g.json", "card.json"],
    ("genesis", "add-validator"): ["g.json", "card.json"],
    ("genesis", "add-account"): ["g.json", "0x" + "11" * 20],
    ("genesis", "validate"): ["g.json"],
    ("genesis", "install"): ["g.json", "--home", "none"],
    ("snapshot", "list"): ["--home", "none"],
    ("snapshot", "join"): ["--home", "none", "--server", "http://127.0.0.1:9"],
    ("snapshot", "create"): ["--home", "none"],
    ("snapshot", "delete"): ["5", "--home", "none"],
    ("snapshot", "verify"): ["5", "--home", "none"],
    ("snapshot", "restore"): ["5", "--home", "none"],
    ("rollback",): ["--home", "none"],
    ("export",): ["--home", "none", "--out", "next.json"],
    ("prune",): ["--home", "none"],
    ("deploy", "systemd"): ["--home", "none"],
    ("deploy", "compose"): ["--home", "none"],
    ("validator", "key"): ["--home", "none"],
    ("validator", "join"): ["--card", "none", "--power", "1"],
    ("validator", "power"): ["--card", "none", "--power", "1"],
    ("validator", "leave"): ["--card", "none"],
    ("config", "show"): ["--home", "none"],
    ("config", "set"): ["node.x", "1", "--home", "none"],
    ("config", "validate"): ["--home", "none"],
    ("config", "diff"): ["--home", "none"],
}
# These succeed without a network.
WITHOUT_NETWORK = {("completion",), ("key", "list"), ("localnet", "down"), ("version",)}


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_failure_is_one_json_document(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Without any network every command ends with one object and a documented exit code."""
    arguments = list(ARGUMENTS.get(path, []))
    if path[0] == "compute":
        arguments = ["0x" + "22" * 32] * (3 if path[1] == "select" else 2)
    code = run([*path, *arguments, "-o", "json"])
    document = json.loads(capsys.readouterr().out)
    if path in WITHOUT_NETWORK:
        assert code == ExitCode.OK
        return
    assert code in set(ExitCode) - {ExitCode.OK}
    if path == ("status",):
        assert (code, document["ok"]) == (ExitCode.UNREACHABLE, False)
        return
    error = document["error"]
    assert error["exit_code"] == code
    assert error["reason"] != "INTERNAL", error
    assert set(error) >= {"code", "reason", "sentence", "hint"}
    assert error["sentence"]


def test_every_listed_command_exists() -> None:
    """The table of the root names importable commands of the same name."""
    names = [name for rows in SECTIONS.values() for name, _, _ in rows]
    assert len(names) == len(set(names))
    for name in names:
        assert _leaf((name,)).name == name


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["status"], False),
        (["status", "-o", "json"], True),
        (["-o", "json", "status", "-o", "text"], False),
        (["-ojson", "status"], True),
        (["status", "--output=json"], True),
        (["x", "--", "-o", "json"], False),
    ],
)
def test_wants_json(arguments: list[str], expected: bool) -> None:
    """JSON is recognised wherever it is asked for; the last word counts."""
    assert wants_json(arguments) is expected


def test_json_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """TKMS_OUTPUT=json is -o json."""
    monkeypatch.setenv("TKMS_OUTPUT", "json")
    assert run(["key", "show", "nobody"]) == ExitCode.CONFIG
    assert json.loads(capsys.readouterr().out)["error"]["reason"] == "NO_KEY"


def test_text_errors_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """Text mode leaves stdout empty and shows sentence and hint on stderr."""
    assert run(["localnet", "status"]) == ExitCode.CONFIG
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "there is no local network" in captured.err
    assert "hint: start one with `tkms localnet up`" in captured.err


def test_near_names_are_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    """A typing mistake is answered with the command that was meant."""
    assert run(["localnt"]) == ExitCode.USAGE
    assert "Did you mean 'localnet'" in capsys.readouterr().err


def test_exit_codes_are_stable() -> None:
    """Scripts branch on these numbers."""
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "FAILURE": 1,
        "USAGE": 2,
        "CONFIG": 3,
        "UNREACHABLE": 4,
        "REJECTED": 5,
        "TIMEOUT": 6,
        "VERIFICATION": 7,
        "WARNING": 8,
        "DISK": 9,
        "VERSION": 10,
        "INTERRUPTED": 130,
    }


def test_errors_of_the_client_keep_their_meaning() -> None:
    """Each error of the layers below has its exit code, name, sentence and hint."""
    from cli.translate import translate
    from client.errors import RejectedByChain, Timeout, Unreachable, VerificationFailed
    from wire.reasons import Reason, Rejection

    rejected = translate(RejectedByChain(int(Reason.INSUFFICIENT_FUNDS), "has 3", b"\x01" * 32))
    assert rejected.as_document() == {
        "error": {
            "code": 1015,
            "reason": "INSUFFICIENT_FUNDS",
            "sentence": Reason.INSUFFICIENT_FUNDS.sentence,
            "hint": Reason.INSUFFICIENT_FUNDS.hint,
            "exit_code": 5,
            "detail": "has 3",
            "transaction": "01" * 32,
        }
    }
    late = translate(Timeout("not seen", b"\x02" * 32))
    assert (late.exit_code, late.details) == (ExitCode.TIMEOUT, {"transaction": "02" * 32})
    assert translate(VerificationFailed("x")).exit_code == ExitCode.VERIFICATION
    assert translate(Unreachable("x")).exit_code == ExitCode.UNREACHABLE
    assert translate(Rejection(Reason.DECODE)).exit_code == ExitCode.REJECTED
    assert translate(RuntimeError("x")).reason == "INTERNAL"
    for error in (UsageError("a"), ConfigError("b"), CliError("c")):
        assert translate(error) is error


HEAVY = ("rich", "aiohttp", "google.protobuf", "grpc", "cryptography", "eth_keyfile", "coincurve")


@pytest.mark.parametrize("arguments", [["--help"], ["-o", "json", "--help"], ["no-such-command"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    """The budget of 150 ms, counted in modules: click, its shell support and five small files."""
    script = (
        "import sys; before = set(sys.modules); from cli.main import run; "
        f"run({arguments!r}); "
        "print('\\n'.join(sorted(set(sys.modules) - before)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = done.stderr.splitlines()
    assert [name for name in loaded if name.startswith(HEAVY)] == []
    ours = {name for name in loaded if name.split(".")[0] in {"cli", "client", "wire"}}
    assert ours == {"cli", "cli.main", "cli.errors", "cli.lazy", "cli.output"}
    assert len(loaded) < 200


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each shell gets a script that names the installed command."""
    assert run(["completion", shell]) == ExitCode.OK
    script = capsys.readouterr().out
    assert "_TKMS_COMPLETE" in script
    assert "tkms" in script


def test_completion_offers_commands() -> None:
    """What the script asks for is answered with command names."""
    done = subprocess.run(
        [sys.executable, "-m", "cli"],
        cwd=ROOT,
        env={
            **os.environ,
            "_TKMS_COMPLETE": "bash_complete",
            "COMP_WORDS": "tkms lo",
            "COMP_CWORD": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert "plain,localnet" in done.stdout
