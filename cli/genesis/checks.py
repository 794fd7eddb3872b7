"""What must hold of a genesis document before anybody starts with it."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cli.errors import ConfigError
from cli.genesis import state as genesis_state
from cli.genesis.document import KEY_TYPE

if TYPE_CHECKING:
    from wire.pb.tkms.comet.v1 import abci_pb2

# The sum of all powers must stay below an eighth of the largest signed 64-bit number.
_LARGEST_POWER = (2**63 - 1) // 8
_LARGEST_BLOCK = 100 * 1024 * 1024


class MemoryReader:
    """A store that holds what it was given and nothing else."""

    def __init__(self, content: Mapping[bytes, bytes]) -> None:
        """Hold the content."""
        self._content = content

    def get(self, key: bytes) -> bytes | None:
        """Return a value."""
        return self._content.get(key)

    def iterate(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Return keys with this prefix in ascending order, with their values."""
        return iter(
            sorted((key, value) for key, value in self._content.items() if key.startswith(prefix))
        )


def problems(document: Mapping[str, Any]) -> list[str]:
    """Return every reason for which a node would refuse this document, or should."""
    found = _head(document) + _validators(document) + _consensus(document)
    if not found:
        # The modules' own checks need a document that is whole.
        found += _state(document)
    return found


def require(document: Mapping[str, Any], chain_id: str | None = None) -> None:
    """Raise ConfigError with the first problem; also when the chain is another one."""
    if chain_id is not None and document.get("chain_id") != chain_id:
        raise ConfigError(
            f"the genesis is of chain {document.get('chain_id')!r}, not {chain_id!r}",
            reason="WRONG_CHAIN",
        )
    found = problems(document)
    if found:
        raise ConfigError(
            f"the genesis is not usable: {found[0]}",
            reason="BAD_GENESIS",
            hint="tkms genesis validate FILE lists everything",
            details={"problems": found},
        )


def _head(document: Mapping[str, Any]) -> list[str]:
    found = []
    chain_id = document.get("chain_id")
    if not isinstance(chain_id, str) or not 0 < len(chain_id) <= 50:
        found.append("chain_id has 1 to 50 characters")
    if not isinstance(document.get("genesis_time"), str):
        found.append("genesis_time is missing")
    if document.get("app_hash") != "":
        found.append("app_hash must be empty: the application computes it")
    if not isinstance(document.get("app_state"), dict):
        found.append("app_state is missing")
    return found


def _validators(document: Mapping[str, Any]) -> list[str]:
    validators = document.get("validators")
    if not isinstance(validators, list) or not validators:
        return ["there is no validator: tkms genesis add-operator or add-validator"]
    found = []
    seen: set[str] = set()
    total = 0
    for entry in validators:
        try:
            name, key = str(entry["name"]), entry["pub_key"]
            power = int(entry["power"])
            total += power
            if key["type"] != KEY_TYPE:
                found.append(f"validator {name}: {key['type']} is not {KEY_TYPE}")
            if power < 1:
                found.append(f"validator {name}: power {power} is not positive")
            if key["value"] in seen:
                found.append(f"validator {name}: its key is there twice")
            seen.add(key["value"])
            found += _address_problem(name, entry)
        except (KeyError, TypeError, ValueError) as error:
            found.append(f"a validator is incomplete: {error!r}")
    if total > _LARGEST_POWER:
        found.append("the powers together are too large")
    return found


def _address_problem(name: str, entry: Mapping[str, Any]) -> list[str]:
    """CometBFT's address of a key is the beginning of its hash."""
    key = base64.b64decode(entry["pub_key"]["value"], validate=True)
    if len(key) != 32:
        return [f"validator {name}: a key has 32 bytes"]
    address = hashlib.sha256(key).digest()[:20].hex().upper()
    return [] if entry["address"] == address else [f"validator {name}: address and key differ"]


def _consensus(document: Mapping[str, Any]) -> list[str]:
    try:
        parameters = document["consensus_params"]
        largest = int(parameters["block"]["max_bytes"])
        types = list(parameters["validator"]["pub_key_types"])
        version = int(parameters["version"]["app"])
        extensions = int(parameters["abci"]["vote_extensions_enable_height"])
    except (KeyError, TypeError, ValueError) as error:
        return [f"consensus_params are incomplete: {error!r}"]
    found = []
    if not 0 < largest <= _LARGEST_BLOCK:
        found.append("block.max_bytes must be set: -1 is 100 MiB")
    if types != ["ed25519"]:
        found.append("validator.pub_key_types must be ed25519 alone")
    if version < 1:
        found.append("version.app starts at 1")
    if extensions != 0:
        found.append("vote extensions are not used: vote_extensions_enable_height is 0")
    return found


def _state(document: Mapping[str, Any]) -> list[str]:
    """Let every module of the application take it, in memory, as InitChain does."""
    from abci_app import engine_updates  # noqa: PLC0415 - slow import
    from abci_app.errors import GenesisError  # noqa: PLC0415
    from abci_app.genesis import genesis_height, load_genesis, parse_genesis  # noqa: PLC0415
    from abci_app.modules import MODULES  # noqa: PLC0415
    from ledger.config import state as config  # noqa: PLC0415
    from ledger.state import State  # noqa: PLC0415

    state = State(MemoryReader({}))
    try:
        request = _init_chain(document)
        genesis = parse_genesis(json.dumps(document["app_state"]).encode())
        genesis_height(genesis, request.initial_height)
        if genesis.HasField("exported"):
            load_genesis(state, MODULES, genesis, request.chain_id)
            engine_updates.check_engine_import(state, request)
        else:
            engine_updates.load_engine_genesis(state, request)
            load_genesis(state, MODULES, genesis, request.chain_id)
            engine_updates.check_engine_genesis(state)
    except (GenesisError, KeyError, ValueError) as error:
        return [f"app_state: {error}"]
    epoch = config.current_epoch(state)
    if len(epoch.parties) not in genesis_state.PARTY_COUNTS:
        return [f"app_state: {len(epoch.parties)} parties are not 3t + 1"]
    return []


def _init_chain(document: Mapping[str, Any]) -> "abci_pb2.RequestInitChain":
    """Return what the engine would tell the application of this document."""
    from google.protobuf.duration_pb2 import Duration  # noqa: PLC0415 - slow import

    from wire.pb.tkms.comet.v1 import abci_pb2  # noqa: PLC0415

    block = document["consensus_params"]["block"]
    evidence = document["consensus_params"]["evidence"]
    seconds, nanos = divmod(int(evidence["max_age_duration"]), 10**9)
    return abci_pb2.RequestInitChain(
        chain_id=document["chain_id"],
        initial_height=int(document["initial_height"]),
        consensus_params=abci_pb2.ConsensusParams(
            block=abci_pb2.BlockParams(
                max_bytes=int(block["max_bytes"]), max_gas=int(block["max_gas"])
            ),
            evidence=abci_pb2.EvidenceParams(
                max_age_num_blocks=int(evidence["max_age_num_blocks"]),
                max_age_duration=Duration(seconds=seconds, nanos=nanos),
                max_bytes=int(evidence["max_bytes"]),
            ),
        ),
        validators=[
            abci_pb2.ValidatorUpdate(
                pub_key=abci_pb2.PublicKey(
                    ed25519=base64.b64decode(entry["pub_key"]["value"], validate=True)
                ),
                power=int(entry["power"]),
            )
            for entry in document["validators"]
        ],
    )


def warnings(document: Mapping[str, Any]) -> list[str]:
    """Return what is allowed and not fit for real secrets."""
    found = []
    parameters = document.get("app_state", {}).get("parameters", {})
    if parameters.get("insecure_dealing"):
        found.append("insecure_dealing: one core may deal keys and then knows them")
    if parameters.get("faucet_enabled"):
        found.append("faucet_enabled: anybody draws units")
    if "test" in parameters.get("parameter_sets", []):
        found.append("the parameter set `test` protects nothing")
    validators = document.get("validators", [])
    powers = [int(entry.get("power", 0)) for entry in validators if isinstance(entry, dict)]
    if powers and 3 * max(powers) >= sum(powers):
        found.append("one validator has a third of the power: without it the chain stands still")
    return found
