"""Accounts: encrypted at rest, passphrases never in argv, files closed to others."""

import json
import stat
from pathlib import Path

import pytest

from cli.errors import CliError, ConfigError, ExitCode, UsageError
from cli.keystore import Keystore, read_passphrase
from cli.main import run

SECRET = bytes(range(1, 33))
PASSPHRASE = "correct horse battery"


@pytest.fixture
def store(tmp_path: Path) -> Keystore:
    """A keystore with one account (light scrypt: the test is not about its cost)."""
    keystore = Keystore(tmp_path / "keys")
    keystore.add("alice", SECRET, PASSPHRASE, light=True)
    return keystore


def test_round_trip(store: Keystore) -> None:
    """What is stored comes back with the passphrase, and only with it."""
    assert store.secret("alice", PASSPHRASE) == SECRET
    assert store.signer("alice", PASSPHRASE).address == store.show("alice").address
    with pytest.raises(CliError) as caught:
        store.secret("alice", "wrong horse battery")
    assert caught.value.reason == "WRONG_PASSPHRASE"


def test_file_is_a_sealed_keystore_of_version_3(store: Keystore) -> None:
    """Other tools read it; the secret is not in it; nobody else can open it."""
    path = store.folder / "alice.json"
    text = path.read_text()
    document = json.loads(text)
    assert document["version"] == 3
    assert document["crypto"]["kdf"] == "scrypt"
    assert document["insecure"] is True
    assert SECRET.hex() not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700


def test_known_answer_of_the_keystore_definition(tmp_path: Path) -> None:
    """The scrypt vector that the definition of version 3 gives opens here."""
    vector = {
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
            "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
            "kdf": "scrypt",
            "kdfparams": {
                "dklen": 32,
                "n": 262144,
                "p": 8,
                "r": 1,
                "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
            },
            "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
        },
        "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
        "version": 3,
    }
    (tmp_path / "vector.json").write_text(json.dumps(vector))
    secret = Keystore(tmp_path).secret("vector", "testpassword")
    assert secret.hex() == "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"


def test_strong_accounts_cost_scrypt(tmp_path: Path) -> None:
    """Outside local networks scrypt has its full cost, and short passphrases are refused."""
    keystore = Keystore(tmp_path)
    with pytest.raises(UsageError):
        keystore.add("bob", SECRET, "short")
    keystore.add("bob", SECRET, PASSPHRASE)
    document = json.loads((tmp_path / "bob.json").read_text())
    assert document["crypto"]["kdfparams"]["n"] == 2**18
    assert "insecure" not in document


def test_names_are_taken_once_and_stay_in_the_folder(store: Keystore) -> None:
    """No overwriting, no path tricks."""
    with pytest.raises(UsageError):
        store.add("alice", SECRET, PASSPHRASE, light=True)
    for name in ("../evil", "A", "", "a/b", ".hidden"):
        with pytest.raises(UsageError):
            store.show(name)


def test_resolve(store: Keystore) -> None:
    """Names and addresses are accounts; a mistyped checksum is refused."""
    address = store.show("alice").address
    assert store.resolve("alice") == address
    assert store.resolve(address.checksum) == address
    with pytest.raises(UsageError) as caught:
        store.resolve(address.checksum.swapcase().replace("0X", "0x"))
    assert "alice" in caught.value.hint


def test_passphrase_file_must_be_private(tmp_path: Path) -> None:
    """A passphrase that others may read is refused."""
    path = tmp_path / "secret"
    path.write_text(PASSPHRASE + "\n")
    path.chmod(0o644)
    with pytest.raises(ConfigError) as caught:
        read_passphrase(path)
    assert caught.value.reason == "FILE_MODE"
    path.chmod(0o600)
    assert read_passphrase(path) == PASSPHRASE


def test_life_of_an_account(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """new, list, export, import, delete by the commands themselves."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TKMS_KEYSTORE", str(tmp_path / "keys"))
    passphrase = tmp_path / "secret"
    passphrase.write_text(PASSPHRASE)
    passphrase.chmod(0o600)
    monkeypatch.setenv("TKMS_PASSPHRASE_FILE", str(passphrase))

    def call(*arguments: str) -> dict[str, object]:
        assert run([*arguments, "-o", "json"]) == ExitCode.OK
        document = json.loads(capsys.readouterr().out)
        assert isinstance(document, dict)
        return document

    made = call("key", "new", "carol")
    assert call("key", "list")["accounts"] == [made]
    exported = call("key", "export", "carol")
    (tmp_path / "out.json").write_text(json.dumps(exported))
    again = call("key", "import", "dave", "--file", str(tmp_path / "out.json"))
    assert again["address"] == made["address"]
    assert call("key", "delete", "carol", "--yes")["deleted"] is True
    assert [entry["name"] for entry in call("key", "list")["accounts"]] == ["dave"]  # type: ignore[index,attr-defined]


def test_secrets_are_no_arguments() -> None:
    """No command takes a secret or passphrase on its command line."""
    from cli.key import key

    for command in key.commands.values():
        for parameter in command.params:
            assert parameter.name not in {"secret", "passphrase", "password", "private_key"}
