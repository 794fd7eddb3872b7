"""A relay in this process over the test chain: real application, real proofs, and four parties that answer."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from connector.relay.main import Running, relay
from connector.relay.settings import load
from tests.support.chain import (
    ALICE,
    CHAIN_ID,
    Chain,
    message,
    party_account,
    party_key,
)
from tests.support.rpc_node import RpcNode
from tests.support.shop import APPLICATION, DOMAIN, ciphertext, request_messages, start_shop
from wire.eip712 import encode_plaintexts, public_decryption_digest
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb
from wire.pb.tkms.gateway.v1 import gateway_pb2_grpc
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.signing import Secp256k1Signer

VALUE = 7
SETTINGS: dict[str, Any] = {"poll_seconds": 0.02, "ttl_blocks": 40, "drain_seconds": 1.0}


@dataclass
class World:
    """A chain with an active key, a node, and where relays keep their files."""

    folder: Path
    chain: Chain
    node: RpcNode
    key_id: bytes
    records: dict[str, isc_pb2.Ciphertext] = field(default_factory=dict)

    def write_settings(self, name: str = "relay", **changes: object) -> Path:
        """Folder and settings of a relay whose payer is ALICE."""
        home = self.folder / name
        home.mkdir(exist_ok=True)
        self.write_key(home / "alice.key", ALICE)
        values: dict[str, object] = {
            "chain_id": CHAIN_ID,
            "rpc_url": self.node.url,
            "trusted_validators_hash": self.node.validators_hash.hex(),
            "payer_keys": "alice.key",
            **SETTINGS,
            **changes,
        }
        path = home / "relay.toml"
        path.write_text("".join(f"{key} = {_toml(value)}\n" for key, value in values.items()))
        return path

    def write_key(self, path: Path, signer: Secp256k1Signer) -> None:
        """Secret of an account as settings name it."""
        path.write_text(signer._key.secret.hex())
        path.chmod(0o600)

    @contextlib.asynccontextmanager
    async def relay(self, name: str = "relay", **changes: object) -> AsyncIterator[Desk]:
        """Run a relay, and connect to it."""
        path = self.write_settings(name, **changes)
        async with relay(load(path), path.parent) as running:
            address = running.served.addresses[0]
            async with grpc.aio.insecure_channel(address) as channel:
                stub = gateway_pb2_grpc.GatewayServiceStub(channel)
                height = self.chain.height
                while running.hub.height < height:
                    await running.hub.next_change.wait()
                yield Desk(running, stub, address, channel)

    def register(self, *names: str) -> None:
        """Ciphertexts that anybody may have decrypted in public."""
        for name in names:
            record, _ = ciphertext(name, self.key_id)
            self.records[name] = record
            assert self.chain.send(ALICE, *request_messages(record)[:2]).ok
            self.node.adopt()

    def handles(self, *names: str) -> list[bytes]:
        """Handles of registered ciphertexts."""
        return [self.records[name].handle for name in names]

    def submission(self, name: str, **fields: Any) -> pb.SubmitRequest:
        """Public decryption of a registered ciphertext."""
        return pb.SubmitRequest(
            public_decryption=asc_pb2.RequestPublicDecryption(
                application=APPLICATION, key_id=self.key_id, ciphertexts=[self.records[name]]
            ),
            **fields,
        )

    def tx_message(self, name: str) -> tx_pb2.Message:
        """The same as a message of a transaction."""
        return message(request_public_decryption=self.submission(name).public_decryption)

    def balance(self, signer: Secp256k1Signer) -> int:
        """Balance of an account."""
        view = self.chain.query("/account", bytes(signer.address))
        return int(state_pb2.AccountView.FromString(view).account.balance)

    def answer(self, request_id: bytes, *parties: int) -> None:
        """Parties answer a request with VALUE, each in its own block."""
        entry = self.view(request_id).entry
        result = encode_plaintexts([(item.fhe_type, VALUE) for item in entry.ciphertexts])
        handles = [item.handle for item in entry.ciphertexts]
        for party in parties or (1, 2, 3, 4):
            fulfil = asc_pb2.Fulfil(
                request_id=request_id,
                party=party,
                public_decryption=asc_pb2.PublicDecryptionResult(decrypted_result=result),
                signature=party_key(party).sign_digest(
                    public_decryption_digest(DOMAIN, handles, result)
                ),
            )
            raw = self.chain.build(party_account(party), message(fulfil=fulfil))
            self.node.put(raw)
            self.node.make_block()

    def view(self, request_id: bytes) -> state_pb2.RequestView:
        """The request in the chain's state."""
        return state_pb2.RequestView.FromString(self.chain.query("/asc/request", request_id))

    def requests(self) -> list[bytes]:
        """Ids of all requests that blocks made, in order."""
        return [
            request_id
            for _, result in self.node.results
            for request_id in result.request_ids
            if request_id
        ]


@dataclass
class Desk:
    """A relay that runs, and a client of it."""

    running: Running
    stub: Any
    address: str
    channel: grpc.aio.Channel


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, int | float) else f'"{value}"'


@contextlib.asynccontextmanager
async def world(
    folder: Path, materials: Mapping[str, bytes] | None = None, **options: Any
) -> AsyncIterator[World]:
    """A chain with an active key and a node that makes blocks; `materials` as `start_shop` has them."""
    chain, key_id = start_shop(folder, materials)
    node = RpcNode(chain, **options)
    try:
        async with node.serve():
            made = World(folder, chain, node, key_id)
            yield made
    finally:
        chain.close()
