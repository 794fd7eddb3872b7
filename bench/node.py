"""CheckTx of the real application in this process: with signature, without, and recheck."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from bench.report import Row, row
from tests.support.chain import ALICE, BOB, Chain, message
from wire.pb.tkms.bank.v1 import bank_pb2

_TRANSACTIONS = 2_000
_RUNS = 5


def measure() -> list[Row]:
    """`node.checktx_us`, `node.checktx_without_signature_us`, `node.recheck_us`."""
    samples: dict[str, list[float]] = {"new": [], "known": [], "recheck": []}
    for _ in range(_RUNS):
        with tempfile.TemporaryDirectory() as folder:
            chain = Chain.start(Path(folder))
            chain.skip(1)
            transfer = bank_pb2.Transfer(recipient=bytes(BOB.address), amount=1)
            raws = [
                chain.build(ALICE, message(transfer=transfer), max_fee=1000, nonce=os.urandom(16))
                for _ in range(_TRANSACTIONS)
            ]
            samples["new"].append(_microseconds(chain, raws, again=False))
            chain.skip(1)  # the check branch starts anew; verified signatures are remembered
            samples["known"].append(_microseconds(chain, raws, again=False))
            chain.skip(1)
            samples["recheck"].append(_microseconds(chain, raws, again=True))
            chain.close()
    return [
        row("node.checktx_us", "us", samples["new"]),
        row("node.checktx_without_signature_us", "us", samples["known"]),
        row("node.recheck_us", "us", samples["recheck"]),
    ]


def _microseconds(chain: Chain, raws: list[bytes], *, again: bool) -> float:
    started = time.perf_counter()
    accepted = sum(chain.check(raw, recheck=again).ok for raw in raws)
    seconds = time.perf_counter() - started
    # Balance bounds how many transfers fit; a refused one is as quick and would flatter the figure.
    if accepted != len(raws):
        raise RuntimeError(f"only {accepted} of {len(raws)} were accepted")
    return seconds / len(raws) * 1e6
