"""The memory of a core: once, in order, and through kill -9 at any point."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import JournalError, Refusal, Refused
from core.journal import ACCEPTED, DONE, EXPIRED, FAILED, Journal, Record
from wire.ids import Height, RequestId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.core.v1 import core_pb2

ROOT = Path(__file__).parents[2]


def record(number: int, **changes: object) -> Record:
    """A request."""
    made = Record(
        RequestId(number.to_bytes(20, "big")),
        number,
        Height(100),
        1,
        b"entry %d" % number,
        "test",
        ((b"d" * 32, b"bytes"),),
    )
    return replace(made, **changes)


def answer(number: int, *, failure: bool = False) -> core_pb2.Result:
    """A result."""
    result = core_pb2.Result(request_id=number.to_bytes(20, "big"))
    if failure:
        result.failure.code = asc_pb2.FAILURE_CODE_INTERNAL
    else:
        result.fulfil.party = 1
    return result


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """An empty journal."""
    return Journal(tmp_path / "journal.db", "made-1", 1)


def test_an_id_is_accepted_once_and_answered_once(journal: Journal) -> None:
    """The same again gives the state; a second answer changes nothing."""
    assert journal.accept(record(1)) == ACCEPTED
    assert journal.accept(record(1)) == ACCEPTED
    assert journal.unanswered() == [record(1)]
    assert journal.finish(record(1).request_id, answer(1))
    assert not journal.finish(record(1).request_id, answer(1, failure=True))
    assert journal.accept(record(1)) == DONE
    assert journal.unanswered() == []
    assert [result.WhichOneof("answer") for result in journal.results_after(0)] == ["fulfil"]
    assert journal.counts() == (1, 1)


def test_an_id_with_another_entry_is_refused(journal: Journal) -> None:
    """One id, one entry, also after the answer."""
    journal.accept(record(1))
    with pytest.raises(Refused) as caught:
        journal.accept(record(1, entry=b"other"))
    assert caught.value.refusal is Refusal.CONFLICT


def test_states(journal: Journal) -> None:
    """Failures and expiry close a request as an answer does."""
    for number in (1, 2, 3):
        journal.accept(record(number))
    journal.finish(record(1).request_id, answer(1, failure=True))
    assert journal.expire(record(2).request_id)
    assert not journal.expire(record(1).request_id)
    assert not journal.finish(record(2).request_id, answer(2))
    states = [journal.state(record(number).request_id) for number in (1, 2, 3, 4)]
    assert states == [FAILED, EXPIRED, ACCEPTED, core_pb2.WORK_STATE_UNSPECIFIED]
    assert journal.counts() == (3, 1)


def test_bytes_that_come_later_are_added(journal: Journal) -> None:
    """Blobs accumulate while a request is open and go when it is closed."""
    journal.accept(record(1, blobs=()))
    journal.accept(record(1))
    (found,) = journal.unanswered()
    assert found.blobs == ((b"d" * 32, b"bytes"),)


def test_cursors_grow_and_accusations_are_unique(journal: Journal) -> None:
    """Results keep their order; the same party is accused once a request."""
    for number in (1, 2):
        journal.accept(record(number))
        journal.finish(record(number).request_id, answer(number))
    assert journal.accuse(record(1).request_id, 3, answer(1))
    assert not journal.accuse(record(1).request_id, 3, answer(1))
    assert [result.cursor for result in journal.results_after(0)] == [1, 2, 3]
    assert [result.cursor for result in journal.results_after(2)] == [3]
    assert [result.cursor for result in journal.results_after(0, limit=1)] == [1]


def test_the_trusted_height_never_falls(journal: Journal) -> None:
    """A lower header adds its app hash at most."""
    assert journal.trusted() is None
    journal.trust(b"ten", [(9, b"nine"), (10, b"ten")])
    journal.trust(b"five", [(5, b"five")])
    assert journal.trusted() == b"ten"
    assert (journal.app_hash(9), journal.app_hash(11)) == (b"nine", None)
    assert journal.app_hash(2**64) is None
    journal.trust(b"far", [(10_000, b"far")])
    assert journal.app_hash(9) is None


def test_the_journal_belongs_to_one_chain_and_party(journal: Journal, tmp_path: Path) -> None:
    """Another chain or party does not open it; a file that is none is refused."""
    journal.close()
    with pytest.raises(JournalError, match="another chain"):
        Journal(tmp_path / "journal.db", "made-2", 1)
    with pytest.raises(JournalError, match="another party"):
        Journal(tmp_path / "journal.db", "made-1", 2)
    (tmp_path / "other.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(JournalError):
        Journal(tmp_path / "other.db", "made-1", 1)


def test_messages_and_epochs(journal: Journal) -> None:
    """What we sent and which epochs we know survive; an epoch never changes."""
    journal.accept(record(1))
    assert journal.message(record(1).request_id) is None
    journal.save_message(record(1).request_id, b"shares")
    assert journal.message(record(1).request_id) == b"shares"
    journal.save_epoch(2, b"two")
    journal.save_epoch(1, b"one")
    journal.save_epoch(1, b"changed")
    assert journal.epochs() == [b"one", b"two"]


WRITER = """
import sys
from pathlib import Path
from core.journal import Journal
from tests.core.test_journal import answer, record
journal = Journal(Path(sys.argv[1]), "made-1", 1)
for number in range(int(sys.argv[2]), 10**6):
    journal.accept(record(number))
    print("accepted", number, flush=True)
    journal.finish(record(number).request_id, answer(number))
    print("answered", number, flush=True)
"""


def test_kill_at_any_point_loses_nothing_that_was_said(tmp_path: Path) -> None:
    """Six writers are killed in the middle; all that each reported is there, once."""
    path = tmp_path / "journal.db"
    accepted: set[int] = set()
    answered: set[int] = set()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    for run in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(max(accepted, default=0) + 1)],
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        ) as writer:
            assert writer.stdout is not None
            # Odd numbers of lines stop between acceptance and answer, even ones after an answer.
            for _ in range(3 + run):
                word, number = writer.stdout.readline().split()
                (accepted if word == "accepted" else answered).add(int(number))
            writer.send_signal(signal.SIGKILL)
            for line in writer.stdout:
                word, number = line.split()
                (accepted if word == "accepted" else answered).add(int(number))
    journal = Journal(path, "made-1", 1)
    known = {int.from_bytes(r.request_id, "big") for r in journal.results_after(0, 10**6)}
    waiting = {found.sequence for found in journal.unanswered()}
    assert answered <= known
    assert accepted <= known | waiting
    assert not known & waiting
    cursors = [result.cursor for result in journal.results_after(0, 10**6)]
    assert len(cursors) == len(known) == len(set(cursors))
    for number in sorted(waiting):
        assert journal.finish(record(number).request_id, answer(number))
    assert journal.unanswered() == []
