"""Around the service: health, reflection, unix socket, several payers, a node that is away or full, drain."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from client.settings import SettingsError
from connector.relay.database import Database
from connector.relay.node import BoundedRpc, NodeRpc
from connector.relay.settings import load
from tests.connector.relay.test_service import reason
from tests.connector.relay.world import world
from tests.support.chain import ALICE, BOB
from tests.support.rpc_node import RpcError
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb
from wire.pb.tkms.gateway.v1 import gateway_pb2_grpc

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def becomes(channel: grpc.aio.Channel, service: str, status: int) -> None:
    """Wait until the health service says so."""
    call = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=service))
    async with asyncio.timeout(10):
        async for response in call:
            if response.status == status:
                break
    call.cancel()


async def test_health_follows_each_dependency(tmp_path: Path) -> None:
    """A silent node is seen in its own service and in the whole; the database stays well."""
    async with world(tmp_path) as here, here.relay() as desk:
        for service in ("", "node", "storage", "database", "tkms.gateway.v1.GatewayService"):
            await becomes(desk.channel, service, SERVING)
        here.node.silent = True
        await becomes(desk.channel, "node", NOT_SERVING)
        await becomes(desk.channel, "", NOT_SERVING)
        await becomes(desk.channel, "database", SERVING)
        here.node.silent = False
        await becomes(desk.channel, "", SERVING)


async def test_poor_payers_raise_the_alarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the alarm the payers are not well, and callers see it."""
    monkeypatch.setattr("connector.relay.watch._LOOK_S", 0.05)
    async with world(tmp_path) as here, here.relay(balance_alarm_units=10**12) as desk:
        await becomes(desk.channel, "payers", NOT_SERVING)
        info = await desk.stub.GetChainInfo(pb.GetChainInfoRequest())
        assert info.payers[0].low


async def test_silent_node_does_not_lose_submissions(tmp_path: Path) -> None:
    """Accepted while the node is away, in a block when it is back."""
    async with world(tmp_path) as here:
        here.register("a")
        async with here.relay(verdict_seconds=0.2) as desk:
            here.node.silent = True
            made = (await desk.stub.Submit(here.submission("a"))).submission
            assert made.state == pb.REQUEST_STATE_ACCEPTED
            assert not made.taken_by_node
            # The disk tells of its own submissions, nobody of others.
            own = pb.GetRequestRequest(request_id=made.request_id)
            assert (await desk.stub.GetRequest(own)).request.state == pb.REQUEST_STATE_ACCEPTED
            other = desk.stub.GetRequest(pb.GetRequestRequest(request_id=bytes(20)))
            assert await reason(other) == (grpc.StatusCode.UNAVAILABLE, "NODE_UNAVAILABLE")
            here.node.silent = False
            wait = pb.WaitRequestRequest(request_id=made.request_id, until=pb.WAIT_UNTIL_INCLUDED)
            found = await desk.stub.WaitRequest(wait)
            assert found.request.state == pb.REQUEST_STATE_PENDING


async def test_full_mempool_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that takes nothing now is offered the same bytes later; beyond the bound callers hear of it."""
    async with world(tmp_path) as here:
        here.register("a")
        take = here.node._on_broadcast_tx_sync

        def full(tx: str) -> dict[str, object]:
            raise RpcError("mempool is full: number of txs 5000 (max: 5000)")

        monkeypatch.setattr(here.node, "_on_broadcast_tx_sync", full)
        async with here.relay(max_in_flight=1, verdict_seconds=0.1) as desk:
            made = (await desk.stub.Submit(here.submission("a"))).submission
            assert not made.taken_by_node
            assert await reason(desk.stub.Submit(here.submission("a"))) == (
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "BUSY",
            )
            monkeypatch.setattr(here.node, "_on_broadcast_tx_sync", take)
            wait = pb.WaitRequestRequest(request_id=made.request_id, until=pb.WAIT_UNTIL_INCLUDED)
            assert (await desk.stub.WaitRequest(wait)).reached


async def test_several_payers_share_the_work(tmp_path: Path) -> None:
    """The fullest pays, unless the caller names one."""
    async with world(tmp_path) as here:
        here.register("a")
        home = tmp_path / "relay"
        home.mkdir()
        here.write_key(home / "bob.key", BOB)
        async with here.relay(payer_keys="alice.key bob.key") as desk:
            paid = [
                (await desk.stub.Submit(here.submission("a"))).submission.payer for _ in range(4)
            ]
            assert set(paid) == {bytes(ALICE.address), bytes(BOB.address)}
            named = here.submission("a", payer=bytes(BOB.address), nonce=bytes(16))
            made = (await desk.stub.Submit(named)).submission
            assert made.payer == bytes(BOB.address)
            # The nonce counts among all payers where none is named.
            again = await desk.stub.Submit(here.submission("a", nonce=bytes(16)))
            assert again.duplicate
            assert again.submission.request_id == made.request_id


async def test_unix_socket_is_for_its_owner(tmp_path: Path) -> None:
    """Mode 600, and the same service."""
    async with world(tmp_path) as here, here.relay(listen="unix:relay.sock") as desk:
        mode = os.stat(desk.address.removeprefix("unix:")).st_mode  # noqa: PTH116 - one small call
        assert stat.S_IMODE(mode) == 0o600
        info = await desk.stub.GetChainInfo(pb.GetChainInfoRequest())
        assert info.chain_id == here.chain.chain_id


async def test_reflection_only_where_it_is_on(tmp_path: Path) -> None:
    """A flag of the settings."""

    def services(address: str) -> set[str]:
        with grpc.insecure_channel(address) as channel:
            return set(ProtoReflectionDescriptorDatabase(channel).get_services())

    async with world(tmp_path) as here:
        async with here.relay(reflection=True) as desk:
            found = await asyncio.to_thread(services, desk.address)
            assert "tkms.gateway.v1.GatewayService" in found
            asked = reflection_pb2.ServerReflectionRequest(
                file_containing_symbol="tkms.gateway.v1.GatewayService"
            )
            newer = desk.channel.stream_stream(
                "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
                response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
            )([asked])
            assert (await newer.read()).file_descriptor_response.file_descriptor_proto
            newer.cancel()
        async with here.relay() as desk:
            with pytest.raises(grpc.RpcError) as caught:
                await asyncio.to_thread(services, desk.address)
            assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_drain_turns_new_calls_away_and_lets_others_end(tmp_path: Path) -> None:
    """NOT_SERVING first; what waits ends with the server."""
    async with world(tmp_path) as here:
        here.register("a")
        async with contextlib.AsyncExitStack() as stack:
            desk = await stack.enter_async_context(here.relay(drain_seconds=0.5))
            await becomes(desk.channel, "", SERVING)
            made = (await desk.stub.Submit(here.submission("a"))).submission.request_id
            async with grpc.aio.insecure_channel(desk.address) as channel:
                stub = gateway_pb2_grpc.GatewayServiceStub(channel)
                stream = stub.WatchRequests(pb.WatchRequestsRequest(after=pb.Cursor()))
                first = await stream.read()
                assert first.event.request_id == made
                ended = asyncio.create_task(stack.aclose())
                await becomes(channel, "", NOT_SERVING)
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await stub.GetChainInfo(pb.GetChainInfoRequest())
                assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
                await ended


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("payer_keys", ""),
        ("listen", ""),
        ("listen", "nowhere"),
        ("tls_key", "key.pem"),
        ("tls_client_authorities", "ca.pem"),
        ("poll_seconds", 0),
        ("max_in_flight", 0),
        ("trusted_validators_hash", "00"),
        ("unknown", 1),
    ],
)
async def test_impossible_settings_are_named(tmp_path: Path, name: str, value: object) -> None:
    """The start is refused."""
    async with world(tmp_path) as here:
        path = here.write_settings(**{name: value})
        with pytest.raises(SettingsError):
            load(path)


async def test_one_process_has_the_database(tmp_path: Path) -> None:
    """A second relay on the same file does not start."""
    async with world(tmp_path) as here, here.relay():
        with pytest.raises(SettingsError, match="in use"):
            async with here.relay():
                pytest.fail("it started")


async def test_flood_of_questions_is_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node sees a handful; what is beyond the bound is RESOURCE_EXHAUSTED, submissions get through."""
    monkeypatch.setattr("connector.relay.node._MOST_WAITING", 50)
    at_once = 0
    most = 0

    async with world(tmp_path) as here:
        here.register("a")
        async with here.relay() as desk:
            call = NodeRpc.call

            async def counted(self: NodeRpc, *arguments: Any) -> Any:
                nonlocal at_once, most
                if isinstance(self, BoundedRpc):
                    at_once += 1
                    most = max(most, at_once)
                try:
                    await asyncio.sleep(0.05)
                    return await call(self, *arguments)
                finally:
                    if isinstance(self, BoundedRpc):
                        at_once -= 1

            monkeypatch.setattr(NodeRpc, "call", counted)
            unknown = pb.GetRequestRequest(request_id=bytes(20))
            asked = [reason(desk.stub.GetRequest(unknown)) for _ in range(200)]
            flood = asyncio.gather(*asked)
            made = await desk.stub.Submit(here.submission("a"))
            assert made.submission.taken_by_node
            codes = {code for code, _ in await flood}
            assert codes == {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.RESOURCE_EXHAUSTED}
            assert most <= 8


async def test_disk_that_takes_nothing_is_said_and_survived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is accepted that is not on disk; with room again all goes on, no block is missed."""

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    async with world(tmp_path) as here:
        here.register("a")
        async with here.relay() as desk:
            with monkeypatch.context() as patch:
                for name in ("keep", "add_block", "reject"):
                    patch.setattr(Database, name, full)
                nonce = bytes(16)
                call = desk.stub.Submit(here.submission("a", nonce=nonce))
                assert await reason(call) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "BUSY")
                await becomes(desk.channel, "database", NOT_SERVING)
            await becomes(desk.channel, "database", SERVING)
            made = await desk.stub.Submit(here.submission("a", nonce=nonce))
            assert not made.duplicate
            wait = pb.WaitRequestRequest(
                request_id=made.submission.request_id, until=pb.WAIT_UNTIL_INCLUDED
            )
            assert (await desk.stub.WaitRequest(wait)).reached
