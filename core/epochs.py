"""Secrets of epochs: what becomes usable, what is erased, and what a crash may leave behind.

Every change is one journal transaction (`epoch_states`) and afterwards deletions, which the next start
repeats if a crash came between: a secret without a state that needs it is erased by `clean`.
"""

from collections.abc import Callable

import structlog

from core import keystore
from core.epoch_states import EpochStates
from core.journal import Journal
from core.vault import Vault
from mpc.dealing import Deal
from wire.ids import KeyId, RequestId

Forget = Callable[[KeyId, int], None]
"""Called for every share that was erased: caches must not keep it."""

CHANGE = 1 << 62
"""Added to the id of a next epoch: under which the messages of the change to it are sealed."""

_FOLDERS = ("epochs", "runs")
"""Of pseudorandom keys and of sent messages, by epoch (`epoch_keys`, `sent`)."""

log = structlog.get_logger("core.epochs")


class Epochs:
    """Changes of epochs at one core. Blocks for the disk; call it off the loop."""

    __slots__ = ("_forget_epoch", "_forget_share", "_journal", "_vault")

    def __init__(
        self,
        journal: Journal,
        vault: Vault,
        forget_share: Forget = lambda _key_id, _epoch_id: None,
        forget_epoch: Callable[[int], None] = lambda _epoch_id: None,
    ) -> None:
        """`forget_epoch` erases what else belongs to an epoch: keys, records, sealed messages of runs."""
        self._journal = journal
        self._vault = vault
        self._forget_share = forget_share
        self._forget_epoch = forget_epoch

    @property
    def states(self) -> EpochStates:
        """Which epochs' shares may be used."""
        return self._journal.epoch_states()

    def began(self, epoch_id: int, request_id: RequestId) -> None:
        """Shares of a next epoch are going to be made; what another attempt left is erased first.

        Raises
        ------
        ValueError
            When the epoch is not newer than the current one.
        """
        pending = self.states.pending
        if pending is not None and pending.request_id != request_id.value:
            self._journal.change_epochs(lambda states: states.drop(pending.request_id))
            self._erase_epoch(pending.epoch_id)
        self._journal.change_epochs(lambda states: states.begin(epoch_id, request_id.value))

    def keep(self, key_id: KeyId, epoch_id: int, deal: Deal, *, dealer: bool) -> None:
        """Seal a share of the pending epoch. Nothing decrypts with it before `current`."""
        keystore.save(self._vault, key_id, epoch_id, deal, dealer=dealer)

    def current(self, epoch_id: int) -> None:
        """The chain has made an epoch current; proof of it is the caller's business."""
        before = self.states
        if epoch_id <= before.current:
            return
        after = self._journal.change_epochs(lambda states: states.commit(epoch_id))
        if before.current:
            log.info("epoch is current", epoch=epoch_id, before=before.current)
        if before.pending is not None and not after.knows(before.pending.epoch_id):
            self._erase_epoch(before.pending.epoch_id)

    def given_up(self, request_id: RequestId) -> None:
        """The chain has given up the change that a request asked for."""
        pending = self.states.pending
        if pending is None or pending.request_id != request_id.value:
            return
        self._journal.change_epochs(lambda states: states.drop(request_id.value))
        self._erase_epoch(pending.epoch_id)
        log.warning("epoch was given up", epoch=pending.epoch_id)

    def erase_idle(self) -> tuple[int, ...]:
        """Erase retired epochs that no open request needs; the caller knows that no more will come."""
        idle = tuple(
            epoch_id
            for epoch_id in self.states.retired
            if not self._journal.open_requests(epoch_id)
        )
        if idle:
            self._journal.change_epochs(lambda states: states.erase(idle))
            for epoch_id in idle:
                self._erase_epoch(epoch_id)
                log.info("epoch is erased", epoch=epoch_id)
        if not self.states.retired:
            self._forget_epoch(CHANGE + self.states.current)
        return idle

    def erase_key(self, key_id: KeyId) -> int:
        """Erase all shares of a destroyed key; returns how many there were."""
        found = [epoch_id for owner, epoch_id in keystore.shares(self._vault) if owner == key_id]
        for epoch_id in found:
            self._erase_share(key_id, epoch_id)
        return len(found)

    def clean(self) -> None:
        """At a start: erase what a crash left, unless this core has not seen any epoch yet."""
        states = self.states
        if not states.current:
            return
        held = {epoch_id for _, epoch_id in keystore.shares(self._vault)}
        for folder in _FOLDERS:
            held |= {int(name.split("/")[1]) for name in self._vault.names(folder)}
        for epoch_id in sorted(each for each in held if not _needed(states, each)):
            log.warning("secrets without an epoch are erased", epoch=epoch_id)
            self._erase_epoch(epoch_id)

    def _erase_epoch(self, epoch_id: int) -> None:
        """Delete all secrets of one epoch, with the runs of the change that made it."""
        self._forget_epoch(CHANGE + epoch_id)
        self._forget_epoch(epoch_id)
        for key_id, found in keystore.shares(self._vault):
            if found == epoch_id:
                self._erase_share(key_id, epoch_id)

    def _erase_share(self, key_id: KeyId, epoch_id: int) -> None:
        keystore.erase(self._vault, key_id, epoch_id)
        self._forget_share(key_id, epoch_id)


def _needed(states: EpochStates, epoch_id: int) -> bool:
    """Whether secrets under an id have a reason to be here; those of a change until it is closed."""
    if epoch_id < CHANGE:
        return states.knows(epoch_id)
    pending = states.pending is not None and states.pending.epoch_id == epoch_id - CHANGE
    return pending or (epoch_id == CHANGE + states.current and bool(states.retired))
