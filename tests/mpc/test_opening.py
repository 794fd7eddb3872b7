"""Openings of shared vectors, as exchanges."""

import random
from itertools import combinations

import pytest
import tkms_kernel as kernel

from mpc.errors import UsageError
from mpc.exchange import Setting, Steps
from mpc.opening import (
    Collector,
    Detection,
    detect,
    element_bytes,
    first_inconsistent,
    open_detecting,
    open_privately,
    open_products,
    open_robustly,
)
from mpc.session import Blame, Fault
from tests.mpc.network import LIARS, Envelope, Liar, Network, noise, silent
from wire.ids import PartyId

SETTINGS = ((4, 1), (7, 2), (13, 4))
RINGS = (64, 128)


def secrets(bits: int, count: int = 6) -> bytes:
    """Words that fill their width."""
    return random.Random(bits).randbytes(count * bits // 8)


def shared(bits: int, parties: int, degree: int, *, packed: bool) -> tuple[bytes, list[bytes]]:
    """Values as they open, and everybody's shares."""
    words = secrets(bits)
    columns = kernel.shamir_share(bits, words, parties, degree, bytes(32))
    size = bits // 8
    elements = b"".join(
        words[start : start + size] + bytes(3 * size) for start in range(0, len(words), size)
    )
    if not packed:
        return elements, columns
    return kernel.ring_pack4(bits, elements), [kernel.ring_pack4(bits, c) for c in columns]


def opening(bits: int, columns: list[bytes], degree: int = 1) -> object:
    """Protocol that opens a vector."""

    def protocol(setting: Setting) -> Steps[bytes]:
        own = columns[setting.party - 1]
        one = degree == 1
        return (open_robustly if one else open_products)(setting, bits, own)

    return protocol


@pytest.mark.parametrize("bits", RINGS)
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", LIARS)
@pytest.mark.parametrize(("parties", "threshold"), [(1, 0), *SETTINGS])
def test_a1_a3_values_are_right(
    parties: int, threshold: int, name: str, packed: bool, bits: int
) -> None:
    """Any t liars: all honest parties open the right values and blame nobody who is honest."""
    degree = threshold
    expected, columns = shared(bits, parties, degree, packed=packed)
    liars = {PartyId(p): LIARS[name] for p in range(1, threshold + 1)}
    network = Network(parties, threshold, opening(bits, columns), 1, liars).run()
    assert network.values() == [expected] * (parties - threshold)
    assert network.timeouts == 0
    for party in network.honest:
        assert network.outcomes[party].round == 1
        assert network.outcomes[party].blamed <= set(liars)
        network.replay(party)


def off_by(power: int, coefficient: int, bits: int) -> Liar:
    """Adds 2^power to one coefficient of the first element."""

    def liar(_: random.Random, envelope: Envelope) -> bytes:
        width = bits // 8
        start = coefficient * width
        word = int.from_bytes(envelope.payload[start : start + width], "little")
        changed = ((word + 2**power) % 2**bits).to_bytes(width, "little")
        return envelope.payload[:start] + changed + envelope.payload[start + width :]

    return liar


@pytest.mark.parametrize("bits", RINGS)
@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
def test_a1_off_by_each_power_of_two(parties: int, threshold: int, bits: int) -> None:
    """Every bit of every coefficient; the liars are named if their shares were needed."""
    expected, columns = shared(bits, parties, threshold, packed=False)
    subsets = list(combinations(range(1, parties + 1), threshold))
    rng = random.Random(bits)
    named = 0
    for power in range(bits):
        corrupt = rng.choice(subsets)
        liars = {PartyId(p): off_by(power, (power + p) % 4, bits) for p in corrupt}
        network = Network(parties, threshold, opening(bits, columns), power, liars).run()
        assert network.values() == [expected] * (parties - threshold)
        named += sum(bool(network.outcomes[p].blamed) for p in network.honest)
    assert named


@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
def test_a4_a_slow_party_is_not_waited_for(parties: int, threshold: int) -> None:
    """The result is there before the slow parties' shares, which take a thousand times as long."""
    expected, columns = shared(64, parties, threshold, packed=True)
    slow = frozenset(PartyId(p) for p in range(1, threshold + 1))
    network = Network(parties, threshold, opening(64, columns), 5, slow=slow, duplicates=0).run()
    assert network.values() == [expected] * parties
    assert all(network.outcomes[p].ended < 100 for p in network.honest)
    first = [m for m, e in network.transcript if e.sender in slow]
    assert max(network.outcomes[p].ended for p in network.honest) < sorted(first)[len(first) // 3]


@pytest.mark.parametrize("name", LIARS)
@pytest.mark.parametrize(("parties", "threshold"), [(5, 1), (9, 2), (13, 3)])
def test_products_are_corrected_among_four_t_plus_one(
    parties: int, threshold: int, name: str
) -> None:
    """Degree 2t, any t liars."""
    expected, columns = shared(64, parties, 2 * threshold, packed=True)
    liars = {PartyId(p): LIARS[name] for p in range(1, threshold + 1)}
    network = Network(parties, threshold, opening(64, columns, 2), 1, liars).run()
    assert network.values() == [expected] * (parties - threshold)


def test_products_are_not_corrected_among_fewer() -> None:
    """N = 3t + 1 is refused, because the answer could be wrong."""
    with pytest.raises(UsageError):
        open_products(Setting(4, 1, PartyId(1)), 64, bytes(32))


def detecting(columns: list[bytes]) -> object:
    """Protocol that opens by broadcast."""

    def protocol(setting: Setting) -> Steps[Detection]:
        return open_detecting(setting, 64, columns[setting.party - 1])

    return protocol


@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
@pytest.mark.parametrize("name", LIARS)
def test_detection_is_the_same_at_all(parties: int, threshold: int, name: str) -> None:
    """Degree 2t: right values or none, and everybody holds the same shares."""
    expected, columns = shared(64, parties, 2 * threshold, packed=True)
    liars = {PartyId(p): LIARS[name] for p in range(1, threshold + 1)}
    outcomes = Network(parties, threshold, detecting(columns), 1, liars).run().values()
    assert all(outcome == outcomes[0] for outcome in outcomes)
    outcome = outcomes[0]
    assert outcome is not None
    assert outcome.values in {None, expected}
    if name == "silent":
        assert outcome.values == expected
        assert outcome.silent == set(liars)


def test_the_first_wrong_element_is_found() -> None:
    """By halving; a vector without one is an error of ours."""
    setting = Setting(4, 1, PartyId(1))
    _, columns = shared(64, 4, 2, packed=False)
    shares = {PartyId(p): column for p, column in enumerate(columns, start=1)}
    with pytest.raises(UsageError):
        first_inconsistent(setting, 64, shares, 2)
    size = element_bytes(64)
    for index in (5, 3, 0):
        word = bytearray(shares[PartyId(2)])
        word[index * size + 7] ^= 0x80
        shares[PartyId(2)] = bytes(word)
        assert first_inconsistent(setting, 64, shares, 2) == index
        assert detect(setting, 64, shares, 2) is None


@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
def test_private_openings_reach_their_owner_only(parties: int, threshold: int) -> None:
    """Every party opens its own vector; no message carries shares of another's."""
    vectors = {
        PartyId(p): kernel.shamir_share(
            128, p.to_bytes(16, "little") * p, parties, threshold, bytes([p] * 32)
        )
        for p in range(1, parties + 1)
    }

    def protocol(setting: Setting) -> Steps[bytes]:
        shares = {p: columns[setting.party - 1] for p, columns in vectors.items()}
        return open_privately(setting, 128, shares)

    liars: dict[PartyId, Liar] = {PartyId(p): noise for p in range(1, threshold + 1)}
    network = Network(parties, threshold, protocol, 2, liars).run()
    for party in network.honest:
        value = (int(party).to_bytes(16, "little") + bytes(48)) * party
        assert network.outcomes[party].value == value
    for _, envelope in network.transcript:
        if envelope.sender in network.honest:
            columns = vectors[envelope.recipient]
            assert envelope.payload == columns[envelope.sender - 1]


def test_too_few_honest_shares_end_without_a_value() -> None:
    """Two liars of four are outside the model: no value rather than a wrong one."""
    _, columns = shared(64, 4, 1, packed=True)
    liars: dict[PartyId, Liar] = {PartyId(1): noise, PartyId(2): noise}
    network = Network(4, 1, opening(64, columns), 1, liars).run()
    for party in network.honest:
        assert network.outcomes[party].aborted is not None
        assert not network.outcomes[party].done


def test_excluded_parties_count_as_known_liars() -> None:
    """With one known liar two further shares suffice, and the liar is not sent to."""
    expected, columns = shared(64, 7, 2, packed=True)
    out = frozenset({PartyId(7)})

    def protocol(setting: Setting) -> Steps[bytes]:
        excluded = out if setting.party not in out else frozenset()
        return open_robustly(setting, 64, columns[setting.party - 1], excluded)

    liars: dict[PartyId, Liar] = {PartyId(7): silent, PartyId(1): noise}
    network = Network(7, 2, protocol, 1, liars).run()
    assert network.values() == [expected] * 5
    assert not [e for _, e in network.transcript if e.recipient in out and e.sender in range(2, 7)]


def test_a_collector_is_asked_again_only_for_more_shares() -> None:
    """A message of another length changes nothing but the list of who sent one."""
    expected, columns = shared(64, 4, 1, packed=True)
    collector = Collector(64, (4, 1, 1), len(columns[0]), {PartyId(1): columns[0]})
    assert not collector({PartyId(2): columns[1]})
    assert not collector({PartyId(2): columns[1], PartyId(3): b"x"})
    assert collector.malformed == {3}
    assert collector({PartyId(2): columns[1], PartyId(4): columns[3]})
    assert collector.values == expected


@pytest.mark.parametrize("bits", RINGS)
@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
def test_a1_a_wrong_share_that_comes_late_names_its_sender(
    parties: int, threshold: int, bits: int
) -> None:
    """After 2t + 1 right shares the others are compared: right ones are silent, wrong ones are named."""
    _, columns = shared(bits, parties, threshold, packed=False)
    size = len(columns[0])
    collector = Collector(bits, (parties, threshold, threshold), size, {PartyId(1): columns[0]})
    enough = 2 * threshold + 1
    in_time = {PartyId(p): columns[p - 1] for p in range(2, enough + 1)}
    assert collector.late(PartyId(parties), columns[-1]) is None
    assert collector(in_time)
    late = PartyId(parties)
    assert collector.late(late, columns[-1]) is None
    wrong = columns[-1][:-1] + bytes([columns[-1][-1] ^ 1])
    assert collector.late(late, wrong) == Blame(late, Fault.WRONG_SHARE)
    assert collector.late(late, wrong[:-1]) == Blame(late, Fault.MALFORMED)


def test_a1_a_liar_in_time_does_not_spoil_the_comparison() -> None:
    """The shares that late ones are compared with are right ones."""
    _, columns = shared(64, 7, 2, packed=False)
    collector = Collector(64, (7, 2, 2), len(columns[0]), {PartyId(3): columns[2]})
    in_time = {PartyId(p): columns[p - 1] for p in (1, 2, 4, 5, 6)}
    in_time[PartyId(1)] = bytes(len(columns[0]))
    assert collector(in_time)
    assert collector.liars == (PartyId(1),)
    assert collector.late(PartyId(7), columns[6]) is None
