"""Which epochs' shares this core may use: one small record, always replaced as a whole.

    pending ── the chain made it current ──► current ── a newer one became current ──► retired ──► erased
       └────── the chain gave it up ───────► erased

Rules
- Exactly one epoch is current, whatever happened: a new request is served with its shares or not at all.
- Pending shares serve nothing but the test decryption of the change that made them.
- Retired shares serve requests that the chain logged before the change, until the last of them is closed.
- Erasing follows the record: first the record says that an epoch is gone, then its secrets are deleted.
  What a crash left behind is deleted at the next start (`leftovers`).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Pending:
    """Shares that are being made, or are made and not current yet: epoch and the request that makes it."""

    epoch_id: int
    request_id: bytes


@dataclass(frozen=True, slots=True)
class EpochStates:
    """What a core knows of the epochs in which it holds shares. 0 is none."""

    current: int = 0
    pending: Pending | None = None
    retired: tuple[int, ...] = ()
    # Request that made the current epoch here, while older ones are kept: until it is closed on the chain
    # a slow party may still need what the others sent.
    made_by: bytes = b""

    def begin(self, epoch_id: int, request_id: bytes) -> "EpochStates":
        """Shares of a next epoch are going to be made; an earlier attempt is given up.

        Raises
        ------
        ValueError
            When the epoch is not newer than the current one.
        """
        if epoch_id <= self.current:
            raise ValueError(f"epoch {epoch_id} is not newer than {self.current}")
        return replace(self, pending=Pending(epoch_id, request_id))

    def commit(self, epoch_id: int) -> "EpochStates":
        """The chain made an epoch current; older ones than ours change nothing."""
        if epoch_id <= self.current:
            return self
        pending, made_by = self.pending, b""
        if pending is not None and pending.epoch_id <= epoch_id:
            made_by = pending.request_id if pending.epoch_id == epoch_id else b""
            pending = None
        retired = (*self.retired, self.current) if self.current else self.retired
        return EpochStates(epoch_id, pending, retired, made_by)

    def drop(self, request_id: bytes) -> "EpochStates":
        """The chain gave a change up; another change than the pending one changes nothing."""
        if self.pending is None or self.pending.request_id != request_id:
            return self
        return replace(self, pending=None)

    def erase(self, epoch_ids: Iterable[int]) -> "EpochStates":
        """Retired epochs that nothing needs any more are gone."""
        gone = set(epoch_ids)
        retired = tuple(each for each in self.retired if each not in gone)
        return replace(self, retired=retired, made_by=self.made_by if retired else b"")

    @property
    def change(self) -> bytes:
        """Request whose end matters to us: of the pending epoch, else of one that was just made."""
        return self.pending.request_id if self.pending else self.made_by

    @property
    def held(self) -> tuple[int, ...]:
        """Epochs whose secrets are or may be here, ascending."""
        pending = (self.pending.epoch_id,) if self.pending else ()
        return tuple(sorted({*self.retired, self.current, *pending} - {0}))

    def serves(self, epoch_id: int) -> bool:
        """Whether shares of this epoch may answer a request that the chain pinned to it."""
        return epoch_id == self.current or epoch_id in self.retired

    def lost(self, epoch_id: int) -> bool:
        """Whether an epoch is over and its secrets are gone or never were here."""
        return epoch_id < self.current and epoch_id not in self.retired

    def knows(self, epoch_id: int) -> bool:
        """Whether secrets of this epoch have a reason to be here."""
        pending = self.pending is not None and self.pending.epoch_id == epoch_id
        return pending or self.serves(epoch_id)

    def encode(self) -> bytes:
        """As the journal keeps it."""
        pending = self.pending and [self.pending.epoch_id, self.pending.request_id.hex()]
        record = {
            "current": self.current,
            "pending": pending,
            "retired": self.retired,
            "made_by": self.made_by.hex(),
        }
        return json.dumps(record, sort_keys=True).encode()


def decode(encoded: bytes | None) -> EpochStates:
    """Inverse of `EpochStates.encode`; nothing stored is a core without epochs."""
    if encoded is None:
        return EpochStates()
    record = json.loads(encoded)
    pending = record["pending"] and Pending(
        record["pending"][0], bytes.fromhex(record["pending"][1])
    )
    made_by = bytes.fromhex(record["made_by"])
    return EpochStates(record["current"], pending, tuple(record["retired"]), made_by)
