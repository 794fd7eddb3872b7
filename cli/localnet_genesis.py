"""State at height 0 of a local network: parties, prices, parameters, roles, accounts, application."""

from dataclasses import dataclass

from google.protobuf import json_format

from cli.localnet_plan import APPLICATION, Plan
from cli.localnet_topology import Topology
from wire.ids import Address
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.tx import ANSWER_KINDS, MESSAGE_KINDS, REQUEST_KINDS

_PEER_HOST = "127.0.0.1"
_PRICE_OF_A_REQUEST = 1000
_PRICE_OF_A_MESSAGE = 10


@dataclass(frozen=True, slots=True)
class PartyIdentity:
    """Public side of an operator's keys."""

    account: Address
    verification_key: bytes
    certificate_der: bytes


def epoch(plan: Plan, identities: list[PartyIdentity]) -> config_pb2.Epoch:
    """Return epoch 1: thresholds t + 1, 2t + 1 and n - t."""
    parties, threshold = len(identities), plan.threshold
    return config_pb2.Epoch(
        id=1,
        threshold=threshold,
        thresholds=config_pb2.Thresholds(
            public_decryption=threshold + 1,
            user_decryption=2 * threshold + 1,
            generation=parties - threshold,
        ),
        parties=[
            config_pb2.Party(
                index=operator.index,
                name=operator.name,
                account=bytes(identity.account),
                verification_key=identity.verification_key,
                tls_certificate=identity.certificate_der,
                peer_address=f"{_PEER_HOST}:{operator.peer_port}",
                storage_label=f"PUB-p{operator.index}",
            )
            for operator, identity in zip(plan.operators, identities, strict=True)
        ],
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
    return config_pb2.Prices(transaction_base=1, transaction_per_byte=0, messages=entries)


def parameters(plan: Plan, topology: Topology) -> config_pb2.Parameters:
    """Return limits of a development chain. Dealt keys are insecure and allowed only here."""
    return config_pb2.Parameters(
        max_transaction_bytes=262_144,
        max_messages=200,
        max_ttl_blocks=2000,
        max_ciphertexts_per_request=64,
        inline_limit=4096,
        max_ciphertext_bytes=64 * 1024 * 1024,
        decryption_deadline_blocks=topology.decryption_deadline_blocks,
        generation_deadline_blocks=topology.generation_deadline_blocks,
        retention_blocks=100_000,
        faucet_enabled=True,
        faucet_per_claim=10_000_000,
        faucet_per_window=100_000_000,
        faucet_window_blocks=1000,
        insecure_dealing=True,
        storage_base_url=plan.storage_url,
        parameter_sets=["production", "production-64", "test"],
    )


def genesis(
    plan: Plan,
    topology: Topology,
    identities: list[PartyIdentity],
    accounts: dict[str, Address],
    coprocessor: Address,
) -> state_pb2.Genesis:
    """Return the whole application genesis."""
    roles = [
        config_pb2.RoleChange(role=role, account=bytes(accounts[name]), granted=True)
        for role, name in (
            (config_pb2.ROLE_ADMIN, "admin"),
            (config_pb2.ROLE_REGISTRAR, "admin"),
            (config_pb2.ROLE_REGISTRAR, "demo"),
            (config_pb2.ROLE_GENERATOR, "admin"),
            (config_pb2.ROLE_GENERATOR, "demo"),
        )
    ]
    funded = [*accounts.values(), coprocessor, *(identity.account for identity in identities)]
    application = isc_pb2.Application(
        id=APPLICATION,
        kind=isc_pb2.KIND_ACL,
        owner=bytes(accounts["demo"]),
        domain=isc_pb2.Domain(
            name="Decryption", version="1", chain_id=31337, verifying_contract=b"\x5f" + bytes(19)
        ),
    )
    return state_pb2.Genesis(
        epoch=epoch(plan, identities),
        prices=prices(),
        parameters=parameters(plan, topology),
        roles=roles,
        accounts=[
            state_pb2.GenesisAccount(address=bytes(address), balance=topology.account_balance)
            for address in sorted(funded)
        ],
        applications=[application],
        delegates=[state_pb2.GenesisDelegate(application=APPLICATION, account=bytes(coprocessor))],
    )


def as_json(document: state_pb2.Genesis) -> dict[str, object]:
    """Return the JSON form that genesis.json carries as app_state."""
    return json_format.MessageToDict(document, preserving_proto_field_name=True)
