"""The engine's four connections: a unix socket, one blocking thread for each connection.

Answers keep the order of their requests. An answer that would break the contract with the engine is never
sent: the engine would go on half dead. Any exception of the application reaches `on_fatal`, whose owner
ends the process; the engine then ends too and both start again from what is committed.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Lock, Thread
from typing import Final

import structlog
from google.protobuf.message import DecodeError

from abci_app.app import Application
from abci_app.contract import check_response
from abci_app.errors import FramingError, NodeError
from abci_app.faults import Faults
from abci_app.framing import Deframer, frame
from abci_app.grammar import Watch
from wire.pb.tkms.comet.v1 import abci_pb2

_LOG: Final = structlog.get_logger(__name__)
_RECEIVE_BYTES: Final = 1 << 16
# A block method ends in less. Who takes longer to read an answer is cut off.
_STOP_SECONDS: Final = 10
_ACCEPT_AGAIN_SECONDS: Final = 0.1


class Server:
    """Listens, and answers with an application."""

    def __init__(
        self,
        path: Path,
        application: Application,
        on_fatal: Callable[[Exception], None],
        *,
        watch: Watch | None = None,
        faults: Faults | None = None,
    ) -> None:
        """Serve on a unix socket at `path`, which only its owner may open.

        `watch` sees every call before it is executed; `faults` are for tests.
        """
        self._path = path
        self._application = application
        self._on_fatal = on_fatal
        self._watch = watch
        self._faults = faults or Faults()
        self._numbers = count(1)
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
        deadline = time.monotonic() + _STOP_SECONDS
        for connection, thread in connections.items():
            thread.join(max(0, deadline - time.monotonic()))
            if thread.is_alive():
                # It does not read its answer.
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
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
            except OSError as error:
                if self._stopping:
                    return
                # No descriptors, for instance: the engine's next connection waits for its turn.
                _LOG.warning("a connection was not accepted", error=str(error))
                time.sleep(_ACCEPT_AGAIN_SECONDS)
                continue
            thread = Thread(
                target=self._serve, args=(connection,), name="abci-connection", daemon=True
            )
            with self._lock:
                if self._stopping:
                    connection.close()
                    return
                self._connections[connection] = thread
                # Before `stop` can see it: a thread that has not begun cannot be waited for.
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        number = next(self._numbers)
        try:
            self._exchange(connection, number)
        except _StopServingError as stop:
            self._on_fatal(stop.error)
        except (FramingError, DecodeError, OSError) as error:
            _LOG.warning("connection dropped", error=str(error))
        finally:
            if self._watch is not None:
                self._watch.closed(number)
            with self._lock:
                self._connections.pop(connection, None)
            connection.close()

    def _exchange(self, connection: socket.socket, number: int) -> None:
        deframer = Deframer()
        while data := connection.recv(_RECEIVE_BYTES):
            answers = bytearray()
            committed = False
            requests = [abci_pb2.Request.FromString(raw) for raw in deframer.feed(data)]
            try:
                self._application.foresee(requests)
            except Exception as error:
                raise _StopServingError(error) from error
            for request in requests:
                kind, answer = self._answer(request, number)
                answers += frame(answer)
                committed |= kind == "commit"
            # Everything that is complete has been answered, so a Flush needs no more than this.
            if answers:
                connection.sendall(answers)
            if committed:
                self._faults.at("after-response")

    def _answer(self, request: abci_pb2.Request, number: int) -> tuple[str, bytes]:
        kind = request.WhichOneof("value")
        if kind is None:
            raise FramingError("a request of no known kind: does the engine speak ABCI 2.0?")
        try:
            if self._watch is not None:
                height = getattr(getattr(request, kind), "height", 0)
                self._watch.call(number, kind, height)
            if kind == "finalize_block":
                self._faults.block(request.finalize_block.height)
            response = self._application.handle(request)
            check_response(request, response)
        except Exception as error:
            # Also what looks like a broken connection: the database raises OSError too.
            raise _StopServingError(error) from error
        return kind, response.SerializeToString()


class _StopServingError(Exception):
    """Carries an exception of the application past the handling of broken connections."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error
