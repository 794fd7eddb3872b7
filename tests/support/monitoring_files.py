"""The operator's monitoring files as tests read them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parents[2] / "monitoring"
_NAME = re.compile(r"\b(?:tkms|cometbft|process)_[a-z0-9_]+\b")


def rules() -> list[dict[str, Any]]:
    """All alert rules."""
    document = yaml.safe_load((FOLDER / "alerts.yml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """Panels of the dashboard, without the rows that divide them."""
    document = json.loads((FOLDER / "dashboard.json").read_text())
    return [panel for panel in document["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    """Every expression that Prometheus would evaluate for an operator."""
    found = [str(rule["expr"]) for rule in rules()]
    found += [str(target["expr"]) for panel in panels() for target in panel["targets"]]
    return found


def metric_names() -> set[str]:
    """Every metric that rules and dashboard name."""
    return {name for text in expressions() for name in _NAME.findall(text)}
