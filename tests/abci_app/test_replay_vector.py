"""The recorded chain, played to the present rules."""

from __future__ import annotations

import json
from pathlib import Path

from abci_app.app import Application
from ledger.store import Store
from tests.support.chain import CHAIN_ID
from wire.pb.tkms.comet.v1 import abci_pb2

FILE = Path(__file__).resolve().parents[1] / "vectors/replay/chain.json"


def test_the_rules_have_not_changed(tmp_path: Path) -> None:
    """Genesis and each block give the recorded app hash and codes; if that is meant, see vectors/replay/README."""
    rows = json.loads(FILE.read_text())
    store = Store(tmp_path / "state.db")
    application = Application(store, CHAIN_ID)
    first, *blocks = rows
    request = abci_pb2.RequestInitChain.FromString(bytes.fromhex(first["request"]))
    answer = application.handle(abci_pb2.Request(init_chain=request))
    assert answer.init_chain.app_hash.hex() == first["app_hash"]
    for row in blocks:
        block = abci_pb2.RequestFinalizeBlock.FromString(bytes.fromhex(row["request"]))
        result = application.handle(abci_pb2.Request(finalize_block=block)).finalize_block
        codes = [each.code for each in result.tx_results]
        assert (result.app_hash.hex(), codes) == (row["app_hash"], row["codes"]), block.height
        application.handle(abci_pb2.Request(commit=abci_pb2.RequestCommit()))
    application.close()
    codes = [code for row in blocks for code in row["codes"]]
    # The vector has both: what was executed and what was refused.
    assert codes.count(0) > 20
    assert len(set(codes)) > 3
