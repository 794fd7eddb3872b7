"""Beside the real engine: its own light client and its nodes agree with ours about truth and lies."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import light
from client.chain import Chain
from client.errors import ConflictingHeaders, VerificationFailed
from client.header_store import HeaderStore
from client.headers import HeaderChain, default_policy
from client.rpc import ChainRpc
from light import AttackKind
from tests.support.chain import ALICE
from tests.support.chain import CHAIN_ID as OWN_CHAIN
from tests.support.engine_node import (
    ENGINE,
    EngineLight,
    EngineNode,
    LyingNode,
    RpcError,
    call,
    maker_with_keys,
    wait_for,
)
from tests.support.linked_chain import encoded, sign_in_round
from tests.support.validator import ValidatorNode

CHAIN = "oracle-1"
TRUSTED = 3
FORGED = 9

pytestmark = [
    pytest.mark.localnet,
    pytest.mark.skipif(not ENGINE.exists(), reason="the engine is not built"),
]


@pytest.fixture(name="node", scope="module")
def running_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineNode]:
    """A chain of one validator to which weak ones are added on the way."""
    node = EngineNode(tmp_path_factory.mktemp("engine"), CHAIN)
    try:
        node.start()
        node.await_height(FORGED + 3)
        for name in "xyz":
            joining = node.maker().validator(name, 1)
            key = joining["pub_key"]["value"]
            node.await_height(node.send(f"val=ed25519!{key}!1".encode()) + 4)
        yield node
    finally:
        node.stop()


def root(node: EngineNode) -> light.PinnedHeader:
    """Trusted height and hash, as an operator would note them."""
    signed, _ = node.light_block(TRUSTED)
    return light.PinnedHeader(TRUSTED, bytes.fromhex(signed["commit"]["block_id"]["hash"]))


def forge(node: EngineNode, number: int | None = None, **changes: Any) -> dict[str, Any]:
    """A header of height FORGED that the validator itself signed as well."""
    signed, validators = node.light_block(FORGED)
    header = {**signed["header"], **changes}
    chosen = signed["commit"]["round"] if number is None else number
    return sign_in_round(node.maker(), header, validators, chosen)


def verified(policy: light.Policy, signed: Any, validators: Any) -> light.VerifiedBlock:
    """A block that holds together."""
    block = light.LightBlock(encoded(signed), encoded(validators))
    return light.VerifiedBlock(light.verify_own(policy, block, 2**62), block)


def header_hashes(
    urls: list[str], trusted: light.PinnedHeader, heights: list[int], store: Path | None = None
) -> list[str]:
    """What our client verifies from the first node with the others as witnesses."""

    async def work() -> list[str]:
        rpcs = [ChainRpc(url) for url in urls]
        policy = default_policy(CHAIN)
        kept = None if store is None else HeaderStore.beneath(store, CHAIN, trusted)
        headers = HeaderChain(rpcs[0], policy, trusted, witnesses=rpcs[1:], store=kept)
        try:
            return [(await headers.header(height)).hash.hex().upper() for height in heights]
        finally:
            for rpc in rpcs:
                await rpc.close()

    return asyncio.run(work())


def test_both_accept_the_same_headers(node: EngineNode, tmp_path: Path) -> None:
    """Every header of the range, over three changes of the validators, below and above the root."""
    top = node.height() - 1
    heights = [top, *range(1, top)]
    sets = {
        node.call("commit", height=str(height))["signed_header"]["header"]["validators_hash"]
        for height in heights
    }
    assert len(sets) == 4
    ours = header_hashes([node.url, node.url], root(node), heights)
    engine = EngineLight(tmp_path, CHAIN, node.url, node.url)
    try:
        engine.start(TRUSTED, root(node).hash.hex())
        assert engine.serving(), engine.words()
        assert [engine.header_hash(height) for height in heights] == ours
    finally:
        engine.stop()


def test_both_refuse_a_wrong_trusted_hash(node: EngineNode, tmp_path: Path) -> None:
    """Another hash for the trusted height is no root."""
    wrong = light.PinnedHeader(TRUSTED, bytes(31) + b"\1")
    with pytest.raises(VerificationFailed, match="the trusted one is 3"):
        header_hashes([node.url], wrong, [TRUSTED + 1])
    engine = EngineLight(tmp_path, CHAIN, node.url, node.url)
    try:
        engine.start(TRUSTED, wrong.hash.hex())
        assert not engine.serving()
        assert "does not match" in engine.words() or "expected header's hash" in engine.words()
    finally:
        engine.stop()


@pytest.mark.parametrize("signed_well", [False, True])
def test_both_refuse_a_forged_header(
    node: EngineNode, tmp_path: Path, *, signed_well: bool
) -> None:
    """A wrong signature convinces nobody; a right one is caught by the honest witness."""
    liar = LyingNode(node.url)
    engine = EngineLight(tmp_path / "engine", CHAIN, liar.url, node.url)
    lie = forge(node, data_hash="AB" * 32)
    if not signed_well:
        lie = copy.deepcopy(lie)
        lie["commit"]["signatures"][0]["signature"] = base64.b64encode(bytes(64)).decode()
    liar.forged[FORGED] = lie
    try:
        expected = ConflictingHeaders if signed_well else VerificationFailed
        with pytest.raises(expected) as caught:
            header_hashes([liar.url, node.url], root(node), [FORGED], tmp_path / "store")
        engine.start(TRUSTED, root(node).hash.hex())
        assert engine.serving(), engine.words()
        with pytest.raises(RpcError):
            engine.header_hash(FORGED)
        assert engine.header_hash(FORGED - 1)
    finally:
        engine.stop()
        liar.close()
    if signed_well:
        assert isinstance(caught.value, ConflictingHeaders)
        file = caught.value.evidence_file
        assert file is not None
        document = json.loads(file.read_text())
        assert document["reported"][node.url] == "accepted"
        committed(node, document["against_primary"]["evidence"])
        assert "ATTEMPTED ATTACK DETECTED" in engine.words()


def divergence_of(node: EngineNode, later_round: int, **changes: str) -> light.Divergence:
    """The true header FORGED against another that the same validator signed."""
    policy = default_policy(CHAIN)
    signed, validators = node.light_block(FORGED)
    lie = forge(node, signed["commit"]["round"] + later_round, **changes)
    common = verified(policy, *node.light_block(TRUSTED))
    truth = verified(policy, signed, validators)
    return light.Divergence(common, verified(policy, lie, validators), (common, truth))


def refuses_tampered(node: EngineNode, attack: light.Attack) -> None:
    """A node looks at every field: the accepted evidence is accepted for what it says."""
    validators = json.loads(attack.trusted.block.validators)
    for field, wrong in (
        ("TotalVotingPower", "11"),
        ("ByzantineValidators", None if attack.byzantine else validators),
        ("CommonHeight", str(TRUSTED + 1)),
    ):
        tampered = json.loads(attack.evidence)
        tampered["value"][field] = wrong
        with pytest.raises(RpcError, match="failed to add evidence"):
            node.call("broadcast_evidence", evidence=tampered)


@pytest.mark.parametrize(
    ("kind", "field"),
    [(AttackKind.LUNATIC, "last_results_hash"), (AttackKind.EQUIVOCATION, "data_hash")],
)
def test_a_node_accepts_our_evidence(node: EngineNode, kind: AttackKind, field: str) -> None:
    """Evidence enters the pool and a block; one that accuses wrongly is refused."""
    divergence = divergence_of(node, 0, **{field: "CC" * 32})
    attack = light.accuse(divergence)
    assert attack.kind is kind
    refuses_tampered(node, attack)
    evidence = json.loads(attack.evidence)
    node.call("broadcast_evidence", evidence=evidence)
    committed(node, evidence)
    # The other direction accuses the truth, and no node of the real chain takes that.
    common, lie = divergence.common, divergence.conflicting
    reverse = light.accuse(light.Divergence(common, divergence.trusted, (common, lie)))
    with pytest.raises(RpcError, match="matches the evidence's conflicting header hash"):
        node.call("broadcast_evidence", evidence=json.loads(reverse.evidence))


def test_evidence_of_amnesia_is_accepted_and_stops_the_node(tmp_path: Path) -> None:
    """Why the client reports no amnesia: the engine takes the evidence and then refuses its own blocks.

    The list of nobody is nil in the pool and empty in the proposed block, and the engine's check tells
    the two apart. When this fails, the engine was repaired and `Witnesses` may report it.
    """
    node = EngineNode(tmp_path, CHAIN)
    try:
        node.start()
        node.await_height(FORGED + 1)
        attack = light.accuse(divergence_of(node, 1, data_hash="DD" * 32))
        assert attack.kind is AttackKind.AMNESIA
        refuses_tampered(node, attack)
        assert node.call("broadcast_evidence", evidence=json.loads(attack.evidence))["hash"]
        wait_for(
            lambda: "expected nil validators from an amnesia" in node.words(), "the refused block"
        )
    finally:
        node.stop()


def test_our_own_chain_takes_evidence_and_lives(tmp_path: Path) -> None:
    """A proven value, then a fork that the validator signed: reported, told to the application, survived."""
    node = ValidatorNode.make(tmp_path)
    node.start()
    liar = LyingNode(node.rpc)
    try:
        node.await_height(FORGED + 2)
        signed = call(node.rpc, "commit", height=str(FORGED))["signed_header"]
        validators = call(node.rpc, "validators", height=str(FORGED))["validators"]
        maker = maker_with_keys(OWN_CHAIN, [node.home / "engine"])
        header = {**signed["header"], "app_hash": "AB" * 32}
        liar.forged[FORGED] = sign_in_round(maker, header, validators, signed["commit"]["round"])
        trusted = call(node.rpc, "commit", height="3")["signed_header"]["commit"]["block_id"]
        root = light.PinnedHeader(3, bytes.fromhex(trusted["hash"]))

        async def work() -> None:
            async with ChainRpc(liar.url) as primary, ChainRpc(node.rpc) as witness:
                chain = await Chain.connect(primary, root=root, witnesses=[witness], store=tmp_path)
                proven = await chain.proven_value(b"bank/account/" + bytes(ALICE.address))
                assert proven.value is not None
                absent = await chain.proven_value(b"asc/log/" + bytes(8))
                assert absent.value is None
                # Of the store's height downwards hashes lead; a new client skips up and asks.
                other = await Chain.connect(primary, root=root, witnesses=[witness])
                with pytest.raises(ConflictingHeaders):
                    await other.headers.header(FORGED)

        asyncio.run(work())

        def carrying() -> list[int]:
            newest = int(call(node.rpc, "status")["sync_info"]["latest_block_height"])
            blocks = {
                height: call(node.rpc, "block", height=str(height))["block"]
                for height in range(FORGED, newest + 1)
            }
            return [height for height, block in blocks.items() if block["evidence"]["evidence"]]

        wait_for(lambda: bool(carrying()), "a block with the evidence")
        node.await_height(carrying()[0] + 4)
    finally:
        liar.close()
        node.kill()


def committed(node: EngineNode, evidence: dict[str, Any]) -> None:
    """Assert that a block carries evidence of the same conflicting header."""
    wanted = evidence["value"]["ConflictingBlock"]["signed_header"]["commit"]["block_id"]["hash"]
    start = max(1, node.height() - 50)
    for height in range(start, start + 100):
        node.await_height(height)
        block = node.call("block", height=str(height))["block"]
        for entry in block["evidence"]["evidence"]:
            found = entry["value"]["ConflictingBlock"]["signed_header"]["commit"]["block_id"][
                "hash"
            ]
            if found == wanted:
                return
    raise AssertionError(f"no block carries the evidence of {wanted}")
