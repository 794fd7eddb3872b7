"""Who must have signed, and when: voting power and time rules of header verification."""

from __future__ import annotations

import pytest
import tkms_kernel as kernel

from tests.support import light_twin as twin
from tests.support.light_check import DRIFT, HOUR, encoded, genesis, just_after, load, verify


def test_two_thirds_must_be_exceeded() -> None:
    """Exactly two thirds is not enough, one vote more is."""
    maker = twin.Maker("made")
    validators = maker.validators(a=1, b=1, c=1)
    trusted, signed = maker.block(1, validators), maker.block(2, validators)
    rules = twin.Rules("made", just_after(signed))
    assert verify(rules, trusted, validators, signed, validators)
    signed["commit"]["signatures"][1] = twin.absent_entry()
    assert verify(rules, trusted, validators, signed, validators) is None
    four = maker.validators(a=1, b=1, c=1, d=1)
    trusted, signed = maker.block(1, four), maker.block(2, four)
    signed["commit"]["signatures"][3] = twin.absent_entry()
    assert verify(rules, trusted, four, signed, four)


def test_votes_for_nothing_do_not_count() -> None:
    """A vote for nil has no weight, even if its signature is one for the block."""
    maker = twin.Maker("made")
    validators = maker.validators(a=1, b=1, c=1)
    trusted, signed = maker.block(1, validators), maker.block(2, validators)
    signed["commit"]["signatures"][0]["block_id_flag"] = 3
    assert (
        verify(twin.Rules("made", just_after(signed)), trusted, validators, signed, validators)
        is None
    )


@pytest.mark.parametrize("known", [["a", "b", "c"], ["a", "x", "y"], ["a", "b", "x", "y"]])
def test_skipping_needs_more_than_a_third_of_the_known_set(known: list[str]) -> None:
    """A skipping step counts the voting power of the set that the trusted header announced."""
    maker = twin.Maker("made")
    first = maker.validators(s=1)
    old = maker.validators(**dict.fromkeys(known, 1))
    new = maker.validators(a=1, b=1, c=1)
    trusted, signed = maker.block(1, first, old), maker.block(9, new)
    facts = verify(twin.Rules("made", just_after(signed)), trusted, old, signed, new)
    assert (facts is not None) == (3 * len({"a", "b", "c"} & set(known)) > len(known))


def test_too_few_known_signers_are_named_so() -> None:
    """The error of a failed skipping step can be told from the others."""
    maker = twin.Maker("made")
    old, new = maker.validators(x=1, y=1), maker.validators(a=1, b=1)
    trusted, signed = maker.block(1, old), maker.block(5, new)
    arguments = ("made", encoded(trusted), encoded(old), encoded(signed), encoded(new), HOUR, DRIFT)
    with pytest.raises(kernel.VerificationFailed, match=kernel.NOT_ENOUGH_TRUST):
        kernel.light_verify(*arguments, just_after(signed))


def test_a_forged_list_of_known_validators_is_refused() -> None:
    """The list of known validators must be the one that the trusted header announced."""
    maker = twin.Maker("made")
    old, new = maker.validators(x=1, y=1), maker.validators(a=1, b=1)
    trusted, signed = maker.block(1, old), maker.block(5, new)
    assert verify(twin.Rules("made", just_after(signed)), trusted, new, signed, new) is None


def test_next_height_must_have_the_announced_set() -> None:
    """A next header signed by another set is refused, although that set signed it completely."""
    maker = twin.Maker("made")
    old, new = maker.validators(x=1, y=1), maker.validators(x=1, z=1)
    announced, plain = maker.block(1, old, new), maker.block(1, old)
    signed = maker.block(2, new)
    rules = twin.Rules("made", just_after(signed))
    assert verify(rules, announced, new, signed, new)
    assert verify(rules, plain, old, signed, new) is None


@pytest.mark.parametrize(
    ("age", "accepted"), [(1, True), (HOUR - 1, True), (HOUR, False), (HOUR + 1, False)]
)
def test_trusting_period(age: int, accepted: bool) -> None:
    """The trusted header is a start only for the trusting period."""
    chain_id, blocks = load("four")
    trusted, block = blocks[0]["signed_header"], blocks[1]
    now = twin.time_ns(trusted["header"]["time"]) + age * twin.SECOND
    rules = twin.Rules(chain_id, now, HOUR, HOUR)
    facts = verify(
        rules, trusted, blocks[1]["validators"], block["signed_header"], block["validators"]
    )
    assert (facts is not None) == accepted


@pytest.mark.parametrize(("ahead", "accepted"), [(DRIFT - 1, True), (DRIFT, False), (HOUR, False)])
def test_header_from_the_future(ahead: int, accepted: bool) -> None:
    """A block time may be ahead of the clock by less than the drift, in both entry points."""
    chain_id, blocks = load("one")
    trusted, block = blocks[0], blocks[1]
    signed = block["signed_header"]
    now = twin.time_ns(signed["header"]["time"]) - ahead * twin.SECOND
    pinned = twin.validators_hash(block["validators"])
    rules = twin.Rules(chain_id, now)
    facts = verify(
        rules, trusted["signed_header"], block["validators"], signed, block["validators"]
    )
    assert (facts is not None) == accepted
    assert (genesis(chain_id, pinned, signed, block["validators"], now) is not None) == accepted


def test_heights_and_times_grow() -> None:
    """The same or an older header, and a later height with an older time, are refused."""
    chain_id, blocks = load("one")
    for later in (3, 4):
        block = blocks[later - 1]
        rules = twin.Rules(chain_id, just_after(blocks[-1]["signed_header"]))
        assert (
            verify(
                rules,
                blocks[3]["signed_header"],
                block["validators"],
                block["signed_header"],
                block["validators"],
            )
            is None
        )
    maker = twin.Maker("made")
    validators = maker.validators(a=1)
    trusted = maker.block(5, validators)
    early = maker.block(4, validators)
    early["header"]["height"] = "9"
    early = maker.sign(early["header"], validators)
    assert (
        verify(twin.Rules("made", just_after(trusted)), trusted, validators, early, validators)
        is None
    )
