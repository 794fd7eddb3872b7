"""The public side of an operator's home: what the others need to put into the genesis.

`tkms init` writes it to HOME/operator.json; it holds no secret and may be sent to anybody.
"""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.errors import ConfigError
from wire.ids import Address

FILE_NAME = "operator.json"
_ED25519_BYTES, _COMPRESSED_BYTES = 32, 33


@dataclass(frozen=True, slots=True)
class PartyCard:
    """Public side of a core and its connector."""

    index: int
    account: Address
    verification_key: bytes
    certificate_der: bytes
    peer_address: str


@dataclass(frozen=True, slots=True)
class OperatorCard:
    """Public side of a home; `party` is None where it holds no core."""

    moniker: str
    chain_id: str
    node_id: str
    # host:port that peers dial; empty where nobody is meant to.
    p2p_address: str
    validator_address: str
    validator_key: bytes
    party: PartyCard | None = None

    def document(self) -> dict[str, Any]:
        """Return what operator.json holds."""
        found: dict[str, Any] = {
            "moniker": self.moniker,
            "chain_id": self.chain_id,
            "node_id": self.node_id,
            "p2p_address": self.p2p_address,
            "validator_address": self.validator_address,
            "validator_key": base64.b64encode(self.validator_key).decode(),
        }
        if self.party is not None:
            found["party"] = {
                "index": self.party.index,
                "account": self.party.account.checksum,
                "verification_key": self.party.verification_key.hex(),
                "certificate": base64.b64encode(self.party.certificate_der).decode(),
                "peer_address": self.party.peer_address,
            }
        return found

    def save(self, home: Path) -> None:
        """Write operator.json."""
        target = home / FILE_NAME
        target.write_text(json.dumps(self.document(), indent=1) + "\n", encoding="utf-8")

    @property
    def peer(self) -> str:
        """Return how others name this node in persistent_peers."""
        return f"{self.node_id}@{self.p2p_address}"


def load(path: Path) -> OperatorCard:
    """Read a card.

    Raises:
        ConfigError: unreadable, or a field is missing or of the wrong kind.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
        card = OperatorCard(
            moniker=str(found["moniker"]),
            chain_id=str(found["chain_id"]),
            node_id=str(found["node_id"]),
            p2p_address=str(found["p2p_address"]),
            validator_address=str(found["validator_address"]),
            validator_key=base64.b64decode(found["validator_key"], validate=True),
            party=_party(found["party"]) if "party" in found else None,
        )
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path} is no operator card: {error}", hint="`tkms init` writes HOME/operator.json"
        ) from error
    if len(card.validator_key) != _ED25519_BYTES:
        raise ConfigError(f"{path}: the validator key has not {_ED25519_BYTES} bytes")
    return card


def _party(found: dict[str, Any]) -> PartyCard:
    key = bytes.fromhex(found["verification_key"])
    if len(key) != _COMPRESSED_BYTES:
        raise ValueError(f"the verification key has not {_COMPRESSED_BYTES} bytes")
    return PartyCard(
        index=int(found["index"]),
        account=Address.parse(found["account"]),
        verification_key=key,
        certificate_der=base64.b64decode(found["certificate"], validate=True),
        peer_address=str(found["peer_address"]),
    )
