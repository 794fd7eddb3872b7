"""State sync between two applications: what is offered, what is believed, and what an attacker gets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from abci_app.history import snapshots as snapshot_files
from abci_app.history.retention import Keeping
from ledger import snapshots
from ledger.store import Store
from tests.ledger.advance import advance
from tests.support.chain import ADMIN, ALICE, BOB, CHAIN_ID, STRANGER, Chain, genesis, message
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.pb.tkms.comet.v1 import abci_pb2
from wire.pb.tkms.state.v1 import state_pb2

OFFER = abci_pb2.OfferSnapshotResult
APPLY = abci_pb2.ApplySnapshotChunkResult
INTERVAL = 4


def traffic(chain: Chain, number: int) -> list[bytes]:
    """Transactions of one block: accounts, requests and so derived keys."""
    transfer = bank_pb2.Transfer(recipient=bytes(STRANGER.address), amount=number + 1)
    key = asc_pb2.RequestKeyGeneration(parameters="test", dealer=True)
    return [
        chain.build(ALICE, message(transfer=transfer)),
        chain.build(BOB, message(transfer=transfer)),
        chain.build(ADMIN, message(request_key_generation=key)),
    ]


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Chain]:
    """A chain of eight blocks with snapshots at 4 and 8."""
    chain = Chain.start(tmp_path / "source", keeping=Keeping(snapshot_interval=INTERVAL))
    for number in range(2 * INTERVAL):
        chain.block(*traffic(chain, number))
        chain.application.wait_for_snapshot()
    yield chain
    chain.close()


@pytest.fixture
def joiner(tmp_path: Path) -> Iterator[Chain]:
    """A node that has nothing."""
    chain = Chain(tmp_path / "joiner", genesis())
    chain.open()
    yield chain
    chain.close()


def listed(chain: Chain) -> list[abci_pb2.Snapshot]:
    """What the engine would show to peers, newest first."""
    return list(chain.call(list_snapshots=abci_pb2.RequestListSnapshots()).snapshots)


def load(chain: Chain, height: int, index: int) -> bytes:
    """A chunk as a peer fetches it."""
    request = abci_pb2.RequestLoadSnapshotChunk(height=height, format=1, chunk=index)
    return chain.call(load_snapshot_chunk=request).chunk


def offer(chain: Chain, snapshot: abci_pb2.Snapshot, app_hash: bytes) -> str:
    """Name of the answer to an offered snapshot."""
    request = abci_pb2.RequestOfferSnapshot(snapshot=snapshot, app_hash=app_hash)
    answer = OFFER.Name(chain.call(offer_snapshot=request).result)
    return answer.removeprefix("OFFER_SNAPSHOT_RESULT_")


def apply(chain: Chain, index: int, chunk: bytes) -> tuple[str, list[int], list[str]]:
    """Answer to a chunk from peer "mallory"."""
    request = abci_pb2.RequestApplySnapshotChunk(index=index, chunk=chunk, sender="mallory")
    answer = chain.call(apply_snapshot_chunk=request)
    name = APPLY.Name(answer.result).removeprefix("APPLY_SNAPSHOT_CHUNK_RESULT_")
    return name, list(answer.refetch_chunks), list(answer.reject_senders)


def info(chain: Chain) -> tuple[int, bytes, int]:
    """Height, app hash and app version."""
    answer = chain.call(info=abci_pb2.RequestInfo())
    return answer.last_block_height, answer.last_block_app_hash, answer.app_version


def app_hash_at(chain: Chain, height: int) -> bytes:
    """App hash after a block that is still kept."""
    return chain.store.at(height).app_hash


def test_a_joiner_becomes_the_source(source: Chain, joiner: Chain) -> None:
    """State, derived keys and version, before and after a restart; and the same hashes in every later block."""
    newest, older = listed(source)
    assert (newest.height, older.height, newest.format) == (8, 4, 1)
    assert offer(joiner, newest, source.app_hash) == "ACCEPT"
    for index in range(newest.chunks):
        assert apply(joiner, index, load(source, 8, index)) == ("ACCEPT", [], [])
    assert info(joiner) == (8, source.app_hash, 1) == info(source)
    assert dict(joiner.store.iterate(b"")) == dict(source.store.iterate(b""))
    assert any(True for _ in joiner.store.iterate(b"~"))
    joiner.height = source.height
    joiner.restart()
    assert info(joiner) == (8, source.app_hash, 1)
    for number in range(3):
        raws = traffic(source, number)
        assert all(joiner.check(raw).ok for raw in raws)
        source.block(*raws)
        joiner.block(*raws)
        assert joiner.app_hash == source.app_hash
        assert dict(joiner.store.iterate(b"")) == dict(source.store.iterate(b""))


def test_snapshots_are_the_same_on_every_node(source: Chain, tmp_path: Path) -> None:
    """A node that was restored and one that replayed write the same bytes as the first."""
    replayed = Chain.start(tmp_path / "replayed", keeping=Keeping(snapshot_interval=INTERVAL))
    for raws in source.blocks:
        replayed.decide(*raws)
        replayed.application.wait_for_snapshot()
    assert listed(replayed) == listed(source)
    restored = Chain(tmp_path / "restored", genesis(), keeping=Keeping(snapshot_interval=INTERVAL))
    restored.open()
    (older,) = [each for each in listed(source) if each.height == INTERVAL]
    assert offer(restored, older, app_hash_at(source, INTERVAL)) == "ACCEPT"
    assert apply(restored, 0, load(source, INTERVAL, 0))[0] == "ACCEPT"
    restored.height = INTERVAL
    for raws in source.blocks[INTERVAL:]:
        restored.decide(*raws)
    restored.application.wait_for_snapshot()
    assert listed(restored) == listed(source)[:1]
    assert load(restored, 8, 0) == load(source, 8, 0)
    for chain in (replayed, restored):
        chain.close()


def sealed(snapshot: abci_pb2.Snapshot, **changed: object) -> abci_pb2.Snapshot:
    """The snapshot with other metadata, whose hash fits them again."""
    metadata = state_pb2.SnapshotMetadata.FromString(snapshot.metadata)
    for name, value in changed.items():
        setattr(metadata, name, value)
    raw = metadata.SerializeToString(deterministic=True)
    return abci_pb2.Snapshot(
        height=metadata.height,
        format=1,
        chunks=len(metadata.chunk_hashes),
        hash=snapshots.digest(raw),
        metadata=raw,
    )


def test_offers_are_judged_before_anything_is_fetched(source: Chain, joiner: Chain) -> None:
    """Each flaw has its answer; the honest snapshot is accepted after all of them."""
    honest = listed(source)[0]

    def changed(**fields: object) -> abci_pb2.Snapshot:
        other = abci_pb2.Snapshot()
        other.CopyFrom(honest)
        for name, value in fields.items():
            setattr(other, name, value)
        return other

    for flawed, answer in (
        (changed(format=2), "REJECT_FORMAT"),
        (changed(height=9), "REJECT_SENDER"),
        (changed(chunks=2), "REJECT_SENDER"),
        (changed(hash=bytes(32)), "REJECT_SENDER"),
        (changed(metadata=b""), "REJECT_SENDER"),
        (changed(metadata=bytes(300_000)), "REJECT_SENDER"),
        (changed(metadata=honest.metadata + b"\x00"), "REJECT_SENDER"),
        (sealed(honest, height=0), "REJECT_SENDER"),
        (sealed(honest, chain_id="other"), "REJECT"),
        (sealed(honest, app_version=2), "REJECT"),
    ):
        assert offer(joiner, flawed, source.app_hash) == answer
    assert offer(joiner, honest, b"short") == "REJECT"
    assert apply(joiner, 0, b"") == ("ABORT", [], [])
    assert offer(joiner, honest, source.app_hash) == "ACCEPT"


def test_a_bad_chunk_is_fetched_again_without_its_sender(source: Chain, joiner: Chain) -> None:
    """The right one from another peer then goes on where it was."""
    honest = listed(source)[0]
    good = load(source, 8, 0)
    assert offer(joiner, honest, source.app_hash) == "ACCEPT"
    for bad in (b"", good[:-1], good + b"\x00", bytes([good[0] ^ 1]) + good[1:]):
        assert apply(joiner, 0, bad) == ("RETRY", [0], ["mallory"])
    assert apply(joiner, 1, good) == ("ABORT", [], [])
    assert apply(joiner, 0, good) == ("ACCEPT", [], [])
    assert apply(joiner, 1, good) == ("ABORT", [], [])


def forged(source: Chain, chunk: bytes, **changed: object) -> abci_pb2.Snapshot:
    """A snapshot in itself consistent about another content."""
    honest = listed(source)[0]
    metadata = state_pb2.SnapshotMetadata.FromString(honest.metadata)
    del metadata.chunk_hashes[:]
    metadata.chunk_hashes.append(snapshots.digest(chunk))
    honest.metadata = metadata.SerializeToString(deterministic=True)
    return sealed(honest, **changed)


def test_a_forged_state_is_refused_and_leaves_nothing(source: Chain, joiner: Chain) -> None:
    """Whatever metadata and chunks agree upon: the root decides; afterwards the true one is taken."""
    honest = listed(source)[0]
    good = load(source, 8, 0)
    entries = dict(snapshots.parse_chunk(good, b""))
    count = len(entries)
    richer = b"".join(
        chunk for chunk, _ in snapshots.cut(sorted({**entries, b"bank/x": b"1"}.items()))
    )
    for chunk, changed in (
        (richer, {"entries": count + 1}),
        (good[:-1], {}),
        (good + good, {}),
        (good, {"entries": count + 1}),
        (good, {"entries": count - 1}),
        (b"", {"entries": 0}),
    ):
        assert offer(joiner, forged(source, chunk, **changed), source.app_hash) == "ACCEPT"
        assert apply(joiner, 0, chunk) == ("REJECT_SNAPSHOT", [], [])
        assert info(joiner) == (0, b"", 1)
        assert not joiner.store.restoring_path.exists()
    assert offer(joiner, honest, bytes(32)) == "ACCEPT"
    assert apply(joiner, 0, good)[0] == "REJECT_SNAPSHOT"
    assert offer(joiner, honest, source.app_hash) == "ACCEPT"
    assert apply(joiner, 0, good)[0] == "ACCEPT"
    assert info(joiner)[0] == 8


def test_a_node_with_blocks_is_not_replaced(source: Chain, tmp_path: Path) -> None:
    """ABORT; one that has genesis only may still be."""
    busy = Chain.start(tmp_path / "busy")
    honest = listed(source)[0]
    assert offer(busy, honest, source.app_hash) == "ACCEPT"
    busy.block()
    assert offer(busy, honest, source.app_hash) == "ABORT"
    busy.close()


def test_a_crash_between_chunks_leaves_an_empty_node(source: Chain, joiner: Chain) -> None:
    """The engine begins anew."""
    assert offer(joiner, listed(source)[0], source.app_hash) == "ACCEPT"
    assert joiner.store.restoring_path.exists()
    joiner.restart()
    assert info(joiner) == (0, b"", 1)
    assert not joiner.store.restoring_path.exists()
    assert apply(joiner, 0, b"") == ("ABORT", [], [])


def test_many_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is checked on its own, and a wrong order is not taken."""
    monkeypatch.setattr(snapshots, "CHUNK_BYTES", 4000)
    source = Chain.start(tmp_path / "source", keeping=Keeping(snapshot_interval=1))
    payments = [
        message(transfer=bank_pb2.Transfer(recipient=bytes([number]) * 20, amount=1))
        for number in range(1, 201)
    ]
    source.block(
        *(source.build(ALICE, *payments[start : start + 40]) for start in range(0, 200, 40))
    )
    source.application.wait_for_snapshot()
    (snapshot,) = listed(source)
    assert snapshot.chunks > 2
    joiner = Chain(tmp_path / "joiner", genesis())
    joiner.open()
    assert offer(joiner, snapshot, source.app_hash) == "ACCEPT"
    for index in range(snapshot.chunks):
        assert apply(joiner, index, load(source, 1, index - 1 if index else 1))[0] == "RETRY"
        assert info(joiner)[0] == 0
        assert apply(joiner, index, load(source, 1, index))[0] == "ACCEPT"
    assert info(joiner) == (1, source.app_hash, 1)
    source.close()
    joiner.close()


def test_only_the_newest_are_kept_and_loaded(tmp_path: Path) -> None:
    """`snapshot_keep` of them; others have no chunks."""
    keeping = Keeping(snapshot_interval=2, snapshot_keep=3)
    chain = Chain.start(tmp_path, keeping=keeping)
    for _ in range(11):
        chain.block()
        chain.application.wait_for_snapshot()
    assert [each.height for each in listed(chain)] == [10, 8, 6]
    # Somebody fetches the oldest: it stays a while longer.
    assert load(chain, 6, 0)
    chain.block()
    chain.application.wait_for_snapshot()
    assert [each.height for each in listed(chain)] == [12, 10, 8, 6]
    assert load(chain, 4, 0) == load(chain, 10, 1) == load(chain, 7, 0) == b""
    assert load(chain, 10, 0)
    request = abci_pb2.RequestLoadSnapshotChunk(height=10, format=2, chunk=0)
    assert chain.call(load_snapshot_chunk=request).chunk == b""
    chain.close()


def test_leftovers_go_at_the_next_start(tmp_path: Path) -> None:
    """A half-written snapshot, and one above a height to which the chain was taken back."""
    chain = Chain.start(tmp_path, keeping=Keeping(snapshot_interval=2))
    for _ in range(4):
        chain.block()
        chain.application.wait_for_snapshot()
    folder = tmp_path / "snapshots"
    (folder / ".6").mkdir()
    (folder / ".6/0").write_bytes(b"half")
    chain.store.rollback()
    chain.restart()
    assert sorted(path.name for path in folder.iterdir()) == ["2"]
    chain.close()


def test_blocks_go_on_while_a_snapshot_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred thousand keys: blocks are committed between its first and its last entry, none is in it."""
    store = Store(tmp_path / "state.db")
    content = {b"load/%06d" % number: b"v" * 100 for number in range(100_000)}
    advance(store, 0, content)
    seen: list[int] = []
    first, goes_on = threading.Event(), threading.Event()

    def slowly(reader: object) -> Iterator[tuple[bytes, bytes]]:
        for number, entry in enumerate(real(reader)):  # type: ignore[arg-type]
            if number == 1000:
                first.set()
                assert goes_on.wait(60)
            seen.append(number)
            yield entry

    real = snapshots.proven
    monkeypatch.setattr(snapshots, "proven", slowly)
    folder = snapshot_files.SnapshotFolder(tmp_path / "snapshots")
    writer = snapshot_files.SnapshotWriter(store, folder, 1, 2)
    root = advance(store, 1, {b"load/000000": b"changed"})
    writer.committed(1)
    assert first.wait(60)
    for height in range(2, 12):
        advance(store, height, {b"load/%06d" % height: None, b"new/%d" % height: b"1"})
        writer.committed(height)
    assert (store.height, len(seen)) == (11, 1000)
    goes_on.set()
    writer.wait()
    assert folder.heights() == [1]
    (offered,) = folder.offered()
    expected = sorted({**content, b"load/000000": b"changed"}.items())
    chunks = [folder.chunk(1, index) for index in range(offered.chunks)]
    assert chunks == [chunk for chunk, _ in snapshots.cut(expected)]
    assert len(chunks) == 2
    assert store.at(1).app_hash == root
    store.close()


def test_a_node_ends_without_waiting_for_a_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is being written is given up and gone after the next start."""
    began = threading.Event()

    def endless(_reader: object) -> Iterator[tuple[bytes, bytes]]:
        number = 0
        while True:
            began.set()
            yield b"%09d" % number, b"v"
            number += 1

    chain = Chain.start(tmp_path, keeping=Keeping(snapshot_interval=1))
    monkeypatch.setattr(snapshots, "proven", endless)
    chain.block()
    assert began.wait(60)
    chain.close()
    monkeypatch.undo()
    chain.open()
    assert listed(chain) == []
    assert list((tmp_path / "snapshots").iterdir()) == []
    chain.close()


def test_a_disk_that_takes_no_snapshot_does_not_stop_the_chain(tmp_path: Path) -> None:
    """Blocks go on; older snapshots stay."""
    chain = Chain.start(tmp_path, keeping=Keeping(snapshot_interval=1))
    (tmp_path / "snapshots").write_bytes(b"in the way")
    chain.block()
    chain.application.wait_for_snapshot()
    chain.block()
    assert (listed(chain), chain.height) == ([], 2)
    assert chain.chain_id == CHAIN_ID
    chain.close()


def test_a_kill_while_a_snapshot_is_removed_leaves_nothing_on_offer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is torn stands under no height any more, and is gone after the next start."""
    chain = Chain.start(tmp_path, keeping=Keeping(snapshot_interval=1, snapshot_keep=2))
    for _ in range(2):
        chain.block()
        chain.application.wait_for_snapshot()
    folder = snapshot_files.SnapshotFolder(tmp_path / "snapshots")
    assert folder.heights() == [2, 1]

    class Killed(BaseException):
        """The process ends here."""

    def torn(path: Path, **_options: object) -> None:
        if path.exists():
            (path / "0").unlink()
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(snapshot_files.shutil, "rmtree", torn)
        with pytest.raises(Killed):
            folder.keep(1)
    assert folder.heights() == [2]
    assert [offered.height for offered in folder.offered()] == [2]
    chain.close()
    chain.open()
    assert sorted(path.name for path in (tmp_path / "snapshots").iterdir()) == ["2"]
    chain.close()
