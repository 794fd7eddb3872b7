"""Names of runs, and what hangs on them: one name, one use of pseudorandom values."""

import pytest
import tkms_kernel as kernel
from hypothesis import given
from hypothesis import strategies as st

from mpc.exchange import Setting
from mpc.names import SESSION_ID_BYTES, run_name, session_id
from mpc.opening import detect
from wire.ids import PartyId

SETTINGS = ((4, 1), (7, 2), (13, 4))
PARTS = st.lists(st.binary(max_size=6), max_size=4)
KINDS = st.text(st.characters(min_codepoint=97, max_codepoint=122), max_size=4)
EPOCHS = st.integers(0, 3)


@given(KINDS, EPOCHS, PARTS, KINDS, EPOCHS, PARTS)
def test_a9_names_are_injective(
    kind: str,
    epoch: int,
    parts: list[bytes],
    other: str,
    other_epoch: int,
    other_parts: list[bytes],
) -> None:
    """Equal names mean equal kinds, epochs and parts; parts cannot run into each other."""
    same = (kind, epoch, parts) == (other, other_epoch, other_parts)
    names = run_name(kind, epoch, *parts), run_name(other, other_epoch, *other_parts)
    assert (names[0] == names[1]) == same
    assert (session_id(names[0]) == session_id(names[1])) == same
    assert len(session_id(names[0])) == SESSION_ID_BYTES


def test_a9_parts_do_not_run_into_each_other() -> None:
    """Neighbours that a mere concatenation would confuse."""
    names = {
        run_name("ab", 1, b"c"),
        run_name("a", 1, b"bc"),
        run_name("a", 1, b"b", b"c"),
        run_name("a", 1, b"bc", b""),
        run_name("a", 1, b"", b"bc"),
        run_name("a", 1),
    }
    assert len(names) == 6


@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
def test_a9_concurrent_runs_have_independent_masks(parties: int, threshold: int) -> None:
    """Two runs that mask the same value open differently, and by more than a small difference.

    Sessions live at the same time and are asked in turns, one value at a time or all at once: only name
    and number decide.
    """
    setting = Setting(parties, threshold, PartyId(1))
    names = [run_name("test", 1, bytes([number])) for number in range(3)]
    names += [run_name("test", 2, b"\0"), run_name("tesu", 1, b"\0")]
    keys = kernel.PrssKeys.deal(parties, threshold, b"k" * 32)[: 2 * threshold + 2]
    sessions = {key.party: [key.session(name) for name in names] for key in keys}
    opened = []
    for index in range(len(names)):
        batch = {PartyId(p): of[index].mask(0, 3, 70, 40) for p, of in sessions.items()}
        for number in (2, 0, 1):
            for party, of in sessions.items():
                alone = of[index].mask(number, 1, 70, 40)
                assert alone == batch[PartyId(party)][64 * number : 64 * number + 64]
        values = detect(setting, 128, batch, threshold)
        assert values is not None
        opened += [int.from_bytes(values[64 * i : 64 * i + 16], "little") for i in range(3)]
    for place, value in enumerate(opened):
        for other in opened[:place]:
            difference = (value - other) % 2**128
            assert min(difference, 2**128 - difference) > 2**80


def test_a9_the_same_name_repeats_itself() -> None:
    """What replay after a restart rests on."""
    (one, *_) = kernel.PrssKeys.deal(4, 1, b"k" * 32)
    name = run_name("test", 1)
    assert one.session(name).next(64, 5, 2) == one.session(name).next(64, 5, 2)
