"""A new node begins with a snapshot of the network, as `tkms snapshot join` sets it up."""

import shutil
from pathlib import Path

import pytest

from cli.errors import CliError, UsageError
from cli.maintenance import statesync
from tests.support.operator import CHAIN_ID, Operator, make_operators, tkms, until

pytestmark = pytest.mark.localnet


def test_a_follower_begins_with_a_snapshot(tmp_path: Path) -> None:
    """From init to following without the blocks before the snapshot; then `stop` ends it in order."""
    validator = make_operators(tmp_path)[0]
    # Blocks are quick here: a snapshot must outlive the minute in which it is found and fetched.
    validator.tkms("config", "set", "node.snapshot_interval", "5")
    validator.tkms("config", "set", "node.snapshot_keep", "1000")
    port = validator.rpc_port + 60
    home = tmp_path / "late"
    genesis = str(validator.home / "config" / "genesis.json")
    tkms(
        *("init", "late", "--home", str(home), "--chain-id", CHAIN_ID, "--rehearse", str(port)),
        *("--role", "full"),
    )
    tkms(
        *("genesis", "install", genesis, "--home", str(home)),
        *("--card", str(validator.home / "operator.json")),
    )
    late = Operator(home, port)
    with validator.running(height=8):
        until((validator.home / "app" / "snapshots" / "5").is_dir, "a snapshot")
        servers = (validator.url, validator.url.replace("127.0.0.1", "localhost"))
        joined = late.tkms("snapshot", "join", *(p for url in servers for p in ("--server", url)))
        assert joined["trust_height"] >= 8
        with late.running("--restarts", "0", height=0) as process:
            until(
                lambda: late.height() > joined["trust_height"] and late.follows(), "it follows", 90
            )
            node = late.tkms("status")["nodes"][0]
            assert node["phase"] == "following", (node, late.log()[-2000:])
            assert node["earliest_height"] > 1
            assert late.tkms("stop")["stopped"] is True
            assert process.wait(60) == 0
    again = late.tkms("snapshot", "join", "--server", "http://a", "--server", "http://b", code=3)
    assert again["error"]["reason"] == "HOME_IN_USE"
    assert late.tkms("stop", code=4)["error"]["reason"] == "NOT_RUNNING"
    shutil.rmtree(home)


def test_servers_must_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two different headers, a foreign hash, or one server alone: nobody is trusted."""

    def ask(url: str, method: str) -> object:
        if method == "status":
            return {"sync_info": {"latest_block_height": "9" if url == "a" else "8"}}
        assert method == "commit?height=8"
        digits = "AB" if url == "a" else "CD" if url == "liar" else "AB"
        return {"signed_header": {"commit": {"block_id": {"hash": digits * 32}}}}

    monkeypatch.setattr(statesync.engine_offline, "ask", ask)
    assert statesync.agree(["a", "b"], None, None) == (8, "AB" * 32)
    assert statesync.agree(["a", "b"], 8, "ab" * 32) == (8, "AB" * 32)
    with pytest.raises(CliError) as caught:
        statesync.agree(["a", "liar"], None, None)
    assert caught.value.reason == "DISAGREEMENT"
    with pytest.raises(CliError, match="not the same everywhere"):
        statesync.agree(["a", "b"], 8, "CD" * 32)
    with pytest.raises(UsageError, match="two servers"):
        statesync.agree(["a", "a"], None, None)
    with pytest.raises(UsageError, match="64 hexadecimal"):
        statesync.agree(["a", "b"], 8, "short")
