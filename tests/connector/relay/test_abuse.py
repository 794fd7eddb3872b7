"""Callers that mean no good: every message, cut connections, floods; typed errors, and the node does not notice."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.connector.relay.test_service import reason
from tests.connector.relay.world import world
from tests.support.chain import BOB, message
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb

SERVICE = pb.DESCRIPTOR.services_by_name["GatewayService"]
METHODS = [method for method in SERVICE.methods if not method.server_streaming]
# What a bug, or a library that was not asked, would answer.
UNTYPED = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}
LENGTHS = (0, 1, 16, 20, 32, 65, 869)
BAD_BYTES = b"\xff\xff\xff"

# Values at the limits of each type.
PLAIN: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_STRING: st.text(max_size=20),
    FieldDescriptor.TYPE_BYTES: st.sampled_from(LENGTHS).flatmap(
        lambda size: st.binary(min_size=size, max_size=size)
    ),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_UINT32: st.sampled_from((0, 1, 2, 64, 2**31, 2**32 - 1)),
    FieldDescriptor.TYPE_UINT64: st.sampled_from((0, 1, 1000, 2**62, 2**63, 2**64 - 1)),
    FieldDescriptor.TYPE_INT64: st.sampled_from((-(2**63), -1, 0, 1)),
    FieldDescriptor.TYPE_INT32: st.sampled_from((-(2**31), -1, 0, 1, 2**31 - 1)),
    FieldDescriptor.TYPE_ENUM: st.sampled_from((-(2**31), -1, 0, 1, 2, 7, 2**31 - 1)),
}


def value_of(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    """Values of a field."""
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return messages(field.message_type, depth - 1)
    return PLAIN[field.type]


@st.composite
def messages(draw: st.DrawFn, kind: Descriptor, depth: int = 3) -> Message:
    """Any message of a kind; some fields left out."""
    made = GetMessageClass(kind)()
    for field in kind.fields:
        if depth <= 0 or not draw(st.booleans()):
            continue
        if field.is_repeated:
            values = draw(st.lists(value_of(field, depth), max_size=3))
            getattr(made, field.name).extend(values)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            getattr(made, field.name).CopyFrom(draw(value_of(field, depth)))
        else:
            setattr(made, field.name, draw(value_of(field, depth)))
    return made


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, bytes]:
    """A unary method and the bytes of its request; now and then they are cut or followed by others."""
    method = draw(st.sampled_from(METHODS))
    raw = draw(messages(method.input_type)).SerializeToString()
    if draw(st.integers(0, 9)) == 0:
        raw = raw[: draw(st.integers(0, len(raw)))] + draw(st.binary(max_size=8))
    return method.name, raw


async def test_no_message_meets_a_bug(tmp_path: Path) -> None:
    """Whatever is sent: an answer or a typed refusal, and the relay serves on."""
    async with world(tmp_path) as here, here.relay(verdict_seconds=0.05) as desk:

        def attack() -> None:
            with grpc.insecure_channel(desk.address) as channel:

                @settings(
                    max_examples=150,
                    deadline=None,
                    derandomize=True,
                    suppress_health_check=list(HealthCheck),
                )
                @given(calls())
                def property_of(call: tuple[str, bytes]) -> None:
                    name, raw = call
                    invoke = channel.unary_unary(f"/{SERVICE.full_name}/{name}")
                    code = invoke.future(raw, timeout=0.3).code()
                    assert code not in UNTYPED, (name, raw.hex())

                property_of()

        await asyncio.to_thread(attack)
        info = await desk.stub.GetChainInfo(pb.GetChainInfoRequest())
        assert info.chain_id == here.chain.chain_id


async def test_no_wish_ends_a_stream_with_a_bug(tmp_path: Path) -> None:
    """Whatever a stream is asked for: it is open until the deadline, or a typed refusal."""
    async with world(tmp_path) as here, here.relay() as desk:

        def attack() -> set[grpc.StatusCode]:
            seen: set[grpc.StatusCode] = set()
            with grpc.insecure_channel(desk.address) as channel:
                watch = channel.unary_stream(f"/{SERVICE.full_name}/WatchRequests")

                @settings(
                    max_examples=60,
                    deadline=None,
                    derandomize=True,
                    suppress_health_check=list(HealthCheck),
                )
                @given(messages(pb.WatchRequestsRequest.DESCRIPTOR))
                def property_of(wish: Message) -> None:
                    with pytest.raises(grpc.RpcError) as caught:
                        list(watch(wish.SerializeToString(), timeout=0.03))
                    seen.add(caught.value.code())
                    assert caught.value.code() not in UNTYPED, wish

                property_of()
            return seen

        seen = await asyncio.to_thread(attack)
        assert seen >= {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.INVALID_ARGUMENT}


async def test_bytes_that_are_no_message_are_malformed(tmp_path: Path) -> None:
    """INVALID_ARGUMENT with our reason, at every method."""
    async with world(tmp_path) as here, here.relay() as desk:
        for method in SERVICE.methods:
            path = f"/{SERVICE.full_name}/{method.name}"
            if method.server_streaming:
                stream = desk.channel.unary_stream(path)(BAD_BYTES)
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await stream.read()
                assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
            else:
                assert await reason(desk.channel.unary_unary(path)(BAD_BYTES)) == (
                    grpc.StatusCode.INVALID_ARGUMENT,
                    "MALFORMED",
                )


async def test_silent_and_slow_connections_do_not_keep_others_out(tmp_path: Path) -> None:
    """Connections that say nothing, or a byte at a time, while others submit."""
    async with world(tmp_path) as here:
        here.register("a")
        async with here.relay() as desk, contextlib.AsyncExitStack() as stack:
            host, port = desk.address.rsplit(":", 1)
            for number in range(200):
                _, writer = await asyncio.open_connection(host, int(port))
                stack.callback(writer.close)
                writer.write(b"PRI * HTTP/2.0"[: number % 14])
            started = time.monotonic()
            assert (await desk.stub.Submit(here.submission("a"))).submission.taken_by_node
            assert time.monotonic() - started < 2


async def test_flood_does_not_slow_the_nodes_checks(tmp_path: Path) -> None:
    """Thousands of calls that cannot succeed reach the node as few questions: its CheckTx stays quick."""
    async with world(tmp_path, block_seconds=60) as here:
        here.register("a")
        home = tmp_path / "relay"
        home.mkdir()
        (home / "tokens.toml").write_text("")
        async with here.relay(token_file="tokens.toml") as desk:
            checks = 0
            check = here.chain.check

            def counted(raw: bytes) -> Any:
                nonlocal checks
                checks += 1
                return check(raw)

            here.chain.check = counted  # type: ignore[method-assign]
            flood = [
                asyncio.create_task(_quiet(desk.stub.Submit(here.submission("a"))))
                for _ in range(1_000)
            ]
            times = []
            pay = bank_pb2.Transfer(recipient=bytes(BOB.address), amount=1)
            for _ in range(20):
                raw = here.chain.build(BOB, message(transfer=pay))
                started = time.perf_counter()
                assert check(raw).ok
                times.append(time.perf_counter() - started)
                await asyncio.sleep(0)
            codes = set(await asyncio.gather(*flood))
            assert codes == {grpc.StatusCode.UNAUTHENTICATED}
            assert checks == 0
            assert statistics.median(times) < 0.05


async def _quiet(call: Any) -> grpc.StatusCode:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK
