"""Runs recorded blocks in a process of its own and prints the app hash of every height.

    python -m tests.support.replay RECORD FOLDER [propose]

RECORD is what `record` wrote. Without more words each block is finalized and committed, as when an engine replays;
with `propose` each transaction is checked and each block prepared and judged first, as when an engine makes it.
It needs no more than the node does, so that it runs under another Python too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog

from abci_app.app import Application
from ledger.store import Store
from wire.pb.tkms.comet.v1 import abci_pb2


def write(path: Path, calls: Sequence[abci_pb2.Request]) -> None:
    """Write InitChain and the FinalizeBlocks of a chain."""
    path.write_text(
        "".join(f"{call.SerializeToString(deterministic=True).hex()}\n" for call in calls)
    )


def read(path: Path) -> list[abci_pb2.Request]:
    """What `write` wrote."""
    return [abci_pb2.Request.FromString(bytes.fromhex(line)) for line in path.read_text().split()]


class Replay:
    """A fresh application, and the recorded calls one by one."""

    def __init__(self, folder: Path, genesis: abci_pb2.RequestInitChain) -> None:
        """Write the genesis state."""
        self._application = Application(Store(folder / "state.db"), genesis.chain_id)
        self.genesis_hash: bytes = self._call(init_chain=genesis).app_hash

    def block(self, block: abci_pb2.RequestFinalizeBlock, *, propose: bool) -> bytes:
        """Run a block; the app hash."""
        if propose:
            self._propose(block)
        app_hash: bytes = self._call(finalize_block=block).app_hash
        self._call(commit=abci_pb2.RequestCommit())
        return app_hash

    def close(self) -> None:
        """Close the store."""
        self._application.close()

    def _propose(self, block: abci_pb2.RequestFinalizeBlock) -> None:
        for raw in block.txs:
            self._call(check_tx=abci_pb2.RequestCheckTx(tx=raw))
        prepare = abci_pb2.RequestPrepareProposal(
            txs=block.txs, max_tx_bytes=8_000_000, height=block.height, time=block.time
        )
        if list(self._call(prepare_proposal=prepare).txs) != list(block.txs):
            raise ValueError(f"block {block.height} is not what a proposer would make")
        process = abci_pb2.RequestProcessProposal(
            txs=block.txs, hash=block.hash, height=block.height, time=block.time
        )
        if self._call(process_proposal=process).status != abci_pb2.PROPOSAL_STATUS_ACCEPT:
            raise ValueError(f"block {block.height} is refused")

    def _call(self, **request: Any) -> Any:
        response = self._application.handle(abci_pb2.Request(**request))
        return getattr(response, str(response.WhichOneof("value")))


def run(record: Path, folder: Path, *, propose: bool) -> list[str]:
    """App hashes from genesis to the last block, hexadecimal."""
    genesis, *blocks = read(record)
    replay = Replay(folder, genesis.init_chain)
    hashes = [replay.genesis_hash]
    hashes += [replay.block(call.finalize_block, propose=propose) for call in blocks]
    replay.close()
    return [app_hash.hex() for app_hash in hashes]


def main(arguments: Sequence[str]) -> None:
    """Print Python's version, its order of a set of texts, and the app hashes."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    record, folder, *mode = arguments
    hashes = run(Path(record), Path(folder), propose=mode == ["propose"])
    document = {
        "python": list(sys.version_info[:2]),
        "set": list({f"text {index}" for index in range(20)}),
        "hashes": hashes,
    }
    print(json.dumps(document))  # noqa: T201 - what the parent process reads


if __name__ == "__main__":
    main(sys.argv[1:])
