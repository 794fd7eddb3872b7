"""The alert rules fire on the fault that each is for, and none fires on a healthy operator."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.monitoring_files import FOLDER, expressions, panels, rules

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool is not installed (Debian package prometheus)"
)

ENGINE, NODE, CONNECTOR, RELAY, EXPLORER = (
    f'{{operator="a",job="tkms-{name}"}}'
    for name in ("engine", "node", "connector", "relay", "explorer")
)
EVERYBODY = (ENGINE, NODE, CONNECTOR, RELAY, EXPLORER)


def node(**labels: str) -> str:
    """Labels of a series of the node."""
    return _labels("tkms-node", labels)


def connector(**labels: str) -> str:
    """Labels of a series of the connector."""
    return _labels("tkms-connector", labels)


def _labels(job: str, labels: dict[str, str]) -> str:
    pairs = {"operator": "a", "job": job, **labels}
    return "{" + ",".join(f'{name}="{value}"' for name, value in pairs.items()) + "}"


# Every series that a rule reads, for an hour of a healthy operator: a sample each ten seconds.
HEALTHY: dict[str, str] = {
    **{f"up{labels}": "1x360" for labels in EVERYBODY},
    **{f"process_start_time_seconds{labels}": "5x360" for labels in EVERYBODY},
    **{f"process_open_fds{labels}": "20x360" for labels in EVERYBODY},
    **{f"process_max_fds{labels}": "1000x360" for labels in EVERYBODY},
    f"tkms_node_disk_free_bytes{NODE}": "500x360",
    f"tkms_node_disk_size_bytes{NODE}": "1000x360",
    f"tkms_node_snapshot_height_blocks{NODE}": "100+20x360",
    f"tkms_node_metrics_errors_total{NODE}": "0x360",
    f"tkms_connector_metrics_errors_total{CONNECTOR}": "0x360",
    f"cometbft_consensus_height{ENGINE}": "100+20x360",
    f"cometbft_blocksync_syncing{ENGINE}": "0x360",
    f"cometbft_p2p_peers{ENGINE}": "3x360",
    'cometbft_consensus_validator_last_signed_height{operator="a",job="tkms-engine",'
    'validator_address="AB"}': "99+20x360",
    f"tkms_node_height_blocks{NODE}": "100+20x360",
    f"tkms_node_validators{NODE}": "4x360",
    f"tkms_node_absent_validators{NODE}": "0x360",
    "tkms_node_evidence_total" + node(type="duplicate_vote"): "0x360",
    f"tkms_node_block_time_behind_seconds{NODE}": "1x360",
    "tkms_node_abci_method_seconds_bucket" + node(method="finalize_block", le="0.1"): "0+20x360",
    "tkms_node_abci_method_seconds_bucket" + node(method="finalize_block", le="5.0"): "0+20x360",
    "tkms_node_abci_method_seconds_bucket" + node(method="finalize_block", le="+Inf"): "0+20x360",
    f"tkms_node_oldest_open_request_age_seconds{NODE}": "2x360",
    "tkms_node_requests_decided_total"
    + node(kind="public_decryption", status="fulfilled"): "0+5x360",
    "tkms_node_requests_decided_total" + node(kind="public_decryption", status="expired"): "0x360",
    f"tkms_node_threshold_margin_parties{NODE}": "1x360",
    "tkms_node_party_missed_requests" + node(party="2"): "0x360",
    "tkms_node_result_conflicts_total" + node(party="2"): "0x360",
    "tkms_node_party_accusations_total" + node(party="2"): "0x360",
    f"tkms_connector_lag_blocks{CONNECTOR}": "1x360",
    f"tkms_connector_cursor_height_blocks{CONNECTOR}": "100+20x360",
    f"tkms_connector_oldest_open_work_age_seconds{CONNECTOR}": "0x360",
    "tkms_connector_core_errors_total" + connector(kind="unavailable"): "0x360",
    "tkms_connector_rpc_errors_total" + connector(kind="unreachable"): "0x360",
    "tkms_connector_rpc_errors_total" + connector(kind="height"): "0+2x360",
    "tkms_connector_answers_total" + connector(event="dead"): "0x360",
    f"tkms_connector_account_balance_units{CONNECTOR}": "1000000000x360",
    f"tkms_relay_chain_height_blocks{RELAY}": "100+20x360",
    f"tkms_relay_followed_height_blocks{RELAY}": "99+20x360",
    f"tkms_relay_payer_balance_low{RELAY}": "0x360",
    f"tkms_explorer_chain_height_blocks{EXPLORER}": "100+20x360",
    f"tkms_explorer_indexed_height_blocks{EXPLORER}": "99+20x360",
}

# What is different under a fault, and the alerts that it must raise at minute 30.
Fault = tuple[dict[str, str], set[str]]
FAULTS: dict[str, Fault] = {
    "node down": (
        {f"up{NODE}": "1x60 0x300", f"tkms_node_height_blocks{NODE}": "100+20x60 _x300"},
        {"TkmsProcessDown"},
    ),
    "node restarts": (
        {f"process_start_time_seconds{NODE}": "5x120 6x10 7x10 8x10 9x10 10x200"},
        {"TkmsProcessRestarts"},
    ),
    "descriptors": ({f"process_open_fds{CONNECTOR}": "20x60 900x300"}, {"TkmsDescriptorsLow"}),
    "disk full": ({f"tkms_node_disk_free_bytes{NODE}": "500x60 90x300"}, {"TkmsDiskLow"}),
    "no snapshots any more": (
        {f"tkms_node_snapshot_height_blocks{NODE}": "100x360"},
        {"TkmsSnapshotOld"},
    ),
    "bug in the metrics": (
        {f"tkms_node_metrics_errors_total{NODE}": "0x150 1x210"},
        {"TkmsMetricsBroken"},
    ),
    # The engine's process answers, so do its metrics and the node; only no height grows any more.
    "consensus failure": (
        {
            f"cometbft_consensus_height{ENGINE}": "100+20x60 1300x300",
            "cometbft_consensus_validator_last_signed_height"
            '{operator="a",job="tkms-engine",validator_address="AB"}': "99+20x60 1299x300",
            f"tkms_node_height_blocks{NODE}": "100+20x60 1300x300",
            f"tkms_connector_cursor_height_blocks{CONNECTOR}": "100+20x60 1300x300",
        },
        {"TkmsConsensusFailure", "TkmsHeightStalled", "TkmsConnectorStalled"},
    ),
    "node hangs": (
        {f"tkms_node_height_blocks{NODE}": "100+20x60 1300x300"},
        {"TkmsHeightStalled"},
    ),
    "alone": ({f"cometbft_p2p_peers{ENGINE}": "3x60 1x300"}, {"TkmsPeersLow"}),
    "signs no more": (
        {
            "cometbft_consensus_validator_last_signed_height"
            '{operator="a",job="tkms-engine",validator_address="AB"}': "99+20x60 1299x300"
        },
        {"TkmsMissedBlocks"},
    ),
    "others sign no more": (
        {f"tkms_node_absent_validators{NODE}": "0x60 2x300"},
        {"TkmsValidatorsAbsent"},
    ),
    "double signing": (
        {"tkms_node_evidence_total" + node(type="duplicate_vote"): "0x60 1x300"},
        {"TkmsEvidence"},
    ),
    "clock fast": (
        {f"tkms_node_block_time_behind_seconds{NODE}": "1x60 40x300"},
        {"TkmsClockSkew"},
    ),
    "clock slow": (
        {f"tkms_node_block_time_behind_seconds{NODE}": "1x60 -5x300"},
        {"TkmsClockSkew"},
    ),
    "old blocks while catching up are no skew": (
        {
            f"tkms_node_block_time_behind_seconds{NODE}": "90000x360",
            f"cometbft_blocksync_syncing{ENGINE}": "1x360",
        },
        set(),
    ),
    "slow blocks": (
        {
            "tkms_node_abci_method_seconds_bucket"
            + node(method="finalize_block", le="0.1"): "0+20x60 1200x300"
        },
        {"TkmsSlowBlocks"},
    ),
    "old request": (
        {f"tkms_node_oldest_open_request_age_seconds{NODE}": "2x60 2+10x300"},
        {"TkmsOldestRequest"},
    ),
    "expired request": (
        {
            "tkms_node_requests_decided_total"
            + node(kind="public_decryption", status="expired"): "0x120 1x240"
        },
        {"TkmsRequestsExpire"},
    ),
    "no margin": (
        {f"tkms_node_threshold_margin_parties{NODE}": "1x60 0x300"},
        {"TkmsThresholdMargin"},
    ),
    "silent party": (
        {"tkms_node_party_missed_requests" + node(party="2"): "0x60 0+1x300"},
        {"TkmsPartySilent"},
    ),
    "two answers": (
        {"tkms_node_result_conflicts_total" + node(party="2"): "0x60 1x300"},
        {"TkmsResultConflict"},
    ),
    "accused": (
        {"tkms_node_party_accusations_total" + node(party="2"): "0x60 1x300"},
        {"TkmsPartyAccused"},
    ),
    "connector lags": (
        {f"tkms_connector_lag_blocks{CONNECTOR}": "1x60 1+5x300"},
        {"TkmsConnectorLag"},
    ),
    "connector stalls": (
        {f"tkms_connector_cursor_height_blocks{CONNECTOR}": "100+20x60 1300x300"},
        {"TkmsConnectorStalled"},
    ),
    "work is not taken": (
        {f"tkms_connector_oldest_open_work_age_seconds{CONNECTOR}": "0x60 0+10x300"},
        {"TkmsOldestWork"},
    ),
    "core away": (
        {"tkms_connector_core_errors_total" + connector(kind="unavailable"): "0x60 0+2x300"},
        {"TkmsCoreErrors"},
    ),
    "node unreachable": (
        {"tkms_connector_rpc_errors_total" + connector(kind="unreachable"): "0x60 0+5x300"},
        {"TkmsRpcErrors"},
    ),
    "answers given up": (
        {"tkms_connector_answers_total" + connector(event="dead"): "0x120 1x240"},
        {"TkmsAnswersDead"},
    ),
    "poor account": (
        {f"tkms_connector_account_balance_units{CONNECTOR}": "1000000000x60 10x300"},
        {"TkmsBalanceLow"},
    ),
    "relay without a node": (
        {
            f"tkms_relay_chain_height_blocks{RELAY}": "100+20x60 1300x300",
            f"tkms_relay_followed_height_blocks{RELAY}": "99+20x60 1299x300",
        },
        {"TkmsRelayNodeAway"},
    ),
    "relay lags": (
        {f"tkms_relay_followed_height_blocks{RELAY}": "99+20x60 1299x300"},
        {"TkmsRelayLag"},
    ),
    "poor relay": ({f"tkms_relay_payer_balance_low{RELAY}": "0x60 1x300"}, {"TkmsRelayBalanceLow"}),
    "explorer is behind": (
        {f"tkms_explorer_indexed_height_blocks{EXPLORER}": "99+20x60 1299x300"},
        {"TkmsExplorerBehind"},
    ),
}


def case(fault: dict[str, str], alerts: set[str]) -> dict[str, Any]:
    """A test of promtool: which alerts fire after half an hour."""
    assert fault.keys() <= HEALTHY.keys(), fault.keys() - HEALTHY.keys()
    return {
        "interval": "10s",
        "input_series": [
            {"series": name, "values": values} for name, values in {**HEALTHY, **fault}.items()
        ],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": "30m",
                "exp_samples": [
                    {"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(alerts)
                ],
            }
        ],
    }


def test_every_alert_has_a_fault() -> None:
    """No rule without a test, and none without words and severity."""
    assert {name for _, alerts in FAULTS.values() for name in alerts} == {
        rule["alert"] for rule in rules()
    }
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"].keys() == {"summary", "action"}


@needs_promtool
def test_rules_fire_on_their_faults_only(tmp_path: Path) -> None:
    """Each fault raises its alerts and no other; a healthy operator raises none."""
    assert PROMTOOL is not None
    subprocess.run([PROMTOOL, "check", "rules", FOLDER / "alerts.yml"], check=True)
    subprocess.run([PROMTOOL, "check", "config", FOLDER / "prometheus.yml"], check=True)
    cases = [case({}, set())] + [case(*fault) for fault in FAULTS.values()]
    document = {
        "rule_files": [str(FOLDER / "alerts.yml")],
        "evaluation_interval": "10s",
        "tests": cases,
    }
    path = tmp_path / "alerts.test.json"
    path.write_text(json.dumps(document))
    done = subprocess.run(
        [PROMTOOL, "test", "rules", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_expressions_of_the_dashboard_parse(tmp_path: Path) -> None:
    """Every panel's expression is valid, with Grafana's variable put in."""
    assert PROMTOOL is not None
    document = {
        "groups": [
            {
                "name": "dashboard",
                "rules": [
                    {"record": f"panel:{index}", "expr": text.replace("$operator", ".*")}
                    for index, text in enumerate(expressions())
                ],
            }
        ]
    }
    path = tmp_path / "dashboard.json"
    path.write_text(json.dumps(document))
    subprocess.run([PROMTOOL, "check", "rules", path], check=True)


def test_dashboard_has_its_parts() -> None:
    """A row for each part; ids differ, panels do not overlap."""
    document = json.loads((FOLDER / "dashboard.json").read_text())
    rows = [panel["title"] for panel in document["panels"] if panel["type"] == "row"]
    assert rows == ["Node", "Chain", "Requests", "Connector", "Relay", "Explorer"]
    ids = [panel["id"] for panel in document["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        grid = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(grid["x"], grid["x"] + grid["w"])
            for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert not taken & cells, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
