"""genesis.json as a document: the engine's part around the application's state."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.errors import ConfigError
from cli.home.card import OperatorCard

POWER = 10
KEY_TYPE = "tendermint/PubKeyEd25519"


@dataclass(frozen=True, slots=True)
class ConsensusChoices:
    """Consensus parameters at height 0; later only the chain changes them."""

    # Above mempool.max_txs_bytes, so that a proposer sees all that waits; how large blocks become is decided by
    # Parameters.max_block_bytes. The default of 53 MiB would let one block stall every node for minutes.
    max_bytes: int = 5 * 1024 * 1024
    evidence_max_age_blocks: int = 100_000
    # The trusting period of every light client: evidence is useful as long as they believe.
    evidence_max_age_s: int = 14 * 24 * 3600
    app_version: int = 1


def new(
    chain_id: str,
    genesis_time: str,
    app_state: Mapping[str, object],
    consensus: ConsensusChoices = ConsensusChoices(),
) -> dict[str, Any]:
    """Return genesis.json without validators."""
    return {
        "genesis_time": genesis_time,
        "chain_id": chain_id,
        "initial_height": "1",
        "consensus_params": {
            "block": {"max_bytes": str(consensus.max_bytes), "max_gas": "-1"},
            "evidence": {
                "max_age_num_blocks": str(consensus.evidence_max_age_blocks),
                "max_age_duration": str(consensus.evidence_max_age_s * 10**9),
                "max_bytes": "1048576",
            },
            "validator": {"pub_key_types": ["ed25519"]},
            "version": {"app": str(consensus.app_version)},
            "abci": {"vote_extensions_enable_height": "0"},
        },
        "validators": [],
        "app_hash": "",
        "app_state": app_state,
    }


def validator(card: OperatorCard, power: int = POWER) -> dict[str, object]:
    """Return a validator as genesis.json lists it."""
    return {
        "address": card.validator_address,
        "pub_key": {
            "type": KEY_TYPE,
            "value": base64.b64encode(card.validator_key).decode(),
        },
        "power": str(power),
        "name": card.moniker,
    }


def validators_hash(validators: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the hash of the first validator set: the root of trust of every light client."""
    import tkms_kernel  # noqa: PLC0415 - only where a network is made

    ordered = sorted(validators, key=lambda entry: (-int(entry["power"]), entry["address"]))
    document = [
        {
            "address": entry["address"],
            "pub_key": entry["pub_key"],
            "voting_power": str(entry["power"]),
            "proposer_priority": "0",
        }
        for entry in ordered
    ]
    return bytes(tkms_kernel.validators_hash(json.dumps(document).encode()))


def load(path: Path) -> dict[str, Any]:
    """Read genesis.json.

    Raises:
        ConfigError: unreadable, or no JSON object.
    """
    try:
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path} is not there",
            reason="NO_GENESIS",
            hint="get it from who starts the network: tkms genesis install FILE --home DIR",
        ) from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is not readable: {error}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path} holds no JSON object")
    return document


def text(document: Mapping[str, object]) -> str:
    """Return the bytes that every operator must have alike."""
    return json.dumps(document, indent=1) + "\n"
