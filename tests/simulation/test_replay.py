"""The same blocks give the same app hash at every height: in another process, order of sets, path and Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import replay
from tests.support.scrape import read
from tests.support.traffic import Traffic
from tools import second_python
from wire.tx import decode

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = 150
SEED = 20


@dataclass(frozen=True)
class Recorded:
    """A chain of mixed traffic on disk, and what it was."""

    path: Path
    hashes: list[str]
    kinds: Counter[str]
    statuses: set[str]
    traffic: Traffic


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Record once."""
    folder = tmp_path_factory.mktemp("recorded")
    traffic = Traffic.start(folder, SEED)
    traffic.run(BLOCKS)
    chain = traffic.chain
    path = folder / "record"
    replay.write(path, chain.calls)
    kinds: Counter[str] = Counter()
    for block in chain.blocks:
        for raw in block:
            kinds.update(decode(raw).kinds)
    found = read(chain.application.meter.instruments)
    decided = found.samples["tkms_node_requests_decided_total"]
    statuses = {dict(labels)["status"] for labels, count in decided.items() if count}
    assert found.total("tkms_node_result_conflicts_total") > 0
    hashes = [app_hash.hex() for app_hash in chain.app_hashes]
    chain.close()
    return Recorded(path, hashes, kinds, statuses, traffic)


def run(
    recorded: Recorded, folder: Path, *mode: str, seed: str = "0", python: Path | None = None
) -> dict[str, Any]:
    """What a process of its own says."""
    done = subprocess.run(
        [python or sys.executable, "-m", "tests.support.replay", recorded.path, folder, *mode],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    document = json.loads(done.stdout)
    assert isinstance(document, dict)
    return document


def test_the_record_holds_everything(recorded: Recorded) -> None:
    """Transfers, claims, changes, requests, answers, conflicts, expiry, payouts and outages are in it."""
    assert len(recorded.hashes) > BLOCKS
    assert set(recorded.kinds) >= {
        *("transfer", "faucet", "propose_change", "register_ciphertexts", "set_public"),
        *("grant_access", "request_key_generation", "request_public_decryption"),
        *("fulfil", "report_failure", "accuse"),
    }
    assert min(recorded.kinds[kind] for kind in ("fulfil", "transfer", "propose_change")) > 10
    assert recorded.statuses >= {"fulfilled", "failed", "expired"}
    assert recorded.traffic.chain.shift_seconds >= 300


@pytest.mark.parametrize("mode", [(), ("propose",)])
def test_other_hash_seeds(recorded: Recorded, tmp_path: Path, mode: tuple[str, ...]) -> None:
    """Two processes that order their sets differently agree with each other and with the recording."""
    found = []
    for seed in ("1", "20260101"):
        folder = tmp_path / seed
        folder.mkdir()
        found.append(run(recorded, folder, *mode, seed=seed))
    assert found[0]["set"] != found[1]["set"]
    assert found[0]["hashes"] == found[1]["hashes"] == recorded.hashes


def test_other_python(recorded: Recorded, tmp_path: Path) -> None:
    """A newer Python agrees at every height."""
    try:
        python = second_python.make()
    except second_python.NoOtherPythonError as error:
        pytest.skip(f"no second Python: {error}")
    found = run(recorded, tmp_path, "propose", python=python)
    assert tuple(found["python"]) > sys.version_info[:2]
    assert found["hashes"] == recorded.hashes


def test_a_difference_would_be_seen(recorded: Recorded, tmp_path: Path) -> None:
    """One payment less in one block changes every hash from that height on."""
    calls = replay.read(recorded.path)
    # A payment leaves its trace for ever; the replay mark of a late answer is forgotten when it expires.
    busy, place = next(
        (index, place)
        for index, call in enumerate(calls)
        if index > 40
        for place, raw in enumerate(call.finalize_block.txs)
        if decode(raw).kinds == ("transfer",)
    )
    del calls[busy].finalize_block.txs[place]
    changed = tmp_path / "changed"
    replay.write(changed, calls)
    hashes = replay.run(changed, tmp_path / "store", propose=False)
    assert hashes[:busy] == recorded.hashes[:busy]
    assert all(
        one != other for one, other in zip(hashes[busy:], recorded.hashes[busy:], strict=True)
    )
