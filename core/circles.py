"""Who takes part in a run, and how each is reached: a party is a number of an epoch.

Most runs are of one epoch. A change of epoch is a run of the parties of two: old ones first, then new
ones that were not there before, each once and under its first number.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from mpc.exchange import Setting, everybody
from wire.ids import PartyId
from wire.pb.tkms.config.v1 import config_pb2


class Address(NamedTuple):
    """A party under its number in an epoch."""

    epoch_id: int
    party: PartyId


@dataclass(frozen=True, slots=True)
class Circle:
    """Parties of a run: numbers of the run from 1, and the address of each."""

    setting: Setting
    addresses: tuple[Address, ...]

    @property
    def own(self) -> Address:
        """How others know us."""
        return self.addresses[self.setting.party - 1]

    def address(self, number: PartyId) -> Address:
        """How a party of the run is reached."""
        return self.addresses[number - 1]

    def number(self, address: Address) -> PartyId | None:
        """Whose address it is, None when nobody's of this run."""
        if address not in self.addresses:
            return None
        return PartyId(self.addresses.index(address) + 1)


@dataclass(frozen=True, slots=True)
class TwoEpochs:
    """The circle of a change of epoch, and the numbers of the old and the new parties in it."""

    circle: Circle
    old: tuple[PartyId, ...]
    new: tuple[PartyId, ...]


def of_epoch(epoch_id: int, setting: Setting) -> Circle:
    """All parties of one epoch."""
    return Circle(setting, tuple(Address(epoch_id, party) for party in everybody(setting)))


def of_two_epochs(
    old: config_pb2.Epoch, new: config_pb2.Epoch, own_certificate: bytes, threshold: int
) -> TwoEpochs:
    """Parties of both epochs; a certificate (DER) is one party.

    Raises
    ------
    ValueError
        When nobody of them holds our certificate.
    """
    numbers: dict[bytes, PartyId] = {}
    addresses: list[Address] = []
    for epoch in (old, new):
        for party in sorted(epoch.parties, key=lambda party: party.index):
            if party.tls_certificate not in numbers:
                addresses.append(Address(epoch.id, PartyId(party.index)))
                numbers[party.tls_certificate] = PartyId(len(addresses))
    if own_certificate not in numbers:
        raise ValueError("we are no party of these epochs")
    setting = Setting(len(addresses), threshold, numbers[own_certificate])
    circle = Circle(setting, tuple(addresses))
    return TwoEpochs(circle, _of(old, numbers), _of(new, numbers))


def _of(epoch: config_pb2.Epoch, numbers: Mapping[bytes, PartyId]) -> tuple[PartyId, ...]:
    """Numbers in the run of an epoch's parties, in their order there."""
    ordered = sorted(epoch.parties, key=lambda party: party.index)
    return tuple(numbers[party.tls_certificate] for party in ordered)
