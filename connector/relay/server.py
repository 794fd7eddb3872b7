"""The gRPC server around the service: addresses, TLS, bounds, health, reflection, drain."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
import structlog
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from client.settings import SettingsError
from connector.relay.calls import Parsed
from connector.relay.health import SERVICE
from connector.relay.service import MAX_RECEIVE_BYTES, GatewayService
from connector.relay.settings import RelaySettings, read_file
from telemetry.address import parse_address
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb

_LOG = structlog.get_logger(__name__)
# Calls that run at the same time, streams among them; those beyond it are RESOURCE_EXHAUSTED.
_MOST_CALLS: Final = 4_096
_MOST_STREAMS_A_CONNECTION: Final = 1_024
_MAX_HEADER_BYTES: Final = 16 * 1024
# Between NOT_SERVING and the end of new calls: load balancers look every second or so.
_NOTICE_S: Final = 0.2

OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_RECEIVE_BYTES),
    ("grpc.max_send_message_length", 64 * 2**20),
    ("grpc.max_metadata_size", _MAX_HEADER_BYTES),
    ("grpc.max_concurrent_streams", _MOST_STREAMS_A_CONNECTION),
    # A peer that is gone is noticed, one that pings without pause is cut off.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 2),
    # Connections end now and then, so that several relays share the load; streams go on elsewhere.
    ("grpc.max_connection_idle_ms", 15 * 60_000),
    ("grpc.max_connection_age_ms", 60 * 60_000),
    ("grpc.max_connection_age_grace_ms", 60_000),
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.so_reuseport", 0),
)


@dataclass(frozen=True, slots=True)
class Served:
    """A server that listens, and where."""

    server: grpc.aio.Server
    # grpc_health.v1.health.aio.HealthServicer, which the stubs lack.
    health: Any
    addresses: Sequence[str]


async def serve(service: GatewayService, settings: RelaySettings, folder: Path) -> Served:
    """Listen on every address of the settings.

    Raises:
        SettingsError: an address is taken, or a certificate is not usable.
    """
    server = grpc.aio.server(options=OPTIONS, maximum_concurrent_rpcs=_MOST_CALLS)
    server.add_generic_rpc_handlers([_handlers(service)])
    servicer = health.aio.HealthServicer()  # type: ignore[attr-defined]  # stubs
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    if settings.reflection:
        names = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
        server.add_generic_rpc_handlers([_newer_reflection(names)])
    credentials = _credentials(settings, folder)
    addresses = [_bind(server, address, credentials, folder) for address in settings.listen.split()]
    await server.start()
    for address in addresses:
        if address.startswith("unix:"):
            os.chmod(address.removeprefix("unix:"), 0o600)  # noqa: PTH101 - a socket's path
    return Served(server, servicer, addresses)


def _handlers(service: GatewayService) -> grpc.GenericRpcHandler[Any, Any]:
    """The service's methods; bytes that are no message reach them too, so that the refusal is ours."""
    methods = {}
    for method in pb.DESCRIPTOR.services_by_name["GatewayService"].methods:
        answer = (
            grpc.unary_stream_rpc_method_handler
            if method.server_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        methods[method.name] = answer(
            getattr(service, method.name),
            request_deserializer=_parser(GetMessageClass(method.input_type)),
            response_serializer=GetMessageClass(method.output_type).SerializeToString,
        )
    return grpc.method_handlers_generic_handler(SERVICE, methods)


def _newer_reflection(names: Sequence[str]) -> grpc.GenericRpcHandler[Any, Any]:
    """The same under the name that newer tools ask for first; the messages are the same on the wire."""
    servicer = reflection.aio.ReflectionServicer(names)  # type: ignore[attr-defined]  # stubs
    method = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(
        "grpc.reflection.v1.ServerReflection", {"ServerReflectionInfo": method}
    )


def _parser(kind: type[Message]) -> Callable[[bytes], Parsed]:
    def parse(data: bytes) -> Parsed:
        try:
            return Parsed(kind.FromString(data))
        except DecodeError:
            return Parsed(None)

    return parse


def _bind(
    server: grpc.aio.Server,
    address: str,
    credentials: grpc.ServerCredentials | None,
    folder: Path,
) -> str:
    """Address on which it really listens."""
    if address.startswith("unix:"):
        path = folder / address.removeprefix("unix:")
        path.unlink(missing_ok=True)
        previous = os.umask(0o177)
        try:
            server.add_insecure_port(f"unix:{path}")
        except RuntimeError as error:
            raise SettingsError(f"cannot listen on {path}") from error
        finally:
            os.umask(previous)
        return f"unix:{path}"
    host, port = parse_address(address)
    shown = f"[{host}]" if ":" in host else host
    try:
        if credentials is None:
            bound = server.add_insecure_port(f"{shown}:{port}")
        else:
            bound = server.add_secure_port(f"{shown}:{port}", credentials)
    except RuntimeError as error:
        raise SettingsError(f"cannot listen on {address}") from error
    if not bound:
        raise SettingsError(f"cannot listen on {address}")
    return f"{shown}:{bound}"


def _credentials(settings: RelaySettings, folder: Path) -> grpc.ServerCredentials | None:
    if not settings.tls_certificate:
        return None
    key_path = folder / settings.tls_key
    key = read_file(folder, settings.tls_key)
    if key_path.stat().st_mode & 0o077:
        raise SettingsError(f"{key_path} is readable by others: set its mode to 600")
    authorities = None
    if settings.tls_client_authorities:
        authorities = read_file(folder, settings.tls_client_authorities)
    return grpc.ssl_server_credentials(
        [(key, read_file(folder, settings.tls_certificate))],
        root_certificates=authorities,
        require_client_auth=authorities is not None,
    )


async def drain(served: Served, service: GatewayService, seconds: float) -> None:
    """Say that it ends, let calls end, end those that do not."""
    _LOG.info("draining", seconds=seconds)
    service.door.draining = True
    await served.health.enter_graceful_shutdown()
    await asyncio.sleep(min(_NOTICE_S, seconds))
    await served.server.stop(seconds)
