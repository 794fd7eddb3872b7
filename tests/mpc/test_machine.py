"""The machine that drives protocols, and the deadlines of its rounds."""

import random
from collections.abc import Mapping

import pytest

import mpc.machine
from mpc.errors import UsageError
from mpc.exchange import (
    Exchange,
    ProtocolAbort,
    Setting,
    Steps,
    everybody,
    others,
    to_others,
)
from mpc.machine import LATE_ROUNDS, MAX_AHEAD, Machine, RoundMessage
from mpc.pacing import PATIENCE, Pacing
from mpc.session import Abort, AbortReason, Blame, Done, Fault, Send
from tests.mpc.network import Envelope, Network, in_rounds, silent, silent_to
from wire.ids import PartyId

ONE, TWO, THREE, FOUR = (PartyId(number) for number in range(1, 5))
SETTING = Setting(4, 1, ONE)
SEVEN = Setting(7, 2, ONE)


def greet(setting: Setting, count: int = 2) -> Steps[list[list[PartyId]]]:
    """Synchronous rounds; who was heard in each."""
    heard = []
    for number in range(count):
        received = yield Exchange(to_others(setting, bytes([number])), others(setting))
        heard.append(list(received))
    return heard


def said(number: int, payload: bytes = b"x") -> RoundMessage:
    """A message of a round."""
    return RoundMessage(number, payload)


def test_rounds_go_on_when_all_were_heard() -> None:
    """Messages ahead wait, order does not matter, the result has the parties in order."""
    machine = Machine(SETTING, greet(SETTING))
    assert machine.start() == tuple(Send(said(0, b"\0"), p) for p in (TWO, THREE, FOUR))
    assert machine.feed(FOUR, said(0)) == ()
    assert machine.feed(FOUR, said(1)) == ()
    assert machine.feed(TWO, said(0)) == ()
    assert machine.missing == {THREE}
    assert machine.feed(THREE, said(0)) == tuple(
        Send(said(1, b"\1"), p) for p in (TWO, THREE, FOUR)
    )
    machine.feed(THREE, said(1))
    assert machine.feed(TWO, said(1)) == (Done([[TWO, THREE, FOUR]] * 2),)
    assert machine.finished
    assert machine.sent(TWO) == (said(0, b"\0"), said(1, b"\1"))


def test_a7_only_the_first_message_of_a_sender_and_round_counts() -> None:
    """Duplicates, other bytes, past rounds, strangers, ourselves and the far future change nothing."""
    machine = Machine(SETTING, greet(SETTING))
    machine.start()
    machine.feed(TWO, said(0))
    assert machine.feed(TWO, said(0)) == ()
    assert machine.equivocations == 0
    assert machine.feed(TWO, said(0, b"y")) == ()
    assert machine.equivocations == 1
    for sender in (PartyId(0), PartyId(5), ONE):
        assert machine.feed(sender, said(0)) == ()
    assert machine.feed(TWO, said(MAX_AHEAD + 1)) == ()
    assert machine.dropped == 4
    machine.feed(THREE, said(0))
    machine.feed(FOUR, said(0))
    assert machine.feed(TWO, said(0, b"z")) == ()
    assert machine.ignored == 1
    assert machine.round == 1
    assert machine.missing == {TWO, THREE, FOUR}


def test_a19_waiting_bytes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of later rounds is dropped and counted; what is used up makes room again."""
    monkeypatch.setattr(mpc.machine, "MAX_WAITING_BYTES", 100)
    machine = Machine(SETTING, greet(SETTING, 6))
    machine.start()
    for number in range(5):
        machine.feed(TWO, said(number, bytes(30)))
    assert machine.dropped == 2
    for sender in (THREE, FOUR):
        machine.feed(sender, said(0))
    assert machine.feed(TWO, said(3, bytes(30))) == ()
    assert machine.dropped == 2


def test_silence_ends_a_round_by_time_and_is_not_waited_for_again() -> None:
    """`expire` names the round; the silent party still counts when it is in time."""
    machine = Machine(SETTING, greet(SETTING, 3))
    machine.start()
    machine.feed(TWO, said(0))
    machine.feed(THREE, said(0))
    assert machine.expire(1) == ()
    assert machine.round == 0
    machine.expire(0)
    assert machine.round == 1
    assert machine.missing == {TWO, THREE}
    machine.feed(FOUR, said(1))
    machine.feed(TWO, said(1))
    machine.feed(THREE, said(1))
    machine.feed(TWO, said(2))
    assert machine.feed(THREE, said(2)) == (Done([[TWO, THREE], [TWO, THREE, FOUR], [TWO, THREE]]),)
    assert machine.expire(2) == ()


def test_an_asynchronous_round_has_no_time() -> None:
    """It ends when `enough` says so, or when everybody was heard."""

    def three(count: int) -> Steps[list[PartyId]]:
        heard = yield Exchange({}, others(SETTING), lambda received: len(received) >= count)
        return list(heard)

    machine = Machine(SETTING, three(2))
    assert machine.start() == ()
    assert not machine.synchronous
    assert machine.expire(0) == ()
    machine.feed(FOUR, said(0))
    assert machine.feed(TWO, said(0)) == (Done([TWO, FOUR]),)
    machine = Machine(SETTING, three(9))
    machine.start()
    for sender in (TWO, THREE):
        machine.feed(sender, said(0))
    assert machine.feed(FOUR, said(0)) == (Done([TWO, THREE, FOUR]),)
    assert Machine(SETTING, three(0)).start() == (Done([]),)


def test_a_round_may_end_by_enough_or_by_time() -> None:
    """Both, with `synchronous`."""

    def either() -> Steps[list[PartyId]]:
        heard = yield Exchange(
            {}, others(SETTING), lambda received: len(received) >= 2, synchronous=True
        )
        return list(heard)

    machine = Machine(SETTING, either())
    machine.start()
    assert machine.synchronous
    assert machine.expire(0) == (Done([]),)
    machine = Machine(SETTING, either())
    machine.start()
    machine.feed(TWO, said(0))
    assert machine.feed(THREE, said(0)) == (Done([TWO, THREE]),)


def test_a_leap_ends_a_round_that_honest_parties_left_behind() -> None:
    """T + 1 parties far enough ahead; fewer or nearer ones do not count."""

    def leaping() -> Steps[int]:
        yield Exchange({}, others(SETTING), leap=3)
        return 5

    machine = Machine(SETTING, leaping())
    machine.start()
    machine.feed(TWO, said(2))
    machine.feed(THREE, said(2))
    assert machine.feed(TWO, said(3)) == ()
    assert machine.feed(FOUR, said(7)) == (Done(5),)


def test_blame_abort_and_misuse() -> None:
    """Blame once a party; an abort of the protocol or of `enough` ends it; our own mistakes raise."""

    def blaming() -> Steps[int]:
        yield Blame(TWO, Fault.MALFORMED)
        yield Blame(TWO, Fault.EQUIVOCATION)
        yield Exchange({}, frozenset({TWO}))
        raise ProtocolAbort(AbortReason.TOO_MANY_ERRORS, "gone")

    machine = Machine(SETTING, blaming())
    with pytest.raises(UsageError):
        machine.feed(TWO, said(0))
    assert machine.start() == (Blame(TWO, Fault.MALFORMED),)
    with pytest.raises(UsageError):
        machine.start()
    assert machine.feed(TWO, said(0)) == (Abort(AbortReason.TOO_MANY_ERRORS, "gone"),)
    assert machine.feed(TWO, said(1)) == ()

    def refusing(_: Mapping[PartyId, bytes]) -> bool:
        raise ProtocolAbort(AbortReason.MALFORMED_DEAL, "no")

    def asking() -> Steps[int]:
        yield Exchange({}, others(SETTING), refusing)
        return 1

    assert Machine(SETTING, asking()).start() == (Abort(AbortReason.MALFORMED_DEAL, "no"),)

    def talking_to_itself() -> Steps[int]:
        yield Exchange({ONE: b""}, frozenset())
        return 1

    with pytest.raises(UsageError):
        Machine(SETTING, talking_to_itself()).start()


def test_nobody_awaited_is_no_wait() -> None:
    """Rounds without anybody to hear run through in one go; sub-protocols return values."""

    def silent_rounds() -> Steps[int]:
        for number in range(3):
            yield Exchange(to_others(SETTING, bytes([number])))
        return len((yield from greet(Setting(1, 0, ONE))))

    machine = Machine(SETTING, silent_rounds())
    outputs = machine.start()
    assert outputs[-1] == Done(2)
    assert [message.round for message in machine.sent(TWO)] == [0, 1, 2]
    assert everybody(SETTING) == (ONE, TWO, THREE, FOUR)


def test_time_runs_when_n_minus_t_have_come() -> None:
    """Before, we may be ahead of honest parties; t + 1 ahead of us shorten what is left."""
    machine = Machine(SEVEN, greet(SEVEN, 3))
    pacing = Pacing(machine, 1000, 100)
    machine.start()
    assert pacing.deadline(0) is None
    for number in (2, 3, 4):
        machine.feed(PartyId(number), said(0))
    assert not machine.timed
    assert pacing.deadline(10) is None
    machine.feed(PartyId(5), said(1))
    assert machine.attended
    assert pacing.deadline(20) == 1020
    assert pacing.deadline(500) == 1020
    machine.feed(PartyId(2), said(1))
    assert not machine.overtaken
    machine.feed(PartyId(3), said(1))
    assert machine.overtaken
    assert pacing.deadline(600) == 700
    machine.feed(PartyId(4), said(1))
    assert pacing.deadline(650) == 700
    machine.expire(0)
    assert machine.round == 2
    assert machine.missing == {PartyId(2), PartyId(3), PartyId(4), PartyId(5)}


def test_patience_ends_rounds_that_few_come_to() -> None:
    """When the awaited are few, because others have left, the round still ends."""

    def few() -> Steps[int]:
        yield Exchange({}, frozenset({TWO, THREE}))
        return 1

    machine = Machine(SEVEN, few())
    pacing = Pacing(machine, 1000, 100)
    machine.start()
    assert pacing.deadline(0) == 1000 * PATIENCE
    machine.expire(0)
    assert pacing.deadline(1) is None


@pytest.mark.parametrize(("parties", "threshold"), [(4, 1), (7, 2), (13, 4)])
def test_a3_selective_silence_makes_no_honest_party_late(parties: int, threshold: int) -> None:
    """Liars silent to one victim after the other, in each round: nobody honest is missed."""

    def protocol(setting: Setting) -> Steps[list[list[PartyId]]]:
        return greet(setting, 12)

    for seed in range(4):

        def liar(_: random.Random, envelope: Envelope, shift: int = seed) -> bytes | None:
            victim = 1 + (envelope.round * (1 + shift) + envelope.sender) % parties
            return None if envelope.recipient == victim else envelope.payload

        liars = {PartyId(p): liar for p in range(1, threshold + 1)}
        network = Network(parties, threshold, protocol, seed, liars).run()
        for party in network.honest:
            value = network.outcomes[party].value
            assert value is not None
            for heard in value:
                assert set(network.honest) - {party} <= set(heard)


def test_the_network_is_a_function_of_its_seed() -> None:
    """Same seed, same transcript; another seed, another; a party's run can be done again."""

    def run(seed: int) -> Network[list[list[PartyId]]]:
        liars = {THREE: in_rounds(silent_to(1), 1)}
        return Network(4, 1, greet, seed, liars).run()

    assert run(1).digest() == run(1).digest() != run(2).digest()
    network = run(3)
    for party in network.honest:
        assert network.replay(party).finished
    assert network.outcomes[ONE].value == [[TWO, THREE, FOUR], [TWO, FOUR]]
    assert network.outcomes[TWO].value == [[ONE, THREE, FOUR]] * 2
    assert Network(4, 1, greet, 1, {THREE: silent}).run().timeouts == 3


def test_a7_frames_of_a_corrupt_party_again_and_out_of_place() -> None:
    """Captured frames put in again, with other rounds: the first one counts, the rest is counted."""
    clean = Network(4, 1, greet, 4, duplicates=0).run()
    frames = [(moment, envelope) for moment, envelope in clean.transcript if envelope.sender == TWO]
    again = [
        (moment + shift, Envelope(e.sender, e.recipient, number, e.payload))
        for moment, e in frames
        for shift, number in ((40, e.round), (80, e.round + 1), (120, 0), (160, 40))
    ]
    network = Network(4, 1, greet, 4, {TWO: lambda _, e: e.payload}, extra=again).run()
    assert [network.outcomes[p].value for p in network.honest] == [
        clean.outcomes[p].value for p in network.honest
    ]
    machines = [network.machines[p] for p in network.honest]
    assert sum(m.ignored + m.dropped + m.equivocations for m in machines) > 0


def open_twice(setting: Setting) -> Steps[int]:
    """Rounds that two messages end; an x that comes late convicts."""

    def late(party: PartyId, payload: bytes) -> Blame | None:
        return Blame(party, Fault.WRONG_SHARE) if payload == b"x" else None

    for _ in range(LATE_ROUNDS + 2):
        yield Exchange({}, others(setting), lambda received: len(received) == 2, late=late)
    return 0


def test_late_messages_are_looked_at_once() -> None:
    """The first of a party and of the last rounds; who was in time says nothing more, a name falls once."""
    machine = Machine(SETTING, open_twice(SETTING))
    machine.start()
    for number in range(LATE_ROUNDS + 1):
        machine.feed(TWO, said(number))
        machine.feed(THREE, said(number))
    assert machine.round == LATE_ROUNDS + 1
    assert machine.feed(TWO, said(1)) == ()
    assert machine.feed(FOUR, said(0)) == ()
    assert machine.ignored == 2
    assert not machine.hears_late(FOUR, 0)
    assert machine.feed(FOUR, said(1, b"y")) == ()
    assert machine.feed(FOUR, said(1)) == ()
    assert machine.feed(FOUR, said(2)) == (Blame(FOUR, Fault.WRONG_SHARE),)
    assert machine.feed(FOUR, said(3)) == ()
    machine.feed(TWO, said(LATE_ROUNDS + 1))
    machine.feed(THREE, said(LATE_ROUNDS + 1))
    assert machine.finished
    assert not machine.hears_late(FOUR, LATE_ROUNDS)
