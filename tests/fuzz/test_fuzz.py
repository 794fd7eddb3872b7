"""A short run of every fuzz target on every test run; `make fuzz` runs them long and guided by coverage."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.choices import Choices
from tests.fuzz.mutation import mutate
from tests.fuzz.targets import TARGETS, Handlers, _free_message, _plain_dictionary, corpus_of, seeds
from tests.fuzz.templates import TEMPLATES
from tests.fuzz.twins import BugReportedError, Twins, require_no_bugs, watch_logs
from tests.support.chain import ADMIN, ALICE, message
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.tx import MESSAGE_KINDS

FOUND = Path(__file__).parent / "found"
# Blocks that go deep, runs of many messages, slow checks; the others are fast.
SECONDS = {"handlers": 6.0, "protocols": 8.0, "kernel": 5.0}
OTHERS_SECONDS = 3.0
INPUTS = st.binary(max_size=600)


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """A bug that the application reports is an error here."""
    before = structlog.get_config()
    watch_logs()
    try:
        yield
    finally:
        structlog.configure(**before)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_for_some_seconds(name: str) -> None:
    """Old findings, seeds, then random inputs of the same numbers in every run, until time is up."""
    with watched():
        target = TARGETS[name]()
        for data in [*corpus_of(name, FOUND), *seeds()]:
            target(data)
        chance = random.Random(name)
        end = time.monotonic() + SECONDS.get(name, OTHERS_SECONDS)
        count = 0
        while time.monotonic() < end or count <= 10:
            target(chance.randbytes(chance.choice((20, 80, 300, 1200))))
            count += 1
        assert count > 10


def check(name: str, data: bytes) -> None:
    """One input on a target that begins anew, so that a failure can be shown again."""
    with watched():
        TARGETS[name]()(data)


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(INPUTS)
def test_framing(data: bytes) -> None:
    """Hypothesis shrinks what it finds."""
    check("framing", data)


@settings(max_examples=1000, deadline=None, derandomize=True)
@given(INPUTS)
def test_transactions(data: bytes) -> None:
    """The same for transactions."""
    check("transactions", data)


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(INPUTS)
def test_handlers(data: bytes) -> None:
    """The same for blocks; the two nodes begin anew with each input."""
    with watched():
        target = Handlers(blocks_of_a_life=1)
        target(data)


# --- the harness itself: it must see what it is for


def test_templates_and_changes_reach_every_kind() -> None:
    """Each kind of message has a template or a free form, and changes reach most fields."""
    with watched():
        twins = Twins.start()
        known = twins.known(Choices(b""))
        made = {str(template(known).WhichOneof("kind")) for template in TEMPLATES}
        twins.close()
    assert made == set(MESSAGE_KINDS)
    chance = random.Random(1)
    free = {
        str(_free_message(Choices(chance.randbytes(100))).WhichOneof("kind")) for _ in range(500)
    }
    assert free == set(MESSAGE_KINDS)
    seen = set()
    for _ in range(3000):
        body = tx_pb2.TxBody(messages=[_free_message(Choices(chance.randbytes(100)))])
        mutate(body, Choices(chance.randbytes(200)), _plain_dictionary())
        seen.add(body.SerializeToString(deterministic=True))
    assert len(seen) > 1500


def test_most_offered_transactions_are_executed() -> None:
    """Mutation must not turn everything into nonsense that the first check refuses."""
    with watched():
        twins = Twins.start()
        chance = random.Random(5)
        counts: dict[str, int] = {}
        inner: Callable[[list[bytes]], None] = twins.decide

        def decide(decided: list[bytes]) -> None:
            for raw in decided:
                reason = twins.maker.check(raw).reason
                counts["ok" if reason is None else reason.name] = (
                    counts.get("ok" if reason is None else reason.name, 0) + 1
                )
            inner(decided)

        twins.decide = decide  # type: ignore[method-assign]
        for _ in range(150):
            twins.block(Choices(chance.randbytes(400)))
            if twins.halted:
                break
        twins.close()
    assert sum(counts.values()) > 150
    assert len(counts) > 8, counts


def test_unknown_rules_stop_both_nodes() -> None:
    """An upgrade that no program knows ends a life of the two nodes, at the same height, and is no finding."""
    with watched():
        twins = Twins.start()
        before = twins.maker.height
        change = config_pb2.Change(upgrade=config_pb2.Upgrade(app_version=2))
        wanted = config_pb2.ProposeChange(change=change, activation_height=twins.maker.height + 2)
        twins.decide([twins.maker.build(ADMIN, message(propose_change=wanted))])
        assert twins.halted
        assert twins.maker.height == twins.follower.height == before + 1
        twins.close()


def test_a_divergence_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two nodes of which one executes another block are told apart."""
    with watched():
        twins = Twins.start()
        payment = bank_pb2.Transfer(recipient=bytes(20), amount=1)
        raw = twins.maker.build(ALICE, message(transfer=payment))
        honest = twins.follower.call

        def other(**request: object) -> object:
            block = request.get("finalize_block")
            if block is not None:
                changed = type(block)()  # type: ignore[call-arg]
                changed.CopyFrom(block)
                del changed.txs[:]
                return honest(finalize_block=changed)
            return honest(**request)  # type: ignore[arg-type]

        monkeypatch.setattr(twins.follower, "call", other)
        with pytest.raises(AssertionError, match="disagree"):
            twins.decide([raw])


def test_a_caught_bug_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the application catches and logs does not pass unseen."""
    with watched():
        twins = Twins.start()

        def broken(*_arguments: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr("abci_app.deliver._run_messages", broken)
        payment = bank_pb2.Transfer(recipient=bytes(20), amount=1)
        twins.maker.check(twins.maker.build(ALICE, message(transfer=payment)))
        with pytest.raises(BugReportedError, match="bug"):
            require_no_bugs()
