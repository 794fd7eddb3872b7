"""Key material dealt by one party. INSECURE, for development only: the dealer knows the secret.

Rules
1. Only the dealer's deal counts; what others send as a deal is blamed.
2. The first deal counts. A second one with other bytes is equivocation.
3. A receiver that begins asks the dealer, so that a restart on either side loses nothing; the
   dealer answers every ask, as often as it comes, with the same deal.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mpc.errors import UsageError
from mpc.session import Abort, AbortReason, Blame, Done, Fault, Output, Send
from wire.ids import PartyId


@dataclass(frozen=True, slots=True)
class Material:
    """Public bytes by digest: kind (public-key, server-key, crs), SHA3-256, size in bytes."""

    kind: str
    digest: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Deal:
    """One receiver's secrets and what is public. Without materials it is an ask for the deal."""

    key_share: bytes = field(default=b"", repr=False)
    mask_keys: bytes = field(default=b"", repr=False)
    parameters: str = ""
    materials: tuple[Material, ...] = ()


ASK = Deal()

Outputs = tuple[Output[Deal, Deal], ...]


class Dealing:
    """One deal, at the dealer (with everybody's deals) or at a receiver (without)."""

    __slots__ = ("_acceptable", "_blamed", "_dealer", "_deals", "_own", "_party", "finished")

    def __init__(
        self,
        party: PartyId,
        dealer: PartyId,
        acceptable: Callable[[Deal], bool],
        deals: Mapping[PartyId, Deal] | None = None,
    ) -> None:
        """Prepare; `acceptable` says whether a deal is well formed and meant for this party.

        Raises
        ------
        UsageError
            When the dealer has no deals or a receiver has some.
        """
        if (party == dealer) != (deals is not None):
            msg = "exactly the dealer has deals"
            raise UsageError(msg)
        self._party = party
        self._dealer = dealer
        self._acceptable = acceptable
        self._deals = dict(deals or {})
        self._own: Deal | None = None
        self._blamed: set[PartyId] = set()
        self.finished = False

    def start(self) -> Outputs:
        """Deal to everybody, or ask for our deal."""
        if self._party != self._dealer:
            return (Send(ASK, self._dealer),)
        sends = tuple(
            Send(deal, party) for party, deal in sorted(self._deals.items()) if party != self._party
        )
        return (*sends, *self._take(self._deals[self._party]))

    def feed(self, sender: PartyId, message: Deal) -> Outputs:
        """Answer an ask (dealer) or take the deal (receiver)."""
        if message == ASK:
            known = self._party == self._dealer and sender in self._deals
            return (Send(self._deals[sender], sender),) if known else ()
        if sender != self._dealer:
            return self._blame(sender, Fault.MALFORMED)
        if self._own is not None:
            return () if message == self._own else self._blame(sender, Fault.EQUIVOCATION)
        return self._take(message)

    def _take(self, deal: Deal) -> Outputs:
        """Accept our deal or end."""
        self._own = deal
        self.finished = True
        if not self._acceptable(deal):
            return (
                *self._blame(self._dealer, Fault.MALFORMED),
                Abort(AbortReason.MALFORMED_DEAL, "the deal does not fit the request"),
            )
        return (Done(deal),)

    def _blame(self, party: PartyId, fault: Fault) -> Outputs:
        """Name a party once."""
        if party in self._blamed:
            return ()
        self._blamed.add(party)
        return (Blame(party, fault),)
