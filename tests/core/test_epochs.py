"""Exactly one usable epoch, whatever crashed; nothing of a gone epoch stays."""

from collections.abc import Callable
from pathlib import Path

import pytest
import tkms_kernel as kernel

from core import keystore
from core.epoch_states import EpochStates, Pending, decode
from core.epochs import CHANGE, Epochs
from core.errors import VaultError
from core.journal import Journal, Record
from core.vault import Vault, open_vault
from mpc.dealing import Deal
from tests.core.test_journal import answer
from wire.digests import sha256
from wire.ids import Height, KeyId, RequestId

KEYS = tuple(KeyId(bytes([number] * 20)) for number in (1, 2))
FIRST, SECOND = (RequestId(bytes([number] * 20)) for number in (11, 12))


class CrashError(Exception):
    """The process ends here."""


class Disk:
    """A core's journal and vault; every durable write may be the last."""

    def __init__(self, root: Path) -> None:
        """Open or create."""
        self.root = root
        self.gone: set[int] = set()
        self.writes_left: int | None = None
        self._open()

    def _open(self) -> None:
        disk = self

        class CountingVault(Vault):
            """Ends the process before the write that is one too many."""

            def put(self, name: str, secret: bytes) -> None:
                disk.count()
                super().put(name, secret)

            def remove(self, name: str) -> None:
                disk.count()
                super().remove(name)

        class CountingJournal(Journal):
            """The same for states."""

            def change_epochs(self, change: Callable[[EpochStates], EpochStates]) -> EpochStates:
                disk.count()
                return super().change_epochs(change)

        open_vault(self.root / "vault", "clear", None)
        self.vault = CountingVault(self.root / "vault", None)
        self.journal = CountingJournal(self.root / "journal.db", "made-1", 1)
        self.epochs = Epochs(self.journal, self.vault, forget_epoch=self.gone.add)

    def count(self) -> None:
        """One durable write."""
        if self.writes_left is not None:
            if self.writes_left == 0:
                raise CrashError
            self.writes_left -= 1

    def restart(self) -> None:
        """What a new process does."""
        self.writes_left = None
        self.journal.close()
        self._open()
        self.epochs.clean()

    def shares(self) -> set[tuple[KeyId, int]]:
        """Key and epoch of every share."""
        return set(keystore.shares(self.vault))

    def usable(self, key_id: KeyId) -> list[int]:
        """Epochs whose share of a key would answer a new request: what the chain calls current."""
        states = self.epochs.states
        return [e for e in (states.current,) if keystore.has(self.vault, key_id, e)]


def deal(epoch_id: int, key_id: KeyId) -> Deal:
    """Party 1's share of a toy key, another one each epoch."""
    seed = sha256(b"%d" % epoch_id + key_id.value)
    share = kernel.ClientKey.generate("test", seed).deal(4, 1)[0]
    mask = kernel.PrssKeys.deal(4, 1, seed)[0]
    return Deal(share.to_bytes(), mask.to_bytes(), "test")


DEALS = {(key_id, epoch): deal(epoch, key_id) for key_id in KEYS for epoch in (1, 2, 3)}


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    """A core that serves two keys in epoch 1."""
    made = Disk(tmp_path)
    made.epochs.current(1)
    for key_id in KEYS:
        made.epochs.keep(key_id, 1, DEALS[key_id, 1], dealer=False)
    return made


def refresh(epochs: Epochs, epoch_id: int, request_id: RequestId) -> None:
    """All writes of a change of epoch up to the answer."""
    epochs.began(epoch_id, request_id)
    for key_id in KEYS:
        epochs.keep(key_id, epoch_id, DEALS[key_id, epoch_id], dealer=False)


def whole_change(epochs: Epochs) -> None:
    """A change that the chain makes current, and the end of the old epoch."""
    refresh(epochs, 2, FIRST)
    epochs.current(2)
    epochs.erase_idle()


def given_up_and_again(epochs: Epochs) -> None:
    """An attempt that fails on the chain, and another one that does not."""
    refresh(epochs, 2, FIRST)
    epochs.given_up(FIRST)
    refresh(epochs, 3, SECOND)
    epochs.current(3)
    epochs.erase_idle()


def replaced_attempt(epochs: Epochs) -> None:
    """Another request for the same epoch: nothing of the first attempt is mixed into it."""
    refresh(epochs, 2, FIRST)
    refresh(epochs, 2, SECOND)
    epochs.current(2)
    epochs.erase_idle()


@pytest.mark.parametrize("change", [whole_change, given_up_and_again, replaced_attempt])
@pytest.mark.parametrize("restart", [False, True])
def test_every_crash_point_leaves_exactly_one_usable_epoch(
    tmp_path: Path, change: Callable[[Epochs], None], restart: bool
) -> None:
    """The process ends before its n-th durable write, for every n; then it does the same again."""
    crashes = 0
    for last in range(64):
        disk = Disk(tmp_path / str(last))
        disk.epochs.current(1)
        for key_id in KEYS:
            disk.epochs.keep(key_id, 1, DEALS[key_id, 1], dealer=False)
        disk.writes_left = last
        try:
            change(disk.epochs)
        except CrashError:
            crashes += 1
        else:
            break
        if restart:
            disk.restart()
        disk.writes_left = None
        for key_id in KEYS:
            assert disk.usable(key_id) == [disk.epochs.states.current]
        assert {epoch for _, epoch in disk.shares() if not disk.epochs.states.knows(epoch)} <= (
            set() if restart else {1, 2, 3}
        )
        if disk.epochs.states.current == 1:
            change(disk.epochs)
        disk.epochs.erase_idle()
        disk.restart()
        current = disk.epochs.states.current
        assert current in {2, 3}
        assert disk.shares() == {(key_id, current) for key_id in KEYS}
        assert disk.epochs.states == EpochStates(current)
        for key_id in KEYS:
            stored = keystore.load(disk.vault, key_id, current)
            assert stored.share.to_bytes() == DEALS[key_id, current].key_share
    assert crashes >= 7


def test_pending_shares_serve_nothing(disk: Disk) -> None:
    """They lie in the vault and no request may be answered with them."""
    refresh(disk.epochs, 2, FIRST)
    states = disk.epochs.states
    assert states.pending == Pending(2, FIRST.value)
    assert (states.serves(1), states.serves(2), states.knows(2)) == (True, False, True)
    disk.restart()
    assert (KEYS[0], 2) in disk.shares()


def test_old_shares_wait_for_the_last_request_of_their_epoch(disk: Disk) -> None:
    """An accepted request keeps them; its answer lets them go, with all else of the epoch."""
    request = Record(FIRST, 1, Height(100), 1, b"entry", "test")
    disk.journal.accept(request)
    refresh(disk.epochs, 2, SECOND)
    disk.epochs.current(2)
    assert disk.epochs.erase_idle() == ()
    assert disk.epochs.states.serves(1)
    disk.restart()
    assert (KEYS[0], 1) in disk.shares()
    disk.journal.finish(FIRST, answer(11))
    assert disk.epochs.erase_idle() == (1,)
    assert {epoch for _, epoch in disk.shares()} == {2}
    assert disk.gone == {1, CHANGE + 1, CHANGE + 2}
    with pytest.raises(VaultError):
        keystore.load(disk.vault, KEYS[0], 1)


def test_a_given_up_change_leaves_the_old_epoch(disk: Disk) -> None:
    """Its shares go; another request's end changes nothing."""
    refresh(disk.epochs, 2, FIRST)
    disk.epochs.given_up(SECOND)
    assert disk.epochs.states.pending is not None
    disk.epochs.given_up(FIRST)
    assert {epoch for _, epoch in disk.shares()} == {1}
    assert disk.epochs.states == EpochStates(1)


def test_a_core_that_missed_a_change_loses_what_is_old(disk: Disk) -> None:
    """Epoch 3 is current and this core has no share of it: it serves nothing rather than old things."""
    refresh(disk.epochs, 2, FIRST)
    disk.epochs.current(3)
    assert disk.epochs.states == EpochStates(3, None, (1,))
    assert disk.usable(KEYS[0]) == []
    assert {epoch for _, epoch in disk.shares()} == {1}


def test_epochs_only_grow(disk: Disk) -> None:
    """Nothing makes an older epoch current or pending."""
    disk.epochs.current(3)
    disk.epochs.current(2)
    assert disk.epochs.states.current == 3
    with pytest.raises(ValueError, match="not newer"):
        disk.epochs.began(3, FIRST)


def test_a_destroyed_key_is_erased_in_all_epochs(disk: Disk) -> None:
    """The other key stays."""
    refresh(disk.epochs, 2, FIRST)
    assert disk.epochs.erase_key(KEYS[0]) == 2
    assert disk.epochs.erase_key(KEYS[0]) == 0
    assert disk.shares() == {(KEYS[1], 1), (KEYS[1], 2)}


def test_a_core_without_epochs_erases_nothing(tmp_path: Path) -> None:
    """A restored vault with an empty journal waits for the chain's word."""
    disk = Disk(tmp_path)
    disk.epochs.keep(KEYS[0], 4, DEALS[KEYS[0], 1], dealer=False)
    disk.restart()
    assert disk.shares() == {(KEYS[0], 4)}
    disk.epochs.current(5)
    disk.restart()
    assert disk.shares() == set()


def test_states_survive_the_journal() -> None:
    """What is written is read again."""
    states = EpochStates(4, Pending(5, FIRST.value), (2, 3), SECOND.value)
    assert decode(states.encode()) == states
    assert decode(None) == EpochStates()
