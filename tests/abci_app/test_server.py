"""The socket server with the real application, and the process around it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from google.protobuf.message import Message

from abci_app.errors import NodeError, ProtocolError, ResponseError, SettingsError
from abci_app.framing import Deframer, frame
from abci_app.server import Server, check_response
from abci_app.settings import load
from tests.support.chain import Chain
from wire.pb.tkms.comet.v1 import abci_pb2

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60


class Failures:
    """Takes what would end the process."""

    def __init__(self) -> None:
        self.happened = Event()
        self.errors: list[Exception] = []

    def __call__(self, error: Exception) -> None:
        """Note it."""
        self.errors.append(error)
        self.happened.set()


class Peer:
    """One connection, as the engine has four of them."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE_SECONDS)
        self.socket.connect(str(path))
        self._deframer = Deframer()
        self._answers: list[bytes] = []

    def send(self, *requests: abci_pb2.Request) -> None:
        """Send requests in one piece."""
        self.socket.sendall(b"".join(frame(item.SerializeToString()) for item in requests))

    def receive(self) -> abci_pb2.Response | None:
        """Next answer, None when the connection is closed."""
        while not self._answers:
            data = self.socket.recv(1 << 16)
            if not data:
                return None
            self._answers += self._deframer.feed(data)
        return abci_pb2.Response.FromString(self._answers.pop(0))


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


HASH = bytes(32)
FINALIZE = abci_pb2.RequestFinalizeBlock(txs=[b"a", b"b"])
RESULTS = [abci_pb2.ExecTxResult()] * 2
WRONG = [
    ("finalize_block", FINALIZE, abci_pb2.ResponseFinalizeBlock(tx_results=RESULTS[:1], app_hash=HASH)),
    ("finalize_block", FINALIZE, abci_pb2.ResponseFinalizeBlock(tx_results=RESULTS, app_hash=b"")),
    ("init_chain", abci_pb2.RequestInitChain(), abci_pb2.ResponseInitChain(app_hash=b"short")),
    ("process_proposal", abci_pb2.RequestProcessProposal(), abci_pb2.ResponseProcessProposal()),
    ("process_proposal", abci_pb2.RequestProcessProposal(), abci_pb2.ResponseProcessProposal(status=3)),
    ("verify_vote_extension", abci_pb2.RequestVerifyVoteExtension(), abci_pb2.ResponseVerifyVoteExtension()),
    ("offer_snapshot", abci_pb2.RequestOfferSnapshot(), abci_pb2.ResponseOfferSnapshot()),
    ("apply_snapshot_chunk", abci_pb2.RequestApplySnapshotChunk(), abci_pb2.ResponseApplySnapshotChunk()),
    ("commit", abci_pb2.RequestCommit(), abci_pb2.ResponseCommit(retain_height=-1)),
    (
        "prepare_proposal",
        abci_pb2.RequestPrepareProposal(max_tx_bytes=4),
        abci_pb2.ResponsePrepareProposal(txs=[b"abc"]),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "request_message", "answer"), WRONG)
def test_answers_that_break_the_contract_are_not_sent(
    kind: str, request_message: Message, answer: Message
) -> None:
    """Counts, enumerations and sizes are checked before an answer leaves."""
    request = abci_pb2.Request(**{kind: request_message})
    with pytest.raises(ResponseError):
        check_response(request, abci_pb2.Response(**{kind: answer}))
    with pytest.raises(ResponseError):
        check_response(request, abci_pb2.Response(flush=abci_pb2.ResponseFlush()))


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
        2,
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
        'chain_id = "c"\nproxy_socket = "unix:///a"\nkeep_versions = 0',
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
