"""Orderly ends: SIGTERM inside a block, and a height at which the operator wants to stop."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ledger.store import Store
from tests.support.abci_peer import Peer
from tests.support.chain import Chain, genesis
from tests.support.validator import ENGINE, ValidatorNode, until
from wire.pb.tkms.comet.v1 import abci_pb2

pytestmark = [
    pytest.mark.localnet,
    pytest.mark.skipif(not ENGINE.exists(), reason="the engine is not built"),
]

HEIGHT = 3
# A test sees the pause and sends its signal within it.
PAUSE_SECONDS = 4


def paused(node: ValidatorNode) -> bool:
    """Whether the planned fault has begun."""
    return any(line["event"] == "fault on purpose" for line in node.lines())


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ValidatorNode]:
    """A validator that is not started."""
    node = ValidatorNode.make(tmp_path / "node")
    yield node
    node.kill()


@pytest.mark.parametrize(
    ("point", "committed"),
    [
        ("before-finalize", False),
        ("after-finalize", False),
        ("before-write", True),
        ("inside-write", True),
        ("after-write", True),
    ],
)
def test_sigterm_inside_a_block(node: ValidatorNode, point: str, committed: bool) -> None:
    """The method that runs is finished and answered: what is written, the engine knows."""
    node.plan_fault(point, HEIGHT, "pause", PAUSE_SECONDS)
    node.start()
    until(lambda: paused(node), "the pause")
    assert node.application is not None
    node.application.send_signal(signal.SIGTERM)
    assert node.await_end() == 0
    assert node.lines()[-1]["event"] == "stopped"
    assert node.height() == (HEIGHT if committed else HEIGHT - 1)
    node.forget_fault()
    node.start()
    node.await_height(HEIGHT + 2)
    node.check_hashes()
    # Whether the engine still gets to save its own state is its affair; without it, it uses the saved answer.
    application, store, state = node.reading()
    assert (application, store) == (HEIGHT if committed else HEIGHT - 1, HEIGHT)
    assert state in ((HEIGHT - 1, HEIGHT) if committed else (HEIGHT - 1,))


@pytest.mark.parametrize("point", ["before-write", "inside-write", "after-write"])
def test_what_is_committed_is_answered_before_the_end(tmp_path: Path, point: str) -> None:
    """SIGTERM between the write and the answer: the peer has its answer, then the connection ends."""
    node = ValidatorNode(tmp_path, "")
    (tmp_path / "app").mkdir()
    node.plan_fault(point, 1, "pause", PAUSE_SECONDS)
    chain = Chain(tmp_path / "requests", genesis())
    node.start_application()
    try:
        peer = Peer(tmp_path / "app/app.sock")
        for asked in (
            abci_pb2.Request(init_chain=chain.genesis_request()),
            abci_pb2.Request(finalize_block=abci_pb2.RequestFinalizeBlock(height=1)),
        ):
            peer.send(asked)
            answer = peer.receive()
            assert answer is not None
        app_hash = answer.finalize_block.app_hash
        peer.send(abci_pb2.Request(commit=abci_pb2.RequestCommit()))
        until(lambda: paused(node), "the pause")
        assert node.application is not None
        node.application.send_signal(signal.SIGTERM)
        answer = peer.receive()
        assert answer is not None
        assert answer.WhichOneof("value") == "commit"
        assert peer.receive() is None
        peer.socket.close()
        assert node.application.wait(60) == 0
    finally:
        node.kill()
    with closing(Store(tmp_path / "app/state.db")) as store:
        assert (store.height, store.app_hash) == (1, app_hash)


def test_a_second_signal_does_not_cut_the_first_short(node: ValidatorNode) -> None:
    """An impatient operator still gets an orderly end."""
    node.plan_fault("inside-write", HEIGHT, "pause", PAUSE_SECONDS)
    node.start()
    until(lambda: paused(node), "the pause")
    assert node.application is not None
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        node.application.send_signal(number)
    assert node.await_end() == 0
    assert node.height() == HEIGHT


def test_the_node_halts_at_a_height_and_goes_on_when_told(node: ValidatorNode) -> None:
    """The next block is refused before it is executed; exit code 0, so that no supervisor insists."""
    node.configure(halt_height=HEIGHT)
    for _ in range(2):
        node.start()
        assert node.await_end() == 0
        said = node.lines()[-1]
        assert said["event"] == "HALTED: raise halt_height in node.toml to go on"
        assert said["reason"] == f"halt_height is {HEIGHT}: block {HEIGHT + 1} is not executed"
        assert node.height() == HEIGHT
    node.configure(halt_height=HEIGHT + 2)
    node.start()
    assert node.await_end() == 0
    assert node.height() == HEIGHT + 2
    node.configure(halt_height=0)
    node.start()
    node.await_height(HEIGHT + 4)
    node.check_hashes()
    assert node.reading() == (HEIGHT + 2, HEIGHT + 3, HEIGHT + 2)


@pytest.mark.parametrize(
    ("text", "allowed", "words"),
    [
        ('point = "before-write"\nheight = 3\n', False, "developer_faults = true"),
        ('point = "nowhere"\nheight = 3\n', True, "a point is one of"),
        ('point = "before-write"\nheight = 3\naction = "dance"\n', True, "an action one of"),
        ('point = "before-write"\n', True, "known: point, height, action, seconds"),
        ('point = "before-write"\nheight = 3\nwish = 1\n', True, "known: point, height"),
        ("point = ", True, "faults.toml"),
    ],
)
def test_a_plan_of_faults_is_refused_loudly(
    tmp_path: Path, text: str, allowed: bool, words: str
) -> None:
    """Without the switch, and where it is not understood."""
    from abci_app import faults
    from abci_app.errors import SettingsError

    (tmp_path / faults.FILE_NAME).write_text(text)
    with pytest.raises(SettingsError, match=words):
        faults.load(tmp_path, allowed=allowed)
