"""Ways through chains with random histories: honest ones end verified, forged ones never do."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import light
from tests.support.light_twin import SECOND
from tests.support.linked_chain import LinkedChain, encoded, lead

CHAIN = "walks-1"
TOP = 40
NAMES = [f"v{number}" for number in range(8)]
Powers = Mapping[str, int]

sets = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 20), min_size=1, max_size=6)
histories = st.dictionaries(st.integers(2, TOP), sets, max_size=6)


def chain_of(first: Powers, changes: Mapping[int, Powers]) -> LinkedChain:
    """A chain whose set is replaced at the given heights."""

    def powers(height: int) -> Powers:
        past = [start for start in changes if start <= height]
        return changes[max(past)] if past else first

    return LinkedChain(CHAIN, powers)


@settings(max_examples=60, deadline=None)
@given(sets, histories, st.integers(1, TOP), st.integers(1, TOP))
def test_an_honest_source_always_ends_verified(
    first: Powers, changes: Mapping[int, Powers], trusted: int, target: int
) -> None:
    """Whatever the history and whichever the trusted height, up and down."""
    chain = chain_of(first, changes)
    start = chain.verified(trusted)
    if target > trusted:
        trace, asked = lead(light.skip(chain.policy, start, target), chain)
        assert [step.header.hash for step in trace] == [chain.hash(step.height) for step in trace]
        assert (trace[0], trace[-1].height) == (start, target)
        # No height is fetched twice, and a change costs no more than one way down to it.
        assert len(set(asked)) == len(asked) <= 1 + 6 * (len(changes) + 1)
    elif target < trusted:
        reached, asked = lead(light.back(chain.policy, start, target), chain)
        assert reached == chain.verified(target)
        assert asked == list(range(trusted - 1, target - 1, -1))


@settings(max_examples=80, deadline=None)
@given(
    sets,
    histories,
    st.sets(st.sampled_from(NAMES), max_size=4),
    st.tuples(st.integers(1, TOP), st.integers(1, TOP), st.integers(1, TOP)).map(sorted),
    st.sampled_from(["thin", "invented", "joined"]),
    st.integers(1, 1000),
)
def test_less_than_a_third_never_convinces(
    first: Powers,
    changes: Mapping[int, Powers],
    corrupted: set[str],
    heights: list[int],
    style: str,
    power: int,
) -> None:
    """Forged headers from some height on: under the real set, an invented one, or one joined by liars."""
    chain = chain_of(first, changes)
    trusted, forged_from, target = heights[0], heights[1] + 1, heights[2] + 1
    every = [first, *changes.values()]
    liars: list[str] = []
    for name in sorted(corrupted):
        trial = [*liars, name]
        if all(
            3 * sum(entry.get(liar, 0) for liar in trial) <= sum(entry.values()) for entry in every
        ):
            liars = trial
    forged = chain.fork(forged_from, app_hash="AA" * 32)
    if style == "thin":
        forged.signers = lambda _height: liars
    else:
        joining = liars if style == "joined" else []
        forged.powers = lambda _height: {"w": power, **dict.fromkeys(joining, power)}
    with pytest.raises(light.LightError):
        lead(light.skip(chain.policy, chain.verified(trusted), target), forged)


def test_a_forger_with_more_than_a_third_is_what_witnesses_are_for() -> None:
    """The bound of the property above is sharp: just over a third of the known power convinces."""
    chain = chain_of({"a": 34, "b": 33, "c": 33}, {})
    forged = chain.fork(20, app_hash="AA" * 32)
    forged.powers = lambda _height: {"a": 34, "w": 1}
    trace, asked = lead(light.skip(chain.policy, chain.verified(3), 30), forged)
    assert (trace[-1].header.hash, asked) == (forged.hash(30), [30])
    divergence, _ = lead(light.compare(chain.policy, trace, 30), chain)
    assert divergence.conflicting == trace[-1]


def test_an_unknown_set_is_learnt_from_the_next_header() -> None:
    """A start that lacks the validators it announces asks for the height after it first."""
    chain = chain_of({"a": 1}, {5: {"b": 1}})
    start = chain.verified(4)
    bare = light.LightBlock(start.block.signed_header, start.block.validators)
    header = light.verify_own(chain.policy, bare, chain.now_ns(4))
    assert header.next_validators == b""
    trace, asked = lead(light.skip(chain.policy, light.VerifiedBlock(header, bare), 30), chain)
    assert (trace[-1].height, asked) == (30, [30, 5])


def test_a_start_grows_old_upwards_only() -> None:
    """After the trusting period nothing can be verified above a header, but everything below."""
    chain = chain_of({"a": 1}, {})
    late = 10**6 + 20
    with pytest.raises(light.Unverified, match="trusting period"):
        lead(light.skip(chain.policy, chain.verified(10), 12), chain, late)
    reached, _ = lead(light.back(chain.policy, chain.verified(10), 5), chain, late)
    assert reached.header.hash == chain.hash(5)


def test_another_height_than_asked_is_refused() -> None:
    """A true header at a wrong height is no answer."""
    chain = chain_of({"a": 1}, {})
    now = chain.now_ns(50)
    walk = light.skip(chain.policy, chain.verified(1), 20)
    next(walk)
    with pytest.raises(light.Unverified, match="asked for header 20, got 19"):
        walk.send(light.Supplied(chain.block(19), now))
    walk_back = light.back(chain.policy, chain.verified(20), 10)
    next(walk_back)
    with pytest.raises(light.Unverified, match="does not follow"):
        walk_back.send(light.Supplied(chain.block(18), now))


def test_backwards_only_the_linked_header_is_believed() -> None:
    """A header that the very same validators signed as well is not the one below."""
    chain = chain_of({"a": 1}, {})
    other = chain.fork(9, data_hash="AA" * 32)
    with pytest.raises(light.Unverified, match="does not follow"):
        lead(light.back(chain.policy, chain.verified(10), 5), other)


def test_walks_have_a_direction() -> None:
    """Asking for the wrong direction is a mistake of the caller."""
    chain = chain_of({"a": 1}, {})
    start = chain.verified(10)
    for walk in (
        light.skip(chain.policy, start, 10),
        light.back(chain.policy, start, 10),
        light.back(chain.policy, start, 0),
    ):
        with pytest.raises(ValueError, match="height"):
            next(walk)


def test_roots_of_trust() -> None:
    """A pinned header is that one header; a pinned set is whatever it signed."""
    chain = chain_of({"a": 1}, {})
    other = chain.fork(7, app_hash="BB" * 32)
    now = chain.now_ns(10)
    root = light.PinnedHeader(7, chain.hash(7))
    assert light.verify_root(chain.policy, root, chain.block(7), now).hash == root.hash
    for block in (other.block(7), chain.block(8)):
        with pytest.raises(light.Unverified, match="the trusted one is 7"):
            light.verify_root(chain.policy, root, block, now)
    with pytest.raises(light.Unverified):
        light.verify_root(light.Policy("other", 10, 10), root, chain.block(7), now)
    validators = light.PinnedValidators(chain.verified(7).header.validators_hash)
    for block in (chain.block(7), other.block(7)):
        assert light.verify_root(chain.policy, validators, block, now).height == 7
    with pytest.raises(light.Unverified):
        light.verify_root(chain.policy, light.PinnedValidators(bytes(32)), chain.block(7), now)
    with pytest.raises(light.Unverified):
        light.verify_root(chain.policy, root, chain.block(7), now - 60 * SECOND)


OTHER_HASH = "AB" * 32
OTHER_FIELDS = {
    "version": {"block": "11", "app": "2"},
    "time": "2023-11-14T22:13:29.5Z",
    "last_block_id": {"hash": OTHER_HASH, "parts": {"total": 1, "hash": OTHER_HASH}},
    "proposer_address": "AB" * 20,
    **dict.fromkeys(
        (
            "last_commit_hash",
            "data_hash",
            "next_validators_hash",
            "consensus_hash",
            "app_hash",
            "last_results_hash",
            "evidence_hash",
        ),
        OTHER_HASH,
    ),
}


@pytest.mark.parametrize("field", OTHER_FIELDS)
def test_no_field_can_be_changed_even_by_all_validators(field: str) -> None:
    """A pinned or linked header is one header: another one does not do, whoever signed it."""
    chain = chain_of({"a": 1, "b": 2}, {})
    other = chain.fork(9, **{field: OTHER_FIELDS[field]})
    now = chain.now_ns(20)
    assert light.verify_own(chain.policy, bare(other, 9), now).hash == other.hash(9)
    with pytest.raises(light.Unverified, match="does not follow"):
        light.verify_previous(chain.policy, chain.verified(10).header, bare(other, 9), now)
    pinned = light.PinnedHeader(9, chain.hash(9))
    with pytest.raises(light.Unverified, match="the trusted one is 9"):
        light.verify_root(chain.policy, pinned, bare(other, 9), now)
    assert light.verify_root(chain.policy, pinned, bare(chain, 9), now).hash == chain.hash(9)


@pytest.mark.parametrize("field", OTHER_FIELDS)
def test_no_field_can_be_changed_behind_a_signature(field: str) -> None:
    """Upwards, downwards and at the root: a header that its commit is not about is refused."""
    chain = chain_of({"a": 1, "b": 2}, {})
    signed = chain.signed(9)
    changed = {**signed, "header": {**signed["header"], field: OTHER_FIELDS[field]}}
    block = light.LightBlock(encoded(changed), chain.block(9).validators)
    now = chain.now_ns(20)
    below, above = chain.verified(3).header, chain.verified(10).header
    pinned = light.PinnedHeader(9, chain.hash(9))
    for refused in (
        lambda: light.verify_next(chain.policy, below, block, now),
        lambda: light.verify_previous(chain.policy, above, block, now),
        lambda: light.verify_root(chain.policy, pinned, block, now),
    ):
        with pytest.raises(light.LightError):
            refused()


def bare(chain: LinkedChain, height: int) -> light.LightBlock:
    """A block without the list of the next validators."""
    return light.LightBlock(chain.block(height).signed_header, chain.block(height).validators)
