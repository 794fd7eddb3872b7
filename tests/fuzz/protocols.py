"""Target `protocols`: every protocol with up to t corrupt parties that send whatever the fuzzer says.

No exception leaves a machine, honest parties end, and with what the protocol promises: the same value,
the right one where there is a right one, and nobody honest blamed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

import tkms_kernel as kernel

from mpc.crs_ceremony import generate_reference_string
from mpc.exchange import Setting, Steps
from mpc.opening import open_privately, open_products
from mpc.preprocessing import Batch, BatchKind, Record
from mpc.resharing import reshare
from tests.fuzz.choices import Choices
from tests.fuzz.liars import Corruption
from tests.fuzz.spoil import bounded
from tests.mpc import (
    test_agree_random,
    test_broadcast,
    test_crs_ceremony,
    test_opening,
    test_prss_check,
    test_prss_setup,
    test_resharing,
    test_rounding,
    test_verifiable_sharing,
)
from tests.mpc.generation_world import World
from tests.mpc.network import Network, Protocol
from tests.mpc.rounding_world import NAME, making
from wire.ids import PartyId

Check = Callable[[Network[Any]], object]
Case = Callable[[Choices], tuple[int, int, Protocol[Any], Check]]
"""Parties, threshold, protocol, and what must hold afterwards."""

# A run of a few parties in one process; what a corrupt party sends costs as much again at most.
_MOST_SECONDS: Final = 30.0


def protocols(data: bytes) -> None:
    """One run."""
    choices = Choices(data)
    parties, threshold, protocol, check = choices.pick(CASES)(choices)
    corruption = Corruption(choices, parties, threshold)
    liars = corruption.liars()
    frames = corruption.frames(frozenset(liars))
    network: Network[Any] = Network(
        parties, threshold, protocol, choices.byte(), liars, duplicates=0.1, extra=frames
    )
    with bounded(_MOST_SECONDS):
        network.run()
    for party in network.honest:
        assert network.outcomes[party].blamed <= set(liars)
        assert network.machines[party].finished
    check(network)


def _size(choices: Choices) -> tuple[int, int]:
    return (7, 2) if choices.chance(40) else (4, 1)


def _all_equal(network: Network[Any], expected: object = None) -> None:
    """One value at all honest parties."""
    first, *rest = network.values()
    assert all(value == first for value in rest)
    assert expected is None or first == expected


# --- openings and broadcast


def _opening(choices: Choices) -> tuple[int, int, Protocol[Any], Check]:
    parties, threshold = _size(choices)
    bits = choices.pick((64, 128))
    expected, columns = test_opening.shared(bits, parties, threshold, packed=True)
    protocol: Any = test_opening.opening(bits, columns, 1)
    return parties, threshold, protocol, lambda network: _all_equal(network, expected)


def _opening_of_products(choices: Choices) -> tuple[int, int, Protocol[Any], Check]:
    bits = choices.pick((64, 128))
    expected, columns = test_opening.shared(bits, 5, 2, packed=True)

    def protocol(setting: Setting) -> Steps[bytes]:
        return open_products(setting, bits, columns[setting.party - 1])

    return 5, 1, protocol, lambda network: _all_equal(network, expected)


def _private_opening(choices: Choices) -> tuple[int, int, Protocol[Any], Check]:
    parties, threshold = _size(choices)
    words = {PartyId(p): bytes([p]) * 16 for p in range(1, parties + 1)}
    vectors = {
        p: kernel.shamir_share(128, word, parties, threshold, bytes([p] * 32))
        for p, word in words.items()
    }

    def protocol(setting: Setting) -> Steps[bytes]:
        shares = {p: columns[setting.party - 1] for p, columns in vectors.items()}
        return open_privately(setting, 128, shares)

    def check(network: Network[Any]) -> None:
        for party, value in zip(network.honest, network.values(), strict=True):
            assert value == words[party] + bytes(48)

    return parties, threshold, protocol, check


def _detection(choices: Choices) -> tuple[int, int, Protocol[Any], Check]:
    parties, threshold = _size(choices)
    expected, columns = test_opening.shared(64, parties, 2 * threshold, packed=True)

    def check(network: Network[Any]) -> None:
        _all_equal(network)
        assert network.values()[0].values in {None, expected}

    protocol: Any = test_opening.detecting(columns)
    return parties, threshold, protocol, check


def _broadcast(choices: Choices) -> tuple[int, int, Protocol[Any], Check]:
    return *_size(choices), test_broadcast.all_send, test_broadcast.check


# --- set-up


def _sharing(choices: Choices) -> tuple[int, int, Protocol[Any], Check]:
    return *_size(choices), test_verifiable_sharing.dealing, test_verifiable_sharing.check


def _prss_setup(choices: Choices) -> tuple[int, int, Protocol[Any], Check]:
    return *_size(choices), test_prss_setup.setting_up, test_prss_setup.check


def _prss_check(choices: Choices) -> tuple[int, int, Protocol[Any], Check]:
    parties, threshold = _size(choices)

    def check(network: Network[Any]) -> None:
        _all_equal(network)
        verdict = network.values()[0]
        assert verdict.contributions == test_prss_check.truth_of(parties, threshold)
        assert verdict.corrupt <= set(network.liars)

    return parties, threshold, test_prss_check.checking, check


def _coins(choices: Choices) -> tuple[int, int, Protocol[Any], Check]:
    """Anybody can end it without keys; what some end with fits."""

    def check(network: Network[Any]) -> None:
        assert all(len(keys) == 1 for keys in test_agree_random.keys_by_set(network).values())

    return *_size(choices), test_agree_random.tossing, check


# --- preprocessing and decryption


_BATCHES: Final = (
    Batch(BatchKind.BITS, 64, 8),
    Batch(BatchKind.BITS, 128, 4),
    Batch(BatchKind.TRIPLES, 64, 4),
    Batch(BatchKind.TRIPLES, 128, 4),
    Batch(BatchKind.ROUNDING, 64, 4),
)


def _preprocessing(choices: Choices) -> tuple[int, int, Protocol[Any], Check]:
    parties, threshold = _size(choices)
    protocol = making(parties, threshold, choices.pick(_BATCHES))
    return parties, threshold, protocol, _one_record


def _correcting_preprocessing(choices: Choices) -> tuple[int, int, Protocol[Any], Check]:
    protocol = making(5, 1, choices.pick(_BATCHES), correcting=True)
    return 5, 1, protocol, _one_record


def _one_record(network: Network[Record]) -> None:
    records = [record for record in network.values() if record is not None]
    assert len({record.digest(NAME) for record in records}) == 1
    assert all(record.corrupt <= set(network.liars) for record in records)


def _public_decryption(choices: Choices) -> tuple[int, int, Protocol[Any], Check]:
    parties, threshold = _size(choices)
    expected = tuple(value for _, value in test_rounding.REQUEST)
    protocol = test_rounding.decrypting(parties, threshold, _ciphertexts())
    return parties, threshold, protocol, lambda network: _all_equal(network, expected)


def _user_decryption(choices: Choices) -> tuple[int, int, Protocol[Any], Check]:
    parties, threshold = _size(choices)

    def check(network: Network[Any]) -> None:
        answers = list(zip(network.honest, network.values(), strict=True))
        for place, (fhe_type, value) in enumerate(test_rounding.REQUEST):
            blocks = [value >> 2 * i & 3 for i in range(kernel.ordinary_blocks(fhe_type))]
            shares = [(int(party), answer[place]) for party, answer in answers]
            opened = test_rounding.open_answers(parties, threshold, shares)
            assert opened == test_rounding.lifted(blocks)

    protocol = test_rounding.answering(parties, threshold, _ciphertexts())
    return parties, threshold, protocol, check


@functools.cache
def _ciphertexts() -> list[Any]:
    return test_rounding.ciphertexts()


# --- keys, resharing, reference string


def _key_chunk(choices: Choices) -> tuple[int, int, Protocol[Any], Check]:
    """The openings of one chunk of rows; two kinds of chunk have all that there is."""
    world = _world()
    chunks = world.first.plan.chunks
    chunk = choices.pick(
        (next(c for c in chunks if c.products), next(c for c in chunks if c.part == "check"))
    )
    return 4, 1, world.opening(chunk), lambda network: _all_equal(network, _bodies(chunk.number))


@functools.cache
def _world() -> World:
    world = World(4, 1, "test")
    world.begin()
    return world


@functools.cache
def _bodies(number: int) -> bytes:
    """What honest parties open."""
    return _world().open(_world().first.plan.chunks[number])


def _resharing(choices: Choices) -> tuple[int, int, Protocol[Any], Check]:
    name = choices.pick(("same", "replaced", "moved", "shrunk"))
    case = test_resharing.CASES[name] if choices.chance(60) else test_resharing.SAME_4
    old = case.shares
    dealt = test_resharing.new_keys(len(case.new.members), case.new.threshold)
    keys = dict(zip(case.new.members, dealt, strict=True))

    def protocol(setting: Setting) -> Steps[Any]:
        party = setting.party
        return reshare(case.plan, party, old.get(party), keys.get(party))

    everyone = {*case.old.members, *case.new.members}
    # At most t of EACH set are corrupt: one in all keeps to that in every case.
    return len(everyone), min(case.plan.threshold, 1), protocol, case.honest


def _ceremony(_: Choices) -> tuple[int, int, Protocol[Any], Check]:
    """Four parties: checking a contribution is what takes long here."""

    def protocol(setting: Setting) -> Steps[Any]:
        toy, seed = test_crs_ceremony.toy(), test_crs_ceremony.seed_of(setting.party)
        return generate_reference_string(setting, toy, seed)

    def check(network: Network[Any]) -> None:
        contributors = test_crs_ceremony.agreed(network).contributors
        assert set(network.honest) <= set(contributors)

    return 4, 1, protocol, check


CASES: Final[tuple[Case, ...]] = (
    *(_opening, _opening_of_products, _private_opening, _detection, _broadcast, _broadcast),
    *(_sharing, _prss_setup, _prss_check, _coins, _preprocessing, _correcting_preprocessing),
    *(_public_decryption, _user_decryption, _key_chunk, _resharing, _ceremony),
)
