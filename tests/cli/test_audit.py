"""`tkms query audit` and `tkms query evidence` against a node over the real application."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cli.errors import ExitCode
from tests.client.test_audit import traffic
from tests.support.chain import BOB
from tests.support.rpc_node import RpcNode
from tests.support.shop import APPLICATION, start_shop

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
async def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RpcNode]:
    """A node with a log of five records, named in the environment."""
    for name in [name for name in os.environ if name.startswith("TKMS_")]:
        monkeypatch.delenv(name)
    (tmp_path / "chain").mkdir()
    chain, key_id = start_shop(tmp_path / "chain")
    traffic(chain, key_id)
    served = RpcNode(chain)
    served.make_block()
    async with served.serve():
        monkeypatch.setenv("TKMS_CONFIG_HOME", str(tmp_path / "config"))
        monkeypatch.setenv("TKMS_LOCALNET_HOME", str(tmp_path / "none"))
        monkeypatch.setenv("TKMS_NODE", served.url)
        monkeypatch.setenv("TKMS_CHAIN_ID", chain.chain_id)
        monkeypatch.setenv("TKMS_TRUSTED_VALIDATORS_HASH", served.validators_hash.hex())
        yield served
    chain.close()


async def tkms(*arguments: str) -> dict[str, Any]:
    """The JSON document of a command that succeeds; a process of its own, since the node logs here."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", *arguments, "-o", "json"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    shown, _ = await process.communicate()
    assert process.returncode == ExitCode.OK, shown
    document: dict[str, Any] = json.loads(shown)
    return document


@pytest.mark.usefixtures("node")
async def test_audit_pages_filters_and_proofs() -> None:
    """The newest page by default, any page by number, filters, and proofs."""
    newest = await tkms("query", "audit", "--limit", "2")
    assert [record["sequence"] for record in newest["records"]] == [4, 5]
    assert "proven_at_height" not in newest
    page = await tkms("query", "audit", "--from-sequence", "2", "--limit", "2", "--prove")
    assert [record["sequence"] for record in page["records"]] == [2, 3]
    assert (page["next_sequence"], page["last_sequence"]) == (4, 5)
    assert page["proven_at_height"] > 0
    mine = await tkms(
        "query",
        "audit",
        *("--requester", BOB.address.checksum, "--application", APPLICATION, "--prove"),
    )
    (record,) = mine["records"]
    assert record["requester"] == BOB.address.checksum
    assert (record["status"], record["kind"]) == ("fulfilled", "public-decryption")
    assert record["allowances"][0]["basis"] == "public"
    assert record["paid"] == record["price"]


@pytest.mark.usefixtures("node")
async def test_evidence_is_judged() -> None:
    """The party, both digests."""
    shown = await tkms("query", "evidence")
    (record,) = shown["records"]
    assert record["party"] == 3
    assert record["first_digest"] != record["second_digest"]
