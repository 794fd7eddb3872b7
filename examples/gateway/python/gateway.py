"""A gateway in Python (`python gateway.py gateway.json`): a public and a user decryption, verified here.

The relay pays, carries and may die at any moment; only the settings' `root` is believed.
"""

import asyncio
import hashlib
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
from wallet import User

from client.relayed import RelayTrust
from light import PinnedValidators
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb
from wire.pb.tkms.gateway.v1 import gateway_pb2_grpc


async def steadily(call: Callable[[], Awaitable[Any]]) -> Any:
    """Repeat what fails only for now: the nonce makes that safe."""
    while True:
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            if error.code().name not in {"UNAVAILABLE", "RESOURCE_EXHAUSTED"}:
                raise
            await asyncio.sleep(0.2)


async def answered(relay: Any, kind: str, request: Any, name: str) -> pb.RequestResult:
    """Submit and follow to the result, over every break of the stream."""
    nonce = hashlib.sha256(f"{name} {kind}".encode()).digest()[:16]
    submit = pb.SubmitRequest(nonce=nonce, **{kind: request})
    made = (await steadily(lambda: relay.Submit(submit))).submission.request_id
    print(json.dumps({"submitted": made.hex()}), flush=True)
    watch = pb.WatchRequestsRequest(after=pb.Cursor(), request_ids=[made])

    async def decided() -> int:
        async for message in relay.WatchRequests(watch):
            watch.after.CopyFrom(message.cursor)
            if message.event.state > pb.REQUEST_STATE_PENDING:
                return int(message.event.state)
        raise RuntimeError("the stream ended")

    state = await steadily(decided)
    if state != pb.REQUEST_STATE_FULFILLED:
        raise RuntimeError(f"no answer: {pb.RequestState.Name(state)}")
    return (await steadily(lambda: relay.GetResult(pb.GetResultRequest(request_id=made)))).result


async def run(settings: dict[str, Any]) -> None:
    """Do both and print the values."""
    trust = RelayTrust(settings["chain_id"], PinnedValidators(bytes.fromhex(settings["root"])))
    user, application = User(settings), settings["application"]
    handle = bytes.fromhex(settings["handle"][2:])
    async with grpc.aio.insecure_channel(settings["relay"]) as channel:
        relay = gateway_pb2_grpc.GatewayServiceStub(channel)
        named = pb.GetHandleRequest(application=application, handle=handle)
        cipher = (await steadily(lambda: relay.GetHandle(named))).handle.ciphertext
        cipher.handle = handle  # what is asked for, and signed, is ours to say
        public = asc_pb2.RequestPublicDecryption(
            application=application, key_id=cipher.key_id, ciphertexts=[cipher]
        )
        result = await answered(relay, "public_decryption", public, settings["name"])
        value = trust.public(result, application, [handle]).values[0]
        print(json.dumps({"publicDecryption": value}), flush=True)
        # From a proven height: the relay has no say in how long the user's signature is good.
        private = user.request(cipher, trust.trusted_height + 1000)
        result = await answered(relay, "user_decryption", private, settings["name"])
        opened = trust.user(result, application, [handle], user.key)
        print(json.dumps({"userDecryption": opened and opened.values[0]}), flush=True)


asyncio.run(run(json.loads(Path(sys.argv[1]).read_text())))
