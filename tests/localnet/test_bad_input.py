"""Bad requests, malformed and swapped ciphertexts, and lying connectors against a live network.

Whatever they send: a typed refusal, no process down, no work in any core that was not asked for.
"""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import coincurve
import grpc
import pytest
from coincurve._libsecp256k1 import ffi

from cli.localnet import life
from cli.localnet.plan import APPLICATION
from client import decrypt
from client.chain import Chain, Submitted
from client.errors import NodeError, VerificationFailed
from client.requests import watch
from client.storage import StorageClient
from tests.localnet.evidence import HEADER_LIES, OTHER_LIES, gathered
from tests.localnet.harness import Network, until
from tests.localnet.nonsense import MALFORMED, nonsense
from tests.localnet.refusals import REFUSALS, truth
from tests.localnet.world import (
    World,
    account,
    blocks,
    describe,
    ended,
    eventually,
    message,
    public_request,
    send,
    submit,
)
from wire.digests import sha256
from wire.ids import RequestId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.reasons import Reason
from wire.tx import sign_bytes

pytestmark = pytest.mark.localnet

# What the script and the nonsense are made of.
FORM = "compressed"

# Heights. A lost ciphertext is waited for until then; a block takes about a third of a second.
DEADLINE_BLOCKS = 90
OK = grpc.StatusCode.OK
REFUSED = grpc.StatusCode.FAILED_PRECONDITION
PRICE = 1000


@pytest.fixture(scope="module")
def network(start_network: Callable[..., Network]) -> Iterator[Network]:
    """Four honest operators; ended before the next module starts its own."""
    started = start_network(decryption_deadline_blocks=DEADLINE_BLOCKS)
    yield started
    life.end(started.home)
    life.remove(started.home)


@pytest.fixture(scope="module")
def world(network: Network, prepared: list[tuple[str, int]]) -> World:
    """The network with a key and values that everybody may see."""
    return World(network, prepared)


@pytest.fixture(scope="module")
def private(world: World) -> isc_pb2.Ciphertext:
    """A registered ciphertext that nobody may decrypt."""

    async def make() -> isc_pb2.Ciphertext:
        async with world.chain() as chain:
            key_id = (await world.good(chain)).key_id
            hidden = describe(b"a private value", key_id)
            vouched = isc_pb2.RegisterCiphertexts(application=APPLICATION, ciphertexts=[hidden])
            await send(chain, [message(register_ciphertexts=vouched)], world.delegate)
            return hidden

    return asyncio.run(make())


async def require_value(world: World, chain: Chain, index: int) -> None:
    """A good request gives its value, signed by enough parties."""
    ciphertext = await world.good(chain, index)
    outcome = await send(chain, [public_request(ciphertext)], world.signer("alice"))
    async for _ in watch(chain, outcome.request_ids[0]):
        pass
    result = await decrypt.public_decryption(chain, outcome.request_ids[0])
    assert result.values == (world.prepared[index][1],)


async def test_each_bad_transaction_has_its_reason(
    world: World, private: isc_pb2.Ciphertext
) -> None:
    """Refused at the door by every node, with one code each; nothing is kept and nothing is done."""
    accepted = world.accepted()
    async with world.chain() as chain, world.chain(3) as other:
        true = await truth(world, chain, private)
        before = [await account(chain, signer) for signer in (true.sender, true.other)]
        sent = {name: make(true) for name, (_, make) in REFUSALS.items()}
        for node in (chain, other):
            found = {name: await node.rpc.broadcast_sync(raw) for name, raw in sent.items()}
            codes = {name: answer.code for name, answer in found.items()}
            assert codes == {name: int(reason) for name, (reason, _) in REFUSALS.items()}
            assert all(answer.log for answer in found.values())
        await blocks(chain, 3)
        for raw in sent.values():
            assert await chain.rpc.tx(sha256(raw)) is None
        assert [await account(chain, s) for s in (true.sender, true.other)] == before
    assert world.accepted() == accepted
    world.require_all_well()


async def test_oversized(world: World, private: isc_pb2.Ciphertext) -> None:
    """The engine does not even hand it over; asked directly, the chain says why."""
    async with world.chain() as chain:
        true = await truth(world, chain, private)
        raw = true.signed(*[true.transfer()] * 10_000)
        assert len(raw) > 262_144
        with pytest.raises(NodeError, match="too large"):
            await chain.rpc.broadcast_sync(raw)
        assert (await chain.simulate(raw)).code == Reason.TOO_LARGE
    world.require_all_well()


def signed_again(world: World, raw: bytes) -> bytes:
    """The same body with another valid signature of alice."""
    transaction = tx_pb2.Tx.FromString(raw)
    key = coincurve.PrivateKey(world.secret("alice"))
    nonce = (ffi.NULL, ffi.new("unsigned char [32]", os.urandom(32)))
    digest = sign_bytes(world.chain_id, transaction.body)
    transaction.signature = key.sign_recoverable(digest, hasher=None, custom_nonce=nonce)
    return transaction.SerializeToString(deterministic=True)


async def test_replayed(world: World, private: isc_pb2.Ciphertext) -> None:
    """The same bytes, and the same body under another signature: the effect happens once."""
    async with world.chain() as chain, world.chain(2) as other:
        true = await truth(world, chain, private)
        before = await account(chain, true.other)
        raw = true.signed(true.transfer(5))
        sent = Submitted(sha256(raw), raw, (), true.height + 100)
        await chain.send(sent)
        await chain.wait(sent)
        again = signed_again(world, raw)
        assert again != raw
        for node in (chain, other):
            assert (await node.rpc.broadcast_sync(raw)).code in {0, Reason.REPLAYED}
            assert (await node.rpc.broadcast_sync(again)).code == Reason.REPLAYED
        await blocks(chain, 3)
        assert await chain.rpc.tx(sha256(again)) is None
        assert (await account(chain, true.other)).balance == before.balance + 5


async def test_unpriced(world: World, private: isc_pb2.Ciphertext) -> None:
    """Kinds without a price are refused while an administrator's table leaves them out."""
    out = {"request_crs_generation", "revoke_access"}
    async with world.chain() as chain:
        table = (await chain.config()).prices
        await set_prices(
            world,
            chain,
            config_pb2.Prices(
                transaction_base=table.transaction_base,
                messages=[price for price in table.messages if price.message not in out],
            ),
        )
        true = await truth(world, chain, private)
        unpriced = [
            message(
                revoke_access=isc_pb2.RevokeAccess(
                    application=APPLICATION, handle=private.handle, account=bytes(20)
                )
            ),
            message(
                request_crs_generation=asc_pb2.RequestCrsGeneration(
                    key_id=private.key_id, max_bits=64, dealer=True
                )
            ),
        ]
        generator = replace(true, sender=world.signer("demo"))
        for asked in unpriced:
            answer = await chain.rpc.broadcast_sync(generator.signed(asked))
            assert answer.code == Reason.UNPRICED
        await set_prices(world, chain, table)
        assert (await chain.simulate(generator.signed(unpriced[0]))).code == 0


async def set_prices(world: World, chain: Chain, table: config_pb2.Prices) -> None:
    """Propose a price table as the only administrator and wait until it is in force."""
    height = await chain.height() + 8
    change = config_pb2.ProposeChange(
        change=config_pb2.Change(prices=table), activation_height=height
    )
    await send(chain, [message(propose_change=change)], world.signer("admin"))

    async def in_force() -> bool:
        return await chain.height() >= height and (await chain.config()).prices == table

    await eventually(in_force)


async def test_failing_in_a_block(world: World, private: isc_pb2.Ciphertext) -> None:
    """A request that fails in its block costs its fee and reaches no core.

    A node's door runs the messages, so one node never lets in two that contradict each other. Two
    nodes do: each takes one of two transactions that together spend more than there is.
    """
    accepted = world.accepted()
    async with world.chain(1) as chain, world.chain(3) as other:
        true = await truth(world, chain, private)
        before = await account(chain, true.sender)
        amount = before.balance // 10 * 6
        raws = [
            true.signed(true.transfer(amount), public_request(true.ciphertext)) for _ in range(2)
        ]
        pair = [Submitted(sha256(raw), raw, (), true.height + 100) for raw in raws]
        answers = await asyncio.gather(
            *(node.rpc.broadcast_sync(raw) for node, raw in zip((chain, other), raws, strict=True))
        )
        assert [answer.code for answer in answers] == [0, 0]
        found = [await eventually(partial(chain.rpc.tx, sent.hash)) for sent in pair]
        assert sorted(result.code for result in found) == [0, Reason.INSUFFICIENT_FUNDS]
        won, lost = sorted(found, key=lambda result: result.code)
        assert lost.data == b""
        (request,) = (item for item in tx_pb2.TxData.FromString(won.data).request_ids if item)
        again = signed_again(world, lost.raw)
        assert (await chain.rpc.broadcast_sync(again)).code == Reason.REPLAYED
        await ended(chain, [request])
        fees = 2 * (1 + 10)
        after = await account(chain, true.sender)
        assert (after.balance, after.escrowed) == (before.balance - amount - fees - PRICE, 0)
        back = [
            message(transfer=bank_pb2.Transfer(recipient=true.sender.address.value, amount=amount))
        ]
        await send(chain, back, true.other)
    until(
        lambda: all(ids - accepted[party] == {request} for party, ids in world.accepted().items()),
        "every core has the request that took effect, and nothing else",
    )
    world.require_all_well()


async def test_malformed_ciphertexts(world: World) -> None:
    """Properly registered nonsense ends in a typed failure and a refund; the next request works."""
    key_pair = decrypt.new_user_key()
    async with world.chain() as chain:
        good = await world.good(chain)
        bad = nonsense(world.blob_path(good.digest).read_bytes(), good.key_id)
        for data, _, _ in bad.values():
            await world.put(data)
        listed = [ciphertext for _, ciphertext, _ in bad.values()]
        await world.register(chain, listed)
        alice = world.signer("alice")
        before = await account(chain, alice)
        asked = [public_request(ciphertext) for ciphertext in listed]
        asked += await user_requests(world, chain, listed, key_pair)
        simulated = await chain.simulate((await chain.build(asked, alice)).raw)
        outcome = await send(chain, asked, alice)
        views = await ended(chain, [bytes(request) for request in outcome.request_ids])
        public, user = views[: len(bad)], views[len(bad) :]
        for (name, (_, _, code)), view in zip(bad.items(), public, strict=True):
            shown = (name, view.status.status, view.status.failure)
            assert shown == (name, asc_pb2.STATUS_FAILED, code)
        for (name, (_, _, code)), view in zip(bad.items(), user, strict=True):
            if code == MALFORMED:
                shown = (name, view.status.status, view.status.failure)
                assert shown == (name, asc_pb2.STATUS_FAILED, code)
            else:
                # Shares of noise look like any other; only the user can see that nothing opens.
                assert view.status.status == asc_pb2.STATUS_FULFILLED, name
                await require_unreadable(world, chain, view.entry.request_id, key_pair)
        sealed = sum(view.status.status == asc_pb2.STATUS_FULFILLED for view in views)
        after = await account(chain, alice)
        assert after.escrowed == 0
        assert after.balance == before.balance - simulated.fee - sealed * PRICE
        world.require_all_well()
        await require_value(world, chain, 0)


async def user_requests(
    world: World,
    chain: Chain,
    ciphertexts: Sequence[isc_pb2.Ciphertext],
    pair: decrypt.UserKeyPair,
) -> list[tx_pb2.Message]:
    """A user decryption of each, authorised by alice."""
    raw = await chain.query("/isc/application", APPLICATION.encode())
    domain = state_pb2.ApplicationView.FromString(raw).application.domain
    where = decrypt.Application(APPLICATION, domain, world.chain_id)
    alice, last = world.signer("alice"), await chain.height() + 1000
    return [
        message(
            request_user_decryption=decrypt.user_request(
                where, [ciphertext], alice, pair.public_key, last
            )
        )
        for ciphertext in ciphertexts
    ]


async def require_unreadable(
    world: World, chain: Chain, request: bytes, pair: decrypt.UserKeyPair
) -> None:
    """The user is told that the answers hold no plaintext."""
    async with StorageClient(world.network.plan.storage_url) as storage:
        with pytest.raises(VerificationFailed, match="no plaintext"):
            await decrypt.user_decryption(chain, storage, RequestId(request), pair)


async def test_swapped_in_storage(world: World) -> None:
    """Other bytes under the same address yield no value; with the right ones back it works again."""
    async with world.chain() as chain:
        alice = world.signer("alice")
        ciphertext = await world.good(chain, 2)
        path = world.blob_path(ciphertext.digest)
        right = path.read_bytes()
        decoy = await world.good(chain, 3)
        try:
            path.write_bytes(world.blob_path(decoy.digest).read_bytes())
            before = await account(chain, alice)
            outcome = await send(chain, [public_request(ciphertext)], alice)
            (view,) = await ended(chain, [bytes(outcome.request_ids[0])], 200)
            assert view.status.status in {asc_pb2.STATUS_EXPIRED, asc_pb2.STATUS_FAILED}
            assert view.status.answered == []
            unsaid = {asc_pb2.FAILURE_CODE_UNSPECIFIED, asc_pb2.FAILURE_CODE_CIPHERTEXT_UNAVAILABLE}
            assert view.status.failure in unsaid
            after = await account(chain, alice)
            assert (after.balance, after.escrowed) == (before.balance - 1, 0)
        finally:
            path.write_bytes(right)
        await require_value(world, chain, 2)
    world.require_all_well()


async def test_lying_connector(world: World) -> None:
    """A core believes proofs only: whatever a connector changes is refused, the truth is taken."""
    life.ask(world.home, "stop", ["connector1"])
    async with world.chain(2) as chain, world.core(1) as core:
        alice = world.signer("alice")
        pair = decrypt.new_user_key()
        (asked,) = await user_requests(world, chain, [await world.good(chain)], pair)
        outcome = await send(chain, [asked], alice)
        request = bytes(outcome.request_ids[0])
        before = world.accepted()[1]
        honest = await gathered(world, chain, request)
        expected = dict.fromkeys(HEADER_LIES, "header")
        expected |= {name: refusal for name, (refusal, _) in OTHER_LIES.items()}
        lies = HEADER_LIES | {name: lie for name, (_, lie) in OTHER_LIES.items()}
        found = {name: await submit(core, lie(honest)) for name, lie in lies.items()}
        assert {name: status for name, (status, _) in found.items()} == dict.fromkeys(lies, REFUSED)
        assert {name: words.split(":")[0] for name, (_, words) in found.items()} == expected
        assert world.accepted()[1] == before
        assert await submit(core, honest) == (OK, "WORK_STATE_ACCEPTED")
        assert world.accepted()[1] == before | {request}

        async def done() -> bool:
            return await submit(core, honest) == (OK, "WORK_STATE_DONE")

        await eventually(done)
        assert world.accepted()[1] == before | {request}
        life.ask(world.home, "start", ["connector1"])
        (view,) = await ended(chain, [request])
        assert list(view.status.answered) == [1, 2, 3, 4]
    until(lambda: world.network.state("connector1")["state"] == "ready", "connector1 is back")
    world.require_all_well()
