"""A vault moves to another key, through a crash at any step."""

from pathlib import Path

import pytest

from core.errors import VaultError
from core.isolation.reseal import reseal
from core.vault import Vault, open_vault, write_private
from tests.support.custody import Crash, crash_at

SECRETS = {"signing": b"one", "keys/ab/1": b"two", "epochs/1/prss": b"three"}


class Move:
    """A vault under one key file that goes to another."""

    def __init__(self, folder: Path) -> None:
        """Fill it."""
        folder.mkdir()
        self.root = folder / "vault"
        self.files = (folder / "old.key", folder / "new.key")
        for number, path in enumerate(self.files):
            write_private(path, bytes([number]) * 32)
        for name, secret in SECRETS.items():
            self.old(self.root).put(name, secret)

    def old(self, root: Path) -> Vault:
        """By the old key."""
        return open_vault(root, "keyfile", self.files[0])

    def new(self, root: Path) -> Vault:
        """By the new key."""
        return open_vault(root, "keyfile", self.files[1])

    def move(self) -> int:
        """The command."""
        return reseal(self.root, self.old, self.new)


def test_all_secrets_move_and_the_old_key_opens_nothing(tmp_path: Path) -> None:
    """Nothing of the old seal is left."""
    move = Move(tmp_path / "one")
    assert move.move() == len(SECRETS)
    vault = move.new(move.root)
    assert {name: vault.get(name) for name in vault.names("")} == SECRETS
    with pytest.raises(VaultError, match="not the key"):
        move.old(move.root)
    assert sorted(path.name for path in move.root.parent.iterdir()) == [
        "new.key",
        "old.key",
        "vault",
    ]


def test_a_wrong_old_key_changes_nothing(tmp_path: Path) -> None:
    """The vault stays as it was."""
    move = Move(tmp_path / "one")
    with pytest.raises(VaultError, match="not the key"):
        reseal(move.root, move.new, move.new)
    assert move.old(move.root).get("signing") == b"one"


def test_a_crash_at_any_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All secrets are in one of the two, and the same command again ends the move."""
    count, ended = 0, False
    while not ended:
        move = Move(tmp_path / str(count))
        try:
            with crash_at(monkeypatch, count):
                move.move()
                ended = True
        except Crash:
            pass
        assert move.move() == len(SECRETS) if not ended else True
        vault = move.new(move.root)
        assert {name: vault.get(name) for name in vault.names("")} == SECRETS
        assert not move.root.with_name("vault.old").exists()
        count += 1
    assert count > 10
