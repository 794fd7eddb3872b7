"""Sealed secrets: wrong keys, altered files, access for others, crashes."""

import os
from pathlib import Path

import pytest

from core.errors import VaultError
from core.vault import Vault, open_vault, write_private

SECRET = b"very secret bytes"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A key file of 32 bytes."""
    path = tmp_path / "vault.key"
    write_private(path, bytes(range(32)))
    return path


@pytest.fixture
def vault(tmp_path: Path, key_file: Path) -> Vault:
    """A sealed vault with one secret."""
    vault = open_vault(tmp_path / "vault", "keyfile", key_file)
    vault.put("keys/one", SECRET)
    return vault


def test_secrets_come_back_and_nothing_readable_is_on_disk(
    vault: Vault, tmp_path: Path, key_file: Path
) -> None:
    """A second opening reads the same; no file holds the secret; modes are private."""
    again = open_vault(tmp_path / "vault", "keyfile", key_file)
    assert again.get("keys/one") == SECRET
    assert again.names("keys") == ["keys/one"]
    assert not vault.clear_text
    for path in (tmp_path / "vault").rglob("*"):
        mode = path.stat().st_mode & 0o777
        assert mode == (0o700 if path.is_dir() else 0o600)
        assert path.is_dir() or SECRET not in path.read_bytes()


def test_another_key_is_told_at_opening(vault: Vault, tmp_path: Path) -> None:
    """A wrong key file is named as such, before any secret is touched."""
    other = tmp_path / "other.key"
    write_private(other, bytes(32))
    with pytest.raises(VaultError, match="not the key of the vault"):
        open_vault(tmp_path / "vault", "keyfile", other)
    with pytest.raises(VaultError, match="made as keyfile"):
        open_vault(tmp_path / "vault", "clear", None)
    with pytest.raises(VaultError, match="altered, or sealed under another key"):
        Vault(tmp_path / "vault", bytes(32)).get("keys/one")


def test_every_altered_bit_is_noticed(vault: Vault, tmp_path: Path) -> None:
    """One changed bit anywhere, a cut file, or a file moved to another name."""
    path = tmp_path / "vault" / "keys" / "one.sealed"
    sealed = path.read_bytes()
    for position in range(len(sealed)):
        write_private(
            path, sealed[:position] + bytes([sealed[position] ^ 1]) + sealed[position + 1 :]
        )
        with pytest.raises(VaultError):
            vault.get("keys/one")
    for data in (b"", sealed[:30], sealed[:-1]):
        write_private(path, data)
        with pytest.raises(VaultError):
            vault.get("keys/one")
    write_private(path.with_name("two.sealed"), sealed)
    with pytest.raises(VaultError):
        vault.get("keys/two")


@pytest.mark.parametrize(
    "bad", [b"", b"\xff", b"[" * 100_000, b"[]", b"7", b'{"version":1,"kind":7,"salt":1}']
)
def test_a_damaged_header_is_said_to_be_so(tmp_path: Path, key_file: Path, bad: bytes) -> None:
    """Whatever is in it."""
    open_vault(tmp_path / "vault", "keyfile", key_file)
    (tmp_path / "vault" / "vault.json").write_bytes(bad)
    with pytest.raises(VaultError, match="not readable"):
        open_vault(tmp_path / "vault", "keyfile", key_file)


def test_access_for_others_is_refused(vault: Vault, tmp_path: Path, key_file: Path) -> None:
    """A readable secret, key file or folder is an error, not a warning."""
    (tmp_path / "vault" / "keys" / "one.sealed").chmod(0o640)
    with pytest.raises(VaultError, match="others have access"):
        vault.get("keys/one")
    key_file.chmod(0o604)
    with pytest.raises(VaultError, match="others have access"):
        open_vault(tmp_path / "vault", "keyfile", key_file)
    key_file.chmod(0o600)
    (tmp_path / "vault").chmod(0o755)
    with pytest.raises(VaultError, match="others have access"):
        open_vault(tmp_path / "vault", "keyfile", key_file)


def test_passphrase(tmp_path: Path) -> None:
    """A passphrase file works with or without its line end; another one does not."""
    path = tmp_path / "passphrase"
    write_private(path, b"correct horse battery\n")
    open_vault(tmp_path / "vault", "passphrase", path).put("a", SECRET)
    write_private(path, b"correct horse battery")
    assert open_vault(tmp_path / "vault", "passphrase", path).get("a") == SECRET
    write_private(path, b"correct horse batterz")
    with pytest.raises(VaultError, match="not the key"):
        open_vault(tmp_path / "vault", "passphrase", path)
    write_private(path, b"short")
    with pytest.raises(VaultError, match="at least"):
        open_vault(tmp_path / "vault", "passphrase", path)


def test_weak_key_files_are_refused(tmp_path: Path) -> None:
    """Less than 32 bytes is no key file."""
    path = tmp_path / "weak"
    write_private(path, bytes(31))
    with pytest.raises(VaultError, match="at least 32"):
        open_vault(tmp_path / "vault", "keyfile", path)


@pytest.mark.parametrize("name", ["../x", "a/../b", "/etc/x", "", "A", "a//b", "a/", "a.b"])
def test_names_stay_inside_the_vault(vault: Vault, name: str) -> None:
    """No name leads out of the folder."""
    with pytest.raises(VaultError, match="name"):
        vault.put(name, b"")


def test_clear_text_says_so(tmp_path: Path) -> None:
    """Developer mode keeps bytes readable, and both repr and property tell."""
    vault = open_vault(tmp_path / "vault", "clear", None)
    vault.put("a", SECRET)
    assert vault.clear_text
    assert "CLEAR TEXT" in repr(vault)
    assert b"CLEAR" in (tmp_path / "vault" / "a.clear").read_bytes()
    assert vault.get("a") == SECRET
    vault.remove("a")
    with pytest.raises(VaultError, match="no such secret"):
        vault.get("a")


def test_a_crash_while_writing_leaves_the_old_secret(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rename is what replaces; a failure before it changes nothing and leaves no litter."""

    def broken(_descriptor: int) -> None:
        raise OSError("disk")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="disk"):
        vault.put("keys/one", b"new")
    monkeypatch.undo()
    assert vault.get("keys/one") == SECRET
    assert vault.names("keys") == ["keys/one"]
