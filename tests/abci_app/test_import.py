"""A chain that goes on where another ended: export, genesis, InitChain."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from abci_app.errors import GenesisError
from ledger.export import export_state
from tests.abci_app.test_state_sync import info, traffic
from tests.support.chain import ALICE, CHAIN_ID, Chain, genesis
from wire.pb.tkms.comet.v1 import abci_pb2
from wire.pb.tkms.state.v1 import state_pb2

HEIGHT = 5


@pytest.fixture
def old(tmp_path: Path) -> Iterator[Chain]:
    """A chain of five blocks."""
    chain = Chain.start(tmp_path / "old")
    for number in range(HEIGHT):
        chain.block(*traffic(chain, number))
    yield chain
    chain.close()


@pytest.fixture
def document(old: Chain) -> state_pb2.Genesis:
    """Genesis of the chain that goes on."""
    return state_pb2.Genesis(exported=export_state(old.store))


def test_an_imported_chain_has_the_same_hashes(
    old: Chain, document: state_pb2.Genesis, tmp_path: Path
) -> None:
    """From genesis on, derived keys included, for every later block; also after a restart before the first."""
    new = Chain.start(tmp_path / "new", document)
    assert (new.app_hash, new.height) == (old.app_hash, HEIGHT)
    assert dict(new.store.iterate(b"")) == dict(old.store.iterate(b""))
    # The engine has to ask for genesis again until there is a block.
    assert info(new)[0] == 0
    new.restart()
    assert new.init_chain() == old.app_hash
    for number in range(3):
        raws = traffic(old, number)
        old.block(*raws)
        new.block(*raws)
        assert new.app_hash == old.app_hash
        assert dict(new.store.iterate(b"")) == dict(old.store.iterate(b""))
    assert info(new) == (HEIGHT + 3, old.app_hash, 1)
    new.restart()
    assert info(new) == (HEIGHT + 3, old.app_hash, 1)
    with pytest.raises(Exception, match="before the first block"):
        new.init_chain()
    new.close()


def test_what_was_included_stays_included(
    old: Chain, document: state_pb2.Genesis, tmp_path: Path
) -> None:
    """A transaction of the old chain is not played again on the new one."""
    new = Chain.start(tmp_path / "new", document)
    assert not new.check(old.blocks[-1][0]).ok
    assert new.check(traffic(old, 9)[0]).ok
    assert new.balance(ALICE) == old.balance(ALICE)
    new.close()


def test_damaged_and_misplaced_imports_are_refused(
    old: Chain, document: state_pb2.Genesis, tmp_path: Path
) -> None:
    """Each is a GenesisError that says what is wrong, and nothing is written."""
    new = Chain(tmp_path / "new", document)
    new.open()
    wrong = state_pb2.Genesis()
    wrong.CopyFrom(document)
    wrong.exported.entries[3].value += b"x"
    new.document = wrong
    with pytest.raises(GenesisError, match="damaged: the entries' root"):
        new.init_chain()
    new.document = state_pb2.Genesis(exported=document.exported, accounts=genesis().accounts)
    with pytest.raises(GenesisError, match="nothing may stand beside it"):
        new.init_chain()
    new.document = document
    new.validators = 2
    with pytest.raises(GenesisError, match="validators are not those"):
        new.init_chain()
    assert info(new) == (0, b"", 1)
    new.close()


@pytest.mark.parametrize("initial_height", [0, 1, HEIGHT, HEIGHT + 2])
def test_the_first_block_follows_the_exported_height(
    document: state_pb2.Genesis, tmp_path: Path, initial_height: int
) -> None:
    """Any other is refused; and without an import the first block is 1."""
    new = Chain(tmp_path / "new", document)
    new.open()
    for given in (document, genesis()):
        if given is not document and initial_height in (0, 1):
            continue
        from google.protobuf import json_format

        request = abci_pb2.RequestInitChain(
            chain_id=CHAIN_ID,
            app_state_bytes=json_format.MessageToJson(given).encode(),
            initial_height=initial_height,
        )
        with pytest.raises(GenesisError, match="first block"):
            new.call(init_chain=request)
    new.close()
