"""The contract of a dealing."""

import pytest

from mpc.dealing import ASK, Deal, Dealing, Material
from mpc.errors import UsageError
from mpc.session import Abort, AbortReason, Blame, Done, Fault, Send
from wire.ids import PartyId

ONE, TWO, THREE = PartyId(1), PartyId(2), PartyId(3)
DEALS = {
    party: Deal(b"share %d" % party, b"masks", "test", (Material("crs", bytes(32), 1),))
    for party in (ONE, TWO, THREE)
}


def accept(_deal: Deal) -> bool:
    """Find every deal well formed."""
    return True


def test_the_dealer_deals_to_all_and_answers_every_ask() -> None:
    """Everybody's deal goes out at once; an ask brings the same deal again."""
    dealing = Dealing(ONE, ONE, accept, DEALS)
    assert dealing.start() == (Send(DEALS[TWO], TWO), Send(DEALS[THREE], THREE), Done(DEALS[ONE]))
    assert dealing.feed(TWO, ASK) == (Send(DEALS[TWO], TWO),)
    assert dealing.feed(TWO, ASK) == (Send(DEALS[TWO], TWO),)
    assert dealing.feed(PartyId(9), ASK) == ()


def test_a_receiver_asks_and_takes_the_dealers_deal_only() -> None:
    """Another party's deal is blamed, the dealer's second one too, the same again is nothing."""
    dealing = Dealing(TWO, ONE, accept)
    assert dealing.start() == (Send(ASK, ONE),)
    assert dealing.feed(THREE, ASK) == ()
    assert dealing.feed(THREE, DEALS[TWO]) == (Blame(THREE, Fault.MALFORMED),)
    assert dealing.feed(THREE, DEALS[TWO]) == ()
    assert dealing.feed(ONE, DEALS[TWO]) == (Done(DEALS[TWO]),)
    assert dealing.feed(ONE, DEALS[TWO]) == ()
    assert dealing.feed(ONE, DEALS[THREE]) == (Blame(ONE, Fault.EQUIVOCATION),)


def test_a_malformed_deal_ends_the_session() -> None:
    """The dealer is named and there is no key."""
    dealing = Dealing(TWO, ONE, lambda _deal: False)
    dealing.start()
    outputs = dealing.feed(ONE, DEALS[TWO])
    assert outputs[0] == Blame(ONE, Fault.MALFORMED)
    assert isinstance(outputs[1], Abort)
    assert outputs[1].reason is AbortReason.MALFORMED_DEAL


def test_exactly_the_dealer_has_deals() -> None:
    """Misuse is an error of ours, and secrets are not in any repr."""
    with pytest.raises(UsageError):
        Dealing(TWO, ONE, accept, DEALS)
    with pytest.raises(UsageError):
        Dealing(ONE, ONE, accept)
    assert "share 2" not in repr(DEALS[TWO])
