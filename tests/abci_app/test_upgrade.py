"""Other rules from a height on: decided by the chain, followed by who knows them, replayed by one program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from abci_app.main import run
from ledger.errors import VersionError
from ledger.migrations import VERSION_KEY
from ledger.state import State
from ledger.store import Store
from tests.abci_app.test_state_sync import info, traffic
from tests.ledger.advance import advance
from tests.ledger.governance import propose
from tests.support.chain import ADMIN, CHAIN_ID, Chain, genesis
from wire.pb.tkms.comet.v1 import abci_pb2
from wire.pb.tkms.config.v1 import config_pb2

ROOT = Path(__file__).resolve().parents[2]
ACTIVATION = 5
MARK = b"test/second-version"


def second(state: State) -> None:
    """Make version 2: a key that says how many accounts there were."""
    count = sum(1 for _ in state.iterate(b"bank/account/"))
    state.set(MARK, b"%d" % count)


TABLE = {1: second}


def upgraded(path: Path) -> Chain:
    """A chain that went over to version 2 at ACTIVATION, and three blocks more."""
    chain = Chain.start(path, migrations=TABLE)
    upgrade = config_pb2.Upgrade(app_version=2)
    chain.block(*traffic(chain, 0), chain.build(ADMIN, propose(ACTIVATION, upgrade=upgrade)))
    while chain.height < ACTIVATION + 3:
        chain.block(*traffic(chain, chain.height))
        told = chain.consensus_updates
        assert (told is not None) == (chain.height == ACTIVATION)
        if told is not None:
            assert told.version.app == 2
    return chain


def app_hash(chain: Chain, height: int) -> bytes:
    """App hash after a block."""
    return chain.store.at(height).app_hash


def test_the_rules_change_at_their_height(tmp_path: Path) -> None:
    """The migration runs at the begin of the block; Info, headers and the state name the version."""
    chain = upgraded(tmp_path)
    assert info(chain) == (ACTIVATION + 3, chain.app_hash, 2)
    before, after = (State(chain.store.at(height)) for height in (ACTIVATION - 1, ACTIVATION))
    assert (before.get(MARK), before.get(VERSION_KEY)) == (None, None)
    accounts = sum(1 for _ in before.iterate(b"bank/account/"))
    assert after.get(MARK) == b"%d" % accounts
    assert after.get(VERSION_KEY) == (2).to_bytes(8, "big")
    chain.close()


def test_a_chain_with_an_upgrade_replays_to_the_same_hashes(tmp_path: Path) -> None:
    """From the blocks alone, by the program that knows both versions; also in pieces."""
    chain = upgraded(tmp_path / "first")
    again = Chain.start(tmp_path / "again", migrations=TABLE)
    for height, raws in enumerate(chain.blocks, 1):
        again.decide(*raws)
        assert again.app_hash == app_hash(chain, height)
        again.restart()
    assert info(again) == info(chain)
    for each in (chain, again):
        each.close()


def test_an_old_program_stops_before_the_block(tmp_path: Path) -> None:
    """With the words that an operator needs; nothing is written, and the next release goes on from there."""
    chain = upgraded(tmp_path / "new")
    old = Chain.start(tmp_path / "old", migrations={})
    for raws in chain.blocks[: ACTIVATION - 1]:
        old.decide(*raws)
    raws = chain.blocks[ACTIVATION - 1]
    words = f"height {ACTIVATION} needs app version 2, this program knows up to 1"
    for method in (old.finalize, old.prepare):
        with pytest.raises(VersionError, match=words):
            method(*raws)
    assert not old.process(*raws)
    # Who waits in its mempool is told to wait, not lied to.
    assert not old.check(raws[0]).ok
    assert info(old) == (ACTIVATION - 1, app_hash(chain, ACTIVATION - 1), 1)
    old.migrations = TABLE
    old.restart()
    for raws in chain.blocks[ACTIVATION - 1 :]:
        old.decide(*raws)
    assert info(old) == info(chain)
    # An old program does not open the new state either.
    old.migrations = {}
    with pytest.raises(VersionError, match="needs app version 2"):
        old.restart()
    old.store.close()
    chain.close()


def test_rolling_an_upgrade_back_brings_the_old_rules_back(tmp_path: Path) -> None:
    """Version, migrated keys and hash, and the block can be executed again."""
    chain = upgraded(tmp_path)
    hashes = {height: app_hash(chain, height) for height in range(1, chain.height + 1)}
    while chain.store.height != ACTIVATION - 1:
        chain.store.rollback()
    chain.restart()
    assert info(chain) == (ACTIVATION - 1, hashes[ACTIVATION - 1], 1)
    assert chain.store.get(MARK) is None
    blocks, chain.blocks = chain.blocks, []
    chain.height = ACTIVATION - 1
    for raws in blocks[ACTIVATION - 1 :]:
        chain.decide(*raws)
        assert chain.app_hash == hashes[chain.height]
    chain.close()


def test_an_exported_state_keeps_its_version(tmp_path: Path) -> None:
    """The first header of the chain that imports it names it; an old program refuses it."""
    from google.protobuf import json_format

    from ledger.export import export_state
    from wire.pb.tkms.state.v1 import state_pb2

    chain = upgraded(tmp_path / "old")
    document = state_pb2.Genesis(exported=export_state(chain.store))
    chain.close()
    new = Chain.start(tmp_path / "new", document, migrations=TABLE)
    assert new.app_hash == chain.app_hash
    request = abci_pb2.RequestInitChain(
        chain_id=CHAIN_ID,
        app_state_bytes=json_format.MessageToJson(document).encode(),
        initial_height=document.exported.height + 1,
        validators=[
            abci_pb2.ValidatorUpdate(pub_key=abci_pb2.PublicKey(ed25519=key), power=power)
            for key, power in validators(new)
        ],
        consensus_params=consensus_of(new),
    )
    assert new.call(init_chain=request).consensus_params.version.app == 2
    new.close()
    old = Chain(tmp_path / "too-old", document)
    old.open()
    with pytest.raises(VersionError, match="needs app version 2"):
        old.init_chain()
    old.close()


def validators(chain: Chain) -> list[tuple[bytes, int]]:
    """Validators in the state."""
    from ledger.config import state as config

    return [(voter.public_key, voter.power) for voter in config.validators(State(chain.store))]


def consensus_of(chain: Chain) -> abci_pb2.ConsensusParams:
    """What the tests' genesis says."""
    from tests.support.chain import consensus_params

    return consensus_params()


def test_the_process_of_an_old_program_has_its_own_exit_code(tmp_path: Path) -> None:
    """10, and one line that says what to do."""
    store = Store(tmp_path / "state.db")
    advance(store, 0, {VERSION_KEY: (7).to_bytes(8, "big")})
    advance(store, 1, {})
    store._database.put(b"m/chain_id", CHAIN_ID.encode())
    store.close()
    (tmp_path / "node.toml").write_text(
        f'chain_id = "{CHAIN_ID}"\nproxy_socket = "unix://{tmp_path}/app.sock"\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", run.__module__, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 10, done.stderr
    assert "height 2 needs app version 7, this program knows up to 1" in done.stderr
    assert "Traceback" not in done.stderr
    assert genesis()
