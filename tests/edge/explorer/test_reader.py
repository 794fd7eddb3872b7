"""The index through its reader: what the chain did is what is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.explorer.reader import BadCursor, Reader
from tests.edge.explorer.world import World, address, build_world
from tests.support.chain import ALICE, BOB


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One of everything."""
    made = build_world(tmp_path_factory.mktemp("world"))
    yield made
    made.chain.close()


@pytest.fixture(scope="module")
def reader(world: World) -> Iterator[Reader]:
    """Reader of the world."""
    made = world.reader()
    yield made
    made.close()


def test_head(world: World, reader: Reader) -> None:
    """Everything is read."""
    head = reader.head()
    assert head is not None
    assert (head.chain_id, head.height) == (world.chain.chain_id, world.chain.height)
    assert (head.requests, head.open_requests) == (6, 1)
    assert head.mean_interval_ms == 1000
    assert head.epoch_id == 1


def test_blocks_in_pages(world: World, reader: Reader) -> None:
    """All, newest first, each once, by cursors."""
    heights: list[int] = []
    cursor: str | None = None
    while True:
        page = reader.blocks(cursor, 7)
        heights += [block.height for block in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert heights == list(range(world.chain.height, 0, -1))
    for bad in ("!", "x" * 300, "WzEsMl0", "WyJhIl0", "W3RydWVd", "MQ"):
        with pytest.raises(BadCursor):
            reader.blocks(bad, 7)


def test_a_block(world: World, reader: Reader) -> None:
    """By height and by hash; who did not sign the one before."""
    block = reader.block(6)
    assert block is not None
    assert block.previous_absent == (address(2),)
    assert reader.block_by_hash(bytes.fromhex(block.summary.hash)) == block
    assert reader.block(10**9) is None
    assert len(block.transactions) == 1


def test_transactions(world: World, reader: Reader) -> None:
    """Filters, refusals with their reason, and bytes that are none."""
    failed = reader.transactions(failed=True).items
    assert {item.reason for item in failed} == {"INSUFFICIENT_FUNDS", "DECODE"}
    mine = reader.transactions(sender=bytes(BOB.address)).items
    assert {item.sender for item in mine} == {BOB.address.checksum}
    kinds = reader.transactions(kind="request_public_decryption", limit=2)
    assert len(kinds.items) == 2
    rest = reader.transactions(kind="request_public_decryption", cursor=kinds.next).items
    assert len(rest) == 2
    assert not {item.hash for item in kinds.items} & {item.hash for item in rest}
    one = reader.transaction(bytes.fromhex(kinds.items[0].hash))
    assert one is not None
    assert one.messages[0].kind == "request_public_decryption"
    assert one.messages[0].request_id == world.requests["pending"].hex()
    assert [event.type for event in one.events] == ["request_opened"]


def test_requests(world: World, reader: Reader) -> None:
    """Newest first; filters that nobody meets give nothing."""
    found = reader.requests().items
    assert [item.sequence for item in found] == [6, 5, 4, 3, 2, 1]
    assert [item.status for item in reader.requests(status="failed").items] == ["failed"]
    assert len(reader.requests(kind="public-decryption").items) == 4
    assert len(reader.requests(requester=bytes(ALICE.address)).items) == 3
    assert reader.requests(kind="nonsense").items == ()
    assert len(reader.requests(application="shop", key_id=world.key_id).items) == 4


def test_a_request(world: World, reader: Reader) -> None:
    """Timeline, answers with their lag, allowance, price and result."""
    found = reader.request(world.requests["fulfilled"])
    assert found is not None
    assert found.summary.status == "fulfilled"
    assert (found.summary.answers, found.summary.needed, found.summary.parties) == (4, 2, 4)
    assert [step.name for step in found.timeline] == [
        "opened",
        "answered",
        "answered",
        "decided",
        "answered",
        "answered",
        "closed",
    ]
    assert [answer.lag_ms for answer in found.answers] == [1000, 2000, 3000, 4000]
    assert all(answer.agreed for answer in found.answers)
    assert found.summary.latency_ms == 2000
    assert found.values == ("5",)
    assert found.allowances[0].basis == "public"
    assert found.allowances[0].given_by == ALICE.address.checksum
    assert found.paid == found.summary.price
    assert found.silent == ()
    assert found.audit_sequence is not None


def test_requests_that_went_wrong(world: World, reader: Reader) -> None:
    """Contradiction with evidence, failure with its code, and one that is open."""
    contradicted = reader.request(world.requests["contradicted"])
    assert contradicted is not None
    assert (contradicted.conflicts, contradicted.evidence) == ((3,), (1,))
    assert "evidence" in {step.name for step in contradicted.timeline}
    failed = reader.request(world.requests["failed"])
    assert failed is not None
    assert failed.failure == "ciphertext-unavailable"
    assert failed.refunded == failed.summary.price
    pending = reader.request(world.requests["pending"])
    assert pending is not None
    assert (pending.silent, pending.values, pending.audit_sequence) == ((1, 2, 3), (), None)
    assert reader.request(bytes(20)) is None


def test_material(world: World, reader: Reader) -> None:
    """Keys and reference strings with digests, addresses and signers."""
    key = reader.key(world.key_id)
    assert key is not None
    assert (key.summary.status, key.signers, key.requests) == ("active", (1, 2, 3, 4), 4)
    assert key.reference_strings == (world.crs_id.hex(),)
    assert {item.kind for item in key.files} == {"public-key", "server-key"}
    assert all(item.uris for item in key.files)
    listed = reader.keys()
    assert [item.id for item in listed] == [world.key_id.hex()]
    crs = reader.reference_string(world.crs_id)
    assert crs is not None
    assert crs.summary.max_bits == 64
    assert reader.key(world.crs_id) is None
    assert reader.preprocessings() == ()


def test_applications_and_handles(world: World, reader: Reader) -> None:
    """Settings, and who may use what."""
    assert [item.id for item in reader.applications()] == ["shop"]
    shop = reader.application("shop")
    assert shop is not None
    assert (shop.summary.handles, shop.summary.requests) == (1, 4)
    assert shop.domain_chain_id == 8006
    (handle,) = reader.handle(world.handle)
    assert (handle.public, handle.granted) == (True, (BOB.address.checksum,))
    assert reader.handles("shop").items == (handle,)
    assert len(reader.requests_of_handle(world.handle).items) == 4
    assert reader.handle(bytes(32)) == ()


def test_parties_and_validators(world: World, reader: Reader) -> None:
    """How they answered, and who signed which block."""
    parties = reader.parties()
    assert [party.name for party in parties] == [f"operator-{n}" for n in (1, 2, 3, 4)]
    first = reader.party(1)
    assert first is not None
    assert (first.answered, first.failures, first.evidence) == (5, 1, 0)
    third = reader.party(3)
    assert third is not None
    assert third.evidence == 1
    assert reader.party(9) is None
    validators = reader.validators()
    assert [item.name for item in validators] == ["validator-0", "validator-1", "validator-2", ""]
    assert validators[2].uptime.count("0") == 1
    assert validators[0].uptime == "1" * (world.chain.height - 1)


def test_config_audit_evidence_account(world: World, reader: Reader) -> None:
    """The rest."""
    (change,) = reader.config_history().items
    assert (change.kind, change.outcome) == ("quorum", "activated")
    assert change.title == '<script>alert("title")</script>'
    assert [item.sequence for item in reader.audit().items] == [5, 4, 3, 2, 1]
    assert len(reader.audit(requester=bytes(BOB.address)).items) == 1
    (proof,) = reader.evidence().items
    assert proof.party == 3
    account = reader.account(bytes(ALICE.address))
    assert account.names == ("owner of shop",)
    assert account.requests == 3
    assert reader.account(bytes(20)).first_height is None


def test_charts(world: World, reader: Reader) -> None:
    """Every chart of every range has one value a point."""
    for name in ("hour", "day", "week", "month"):
        found = reader.charts(name)
        assert [chart.name for chart in found.charts] == [
            "block-time",
            "transactions",
            "latency",
            "requests",
        ]
        for chart in found.charts:
            for series in chart.series:
                assert len(series.points) == len(chart.times)
    requests = reader.charts("hour").charts[3]
    counts = {series.name: sum(point or 0 for point in series.points) for series in requests.series}
    assert counts == {"public-decryption": 4, "key-generation": 1, "crs-generation": 1}


def test_following_goes_on(tmp_path: Path) -> None:
    """What came later is read later, once; a crash between blocks loses nothing."""
    world = build_world(tmp_path)
    assert world.follow() == 0
    with world.recorder.recording():
        world.chain.skip(3)
    assert world.follow() == 3
    reader = world.reader()
    head = reader.head()
    assert head is not None
    assert head.height == world.chain.height
    reader.close()
    world.chain.close()


def test_participation(reader: Reader) -> None:
    """Oldest first: key, reference string, then a fulfilled, contradicted, failed and pending request.

    A reported failure is no agreement; the answer of party 4 to what is pending is not another answer.
    """
    marks = [party.participation for party in reader.parties()]
    assert marks == ["11112-", "11112-", "11110-", "111-0-"]


def test_threads_that_ended_leave_nothing_open(world: World) -> None:
    """Health and numbers are read in a thread a request: their connections end with them."""

    def descriptors() -> int:
        links = list(Path("/proc/self/fd").iterdir())
        # The listing's own descriptor is closed by now.
        found = [str(link.readlink()) for link in links if link.is_symlink()]
        return sum(name.startswith(str(world.path.resolve())) for name in found)

    reader = world.reader()
    assert reader.head() is not None
    before = descriptors()
    heads = []
    for _ in range(50):
        thread = threading.Thread(target=lambda: heads.append(reader.head()))
        thread.start()
        thread.join()
    assert heads == [reader.head()] * 50
    # This thread's, and that of the last one that ended.
    assert len(reader._all) <= 2
    assert descriptors() <= before + 4
    reader.close()
    assert not reader._all
