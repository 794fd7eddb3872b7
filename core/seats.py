"""Several cores of one party: who takes which request.

All cores of a party have one home: one vault, one journal, one identity towards the peers. What a
request is answered with follows from journal and vault alone, so it does not matter for the answer who
works on it, nor whether two do for a moment: the journal takes one.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from wire.digests import sha3_256
from wire.pb.tkms.asc.v1 import asc_pb2

MAX_SEATS: Final = 8

PRIMARY: Final = 1
"""Makes keys, strings, epochs and material ahead; answers decryptions as the others do."""

_SPREAD = frozenset({asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION, asc_pb2.REQUEST_KIND_USER_DECRYPTION})


@dataclass(frozen=True, slots=True)
class Seat:
    """One core among those of its party, numbered from 1."""

    number: int = PRIMARY
    count: int = 1

    def __post_init__(self) -> None:
        """Refuse a seat that is not there.

        Raises
        ------
        ValueError
            Its number or the count is out of range.
        """
        if not 1 <= self.number <= self.count <= MAX_SEATS:
            raise ValueError(f"a party has 1 to {MAX_SEATS} cores")

    @property
    def alone(self) -> bool:
        """Whether this is the party's only core."""
        return self.count == 1

    @property
    def primary(self) -> bool:
        """Whether this core does what only one may do."""
        return self.number == PRIMARY


ALONE: Final = Seat()


def choose(kind: int, payload: bytes, present: Collection[int]) -> int | None:
    """The seat for a request: by the hash of its event, the same while the same cores are present.

    When a core comes or goes, only requests of that core move (highest random weight). None: nobody is
    there who may.
    """
    if kind not in _SPREAD:
        return PRIMARY if PRIMARY in present else None
    event = sha3_256(payload)
    return max(present, key=lambda seat: sha3_256(event + bytes([seat])), default=None)
