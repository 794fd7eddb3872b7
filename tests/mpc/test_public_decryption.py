"""The contract of one opening, message by message."""

import random

import pytest
import tkms_kernel as kernel

from mpc.errors import UsageError
from mpc.exchange import Setting
from mpc.public_decryption import Item, PublicDecryption
from mpc.session import (
    Abort,
    AbortReason,
    Blame,
    Done,
    Fault,
    MaskedShare,
    MaskedShares,
    Send,
)
from tests.simulation.opening import DELTA_LOG, Problem, changed, problem
from wire.ids import PartyId

ONE, TWO, THREE, FOUR = (PartyId(number) for number in range(1, 5))


@pytest.fixture
def given() -> Problem:
    """Two small plaintexts shared among four."""
    return problem(random.Random(1), 4, 1, [(2, 2, 200), (3, 4, 60000)])


def session(given: Problem, party: PartyId = ONE) -> PublicDecryption:
    """A party's session."""
    setting = Setting(given.parties, given.threshold, party)
    return PublicDecryption(setting, given.items, given.shares[party])


def message(given: Problem, party: PartyId) -> MaskedShares:
    """What a party sends."""
    pairs = zip(given.items, given.shares[party], strict=True)
    return MaskedShares(tuple(MaskedShare(item.digest, share) for item, share in pairs))


def lie(given: Problem, party: PartyId) -> MaskedShares:
    """What a liar sends."""
    return changed(message(given, party), lambda data: bytes(byte ^ 1 for byte in data))


def test_three_consistent_shares_suffice(given: Problem) -> None:
    """Done with the third share; the fourth adds nothing."""
    opening = session(given)
    assert opening.start() == (Send(message(given, ONE)),)
    assert opening.feed(TWO, message(given, TWO)) == ()
    assert opening.feed(THREE, message(given, THREE)) == (Done((200, 60000)),)
    assert opening.finished
    assert not opening.complete
    assert opening.feed(FOUR, message(given, FOUR)) == ()
    assert opening.complete


def test_a_liar_makes_the_party_wait_for_the_fourth(given: Problem) -> None:
    """With one liar among the first three the fourth share decides and the liar is named."""
    opening = session(given)
    opening.start()
    assert opening.feed(TWO, lie(given, TWO)) == ()
    assert opening.feed(THREE, message(given, THREE)) == ()
    assert opening.feed(FOUR, message(given, FOUR)) == (
        Blame(TWO, Fault.WRONG_SHARE),
        Done((200, 60000)),
    )


def test_a_late_liar_is_named_once(given: Problem) -> None:
    """After the result a late share is compared; a duplicate changes nothing."""
    opening = session(given)
    opening.start()
    opening.feed(TWO, message(given, TWO))
    opening.feed(THREE, message(given, THREE))
    assert opening.feed(FOUR, lie(given, FOUR)) == (Blame(FOUR, Fault.WRONG_SHARE),)
    assert opening.feed(FOUR, lie(given, FOUR)) == ()
    assert opening.feed(FOUR, message(given, FOUR)) == ()
    assert opening.ignored == 2


def test_duplicates_keep_the_first(given: Problem) -> None:
    """A second message of a sender is ignored, and so are strangers and ourselves."""
    opening = session(given)
    opening.start()
    opening.feed(TWO, message(given, TWO))
    for sender in (TWO, ONE, PartyId(0), PartyId(5)):
        assert opening.feed(sender, lie(given, TWO)) == ()
    assert opening.ignored == 4
    assert opening.feed(THREE, message(given, THREE)) == (Done((200, 60000)),)


def test_wrong_form_is_named_with_its_kind(given: Problem) -> None:
    """Other digests and other lengths have their own faults and count as absent shares."""
    opening = session(given)
    opening.start()
    other = MaskedShares(message(given, TWO).shares[::-1])
    assert opening.feed(TWO, other) == (Blame(TWO, Fault.DIFFERENT_CIPHERTEXTS),)
    assert opening.feed(THREE, message(given, THREE)) == ()
    assert opening.feed(FOUR, message(given, FOUR)) == (Done((200, 60000)),)
    opening = session(given)
    opening.start()
    short = changed(message(given, TWO), lambda data: data[1:])
    assert opening.feed(TWO, short) == (Blame(TWO, Fault.MALFORMED),)


def test_more_than_the_threshold_deviating_aborts(given: Problem) -> None:
    """Two of four with other ciphertexts: no result can be trusted."""
    opening = session(given)
    opening.start()
    other = MaskedShares(())
    assert opening.feed(TWO, other) == (Blame(TWO, Fault.DIFFERENT_CIPHERTEXTS),)
    outputs = opening.feed(THREE, other)
    assert outputs[0] == Blame(THREE, Fault.DIFFERENT_CIPHERTEXTS)
    assert isinstance(outputs[1], Abort)
    assert outputs[1].reason is AbortReason.TOO_MANY_ERRORS


def test_noise_out_of_range_gives_no_value() -> None:
    """A phase half way between two messages is reported and never rounded."""
    word = (1 << DELTA_LOG) + (1 << DELTA_LOG - 1) - 1
    columns = kernel.shamir_share(128, word.to_bytes(16, "little"), 4, 1, bytes(32))
    item = Item(bytes(32), 0, 1)
    shares = [kernel.ring_pack4(128, column) for column in columns]
    opening = PublicDecryption(Setting(4, 1, ONE), [item], [shares[0]])
    opening.start()
    opening.feed(TWO, MaskedShares((MaskedShare(bytes(32), shares[1]),)))
    (output,) = opening.feed(THREE, MaskedShares((MaskedShare(bytes(32), shares[2]),)))
    assert isinstance(output, Abort)
    assert output.reason is AbortReason.NOISE_OUT_OF_RANGE


def test_a_value_wider_than_its_type_is_refused() -> None:
    """A bool of 2 is not a bool."""
    columns = kernel.shamir_share(128, (2 << DELTA_LOG).to_bytes(16, "little"), 4, 1, bytes(32))
    shares = [kernel.ring_pack4(128, column) for column in columns]
    opening = PublicDecryption(Setting(4, 1, ONE), [Item(bytes(32), 0, 1)], [shares[0]])
    opening.start()
    opening.feed(TWO, MaskedShares((MaskedShare(bytes(32), shares[1]),)))
    (output,) = opening.feed(THREE, MaskedShares((MaskedShare(bytes(32), shares[2]),)))
    assert isinstance(output, Abort)
    assert output.reason is AbortReason.PLAINTEXT_OUT_OF_RANGE


def test_alone_the_same_code_opens_at_once() -> None:
    """N = 1, t = 0: the own share is the value."""
    phase = (9 << DELTA_LOG).to_bytes(16, "little") + bytes(48)
    opening = PublicDecryption(Setting(1, 0, ONE), [Item(bytes(32), 1, 1)], [phase])
    outputs = opening.start()
    assert outputs[1:] == (Done((9,)),)
    assert opening.complete


def test_misuse_is_an_error_of_ours(given: Problem) -> None:
    """Shares of a wrong length, no start, two starts."""
    with pytest.raises(UsageError):
        PublicDecryption(Setting(4, 1, ONE), given.items, [b""])
    with pytest.raises(UsageError):
        PublicDecryption(Setting(4, 1, ONE), [], [])
    opening = session(given)
    with pytest.raises(UsageError):
        opening.feed(TWO, message(given, TWO))
    opening.start()
    with pytest.raises(UsageError):
        opening.start()


def test_repr_hides_shares(given: Problem) -> None:
    """A log line with a message has no share in it."""
    assert given.shares[ONE][0].hex()[:8] not in repr(message(given, ONE))
    assert "elements" not in repr(message(given, ONE))
