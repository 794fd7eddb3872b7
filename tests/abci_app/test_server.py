"""The socket server with the real application, and the process around it."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from abci_app import server as server_module
from abci_app.errors import NodeError, ProtocolError, SettingsError
from abci_app.framing import MAX_MESSAGE_BYTES, encode_length, frame
from abci_app.server import Server
from abci_app.settings import load
from tests.support.abci_peer import Failures, Peer
from tests.support.chain import Chain
from wire.pb.tkms.comet.v1 import abci_pb2

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60


Served = tuple[Path, Failures, Server]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A served chain at height 0."""
    chain = Chain.start(tmp_path)
    failures = Failures()
    path = tmp_path / "app.sock"
    server = Server(path, chain.application, failures)
    server.start()
    yield path, failures, server
    server.stop()
    chain.close()


ECHOES = [abci_pb2.Request(echo=abci_pb2.RequestEcho(message=str(n))) for n in range(500)]
FLUSH = abci_pb2.Request(flush=abci_pb2.RequestFlush())


def test_answers_keep_their_order_on_each_connection(served: Served) -> None:
    """Pipelined requests on two connections, and a Flush that is answered last."""
    path, failures, _ = served
    peers = [Peer(path), Peer(path)]
    for peer in peers:
        peer.send(*ECHOES, FLUSH)
    for peer in peers:
        answers = [peer.receive() for _ in range(len(ECHOES) + 1)]
        assert [answer.echo.message for answer in answers[:-1]] == [str(n) for n in range(500)]
        assert answers[-1].WhichOneof("value") == "flush"
        peer.socket.close()
    assert failures.errors == []


def test_requests_may_arrive_byte_by_byte(served: Served) -> None:
    """Pieces do not matter."""
    path, _, _ = served
    peer = Peer(path)
    data = frame(abci_pb2.Request(info=abci_pb2.RequestInfo()).SerializeToString())
    for index in range(len(data)):
        peer.socket.sendall(data[index : index + 1])
    answer = peer.receive()
    assert (answer.info.data, answer.info.last_block_height) == ("tkms", 0)
    peer.socket.close()


@pytest.mark.parametrize("garbage", [b"\xff" * 20, frame(b"\xff\xff"), frame(b"")])
def test_garbage_ends_its_connection_only(served: Served, garbage: bytes) -> None:
    """The other connections and the process live on."""
    path, failures, _ = served
    good, bad = Peer(path), Peer(path)
    bad.socket.sendall(garbage)
    assert bad.receive() is None
    good.send(ECHOES[0])
    assert good.receive().echo.message == "0"
    assert failures.errors == []
    good.socket.close()
    bad.socket.close()


def test_a_bug_is_handed_up_and_never_answered(served: Served) -> None:
    """The engine gets no invented answer."""
    path, failures, _ = served
    peer = Peer(path)
    peer.send(abci_pb2.Request(commit=abci_pb2.RequestCommit()))
    assert peer.receive() is None
    assert failures.happened.wait(PATIENCE_SECONDS)
    (error,) = failures.errors
    assert isinstance(error, ProtocolError)
    peer.socket.close()


def test_a_living_socket_is_not_taken_and_a_dead_one_is(served: Served, tmp_path: Path) -> None:
    """A second node beside the first is refused; a killed node's socket file does not matter."""
    path, failures, server = served
    other = Server(path, server._application, failures)
    with pytest.raises(NodeError, match="another process"):
        other.start()
    other.stop()
    dead = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(dead))
    third = Server(dead, server._application, failures)
    third.start()
    assert dead.stat().st_mode & 0o077 == 0
    peer = Peer(dead)
    peer.send(ECHOES[7])
    assert peer.receive().echo.message == "7"
    third.stop()
    assert peer.receive() is None
    peer.socket.close()


def test_many_connections_are_served(served: Served) -> None:
    """The engine's four, and whoever else the owner of the socket lets in."""
    path, failures, _ = served
    peers = [Peer(path) for _ in range(64)]
    for number, peer in enumerate(peers):
        peer.send(ECHOES[number])
    for number, peer in reversed(list(enumerate(peers))):
        assert peer.receive().echo.message == str(number)
        peer.socket.close()
    assert failures.errors == []


def test_who_does_not_read_holds_up_nobody(served: Served) -> None:
    """Not the others, and not the end of the process."""
    path, failures, server = served
    slow, good = Peer(path), Peer(path)
    slow.socket.setblocking(False)
    block = frame(
        abci_pb2.Request(echo=abci_pb2.RequestEcho(message="x" * 60_000)).SerializeToString()
    )
    # Until neither side's buffer takes any more.
    with suppress(BlockingIOError):
        while True:
            slow.socket.sendall(block)
    good.send(ECHOES[3])
    assert good.receive().echo.message == "3"
    begun = time.monotonic()
    server.stop()
    assert time.monotonic() - begun < server_module._STOP_SECONDS + 30
    assert good.receive() is None
    assert failures.errors == []
    slow.socket.close()
    good.socket.close()


def test_a_connection_that_could_not_be_accepted_is_accepted_later(served: Served) -> None:
    """The process had no descriptors for a while, as when somebody floods its metrics."""
    path, failures, _ = served
    peers = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(3)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Below the lowest number that is free: what is open stays open.
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        for peer in peers:
            peer.connect(str(path))
        time.sleep(0.3)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for peer in peers:
        peer.settimeout(PATIENCE_SECONDS)
        peer.sendall(frame(ECHOES[7].SerializeToString()))
        assert peer.recv(100)
        peer.close()
    assert failures.errors == []


def test_half_a_request_holds_up_nobody(served: Served) -> None:
    """A peer that stops in the middle, one that announces much, one that leaves before its answer."""
    path, failures, server = served
    half, much, gone, good = (Peer(path) for _ in range(4))
    half.socket.sendall(frame(ECHOES[0].SerializeToString())[:-1])
    much.socket.sendall(encode_length(MAX_MESSAGE_BYTES))
    gone.send(*ECHOES)
    gone.socket.close()
    good.send(ECHOES[4])
    assert good.receive().echo.message == "4"
    begun = time.monotonic()
    server.stop()
    assert time.monotonic() - begun < server_module._STOP_SECONDS
    for peer in (half, much, good):
        assert peer.receive() is None
        peer.socket.close()
    assert failures.errors == []


# Pieces of streams: frames that are good, cut, wrong inside or wrong in length.
PIECES = st.one_of(
    st.binary(max_size=64),
    st.binary(max_size=64).map(frame),
    st.sampled_from([frame(ECHOES[0].SerializeToString()), frame(FLUSH.SerializeToString())]),
)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(PIECES, max_size=8))
def test_no_stream_ends_the_server(served: Served, pieces: list[bytes]) -> None:
    """Whatever comes: an answer, a dropped connection or a bug that is handed up; the others are served."""
    path, failures, _ = served
    wild, good = Peer(path), Peer(path)
    with suppress(ConnectionError):
        wild.socket.sendall(b"".join(pieces))
        wild.socket.shutdown(socket.SHUT_WR)
        while wild.receive() is not None:
            pass
    good.send(ECHOES[1])
    assert good.receive().echo.message == "1"
    wild.socket.close()
    good.socket.close()
    # By chance a piece may be a call at a wrong moment; nothing else is handed up.
    assert all(isinstance(error, NodeError) for error in failures.errors)
    failures.errors.clear()


def write_settings(home: Path, text: str) -> None:
    """node.toml."""
    (home / "node.toml").write_text(text)


def test_settings_are_read(tmp_path: Path) -> None:
    """Defaults, and paths relative to the home."""
    write_settings(tmp_path, 'chain_id = "c"\nproxy_socket = "unix:///run/app.sock"\n')
    settings = load(tmp_path)
    assert (settings.chain_id, settings.proxy_socket) == ("c", Path("/run/app.sock"))
    assert settings.database == tmp_path / "state.db"
    assert (settings.log_format, settings.log_level, settings.keep_versions) == (
        "logfmt",
        "info",
        100,
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "chain_id = 3",
        'chain_id = "c"',
        'chain_id = "c"\nproxy_socket = "tcp://127.0.0.1:1"',
        f'chain_id = "c"\nproxy_socket = "unix:///{"x" * 107}"',
        'chain_id = "c"\nproxy_socket = "unix:///a"\nlog_format = "xml"',
        'chain_id = "c"\nproxy_socket = "unix:///a"\nkeep_versions = 1',
        'chain_id = "c"\nproxy_socket = "unix:///a"\nkeep_versions = true',
        'chain_id = "c"\nproxy_socket = "unix:///a"\nnonsense = 1',
        "chain_id = ",
    ],
)
def test_unusable_settings_are_named(tmp_path: Path, text: str) -> None:
    """Missing, wrong and unknown settings are refused."""
    write_settings(tmp_path, text)
    with pytest.raises(SettingsError):
        load(tmp_path)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A node process that is ready."""
    write_settings(
        tmp_path,
        f'chain_id = "c"\nproxy_socket = "unix://{tmp_path}/app.sock"\nlog_format = "json"\n',
    )
    started = subprocess.Popen(
        [sys.executable, "-m", "abci_app.main", str(tmp_path)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert json.loads(started.stderr.readline())["event"] == "ready"
    yield started
    started.kill()
    started.wait()
    started.stderr.close()


def test_the_process_ends_with_0_on_sigterm(process: subprocess.Popen[str], tmp_path: Path) -> None:
    """Also while the engine is connected."""
    peer = Peer(tmp_path / "app.sock")
    peer.send(ECHOES[0])
    assert peer.receive().echo.message == "0"
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(PATIENCE_SECONDS) == 0
    assert peer.receive() is None
    peer.socket.close()


def test_the_process_ends_with_1_after_a_bug(
    process: subprocess.Popen[str], tmp_path: Path
) -> None:
    """Loudly: the log has the exception."""
    peer = Peer(tmp_path / "app.sock")
    peer.send(abci_pb2.Request(finalize_block=abci_pb2.RequestFinalizeBlock(height=7)))
    assert peer.receive() is None
    assert process.wait(PATIENCE_SECONDS) == 1
    line = json.loads(process.stderr.readline())
    assert (line["level"], line["event"]) == ("critical", "STOPPING: bug in the node")
    assert "block 7 does not follow None" in line["exception"]
    peer.socket.close()
