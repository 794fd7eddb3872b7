"""core.toml: every key known, typed, and safe together."""

from pathlib import Path

import pytest

from core.errors import SettingsError
from core.settings import FaultMode, IsolationSettings, load

GOOD = f"""
chain_id = "made-1"
party = 2
peer_listen = "127.0.0.1:7001"
trusted_validators_hash = "{"ab" * 32}"
vault_keyfile = "vault.key"
"""


def write(home: Path, text: str) -> Path:
    """Write a settings file."""
    (home / "core.toml").write_text(text)
    return home


def test_paths_are_relative_to_the_home(tmp_path: Path) -> None:
    """Given and default paths lie below the home; absolute ones stay."""
    settings = load(write(tmp_path, GOOD + 'journal = "/var/j.db"\nstorage_url = "http://s"'))
    assert settings.vault_keyfile == tmp_path / "vault.key"
    assert settings.vault == tmp_path / "vault"
    assert settings.journal == Path("/var/j.db")
    assert settings.trusted_validators_hash == b"\xab" * 32
    assert (settings.party, settings.squash, settings.fault) == (2, False, FaultMode.NONE)
    assert settings.storage_url == "http://s"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "surprise = 1", "unknown keys: surprise"),
        (GOOD.replace("party = 2", ""), "missing key: party"),
        (GOOD.replace("party = 2", 'party = "2"'), "party: a int"),
        (GOOD.replace("party = 2", "party = true"), "party: a int"),
        (GOOD.replace("party = 2", "party = 0"), "start at 1"),
        (GOOD + "squash = 1", "squash: a bool"),
        (GOOD.replace("ab" * 32, "ab"), "64 hexadecimal"),
        (GOOD.replace('vault_keyfile = "vault.key"', ""), "vault key is needed"),
        (GOOD + 'vault_passphrase_file = "p"', "exclude each other"),
        (GOOD + '[fault]\nmode = "silent"', "developer_mode"),
        (GOOD + 'developer_mode = true\n[fault]\nmode = "evil"', "one of wrong-shares"),
        (GOOD + "developer_mode = true\n[fault]\nkind = 1", "only the key"),
        ("chain_id = ", "core.toml"),
    ],
)
def test_wrong_settings_are_refused(tmp_path: Path, text: str, message: str) -> None:
    """Each with words that name the key."""
    with pytest.raises(SettingsError, match=message):
        load(write(tmp_path, text))


def test_a_missing_file_is_a_settings_error(tmp_path: Path) -> None:
    """No file, no core."""
    with pytest.raises(SettingsError, match=r"core\.toml"):
        load(tmp_path)


def test_faults_with_developer_mode(tmp_path: Path) -> None:
    """Clear text vault and fault mode need only developer mode."""
    text = GOOD.replace('vault_keyfile = "vault.key"', "developer_mode = true")
    settings = load(write(tmp_path, text + '\n[fault]\nmode = "silent"'))
    assert (settings.fault, settings.vault_keyfile) == (FaultMode.SILENT, None)


ISOLATED = (
    GOOD.replace('vault_keyfile = "vault.key"', 'connector_certificate = "connector.pem"')
    + """
[isolation]
release_address = "10.0.0.5:7443"
release_certificate = "release.pem"
vault_name = "core2"
"""
)


def test_isolation_is_a_table(tmp_path: Path) -> None:
    """It takes the place of a vault key; a development root in it is developer mode."""
    settings = load(write(tmp_path, ISOLATED))
    assert settings.isolation == IsolationSettings(
        "10.0.0.5:7443", tmp_path / "release.pem", "core2"
    )
    assert not settings.developer
    rooted = load(write(tmp_path, ISOLATED + 'development_root = "root"'))
    assert rooted.isolation is not None
    assert rooted.isolation.development_root == tmp_path / "root"
    assert rooted.developer


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ISOLATED.replace("connector_certificate", "vault_keyfile"), "exclude each other"),
        (ISOLATED.replace('connector_certificate = "connector.pem"', ""), "is needed with"),
        (ISOLATED.replace("\n[iso", "developer_mode = true\n[iso"), "exclude each other"),
        (ISOLATED.replace("vault_name", "name"), "isolation: known are"),
        (ISOLATED.replace('vault_name = "core2"', ""), "missing vault_name"),
        (ISOLATED.replace('"core2"', "2"), "vault_name: a str"),
        (GOOD + "isolation = 1", "isolation: known are"),
        (GOOD + 'service_listen = "127.0.0.1:1"', "connector_certificate is needed"),
    ],
)
def test_unsafe_isolation_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """Half a table, two sources of the vault's key, an open door."""
    with pytest.raises(SettingsError, match=message):
        load(write(tmp_path, text))
