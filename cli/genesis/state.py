"""State at height 0: parties, prices, parameters, roles, accounts, application."""

from collections.abc import Sequence
from typing import Any

from google.protobuf import json_format

from cli.errors import ConfigError
from cli.home.card import PartyCard
from wire.ids import Address
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.tx import ANSWER_KINDS, MESSAGE_KINDS, REQUEST_KINDS

# n = 3t + 1, at most the 15 evaluation points of the Galois ring (and 13 = 3 * 4 + 1).
PARTY_COUNTS = (1, 4, 7, 10, 13)
_PRICE_OF_A_REQUEST = 1000
_PRICE_OF_A_MESSAGE = 10


def epoch(names: Sequence[str], parties: Sequence[PartyCard]) -> config_pb2.Epoch:
    """Return epoch 1 of these operators."""
    return epoch_of(
        [
            config_pb2.Party(
                index=party.index,
                name=name,
                account=bytes(party.account),
                verification_key=party.verification_key,
                tls_certificate=party.certificate_der,
                peer_address=party.peer_address,
                storage_label=f"PUB-p{party.index}",
            )
            for name, party in zip(names, parties, strict=True)
        ]
    )


def epoch_of(parties: Sequence[config_pb2.Party]) -> config_pb2.Epoch:
    """Return epoch 1: thresholds t + 1, 2t + 1 and n - t.

    A draft may have any number of parties; `genesis_checks` wants 3t + 1 in the end.
    """
    count = len(parties)
    threshold = max(count - 1, 0) // 3
    return config_pb2.Epoch(
        id=1,
        threshold=threshold,
        thresholds=config_pb2.Thresholds(
            public_decryption=threshold + 1,
            user_decryption=2 * threshold + 1,
            generation=count - threshold,
        ),
        parties=parties,
    )


def prices() -> config_pb2.Prices:
    """Return a price for every message kind; answers of parties and the faucet are free."""
    entries = []
    for kind in MESSAGE_KINDS:
        if kind in REQUEST_KINDS:
            base = _PRICE_OF_A_REQUEST
        else:
            base = 0 if kind in ANSWER_KINDS or kind == "faucet" else _PRICE_OF_A_MESSAGE
        entries.append(config_pb2.Price(message=kind, base=base, per_byte=0))
    return config_pb2.Prices(
        transaction_base=1, transaction_per_byte=0, messages=entries, relayer_permille=100
    )


def parameters(storage_url: str, **changed: Any) -> config_pb2.Parameters:
    """Return limits of a chain whose keys are real: no faucet, no dealt keys."""
    values: dict[str, Any] = {
        "max_transaction_bytes": 262_144,
        "max_messages": 200,
        "max_ttl_blocks": 2000,
        "max_ciphertexts_per_request": 64,
        "inline_limit": 4096,
        "max_ciphertext_bytes": 64 * 1024 * 1024,
        "decryption_deadline_blocks": 3000,
        "generation_deadline_blocks": 20000,
        "retention_blocks": 100_000,
        "storage_base_url": storage_url,
        "parameter_sets": ["production", "production-64"],
        "max_block_gas": 2_000_000,
        "max_block_bytes": 2 * 1024 * 1024,
        "safety_lane_bytes": 1024 * 1024,
        "safety_messages_per_block": 2_000,
        "max_block_gap_seconds": 60,
        "fee_payout_blocks": 1_000,
        "proposal_ttl_blocks": 100_000,
        "refresh_interval_blocks": 0,
        "epoch_change_deadline_blocks": 2_000,
    }
    return config_pb2.Parameters(**(values | changed))


def development_parameters(storage_url: str, **changed: Any) -> config_pb2.Parameters:
    """Return limits of a development chain. Dealt keys are insecure and allowed only here."""
    values: dict[str, Any] = {
        "faucet_enabled": True,
        "faucet_per_claim": 10_000_000,
        "faucet_per_window": 100_000_000,
        "faucet_window_blocks": 1000,
        "insecure_dealing": True,
        "parameter_sets": ["production", "production-64", "test"],
    }
    return parameters(storage_url, **(values | changed))


def role(which: int, account: Address) -> config_pb2.RoleChange:
    """Return a role that is held from the beginning."""
    return config_pb2.RoleChange(
        role=which,  # type: ignore[arg-type] # the enum's own numbers
        account=bytes(account),
        granted=True,
    )


def account(address: Address, balance: int) -> state_pb2.GenesisAccount:
    """Return an account with what it holds at height 0."""
    return state_pb2.GenesisAccount(address=bytes(address), balance=balance)


def demo_application(name: str, owner: Address) -> isc_pb2.Application:
    """Return an application with permission lists on this chain, as development networks have."""
    return isc_pb2.Application(
        id=name,
        kind=isc_pb2.KIND_ACL,
        owner=bytes(owner),
        domain=isc_pb2.Domain(
            name="Decryption", version="1", chain_id=31337, verifying_contract=b"\x5f" + bytes(19)
        ),
    )


def as_json(document: state_pb2.Genesis) -> dict[str, Any]:
    """Return the JSON form that genesis.json carries as app_state."""
    return json_format.MessageToDict(document, preserving_proto_field_name=True)


def parse(app_state: Any) -> state_pb2.Genesis:
    """Read app_state of a genesis.json.

    Raises:
        ConfigError: it is not the JSON form of a genesis.
    """
    try:
        return json_format.ParseDict(app_state, state_pb2.Genesis())
    except json_format.ParseError as error:
        raise ConfigError(f"app_state is not the JSON form of a genesis: {error}") from error
