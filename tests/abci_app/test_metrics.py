"""What a node says of itself agrees with its chain, and says why where it is not well."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from abci_app.errors import NodeError, SettingsError
from abci_app.history.retention import Keeping
from abci_app.known import KnownTransactions
from abci_app.observation.gauges import KeyCounter, SnapshotGauges, StateGauges
from abci_app.observation.health import NodeHealth
from abci_app.observation.metrics import NodeMeter
from abci_app.observation.observer import Observer
from abci_app.settings import NodeSettings, load
from asc import state as asc_state
from tests.support.chain import ADMIN, ALICE, BOB, CHAIN_ID, Chain, message
from tests.support.scrape import Scraped, fetch, read, scrape
from tests.support.traffic import PARTIES, Traffic
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.pb.tkms.comet.v1 import abci_pb2

ROOT = Path(__file__).resolve().parents[2]
UNITS = re.compile(
    r"_(total|seconds|bytes|blocks|keys|number|parties|requests|validators|snapshots)$"
)
# 0 on a chain without faults: bugs and misbehaviour, and outages.
QUIET = {
    "tkms_node_epoch_change_age_blocks",
    "tkms_node_metrics_errors_total",
    "tkms_node_outage_credit_seconds",
    "tkms_node_outages_total",
    "tkms_node_absent_validators",
    "tkms_node_evidence_total",
}


@pytest.fixture
def traffic(tmp_path: Path) -> Iterator[Traffic]:
    """A chain after sixty blocks of everything, watched."""
    traffic = Traffic.start(tmp_path, seed=3)
    StateGauges(traffic.chain.application.meter, traffic.chain.store, tmp_path / "state.db")
    traffic.run(60)
    yield traffic
    traffic.chain.close()


def numbers(traffic: Traffic) -> Scraped:
    """What a scrape would say now."""
    return read(traffic.chain.application.meter.instruments)


def recheck(traffic: Traffic) -> None:
    """A transaction that waits over a block and one that another one replaced."""
    chain = traffic.chain
    payment = bank_pb2.Transfer(recipient=bytes(BOB.address), amount=1)
    raw = chain.build(ALICE, message(transfer=payment))
    assert chain.check(raw).ok
    chain.skip(1)
    assert chain.check(raw, recheck=True).ok
    chain.decide(raw)
    assert not chain.check(raw, recheck=True).ok


def test_numbers_agree_with_the_chain(traffic: Traffic) -> None:
    """Counters against the blocks, gauges against the state."""
    chain = traffic.chain
    recheck(traffic)
    found = numbers(traffic)
    assert found.value("tkms_node_height_blocks") == chain.height
    assert found.total("tkms_node_transactions_total") == sum(map(len, chain.blocks))
    size = sum(len(raw) for block in chain.blocks for raw in block)
    assert found.value("tkms_node_transaction_bytes_total") == size
    assert found.value("tkms_node_check_tx_total", type="recheck", reason="OK") == 1
    assert found.value("tkms_node_mempool_transactions_total", event="kept") == 1
    assert found.value("tkms_node_mempool_transactions_total", event="dropped") == 1
    state = chain.state()
    assert found.total("tkms_node_open_requests") == len(list(asc_state.open_requests(state)))
    opened = found.total("tkms_node_requests_opened_total")
    assert opened == asc_state.last_sequence(state)
    closed = found.total("tkms_node_requests_closed_total")
    assert opened - closed == found.total("tkms_node_open_requests")
    assert found.total("tkms_node_requests_decided_total") >= closed
    assert found.value("tkms_node_epoch_parties") == PARTIES
    assert found.value("tkms_node_metrics_errors_total") == 0
    for name in ("execution", "tree"):
        family = {"execution": "tkms_node_block_execution_seconds"}.get(
            name, f"tkms_node_{name}_update_seconds"
        )
        assert found.value(f"{family}_count") >= chain.height
    assert found.value("tkms_node_commit_seconds_count") == chain.height


def test_everything_is_exercised_and_documented(traffic: Traffic) -> None:
    """Each number has a help text and a unit in its name, and traffic moves it."""
    chain = traffic.chain
    recheck(traffic)
    chain.query("/config")
    answer = chain.call(query=abci_pb2.RequestQuery(path="/nowhere"))
    assert answer.code
    KeyCounter(chain.application.meter.instruments, chain.store).count_once()
    found = numbers(traffic)
    names = [name for name in found.forms if name.startswith("tkms_")]
    assert len(names) > 35
    page = (ROOT / "docs" / "monitoring.md").read_text()
    for name in names:
        assert f"`{name}`" in page
        assert UNITS.search(name), name
        assert found.helps[name].endswith("."), name
    quiet = {
        name
        for name in names
        if not any(
            any(found.samples.get(sample, {}).values()) for sample in (name, f"{name}_count")
        )
    }
    assert quiet <= QUIET | {"tkms_node_validators"}
    assert found.value("tkms_node_queries_total", path="other", reason="UNKNOWN_QUERY") == 1


def test_labels_are_bounded(traffic: Traffic) -> None:
    """No id and no address: every label value is a short word, a path or a small number."""
    for name, series in numbers(traffic).samples.items():
        for labels in series:
            for key, value in labels:
                assert re.fullmatch(r"[A-Za-z_/+.\-]{1,40}|\d{1,3}(\.\d+)?|\d(e-\d+)?", value), (
                    name,
                    key,
                    value,
                )


def test_open_requests_survive_a_restart(traffic: Traffic) -> None:
    """A new process reads what is open from the state, and goes on counting."""
    chain = traffic.chain
    while not list(asc_state.open_requests(chain.state())):
        traffic.block()
    chain.restart()
    gauges = StateGauges(chain.application.meter, chain.store, chain.path / "state.db")
    assert gauges is not None
    before = numbers(traffic)
    open_now = len(list(asc_state.open_requests(chain.state())))
    assert before.total("tkms_node_open_requests") == open_now > 0
    assert before.value("tkms_node_oldest_open_request_age_seconds") == 0
    chain.skip(12)
    after = numbers(traffic)
    assert after.total("tkms_node_open_requests") == 0
    assert after.total("tkms_node_requests_closed_total") == open_now


def test_silent_party_lowers_the_margin(tmp_path: Path) -> None:
    """Four parties, three needed: the margin is one until one falls silent, and comes back with its voice."""
    traffic = Traffic.start(tmp_path, seed=1)
    chain = traffic.chain
    StateGauges(chain.application.meter, chain.store, tmp_path / "state.db")
    assert numbers(traffic).value("tkms_node_threshold_margin_parties") == 1
    answering = range(1, PARTIES)
    for _ in range(3):
        open_and_answer(traffic, answering)
    found = numbers(traffic)
    assert found.value("tkms_node_party_missed_requests", party="4") == 3
    assert found.value("tkms_node_party_missed_requests", party="1") == 0
    assert found.value("tkms_node_threshold_margin_parties") == 0
    open_and_answer(traffic, range(1, PARTIES + 1))
    assert numbers(traffic).value("tkms_node_threshold_margin_parties") == 1
    chain.close()


def test_long_requests_do_not_look_like_trouble(tmp_path: Path) -> None:
    """A change of epochs has its own age; what is aborted is nobody's silence."""
    traffic = Traffic.start(tmp_path, seed=1)
    chain = traffic.chain
    StateGauges(chain.application.meter, chain.store, tmp_path / "state.db")
    asked = message(request_preprocessing=asc_pb2.RequestPreprocessing(parameters="test"))
    made = chain.send(ADMIN, asked)
    assert made.ok, made.log
    chain.skip(3)
    assert numbers(traffic).value("tkms_node_oldest_open_request_age_seconds") == 0
    for _ in range(3):
        abort = asc_pb2.AbortGeneration(request_id=made.request_id)
        assert chain.send(ADMIN, message(abort_generation=abort)).ok
        made = chain.send(ADMIN, asked)
    assert numbers(traffic).value("tkms_node_party_missed_requests", party="1") == 0
    assert chain.send(ADMIN, message(request_refresh=asc_pb2.RequestRefresh())).ok
    assert numbers(traffic).value("tkms_node_epoch_change_age_blocks") == 1
    chain.skip(2)
    assert numbers(traffic).value("tkms_node_epoch_change_age_blocks") == 3
    chain.close()


def open_and_answer(traffic: Traffic, parties: range) -> None:
    """One request, answered at once by these parties, until it closes."""
    from tests.support.chain import party_account
    from tests.support.shop import ciphertext, request_messages
    from tests.support.traffic import answer
    from wire.pb.tkms.state.v1 import state_pb2

    chain = traffic.chain
    record, _ = ciphertext(f"margin {chain.height}", traffic.key_id)
    opened = chain.send(ALICE, *request_messages(record))
    assert opened.ok, opened.log
    view = state_pb2.RequestView.FromString(chain.query("/asc/request", opened.request_id))
    for party in parties:
        assert chain.send(party_account(party), answer(view.entry, party, 7)).ok
    chain.skip(10)


def test_votes_and_evidence(tmp_path: Path) -> None:
    """What the engine reports of validators, counted at commit and not before."""
    chain = Chain.start(tmp_path)
    meter = chain.application.meter
    votes = [
        abci_pb2.VoteInfo(block_id_flag=flag)
        for flag in (abci_pb2.BLOCK_ID_FLAG_COMMIT, abci_pb2.BLOCK_ID_FLAG_ABSENT)
    ]
    request = abci_pb2.RequestFinalizeBlock(
        height=1,
        time=Timestamp(seconds=1_700_000_005),
        decided_last_commit=abci_pb2.CommitInfo(votes=votes),
        misbehavior=[abci_pb2.Misbehavior(type=abci_pb2.MISBEHAVIOR_TYPE_DUPLICATE_VOTE)],
    )
    chain.call(finalize_block=request)
    assert read(meter.instruments).total("tkms_node_evidence_total") == 0
    chain.call(commit=abci_pb2.RequestCommit())
    found = read(meter.instruments)
    assert found.value("tkms_node_evidence_total", type="duplicate_vote") == 1
    assert found.value("tkms_node_evidence_total", type="light_client_attack") == 0
    assert found.value("tkms_node_validators") == 2
    assert found.value("tkms_node_absent_validators") == 1
    assert found.value("tkms_node_last_block_timestamp_seconds") == 1_700_000_005
    chain.close()


def test_a_broken_meter_breaks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception of the metrics is counted; the engine gets its answer."""
    chain = Chain.start(tmp_path)
    meter = chain.application.meter

    def broken(*_arguments: object) -> None:
        raise ValueError("broken")

    monkeypatch.setattr(meter.requests, "block_begins", broken)
    chain.skip(2)
    assert chain.height == 2
    assert read(meter.instruments).value("tkms_node_metrics_errors_total") == 2
    chain.close()


def test_same_hashes_with_and_without_reading(tmp_path: Path) -> None:
    """Scraping between blocks changes no app hash."""
    hashes = []
    for name in ("watched", "alone"):
        folder = tmp_path / name
        folder.mkdir()
        traffic = Traffic.start(folder, seed=5)
        if name == "watched":
            StateGauges(traffic.chain.application.meter, traffic.chain.store, folder / "state.db")
        for _ in range(15):
            traffic.block()
            if name == "watched":
                numbers(traffic)
        hashes.append(traffic.chain.app_hash)
        traffic.chain.close()
    assert hashes[0] == hashes[1]


class _Clock:
    """Wall clock and monotonic clock of a test."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0
        self.ticks = 5.0

    def pass_(self, seconds: float) -> None:
        self.now += seconds
        self.ticks += seconds


def commit(meter: NodeMeter, height: int, seconds: float) -> None:
    """A block passes the meter."""
    time = Timestamp(seconds=int(seconds))
    request = abci_pb2.RequestFinalizeBlock(height=height, time=time)
    meter.handled("finalize_block", request, abci_pb2.ResponseFinalizeBlock(), 0.01)
    meter.handled("commit", abci_pb2.RequestCommit(), abci_pb2.ResponseCommit(), 0.01)


def test_health_follows_the_height() -> None:
    """Starting, state sync, replay, running, stalled: each with its words."""
    clock = _Clock()
    meter = NodeMeter(KnownTransactions(), now=lambda: clock.now, ticks=lambda: clock.ticks)
    health = NodeHealth(meter, 30, now=lambda: clock.now, ticks=lambda: clock.ticks)
    assert (health().phase, health().problems) == ("starting", ("the engine is not there",))
    meter.handled("info", None, abci_pb2.ResponseInfo(), 0.0)
    assert health().problems == ("no block since the start",)
    accept = abci_pb2.ResponseOfferSnapshot(result=abci_pb2.OFFER_SNAPSHOT_RESULT_ACCEPT)
    meter.handled("offer_snapshot", abci_pb2.RequestOfferSnapshot(), accept, 0.0)
    assert (health().phase, health().healthy) == ("state-sync", False)
    commit(meter, 100, clock.now - 3600)
    assert (health().phase, health().healthy, health().ready) == ("replay", True, False)
    commit(meter, 101, clock.now - 1)
    assert (health().phase, health().healthy, health().ready) == ("running", True, True)
    clock.pass_(30)
    assert health().healthy
    clock.pass_(1)
    assert health().problems == ("height 101 has not grown for 31 s",)
    document = json.loads(health().document())
    assert (document["healthy"], document["ready"], document["height"]) == (False, False, 101)
    commit(meter, 102, clock.now)
    assert health().healthy


def test_observer_serves_a_real_node(tmp_path: Path) -> None:
    """Over HTTP: not healthy before the first block, healthy after it; scraped while blocks are made."""
    chain = Chain.start(tmp_path)
    settings = NodeSettings(
        CHAIN_ID, tmp_path / "app.sock", tmp_path / "state.db", metrics_listen="127.0.0.1:0"
    )
    observer = Observer(settings, chain.store, chain.application)
    observer.start()
    try:
        assert fetch(f"{observer.url}/healthz")[0] == 503
        failures: list[Exception] = []

        def look() -> None:
            try:
                for _ in range(20):
                    scrape(observer.url)
            except Exception as error:  # noqa: BLE001 - reported by the test's own thread
                failures.append(error)

        thread = Thread(target=look)
        thread.start()
        while thread.is_alive():
            chain.skip(1)
        thread.join()
        assert failures == []
        # Blocks of the test chain are of 2023: the node thinks that it is catching up.
        status, body = fetch(f"{observer.url}/healthz")
        assert (status, json.loads(body)["phase"]) == (200, "replay")
        assert fetch(f"{observer.url}/readyz")[0] == 503
        assert scrape(observer.url).value("tkms_node_height_blocks") == chain.height
    finally:
        observer.stop()
        chain.close()


def test_taken_address_is_an_error_of_the_node(tmp_path: Path) -> None:
    """The process ends with words instead of running unwatched."""
    chain = Chain.start(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = NodeSettings(
            CHAIN_ID,
            tmp_path / "app.sock",
            tmp_path / "state.db",
            metrics_listen=f"127.0.0.1:{taken.getsockname()[1]}",
        )
        with pytest.raises(NodeError, match="cannot listen"):
            Observer(settings, chain.store, chain.application)
    chain.close()


def test_snapshots_are_seen(tmp_path: Path) -> None:
    """Nothing before the first; then its height, age, size and how long it took."""
    chain = Chain.start(tmp_path, keeping=Keeping(snapshot_interval=2, snapshot_keep=1))
    application = chain.application
    instruments = application.meter.instruments
    SnapshotGauges(instruments, application.snapshots, application.snapshot_writer)
    found = read(instruments)
    assert found.value("tkms_node_snapshots") == 0
    assert "tkms_node_snapshot_height_blocks" not in found.samples
    chain.skip(2)
    application.wait_for_snapshot()
    chain.skip(2)
    application.wait_for_snapshot()
    found = read(instruments)
    assert found.value("tkms_node_snapshots") == 1
    assert found.value("tkms_node_snapshot_height_blocks") == 4
    files = (tmp_path / "snapshots" / "4").iterdir()
    assert found.value("tkms_node_snapshot_bytes") == sum(file.stat().st_size for file in files)
    assert 0 <= found.value("tkms_node_snapshot_age_seconds") < 60
    assert 0 < found.value("tkms_node_snapshot_duration_seconds") < 60
    chain.close()


def test_keys_are_counted(tmp_path: Path) -> None:
    """All keys of the state, in steps; a stop in the middle ends it."""
    chain = Chain.start(tmp_path)
    counter = KeyCounter(chain.application.meter.instruments, chain.store, pause_seconds=0)
    assert counter.count() == len(list(chain.store.iterate(b"")))
    chain.close()


@pytest.mark.parametrize("value", ['"nowhere"', "7", '"host:99999"'])
def test_wrong_address_in_settings(tmp_path: Path, value: str) -> None:
    """Refused with the name of the setting."""
    (tmp_path / "node.toml").write_text(
        f'chain_id = "c"\nproxy_socket = "unix:///tmp/x"\nmetrics_listen = {value}\n'
    )
    with pytest.raises(SettingsError, match="metrics_listen"):
        load(tmp_path)
