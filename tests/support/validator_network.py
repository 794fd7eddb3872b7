"""Several real engines with a node each that make one chain."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.engine.home import EngineIdentity
from tests.support.validator import ValidatorNode, identity_of

Changes = Callable[[dict[str, Any]], None]


def _unchanged(_document: dict[str, Any]) -> None:
    """Leave genesis.json as it is."""


@dataclass
class ValidatorNetwork:
    """Validators with equal power, and nodes without that joined them."""

    home: Path
    nodes: list[ValidatorNode] = field(default_factory=list)
    identities: list[EngineIdentity] = field(default_factory=list)

    @classmethod
    def make(
        cls,
        home: Path,
        count: int,
        *,
        settings: Mapping[str, object] | None = None,
        config: Mapping[str, str] | None = None,
        parameters: Changes = _unchanged,
    ) -> ValidatorNetwork:
        """Make a chain; nothing is started."""
        network = cls(home)
        for _ in range(count):
            network._add(settings or {}, config or {}, parameters)
        network._publish()
        return network

    def start(self) -> None:
        """Start all nodes."""
        for node in self.nodes:
            node.start()

    def kill(self) -> None:
        """Kill all processes."""
        for node in self.nodes:
            node.kill()

    def join(
        self,
        *,
        settings: Mapping[str, object] | None = None,
        config: Mapping[str, str] | None = None,
    ) -> ValidatorNode:
        """Add a node that is no validator; it is not started."""
        validators = (self.nodes[0].home / "engine/config/genesis.json").read_text()
        self._add(settings or {}, config or {}, _unchanged)
        joined = self.nodes[-1]
        (joined.home / "engine/config/genesis.json").write_text(validators)
        joined.set_config("persistent_peers", self._addresses(len(self.nodes) - 1))
        return joined

    def _add(
        self, settings: Mapping[str, object], config: Mapping[str, str], parameters: Changes
    ) -> None:
        wanted = {
            "allow_duplicate_ip": "true",
            "pex": "false",
            "persistent_peers_max_dial_period": "1s",
            **config,
        }
        node = ValidatorNode.make(
            self.home / f"node{len(self.nodes) + 1}",
            settings=settings,
            config=wanted,
            parameters=parameters,
        )
        self.nodes.append(node)
        self.identities.append(identity_of(node.home / "engine"))

    def _publish(self) -> None:
        """Give all the same genesis and each the others' addresses."""
        document = json.loads((self.nodes[0].home / "engine/config/genesis.json").read_text())
        document["validators"] = [
            {
                "address": identity.validator_address,
                "pub_key": {
                    "type": "tendermint/PubKeyEd25519",
                    "value": base64.b64encode(identity.validator_key).decode(),
                },
                "power": "10",
                "name": "",
            }
            for identity in self.identities
        ]
        for number, node in enumerate(self.nodes):
            (node.home / "engine/config/genesis.json").write_text(json.dumps(document))
            node.set_config("persistent_peers", self._addresses(number))

    def _addresses(self, without: int) -> str:
        return ",".join(
            f"{identity.node_id}@127.0.0.1:{node.p2p_port}"
            for number, (node, identity) in enumerate(zip(self.nodes, self.identities, strict=True))
            if number != without
        )
