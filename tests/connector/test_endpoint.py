"""How a connector finds its core, and what both show there."""

from pathlib import Path

import pytest

from client.settings import SettingsError
from connector.core import Pinned, open_channel
from connector.settings import core_endpoint, load

GOOD = f"""
chain_id = "c"
rpc_url = "r"
core_socket = "s"
storage_url = "u"
database = "d"
account_key = "k"
party = 1
trusted_validators_hash = "{"ab" * 32}"
"""
MUTUAL = 'core_certificate = "core.pem"\ntls_key = "key.pem"\ntls_certificate = "own.pem"\n'


def write(home: Path, text: str) -> Path:
    """A home with three files and its settings."""
    for name in ("core.pem", "key.pem", "own.pem"):
        (home / name).write_bytes(name.encode())
        (home / name).chmod(0o600)
    (home / "connector.toml").write_text(text)
    return home


def test_socket_and_address(tmp_path: Path) -> None:
    """Without certificates the socket alone; with them either, and never another way."""
    home = write(tmp_path, GOOD)
    assert core_endpoint(load(home), home) == (f"unix:{home}/s", None)
    pinned = Pinned(b"core.pem", b"key.pem", b"own.pem")
    home = write(tmp_path, GOOD + MUTUAL)
    assert core_endpoint(load(home), home) == (f"unix:{home}/s", pinned)
    home = write(tmp_path, GOOD + MUTUAL + 'core_address = "10.0.0.7:7100"\n')
    assert core_endpoint(load(home), home) == ("10.0.0.7:7100", pinned)
    assert "key.pem" not in repr(pinned)


@pytest.mark.parametrize(
    "text",
    [
        MUTUAL.replace('tls_key = "key.pem"\n', ""),
        MUTUAL.replace('core_certificate = "core.pem"\n', ""),
        'tls_certificate = "own.pem"\n',
        'core_address = "10.0.0.7:7100"\n',
    ],
)
def test_half_a_mutual_authentication_is_refused(tmp_path: Path, text: str) -> None:
    """All three files or none, and no network without them."""
    home = write(tmp_path, GOOD + text)
    with pytest.raises(SettingsError, match="belong together"):
        load(home)


def test_keys_that_others_can_read_are_refused(tmp_path: Path) -> None:
    """Also a file that is missing is told."""
    home = write(tmp_path, GOOD + MUTUAL)
    (home / "key.pem").chmod(0o640)
    with pytest.raises(SettingsError, match="readable by others"):
        core_endpoint(load(home), home)
    (home / "key.pem").unlink()
    with pytest.raises(SettingsError, match="mutual TLS"):
        core_endpoint(load(home), home)


def test_a_certificate_that_is_none_is_told() -> None:
    """Before any connection."""
    with pytest.raises(ValueError, match=r"certificate|PEM"):
        open_channel("unix:/nowhere", Pinned(b"nonsense", b"", b""))
