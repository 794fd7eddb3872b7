"""What rules and dashboard name is emitted by really started processes."""

import contextlib
import json
from collections.abc import Callable

import grpc
import pytest

from tests.localnet.harness import Network, until
from tests.support.monitoring_files import metric_names
from tests.support.scrape import Scraped, fetch, scrape
from wire.pb.tkms.gateway.v1 import gateway_pb2
from wire.pb.tkms.gateway.v1.gateway_pb2_grpc import GatewayServiceStub

pytestmark = pytest.mark.localnet

# Emitted when there is something to say: a deadline of an answer that has not landed, a snapshot.
SOMETIMES = {
    "tkms_connector_nearest_deadline_blocks",
    "tkms_node_snapshot_age_seconds",
    "tkms_node_snapshot_bytes",
    "tkms_node_snapshot_duration_seconds",
    "tkms_node_snapshot_height_blocks",
}


@pytest.fixture(scope="module")
def network(start_network: Callable[..., Network]) -> Network:
    """Four honest operators, a relay and an explorer."""
    return start_network(relay=True, explorer=True)


@pytest.fixture(scope="module")
def traffic(network: Network, prepared: list[tuple[str, int]]) -> None:
    """A key, values, a decryption, a payment and a refusal; a call and a page."""
    network.tkms("decrypt", prepared[0][0], "--from", "alice")
    network.tkms("tx", "send", "bob", "1000", "--from", "alice")
    network.tkms("tx", "send", "bob", str(2**62), "--from", "alice", code=5)
    assert fetch(f"{network.plan.explorer_url}/healthz")[0] == 200
    assert fetch(f"{network.plan.explorer_url}/")[0] == 200
    with grpc.insecure_channel(network.plan.relay_address) as channel:
        GatewayServiceStub(channel).GetPrices(gateway_pb2.GetPricesRequest())


def scraped(network: Network) -> dict[str, Scraped]:
    """The processes of the first operator that serve numbers, and the two doors."""
    operator = network.plan.operators[0]
    ports = {
        "engine": operator.metrics_port,
        "node": operator.node_metrics_port,
        "connector": operator.connector_metrics_port,
        "relay": network.plan.relay_metrics_port,
        "explorer": network.plan.explorer_metrics_port,
    }
    return {name: scrape(f"http://127.0.0.1:{port}") for name, port in ports.items()}


@pytest.mark.usefixtures("traffic")
def test_named_metrics_exist(network: Network) -> None:
    """No rule and no panel waits for a number that nobody emits."""
    wanted = metric_names() - SOMETIMES
    assert len(wanted) > 50
    missing: set[str] = set()

    def nothing_is_missing() -> bool:
        nonlocal missing
        missing = wanted - {name for found in scraped(network).values() for name in found.samples}
        return not missing

    # The connector reads its database and its balance every few seconds.
    with contextlib.suppress(AssertionError):
        until(nothing_is_missing, "every named metric is emitted", 30)
    assert missing == set()


@pytest.mark.usefixtures("traffic")
def test_numbers_of_the_first_operator(network: Network) -> None:
    """All processes tell the same story."""
    found = scraped(network)
    node, connector, engine = found["node"], found["connector"], found["engine"]
    height = node.value("tkms_node_height_blocks")
    (engine_height,) = engine.samples["cometbft_consensus_height"].values()
    assert abs(height - engine_height) < 20
    assert abs(height - connector.value("tkms_connector_chain_height_blocks")) < 20
    assert node.value("tkms_node_validators") == 4
    assert node.value("tkms_node_threshold_margin_parties") == 1
    opened = node.total("tkms_node_requests_opened_total")
    assert opened >= 3
    assert connector.value("tkms_connector_submissions_total", outcome="submitted") == opened
    for party in "1234":
        answers = node.value("tkms_node_party_answers_total", party=party, kind="fulfil")
        assert answers >= 3
    assert node.value("tkms_node_metrics_errors_total") == 0
    assert connector.value("tkms_connector_metrics_errors_total") == 0
    relay, explorer = found["relay"], found["explorer"]
    assert abs(height - relay.value("tkms_relay_followed_height_blocks")) < 20
    assert abs(height - explorer.value("tkms_explorer_indexed_height_blocks")) < 20
    assert explorer.value("tkms_explorer_answers_total", part="pages", status="2xx") >= 1
    assert explorer.value("tkms_explorer_indexed_blocks_total") > 0
    assert 0 < node.value("tkms_node_block_time_behind_seconds") < 15


def test_health_of_a_network_that_stops_and_comes_back(network: Network) -> None:
    """Two engines of four away: no block, and the node says so while all its processes run."""
    operator = network.plan.operators[0]
    url = f"http://127.0.0.1:{operator.node_metrics_port}"
    assert fetch(f"{url}/healthz")[0] == fetch(f"{url}/readyz")[0] == 200
    network.tkms("localnet", "stop", "engine3", "engine4")
    until(lambda: fetch(f"{url}/healthz")[0] == 503, "the node is not healthy", 60)
    problems = json.loads(fetch(f"{url}/healthz")[1])["problems"]
    assert len(problems) == 1
    assert "has not grown" in problems[0]
    network.tkms("localnet", "start", "engine3", "engine4")
    until(lambda: fetch(f"{url}/readyz")[0] == 200, "the node is ready again", 60)
