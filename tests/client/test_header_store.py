"""The newest header on disk: it survives, only rises, and is worth nothing to another root or chain."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from client.errors import StoreUnusable, VerificationFailed
from client.header_store import HeaderStore
from client.headers import HeaderChain
from light import PinnedHeader, PinnedValidators, Policy, TrustRoot
from tests.support.light_twin import SECOND, validators_hash
from tests.support.linked_chain import LinkedChain
from tests.support.linked_rpc import LinkedRpc

SETS = {1: {"a": 1, "b": 1}, 30: {"b": 1, "c": 1}, 60: {"c": 1, "d": 1}}


@pytest.fixture
def chain() -> LinkedChain:
    """A chain whose set changes twice."""
    return LinkedChain(
        "store-1",
        lambda height: SETS[max(start for start in SETS if start <= height)],
        time.time_ns() - 200 * SECOND,
    )


def client(
    rpc: LinkedRpc, folder: Path, root: TrustRoot | None = None, policy: Policy | None = None
) -> tuple[HeaderChain, HeaderStore]:
    """A client with a store of its own folder."""
    chain = rpc.chain
    root = root or PinnedHeader(10, chain.hash(10))
    store = HeaderStore.beneath(folder, chain.policy.chain_id, root)
    return HeaderChain(rpc, policy or chain.policy, root, store=store), store


def files(folder: Path) -> list[str]:
    """Names in a folder."""
    return sorted(path.name for path in folder.iterdir())


async def test_the_next_run_continues_from_the_newest(chain: LinkedChain, tmp_path: Path) -> None:
    """A new process fetches nothing but what lies between the stored header and the wanted one."""
    headers, store = client(LinkedRpc(chain), tmp_path)
    await headers.header(29)
    await headers.header(15)
    document = json.loads(store.path.read_text())
    assert (document["height"], document["hash"]) == (29, chain.hash(29).hex())
    # Header 29 announces another set: the store keeps its list, or the next run could not skip.
    rpc = LinkedRpc(chain)
    again, _ = client(rpc, tmp_path)
    assert (await again.header(55)).hash == chain.hash(55)
    assert rpc.fetched == [55]
    assert json.loads(store.path.read_text())["height"] == 55
    assert files(tmp_path) == [store.path.name]


async def test_below_the_store_hashes_lead_down(chain: LinkedChain, tmp_path: Path) -> None:
    """Below everything that is known the way goes down, and the store stays where it is."""
    headers, store = client(LinkedRpc(chain), tmp_path)
    await headers.header(40)
    rpc = LinkedRpc(chain)
    again, _ = client(rpc, tmp_path)
    assert (await again.header(5)).hash == chain.hash(5)
    assert json.loads(store.path.read_text())["height"] == 40
    expired = replace(chain.policy, trusting_period_s=150)
    late, _ = client(LinkedRpc(chain), tmp_path, policy=expired)
    # The root is too old to be a start; the stored header still leads down, though not up.
    assert (await late.header(20)).hash == chain.hash(20)
    with pytest.raises(VerificationFailed, match="trusting period"):
        await client(LinkedRpc(chain), tmp_path / "new", policy=expired)[0].header(90)


async def test_a_slower_process_does_not_lower_it(chain: LinkedChain, tmp_path: Path) -> None:
    """Two processes with one store: the higher header stays."""
    slow, store = client(LinkedRpc(chain), tmp_path)
    await slow.header(12)
    fast, _ = client(LinkedRpc(chain), tmp_path)
    await fast.header(80)
    await slow.header(20)
    assert json.loads(store.path.read_text())["height"] == 80


async def test_another_root_has_another_file(chain: LinkedChain, tmp_path: Path) -> None:
    """What was believed from one root is not believed from another."""
    roots: list[TrustRoot] = [
        PinnedHeader(10, chain.hash(10)),
        PinnedHeader(11, chain.hash(11)),
        PinnedValidators(validators_hash(chain.validators(1))),
    ]
    for root in roots:
        await client(LinkedRpc(chain), tmp_path, root)[0].header(20)
    assert len(files(tmp_path)) == 3
    headers, store = client(LinkedRpc(chain), tmp_path, roots[0])
    other = HeaderChain(LinkedRpc(chain), chain.policy, roots[1], store=store)
    with pytest.raises(StoreUnusable, match="belongs to chain store-1 from header 10"):
        await other.header(20)
    assert (await headers.header(20)).height == 20


@pytest.mark.parametrize(
    "damage",
    [
        {"hash": "00" * 32},
        {"height": 21},
        {"height": "x"},
        {"format": 2},
        {"chain_id": "other"},
        {"signed_header": "{}"},
        {"validators": "[]"},
        {"following": 5},
    ],
)
async def test_a_damaged_store_is_refused(
    chain: LinkedChain, tmp_path: Path, damage: dict[str, object]
) -> None:
    """Whatever is wrong in the file, nothing is believed, and the file is named."""
    headers, store = client(LinkedRpc(chain), tmp_path)
    await headers.header(20)
    store.path.write_text(json.dumps(json.loads(store.path.read_text()) | damage))
    with pytest.raises(StoreUnusable, match=str(store.path)):
        await client(LinkedRpc(chain), tmp_path)[0].header(30)
    store.path.write_text('{"format": 1')
    with pytest.raises(StoreUnusable, match=str(store.path)):
        await client(LinkedRpc(chain), tmp_path)[0].header(30)


async def test_a_folder_that_cannot_be_written(chain: LinkedChain, tmp_path: Path) -> None:
    """Not keeping what was verified is an error, not a shrug."""
    (tmp_path / "file").write_text("")
    headers, _ = client(LinkedRpc(chain), tmp_path / "file")
    with pytest.raises(StoreUnusable):
        await headers.header(20)


async def test_lists_are_fetched_once(chain: LinkedChain, tmp_path: Path) -> None:
    """A validator list that a verified header names is not fetched again."""
    rpc = LinkedRpc(chain)
    headers, _ = client(rpc, tmp_path)
    for height in range(11, 29):
        await headers.header(height)
    assert rpc.lists == 1


async def test_a_long_way_down(chain: LinkedChain, tmp_path: Path) -> None:
    """Every header below is fetched once, in windows."""
    rpc = LinkedRpc(chain)
    headers, _ = client(rpc, tmp_path, PinnedHeader(70, chain.hash(70)))
    assert (await headers.header(3)).hash == chain.hash(3)
    assert rpc.fetched == list(range(70, 2, -1))
    forged = chain.fork(40, data_hash="AA" * 32)
    # Honest above 65: the break is found where the links stop fitting.
    mixed = LinkedRpc(chain)
    mixed.chain = chain

    async def commit(height: int) -> bytes:
        source = forged if height < 65 else chain
        return json.dumps(source.signed(height)).encode()

    mixed.commit = commit  # type: ignore[method-assign]
    liar, _ = client(mixed, tmp_path / "liar", PinnedHeader(70, chain.hash(70)))
    with pytest.raises(VerificationFailed, match="header 65 does not follow"):
        await liar.header(3)
