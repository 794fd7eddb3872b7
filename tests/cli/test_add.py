"""`tkms add`: a relay and an explorer become parts of an operator's home, for every command that looks at one."""

import stat
import tomllib
from pathlib import Path

import pytest

from tests.support.operator import CHAIN_ID, Operator, make_operators, tkms

_RELAY = ("add", "relay", "--listen", "127.0.0.1:19106")
_EXPLORER = ("add", "explorer", "--listen", "127.0.0.1:19107")


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    """A home as `init` and `genesis install` leave it."""
    return make_operators(tmp_path)[0]


def _settings(operator: Operator, name: str) -> dict[str, object]:
    return tomllib.loads((operator.home / name / f"{name}.toml").read_text())


def test_a_relay(operator: Operator) -> None:
    """It reads this node, is pinned to this chain and pays from an account of its own."""
    made = operator.tkms(*_RELAY, "--metrics-listen", "127.0.0.1:19108", "--reflection")
    settings = _settings(operator, "relay")
    connector = _settings(operator, "connector")
    assert settings["chain_id"] == CHAIN_ID
    assert settings["rpc_url"] == operator.url
    assert settings["trusted_validators_hash"] == connector["trusted_validators_hash"] != ""
    assert settings["storage_url"] == connector["storage_url"]
    assert (settings["metrics_listen"], settings["reflection"]) == ("127.0.0.1:19108", True)
    secret = operator.home / "relay" / "account.key"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert secret.read_text().strip() not in str(made)
    assert made["account"].startswith("0x")
    # What `next` says is a command.
    assert made["next"] == f"tkms start --home {operator.home} --relay"


def test_an_explorer(operator: Operator) -> None:
    """It reads this node and knows whom to ask besides."""
    operator.tkms(*_EXPLORER, "--witness", "http://127.0.0.1:1", "--witness", "http://127.0.0.1:2")
    settings = _settings(operator, "explorer")
    assert settings["node_rpc_url"] == operator.url
    assert settings["witnesses"] == "http://127.0.0.1:1 http://127.0.0.1:2"
    assert (
        settings["trusted_validators_hash"]
        == (_settings(operator, "connector")["trusted_validators_hash"])
    )


@pytest.mark.parametrize("command", [_RELAY, _EXPLORER])
def test_nothing_is_overwritten(operator: Operator, command: tuple[str, ...]) -> None:
    """A second one is refused and changes no file, above all no secret."""
    operator.tkms(*command)
    folder = operator.home / command[1]
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    error = operator.tkms(*command, code=3)["error"]
    assert error["reason"] == "HOME_EXISTS"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("door", ["relay", "explorer"])
@pytest.mark.parametrize("address", ["", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536"])
def test_bad_addresses(operator: Operator, door: str, address: str) -> None:
    """They are refused before anything is written."""
    for options in (("--listen", address), ("--listen", "127.0.0.1:1", "--metrics-listen", "x")):
        operator.tkms("add", door, *options, code=2)
        assert not (operator.home / door).exists()


def test_no_home(tmp_path: Path) -> None:
    """Where `init` was never typed there is nothing to add to."""
    tkms(*_RELAY, "--home", str(tmp_path / "none"), code=3)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("door", ["relay", "explorer"])
def test_start_names_the_remedy(operator: Operator, door: str) -> None:
    """Who starts what is not there reads how it is made."""
    error = operator.tkms("start", f"--{door}", code=3)["error"]
    assert f"tkms add {door}" in error["hint"]


def test_doctor_looks_at_both(operator: Operator) -> None:
    """Healthy as made; a secret open to others and a foreign chain are found and named."""
    operator.tkms(*_RELAY)
    operator.tkms(*_EXPLORER)
    healthy = operator.tkms("doctor", "--min-free-gib", "0", "--max-fsync-ms", "1e9")["findings"]
    assert [found for found in healthy if found["severity"] in {"warning", "error"}] == []
    assert {"relay.toml", "explorer.toml"} <= {found["check"] for found in healthy}
    secret = operator.home / "relay" / "account.key"
    secret.chmod(0o644)
    path = operator.home / "explorer" / "explorer.toml"
    path.write_text(path.read_text().replace(CHAIN_ID, "another-chain"))
    found = operator.tkms("doctor", "--min-free-gib", "0", "--max-fsync-ms", "1e9", code=1)[
        "findings"
    ]
    bad = [str(finding) for finding in found if finding["severity"] == "error"]
    assert len(bad) == 2
    assert any(str(secret) in words for words in bad)
    assert any("another-chain" in words for words in bad)


def test_settings_are_looked_after(operator: Operator) -> None:
    """`config` shows, judges and changes them."""
    operator.tkms(*_RELAY)
    operator.tkms(*_EXPLORER)
    operator.tkms("config", "set", "explorer.keep_blocks", "100000")
    assert _settings(operator, "explorer")["keep_blocks"] == 100_000
    operator.tkms("config", "set", "explorer.burst", "0", code=3)
    operator.tkms("config", "set", "relay.listen", "nowhere", code=3)
    shown = str(operator.tkms("config", "show", "--all"))
    assert "explorer.keep_blocks" in shown
    assert "relay.max_in_flight" in shown
