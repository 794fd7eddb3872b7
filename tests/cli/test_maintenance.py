"""Snapshots, rollback, export and prune of a home that really ran."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.operator import Operator, make_operators, tkms

pytestmark = pytest.mark.localnet


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Operator:
    """A home that made a dozen blocks with a snapshot every five, and stopped."""
    operator = make_operators(tmp_path_factory.mktemp("lived"))[0]
    operator.tkms("config", "set", "node.snapshot_interval", "5")
    with operator.running(height=12):
        pass
    return operator


@pytest.fixture
def operator(lived: Operator) -> Iterator[Operator]:
    """The home at its place, put back as it was afterwards: paths stand in its settings."""
    kept = lived.home.with_name("kept")
    shutil.copytree(lived.home, kept)
    yield lived
    shutil.rmtree(lived.home)
    kept.rename(lived.home)


def test_snapshots_are_listed_verified_and_deleted(operator: Operator) -> None:
    """What the node took by itself is the state that the chain signed."""
    listed = operator.tkms("snapshot", "list")["snapshots"]
    heights = [entry["height"] for entry in listed]
    assert heights[:1]
    assert all(height % 5 == 0 for height in heights)
    found = operator.tkms("snapshot", "verify", str(heights[0]))
    assert found["verified"] is True
    wrong = operator.tkms("snapshot", "verify", str(heights[0]), "--app-hash", "ab" * 32, code=7)[
        "error"
    ]
    assert wrong["reason"] == "BAD_SNAPSHOT"
    assert operator.tkms("snapshot", "delete", str(heights[0]))["left"] == heights[1:]
    gone = operator.tkms("snapshot", "verify", str(heights[0]), code=3)["error"]
    assert gone["reason"] == "NO_SNAPSHOT"
    # The first home's snapshots come back with the fixture.


def test_a_damaged_snapshot_is_noticed(operator: Operator) -> None:
    """One flipped byte in a chunk."""
    height = operator.tkms("snapshot", "list")["snapshots"][0]["height"]
    chunk = operator.home / "app" / "snapshots" / str(height) / "0"
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    error = operator.tkms("snapshot", "verify", str(height), code=7)["error"]
    assert "chunk 0" in error["sentence"]
    assert not list((operator.home / "app").glob("tmp*"))


def test_a_snapshot_is_taken_while_it_stands(operator: Operator) -> None:
    """`create` writes the last height, byte for byte what the library makes of it."""
    made = operator.tkms("snapshot", "create")
    again = operator.tkms("snapshot", "create")
    assert made == again
    heights = [entry["height"] for entry in operator.tkms("snapshot", "list")["snapshots"]]
    assert heights[0] == made["height"]


def test_a_lost_database_comes_back_from_a_snapshot(operator: Operator) -> None:
    """The state is restored at the snapshot's height, the engine's blocks replay the rest."""
    height = str(operator.tkms("snapshot", "list")["snapshots"][0]["height"])
    refused = operator.tkms("snapshot", "restore", height, code=3)["error"]
    assert refused["reason"] == "HOME_IN_USE"
    shutil.rmtree(operator.home / "app" / "state.db")
    restored = operator.tkms("snapshot", "restore", height)
    assert str(restored["height"]) == height
    assert not (operator.home / "app" / "state.db.restoring").exists()
    with operator.running(height=15):
        pass
    words = [
        finding["sentence"]
        for finding in operator.tkms("doctor", "--min-free-gib", "0", "--max-fsync-ms", "1e9")[
            "findings"
        ]
    ]
    assert any("0 to replay" in line for line in words)


def test_restore_believes_only_what_was_signed(operator: Operator) -> None:
    """Another root leaves the old state where it is, also with --replace."""
    height = str(operator.tkms("snapshot", "list")["snapshots"][0]["height"])
    error = operator.tkms(
        "snapshot", "restore", height, "--replace", "--app-hash", "cd" * 32, code=7
    )["error"]
    assert error["reason"] == "BAD_SNAPSHOT"
    assert (operator.home / "app" / "state.db").is_dir()
    restored = operator.tkms("snapshot", "restore", height, "--replace")
    assert restored["height"] == int(height)
    assert (operator.home / "app" / "state.db.before").is_dir()


def test_rollback_takes_both_sides_back(operator: Operator) -> None:
    """Node and engine are one height lower, start again and go on to the same chain."""
    alone = operator.tkms("rollback", "--hard", code=1)["error"]
    assert alone["reason"] == "WOULD_HALT"
    before = operator.tkms("rollback")
    assert before["height"] == before["before"] - 1
    assert f"height {before['height']}" in before["engine"]
    assert before["app_hash"].upper() in before["engine"].upper()
    with operator.running(height=before["before"] + 2):
        pass


def test_rollback_ends_where_the_node_forgets(tmp_path: Path) -> None:
    """Down to the first height that is kept, and no further."""
    operator = make_operators(tmp_path)[0]
    operator.tkms("config", "set", "node.keep_versions", "2")
    with operator.running(height=6):
        pass
    operator.tkms("rollback")
    error = operator.tkms("rollback", code=1)["error"]
    assert error["reason"] == "NO_HISTORY"


@pytest.mark.parametrize(
    "arguments",
    [
        ("rollback",),
        ("prune",),
        ("snapshot", "create"),
        ("snapshot", "restore", "5", "--replace"),
        ("export", "--out", "/nonexistent/next.json"),
    ],
    ids=" ".join,
)
def test_a_running_home_is_not_touched(lived: Operator, arguments: tuple[str, ...]) -> None:
    """Everything that writes databases is refused while anybody holds them."""
    with lived.running(height=2):
        error = lived.tkms(*arguments, code=1)["error"]
    assert error["reason"] == "ALREADY_RUNNING"


def test_an_exported_chain_goes_on(operator: Operator, tmp_path: Path) -> None:
    """The next chain begins with the state, the validators and the height where this one ended."""
    out = tmp_path / "next.json"
    found = operator.tkms("export", "--out", str(out), "--chain-id", "kms-test-2")
    assert hashlib.sha256(out.read_bytes()).hexdigest() == found["sha256"]
    tkms("genesis", "validate", str(out))
    document = json.loads(out.read_text())
    assert document["initial_height"] == str(found["height"] + 1)
    again = operator.tkms("export", "--out", str(out), code=3)["error"]
    assert again["reason"] == "FILE_EXISTS"
    # The same validator's key in a new home, on the new chain.
    home = tmp_path / "next"
    ports = [f"127.0.0.1:{operator.rpc_port + offset}" for offset in range(4)]
    tkms(
        *("init", "op1", "--home", str(home), "--chain-id", "kms-test-2", "--genesis", str(out)),
        *("--rpc-listen", ports[0], "--p2p-listen", ports[1], "--metrics-listen", ports[2]),
        *("--node-metrics-listen", ports[3], "--timeout-commit-ms", "200", "--one-machine"),
    )
    shutil.copy(operator.home / "config" / "priv_validator_key.json", home / "config")
    follower = Operator(home, operator.rpc_port)
    with follower.running(height=found["height"] + 3):
        status = follower.tkms("status")
    assert status["nodes"][0]["chain_id"] == "kms-test-2"
    assert status["nodes"][0]["epoch"] == 1


def test_an_older_height_is_exported(operator: Operator, tmp_path: Path) -> None:
    """As far as the node remembers; beyond, it says so."""
    found = operator.tkms("export", "--height", "7", "--out", str(tmp_path / "seven.json"))
    assert found["height"] == 7
    error = operator.tkms(
        "export", "--height", "700000", "--out", str(tmp_path / "far.json"), code=2
    )["error"]
    assert "700000" in error["sentence"]


def test_prune_makes_room_and_keeps_the_chain(operator: Operator) -> None:
    """Snapshots go, settings change, and the chain goes on; a home with a connector asks what its core needs."""
    connector = operator.home / "connector" / "connector.toml"
    assert operator.tkms("prune", "--blocks", "0")["retain_cursors"] == (
        [str(operator.home / "app" / ".." / "connector" / "cursor")] if connector.exists() else []
    )
    found = operator.tkms("prune", "--snapshots", "1", "--blocks", "1000")
    assert len(found["snapshots"]) == 1
    assert found["retain_blocks"] == 1000
    assert found["after"]["snapshots"] <= found["before"]["snapshots"]
    with operator.running(height=15):
        pass
