"""The real application served to a real engine from inside of a test, so that the test may see or change calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from abci_app.app import Application
from abci_app.server import Server
from ledger.store import Store
from tests.support.abci_peer import Failures
from tests.support.chain import CHAIN_ID
from tests.support.validator import PATIENCE_SECONDS, ValidatorNode
from wire.pb.tkms.comet.v1 import abci_pb2

Changed = Callable[[abci_pb2.Request, abci_pb2.Response], None]


def _unchanged(_request: abci_pb2.Request, _response: abci_pb2.Response) -> None:
    """Answer as the application does."""


class Seen:
    """Passes calls on and counts them by method."""

    def __init__(self, application: Application, changed: Changed) -> None:
        self.calls: Counter[str] = Counter()
        self.height = 0
        self._application = application
        self._changed = changed

    def foresee(self, requests: Sequence[abci_pb2.Request]) -> None:
        """Let the application see what arrived together."""
        self._application.foresee(requests)

    def handle(self, request: abci_pb2.Request) -> abci_pb2.Response:
        """Answer, changed as the test wants it."""
        kind = str(request.WhichOneof("value"))
        self.calls[kind] += 1
        response = self._application.handle(request)
        if kind == "finalize_block":
            self.height = request.finalize_block.height
        self._changed(request, response)
        return response


@contextmanager
def served(node: ValidatorNode, changed: Changed = _unchanged) -> Iterator[Seen]:
    """Serve the application of a node's home; at the end its engine is ended first."""
    store = Store(node.home / "app/state.db")
    application = Application(store, CHAIN_ID)
    seen, failures = Seen(application, changed), Failures()
    server = Server(node.home / "app/app.sock", seen, failures)
    server.start()
    try:
        yield seen
    except AssertionError:
        # A wait in vain mostly has its reason here.
        assert failures.errors == [], failures.errors
        raise
    finally:
        if node.engine is not None:
            node.engine.terminate()
            node.engine.wait(PATIENCE_SECONDS)
        server.stop()
        application.close()
    assert failures.errors == [], failures.errors
