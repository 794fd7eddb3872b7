"""The engine's four connections: a unix socket, one blocking thread for each connection.

Answers keep the order of their requests. An answer that would break the contract with the engine is never
sent: the engine would go on half dead. Any exception of the application reaches `on_fatal`, whose owner
ends the process; the engine then ends too and both start again from what is committed.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from typing import Final

import structlog
from google.protobuf.message import DecodeError

from abci_app.app import Application
from abci_app.errors import FramingError, NodeError, ResponseError
from abci_app.framing import MAX_MESSAGE_BYTES, Deframer, frame
from abci_app.proposal import proposal_bytes
from wire.pb.tkms.comet.v1 import abci_pb2

_LOG: Final = structlog.get_logger(__name__)
_RECEIVE_BYTES: Final = 1 << 16
_APP_HASH_BYTES: Final = 32
# A block method ends in less; who waits longer waits for a bug.
_STOP_SECONDS: Final = 30


class Server:
    """Listens, and answers with an application."""

    def __init__(
        self, path: Path, application: Application, on_fatal: Callable[[Exception], None]
    ) -> None:
        """Serve on a unix socket at `path`, which only its owner may open."""
        self._path = path
        self._application = application
        self._on_fatal = on_fatal
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connections: dict[socket.socket, Thread] = {}
        self._lock = Lock()
        self._stopping = False
        self._acceptor = Thread(target=self._accept, name="abci-accept", daemon=True)

    def start(self) -> None:
        """Begin to listen; NodeError when another process does."""
        self._remove_stale_socket()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._listener.bind(str(self._path))
        self._path.chmod(0o600)
        self._listener.listen()
        self._acceptor.start()

    def stop(self) -> None:
        """Take no more requests, finish and answer those that are running, close everything."""
        with self._lock:
            self._stopping = True
            connections = dict(self._connections)
        # Wakes the accepting thread; close alone would not.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        for thread in connections.values():
            thread.join(_STOP_SECONDS)
        self._path.unlink(missing_ok=True)

    def _remove_stale_socket(self) -> None:
        """A socket file stays behind a killed process; one that answers belongs to a living one."""
        if not self._path.is_socket():
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            if probe.connect_ex(str(self._path)) == 0:
                raise NodeError(f"another process listens on {self._path}")
        self._path.unlink()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                # Closed by stop.
                return
            thread = Thread(
                target=self._serve, args=(connection,), name="abci-connection", daemon=True
            )
            with self._lock:
                if self._stopping:
                    connection.close()
                    return
                self._connections[connection] = thread
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            self._exchange(connection)
        except _StopServingError as stop:
            self._on_fatal(stop.error)
        except (FramingError, DecodeError, OSError) as error:
            _LOG.warning("connection dropped", error=str(error))
        finally:
            with self._lock:
                self._connections.pop(connection, None)
            connection.close()

    def _exchange(self, connection: socket.socket) -> None:
        deframer = Deframer()
        while data := connection.recv(_RECEIVE_BYTES):
            answers = bytearray()
            for raw in deframer.feed(data):
                answers += frame(self._answer(raw))
            # Everything that is complete has been answered, so a Flush needs no more than this.
            if answers:
                connection.sendall(answers)

    def _answer(self, raw: bytes) -> bytes:
        request = abci_pb2.Request.FromString(raw)
        if request.WhichOneof("value") is None:
            raise FramingError("a request of no known kind: does the engine speak ABCI 2.0?")
        try:
            response = self._application.handle(request)
            check_response(request, response)
        except Exception as error:
            # Also what looks like a broken connection: the database raises OSError too.
            raise _StopServingError(error) from error
        return response.SerializeToString()


class _StopServingError(Exception):
    """Carries an exception of the application past the handling of broken connections."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def check_response(request: abci_pb2.Request, response: abci_pb2.Response) -> None:
    """Raise ResponseError where the engine would stop working at this answer."""
    kind = request.WhichOneof("value")
    if response.WhichOneof("value") != kind:
        raise ResponseError(f"the answer to {kind} is of another kind")
    if response.ByteSize() > MAX_MESSAGE_BYTES:
        raise ResponseError(f"the answer to {kind} is too large")
    check = _CHECKS.get(kind)
    if check is not None and not check(request, response):
        raise ResponseError(f"the answer to {kind} breaks its contract")


def _finalize_is_complete(request: abci_pb2.Request, response: abci_pb2.Response) -> bool:
    asked, given = request.finalize_block, response.finalize_block
    complete = len(given.tx_results) == len(asked.txs)
    return complete and len(given.app_hash) == _APP_HASH_BYTES


def _proposal_fits(request: abci_pb2.Request, response: abci_pb2.Response) -> bool:
    used = sum(proposal_bytes(raw) for raw in response.prepare_proposal.txs)
    return used <= request.prepare_proposal.max_tx_bytes


_CHECKS: Final[dict[str | None, Callable[[abci_pb2.Request, abci_pb2.Response], bool]]] = {
    "init_chain": lambda _, given: len(given.init_chain.app_hash) == _APP_HASH_BYTES,
    "prepare_proposal": _proposal_fits,
    "process_proposal": lambda _, given: (
        given.process_proposal.status
        in (abci_pb2.PROPOSAL_STATUS_ACCEPT, abci_pb2.PROPOSAL_STATUS_REJECT)
    ),
    "verify_vote_extension": lambda _, given: (
        given.verify_vote_extension.status
        in (abci_pb2.VERIFY_STATUS_ACCEPT, abci_pb2.VERIFY_STATUS_REJECT)
    ),
    "finalize_block": _finalize_is_complete,
    "commit": lambda _, given: given.commit.retain_height >= 0,
    "offer_snapshot": lambda _, given: (
        given.offer_snapshot.result != abci_pb2.OFFER_SNAPSHOT_RESULT_UNKNOWN
    ),
    "apply_snapshot_chunk": lambda _, given: (
        given.apply_snapshot_chunk.result != abci_pb2.APPLY_SNAPSHOT_CHUNK_RESULT_UNKNOWN
    ),
}
