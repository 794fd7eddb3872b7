"""The client believes only what a header under its pinned validators proves."""

import base64
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from client.chain import Chain as ClientChain
from client.errors import (
    RejectedByChain,
    Timeout,
    Unreachable,
    VerificationFailed,
)
from client.rpc import ChainRpc
from light import PinnedValidators
from tests.support.chain import ALICE, BOB, STRANGER, Chain, message
from tests.support.rpc_node import RpcNode
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.reasons import Reason
from wire.signing import Secp256k1Signer

EPOCH = b"config/epoch/" + (1).to_bytes(8, "big")


@contextlib.asynccontextmanager
async def network(folder: Path, **options: Any) -> AsyncIterator[tuple[RpcNode, ChainRpc]]:
    """A node that makes blocks, and its RPC."""
    chain = Chain.start(folder)
    node = RpcNode(chain, **options)
    node.make_block()
    async with node.serve(), ChainRpc(node.url) as rpc:
        yield node, rpc
    chain.close()


def transfer(amount: int) -> Any:
    """A transfer to BOB."""
    return message(transfer=bank_pb2.Transfer(recipient=bytes(BOB.address), amount=amount))


async def test_values_and_absence_are_proven(tmp_path: Path) -> None:
    """A stored record comes with its value, an unknown key with a proof of absence."""
    async with network(tmp_path) as (node, rpc):
        chain = await ClientChain.connect(rpc, validators_hash=node.validators_hash)
        epoch, nothing = await chain.proven_values([EPOCH, b"asc/log/" + bytes(8)])
        assert epoch.value is not None
        assert config_pb2.Epoch.FromString(epoch.value).id == 1
        assert nothing.value is None
        assert epoch.header.height == epoch.height + 1 == nothing.height + 1


async def test_altered_value_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that changes a value, or hides one, is caught."""
    async with network(tmp_path) as (node, rpc):
        chain = await ClientChain.connect(rpc, validators_hash=node.validators_hash)
        honest = node._on_abci_query

        for lie in (b"other", b""):

            def lying(*, value: bytes = lie, **question: Any) -> dict[str, Any]:
                answer = honest(**question)
                answer["response"]["value"] = base64.b64encode(value).decode()
                return answer

            monkeypatch.setattr(node, "_on_abci_query", lying)
            with pytest.raises(VerificationFailed):
                await chain.proven_value(EPOCH)


async def test_headers_of_other_validators_are_refused(tmp_path: Path) -> None:
    """With another pinned hash nothing of this node is believed."""
    async with network(tmp_path) as (_node, rpc):
        chain = await ClientChain.connect(rpc, validators_hash=bytes(32))
        with pytest.raises(VerificationFailed):
            await chain.proven_value(EPOCH)


async def test_forged_app_hash_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A header changed after signing does not verify."""
    async with network(tmp_path) as (node, rpc):
        chain = await ClientChain.connect(rpc, validators_hash=node.validators_hash)
        honest = node._on_commit

        def lying(height: str) -> dict[str, Any]:
            answer = honest(height)
            answer["signed_header"]["header"]["app_hash"] = "00" * 32
            return answer

        monkeypatch.setattr(node, "_on_commit", lying)
        with pytest.raises(VerificationFailed):
            await chain.proven_value(EPOCH)


async def test_first_use_pins_and_later_uses_obey(tmp_path: Path) -> None:
    """The pin file is written once; a node of another chain is refused by it."""
    (tmp_path / "chain").mkdir()
    async with network(tmp_path / "chain") as (node, rpc):
        pin = tmp_path / "pins" / "trusted.json"
        chain = await ClientChain.connect(rpc, pin=pin)
        assert chain.headers.root == PinnedValidators(node.validators_hash)
        written = pin.read_text()
        again = await ClientChain.connect(rpc, pin=pin)
        assert again.headers.root == PinnedValidators(node.validators_hash)
        assert pin.read_text() == written
        pin.write_text(written.replace(node.chain.chain_id, "another"))
        with pytest.raises(VerificationFailed):
            await ClientChain.connect(rpc, pin=pin)
        with pytest.raises(VerificationFailed):
            await ClientChain.connect(rpc, pin=tmp_path / "new.json", chain_id="another")
        with pytest.raises(VerificationFailed):
            await ClientChain.connect(rpc)


async def test_transfer_is_sent_found_and_sent_again_harmlessly(tmp_path: Path) -> None:
    """A transaction is included once; offering the same bytes again is no failure."""
    async with network(tmp_path) as (node, rpc):
        chain = await ClientChain.connect(rpc, validators_hash=node.validators_hash)
        before = node.chain.balance(BOB)
        submitted = await chain.submit([transfer(25)], ALICE, ttl_blocks=90)
        await chain.send(submitted)
        outcome = await chain.wait(submitted, 20)
        await chain.send(submitted)
        assert outcome.height <= node.chain.height
        assert node.chain.balance(BOB) == before + 25


async def test_lost_transaction_is_offered_again_while_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mempool forgets; waiting brings the same bytes back."""
    monkeypatch.setattr("client.chain._REBROADCAST_S", 0.1)
    async with network(tmp_path, lose_every=1) as (node, rpc):
        chain = await ClientChain.connect(rpc, validators_hash=node.validators_hash)
        submitted = await chain.submit([transfer(1)], ALICE, ttl_blocks=90)
        assert node.lost == 1
        node.keep_all()
        assert (await chain.wait(submitted, 20)).hash == submitted.hash


async def test_refusal_carries_the_chains_reason(tmp_path: Path) -> None:
    """An account without funds learns so from the simulation; nothing is sent."""
    async with network(tmp_path) as (node, rpc):
        chain = await ClientChain.connect(rpc, validators_hash=node.validators_hash)
        with pytest.raises(RejectedByChain) as refusal:
            await chain.submit([transfer(1)], STRANGER, ttl_blocks=90)
        assert refusal.value.reason == Reason.INSUFFICIENT_FUNDS
        assert node.results == []


async def test_execution_failure_is_a_refusal(tmp_path: Path) -> None:
    """A code in the block's result is the chain's refusal, with reason and hash."""
    async with network(tmp_path, block_seconds=3600) as (node, rpc):
        chain = await ClientChain.connect(rpc, validators_hash=node.validators_hash)
        submitted = await chain.submit([transfer(1)], ALICE, ttl_blocks=90)
        node.make_block()
        result = node._on_tx(base64.b64encode(submitted.hash).decode())["tx_result"]
        result["code"] = int(Reason.INSUFFICIENT_FUNDS)
        with pytest.raises(RejectedByChain) as refusal:
            await chain.wait(submitted, 5)
        assert refusal.value.reason == Reason.INSUFFICIENT_FUNDS
        assert refusal.value.transaction_hash == submitted.hash


async def test_waiting_ends_with_the_hash(tmp_path: Path) -> None:
    """A transaction that no block takes is a Timeout that names it."""
    async with network(tmp_path, block_seconds=3600) as (node, rpc):
        chain = await ClientChain.connect(rpc, validators_hash=node.validators_hash)
        submitted = await chain.submit([transfer(1)], ALICE, ttl_blocks=90)
        with pytest.raises(Timeout) as late:
            await chain.wait(submitted, 0.3)
        assert late.value.transaction_hash == submitted.hash


async def test_silence_is_unreachable() -> None:
    """A closed port is Unreachable, not a stack trace."""
    async with ChainRpc("http://127.0.0.1:1") as rpc:
        with pytest.raises(Unreachable):
            await rpc.status()


def test_secrets_stay_out_of_signers() -> None:
    """A signer shows its address only."""
    assert "01" * 8 not in repr(Secp256k1Signer(b"\1" * 32))
