"""The order of calls: automaton against grammar, the record and its check, and what a watch sees."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abci_app.errors import GrammarError, LogError
from abci_app.grammar import LETTERS, CallOrder, Record, Recorder, Watch, check_file

ROOT = Path(__file__).resolve().parents[2]
METHODS = {letter: method for method, letter in LETTERS.items()}

# The grammar as the engine's specification writes it, expanded by substitution, without heights.
_VOTES = "V*"
_EXTEND = f"(?:{_VOTES}E{_VOTES})"
_PROPOSER = f"(?:{_VOTES}(?:PR?)?{_EXTEND}?)"
_NON_PROPOSER = f"(?:{_VOTES}R?{_EXTEND}?)"
_ROUNDS = re.compile(f"(?:{_PROPOSER}|{_NON_PROPOSER})*")
# Each of the four letters is a round by itself, so any word of them is a sequence of rounds (a test shows it for
# short ones). Written out, the nested repetitions would take a regular expression exponential time.
_HEIGHT = "(?:[VEPR]*FC)"
_SYNC = "(?:OA*)*OA+"
_CLEAN = re.compile(f"(?:I|{_SYNC}){_HEIGHT}*")
_RECOVERY = re.compile(f"(?:{_SYNC})?{_HEIGHT}*")
_UNFINISHED = ("", "C", "FC", "A", "AFC")


def twin(word: str, *, empty: bool) -> bool:
    """Whether a word is a prefix of a life, by trying what may complete it."""
    whole = _CLEAN if empty else _RECOVERY
    return not word or any(whole.fullmatch(word + rest) for rest in _UNFINISHED)


def accepted(word: str, *, empty: bool) -> bool:
    """Whether the automaton takes a word whose heights are right."""
    order = CallOrder(0 if empty else 7)
    height = 0 if empty else 7
    try:
        for letter in word:
            order.step(METHODS[letter], height + 1)
            height += letter == "C"
    except GrammarError:
        return False
    return True


def test_rounds_are_any_word_of_their_letters() -> None:
    """The specification's rounds, as it writes them."""
    assert all(_ROUNDS.fullmatch("".join(w)) for n in range(7) for w in product("VEPR", repeat=n))


@pytest.mark.parametrize("empty", [True, False])
def test_automaton_and_grammar_agree_on_all_short_words(empty: bool) -> None:
    """All 66,430 words of up to five letters."""
    words = ("".join(word) for size in range(6) for word in product(METHODS, repeat=size))
    for word in words:
        assert accepted(word, empty=empty) == twin(word, empty=empty), word


@given(
    st.lists(st.sampled_from(["I", "OA", "O", "A", "P", "R", "PR", "VEV", "FC", "F", "C"])),
    st.booleans(),
)
def test_automaton_and_grammar_agree_on_long_words(parts: list[str], empty: bool) -> None:
    """Words that look like lives."""
    word = "".join(parts)
    assert accepted(word, empty=empty) == twin(word, empty=empty)


def test_methods_outside_the_grammar_may_always_come() -> None:
    """Info, CheckTx, Query, Echo, Flush, reading of snapshots."""
    order = CallOrder(0)
    others = ("info", "query", "check_tx", "echo", "flush", "list_snapshots", "load_snapshot_chunk")
    for method in (*others, "insert_tx", "reap_txs"):
        order.step(method)
    order.step("init_chain")
    assert order.calls == ["I"]


@pytest.mark.parametrize("method", ["prepare_proposal", "process_proposal", "finalize_block"])
def test_a_block_follows_the_last_one(method: str) -> None:
    """A height that is left out or comes again is out of order; so is one after a commit."""
    for height in (7, 9):
        with pytest.raises(GrammarError, match=f"{method} of height {height} over height 7"):
            CallOrder(7).step(method, height)
    order = CallOrder(7)
    order.step("finalize_block", 8)
    order.step("commit")
    with pytest.raises(GrammarError, match="of height 8 over height 8, after the calls FC"):
        order.step(method, 8)
    order.step(method, 9)


def test_a_genesis_may_begin_above_height_1() -> None:
    """That of an export: the first block names the height, and the next one follows it."""
    order = CallOrder(0)
    order.step("init_chain")
    order.step("prepare_proposal", 501)
    with pytest.raises(GrammarError, match="of height 502 over height 500"):
        order.step("finalize_block", 502)


def test_a_restored_state_has_the_height_that_comes_first() -> None:
    """After state sync nobody has named a height yet."""
    order = CallOrder(0)
    for method in ("offer_snapshot", "offer_snapshot", "apply_snapshot_chunk"):
        order.step(method)
    order.step("finalize_block", 501)
    order.step("commit")
    with pytest.raises(GrammarError):
        order.step("finalize_block", 501)
    order.step("process_proposal", 502)


def words(path: Path) -> list[str]:
    """Letters of each life."""
    with path.open() as file:
        return [life.letters for life in Record.parse(file).lives]


class TestWatch:
    """Lives of engines in one process."""

    def test_another_connection_is_another_engine(self, tmp_path: Path) -> None:
        """A restarted engine begins again, also when the end of the old one is not seen yet."""
        height, path = [0], tmp_path / "calls.log"
        watch = Watch(lambda: height[0], Recorder(path, 0), asserts=True)
        watch.call(4, "init_chain", 0)
        watch.call(9, "check_tx", 0)
        watch.call(5, "init_chain", 0)
        watch.call(5, "finalize_block", 1)
        watch.call(5, "commit", 0)
        height[0] = 1
        watch.closed(4)
        watch.call(5, "process_proposal", 2)
        watch.closed(5)
        watch.call(6, "finalize_block", 2)
        watch.call(6, "commit", 0)
        assert words(path) == ["I", "IFCR", "FC"]
        assert check_file(path) == "3 lives, 7 calls, height 2: the order is right"

    def test_blocks_follow_a_restored_snapshot_on_another_connection(self, tmp_path: Path) -> None:
        """An engine has one connection for either, and is one engine."""
        path = tmp_path / "calls.log"
        watch = Watch(lambda: 0, Recorder(path, 0), asserts=True)
        for method in ("offer_snapshot", "apply_snapshot_chunk"):
            watch.call(2, method, 0)
        watch.call(3, "finalize_block", 40)
        watch.call(3, "commit", 0)
        assert words(path) == ["OAFC"]
        assert check_file(path).startswith("1 lives, 4 calls, height 40")

    def test_the_wrong_call_is_recorded_and_refused(self, tmp_path: Path) -> None:
        """The message names what came before."""
        path = tmp_path / "calls.log"
        watch = Watch(lambda: 3, Recorder(path, 3), asserts=True)
        watch.call(1, "finalize_block", 4)
        with pytest.raises(GrammarError, match="finalize_block must not follow the calls F of"):
            watch.call(1, "finalize_block", 4)
        assert words(path) == ["FF"]
        with pytest.raises(GrammarError, match="life 1: finalize_block must not follow"):
            check_file(path)

    def test_without_assertion_it_only_records(self, tmp_path: Path) -> None:
        """The check can come later."""
        path = tmp_path / "calls.log"
        watch = Watch(lambda: 3, Recorder(path, 3), asserts=False)
        watch.call(1, "commit", 0)
        assert words(path) == ["C"]


GOOD = """\
process 10 height 0
engine 0
init_chain
process_proposal 1
finalize_block 1
process 11 height 0
engine 0
init_chain
finalize_block 1
commit
prepare_proposal 2
process_proposal 2
finalize_block 2
commit
process 12 height 1
engine 1
finalize_block 2
commit
"""


def test_a_kill_may_cut_a_commit(tmp_path: Path) -> None:
    """The call of Commit is noted before its write: the block may be there or come again."""
    path = tmp_path / "calls.log"
    path.write_text(GOOD)
    assert check_file(path) == "3 lives, 12 calls, height 2: the order is right"
    run = [sys.executable, "-m", "abci_app.grammar", str(path)]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == f"{path}: 3 lives, 12 calls, height 2: the order is right\n"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("engine 1\n", "engine 2\n", "life 3: finalize_block of height 2 over height 2"),
        ("process 12 height 1\nengine 1\n", "engine 0\n", "life 3 begins at 0"),
        ("finalize_block 2\ncommit\nprocess", "finalize_block 2\nprocess", ""),
        ("finalize_block 2\ncommit\nprocess", "commit\nprocess", "commit must not follow"),
        ("init_chain\nfinalize", "finalize", "life 2: finalize_block must not follow the start"),
        ("prepare_proposal 2", "prepare_proposal 3", "life 2: prepare_proposal of height 3"),
    ],
)
def test_bad_records_are_named(tmp_path: Path, old: str, new: str, words: str) -> None:
    """By life and call; an empty word marks a record that is good."""
    path = tmp_path / "calls.log"
    assert GOOD.count(old) == 1
    path.write_text(GOOD.replace(old, new))
    if not words:
        check_file(path)
        return
    with pytest.raises(GrammarError, match=words):
        check_file(path)


@pytest.mark.parametrize(
    "line",
    [
        "commit 3",
        "finalize_block",
        "finalize_block -1",
        "echo",
        "engine",
        "process a height 1",
        "x" * 300,
        "",
    ],
)
def test_what_is_no_record_is_refused(tmp_path: Path, line: str) -> None:
    """With the number of the line; a missing file and other bytes too."""
    path = tmp_path / "calls.log"
    path.write_text(f"engine 4\n{line}\n")
    with pytest.raises(LogError, match="line 2"):
        check_file(path)
    path.write_text("commit\n")
    with pytest.raises(LogError, match="line 1"):
        check_file(path)
    path.write_bytes(b"\xff\n")
    with pytest.raises(LogError):
        check_file(path)
    with pytest.raises(LogError):
        check_file(tmp_path / "none")
