"""The relay over the real engine: arrays of calls, results of blocks, proofs and headers as CometBFT gives them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc

from client.relayed import RelayTrust
from connector.relay.main import relay
from connector.relay.settings import load
from light import PinnedValidators
from tests.connector.relay.live import live_shop
from tests.support.chain import ALICE, CHAIN_ID
from tests.support.shop import APPLICATION
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb
from wire.pb.tkms.gateway.v1 import gateway_pb2_grpc

SUBMISSIONS = 40
VALUE = 9


async def test_submissions_events_and_results_over_the_real_engine(tmp_path: Path) -> None:
    """Many at once, all in blocks; one is answered, streamed with its proof, and believed."""
    with live_shop(tmp_path / "node") as (chain, record):
        header = chain.node.call("commit", height="1")["signed_header"]
        root = bytes.fromhex(header["header"]["validators_hash"])
        (tmp_path / "alice.key").write_text(ALICE._key.secret.hex())
        (tmp_path / "alice.key").chmod(0o600)
        (tmp_path / "relay.toml").write_text(
            f'chain_id = "{CHAIN_ID}"\nrpc_url = "{chain.node.rpc}"\npayer_keys = "alice.key"\n'
            f'trusted_validators_hash = "{root.hex()}"\npoll_seconds = 0.05\n'
        )
        request = pb.SubmitRequest(
            public_decryption=asc_pb2.RequestPublicDecryption(
                application=APPLICATION, key_id=record.key_id, ciphertexts=[record]
            )
        )
        async with (
            relay(load(tmp_path / "relay.toml"), tmp_path) as running,
            grpc.aio.insecure_channel(running.served.addresses[0]) as channel,
        ):
            stub = gateway_pb2_grpc.GatewayServiceStub(channel)
            made = [
                response.submission.request_id
                for response in await asyncio.gather(
                    *[stub.Submit(request) for _ in range(SUBMISSIONS)]
                )
            ]
            for request_id in made:
                wait = pb.WaitRequestRequest(request_id=request_id, until=pb.WAIT_UNTIL_INCLUDED)
                found = (await stub.WaitRequest(wait, timeout=30)).request
                assert found.state == pb.REQUEST_STATE_PENDING
                assert found.submission.included_height
            await asyncio.to_thread(chain.answer, made[0], VALUE)
            watch = pb.WatchRequestsRequest(
                after=pb.Cursor(),
                request_ids=[made[0]],
                kinds=[pb.EVENT_KIND_DECIDED],
                include_results=True,
            )
            stream = stub.WatchRequests(watch, timeout=30)
            decided = await stream.read()
            stream.cancel()
            trust = RelayTrust(CHAIN_ID, PinnedValidators(root))
            opened = trust.public(decided.event.result, APPLICATION, [record.handle])
            assert opened.values == (VALUE,)
            info = await stub.GetChainInfo(pb.GetChainInfoRequest())
            assert info.payers[0].balance < 10**12
            assert info.validators_hash == root
