"""Operators with vaults and custodians with seeds, in a folder."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.custody import backup, recovery
from core.custody.custodian import Custodian
from core.custody.documents import Context
from core.custody.recovery import Recovery
from core.custody.store import Backups, Store
from core.vault import Vault, make_private_folder, open_vault, write_private
from tests.support.core_network import signing_secret
from wire.signing import Secp256k1Signer

ABOUT = ("made-1", 1)
NOW_MS = 1_790_000_000_000
KEY = "ab" * 20
SECRETS = {
    "signing": signing_secret(1),
    f"keys/{KEY}/1": b"share of epoch 1",
    f"keys/{KEY}/2": b"share of epoch 2",
    "epochs/2": b"pseudorandom keys",
}


class Crash(BaseException):
    """The machine loses its power."""


class Operator:
    """One core's vault and backup, and its custodians."""

    def __init__(self, folder: Path, custodians: int = 5, threshold: int = 2) -> None:
        """A vault with secrets; no backup yet."""
        make_private_folder(folder)
        self.folder = folder
        self.threshold = threshold
        self.signer = Secp256k1Signer(signing_secret(1))
        self.custodians = [Custodian(bytes([n]) * 32) for n in range(1, custodians + 1)]
        self.setups = [c.setup(f"custodian {n}") for n, c in enumerate(self.custodians, start=1)]
        self.vault = self.open("vault")
        for name, secret in SECRETS.items():
            self.vault.put(name, secret)
        self.backups = Backups(folder / "backup")

    def open(self, name: str) -> Vault:
        """A vault of this operator's folder."""
        key_file = self.folder / "vault.key"
        if not key_file.exists():
            write_private(key_file, bytes(range(32)))
        return open_vault(self.folder / name, "keyfile", key_file)

    def create(self) -> Context:
        """Make a backup."""
        return backup.create(
            self.backups, self.vault, self.signer, ABOUT, self.setups, self.threshold
        )

    @property
    def store(self) -> Store:
        """The backup that counts."""
        return self.backups.current()

    def begin(self, purpose: str = "restore", seed: bytes = b"e" * 32) -> Recovery:
        """An attempt."""
        return recovery.begin(self.store, seed, purpose, NOW_MS)

    def answers(self, attempt: Recovery, numbers: Iterator[int] | range | list[int]) -> list[bytes]:
        """What these custodians answer."""
        return [
            self.custodians[n - 1].answer(
                attempt.context, attempt.request, attempt.request.code(), NOW_MS
            )
            for n in numbers
        ]

    def contents(self, vault: Vault | None = None) -> dict[str, bytes]:
        """Secrets that a backup is of."""
        vault = vault or self.vault
        return {name: vault.get(name) for name in backup.names(vault)}

    def recovered(self) -> dict[str, bytes]:
        """What the custodians and the folder give back."""
        attempt = self.begin()
        secret = attempt.secret(self.answers(attempt, range(1, self.threshold + 2)))
        return recovery.open_all(self.store, attempt.context, secret)


@contextmanager
def crash_at(patch: pytest.MonkeyPatch, count: int) -> Iterator[list[int]]:
    """Lose power at the `count`-th change of the disk: before it for even, after it for odd numbers."""
    seen = [0]

    def counted(original: Callable[..., object]) -> Callable[..., object]:
        def change(*arguments: object, **named: object) -> object:
            if seen[0] == count:
                raise Crash
            seen[0] += 1
            result = original(*arguments, **named)
            if seen[0] == count:
                raise Crash
            seen[0] += 1
            return result

        return change

    with patch.context() as inner:
        for name in ("replace", "rename", "unlink", "rmdir", "mkdir"):
            inner.setattr(Path, name, counted(getattr(Path, name)))
        yield seen
