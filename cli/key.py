"""`tkms key`: accounts in encrypted keystores."""

import json
from pathlib import Path

import click

from cli.errors import UsageError
from cli.lazy import TkmsCommand, TkmsGroup
from cli.output import table
from cli.session import Session, with_session


@click.group(cls=TkmsGroup)
def key() -> None:
    """Create, list, show, import, export and delete accounts (secp256k1, Ethereum keystore v3)."""


@key.command("new", cls=TkmsCommand, example="tkms key new alice --passphrase-file secret.txt")
@click.argument("name")
@with_session()
def new(session: Session, name: str) -> None:
    """Make an account with a random key."""
    import secrets  # noqa: PLC0415

    _add(session, name, secrets.token_bytes(32))


@key.command("list", cls=TkmsCommand, example="tkms key list -o json")
@with_session()
def list_(session: Session) -> None:
    """List all accounts."""
    accounts = session.network.keystore.list()
    rows = [(a.name, a.address.checksum, "INSECURE" if a.insecure else "sealed") for a in accounts]
    session.out.result(
        {
            "keystore": str(session.network.keystore.folder),
            "accounts": [account.document() for account in accounts],
        },
        lambda: table(str(session.network.keystore.folder), ("name", "address", "at rest"), rows),
    )


@key.command("show", cls=TkmsCommand, example="tkms key show alice")
@click.argument("name")
@with_session()
def show(session: Session, name: str) -> None:
    """Show an account's address; no passphrase is needed."""
    session.out.result(session.network.keystore.show(name).document())


@key.command("import", cls=TkmsCommand, example="tkms key import alice --file keystore.json")
@click.argument("name")
@click.option(
    "--file",
    "source",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A keystore (v3), or a file (mode 600) with 64 hexadecimal digits; asked for otherwise.",
)
@with_session()
def import_(session: Session, name: str, source: Path | None) -> None:
    """Take over an existing key. The secret is never an argument."""
    if source is None:
        text = str(click.prompt("secret key (hexadecimal)", hide_input=True, err=True))
        _add(session, name, _secret(text))
        return
    text = source.read_text("utf-8").strip()
    if text.startswith("{"):
        _add(session, name, _open(session, text))
        return
    if source.stat().st_mode & 0o077:
        raise UsageError(f"{source} is readable by others", hint=f"chmod 600 {source}")
    _add(session, name, _secret(text))


@key.command("export", cls=TkmsCommand, example="tkms key export alice > alice.json")
@click.argument("name")
@with_session()
def export(session: Session, name: str) -> None:
    """Print the encrypted keystore (v3); the secret itself is never shown."""
    document = session.network.keystore.export(name)
    session.out.result(document, lambda: json.dumps(document, indent=1))


@key.command("delete", cls=TkmsCommand, example="tkms key delete alice --yes")
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@with_session()
def delete(session: Session, name: str, yes: bool) -> None:
    """Delete an account's file: what it owns is lost unless there is a copy."""
    account = session.network.keystore.show(name)
    if not yes:
        click.confirm(f"delete {name} ({account.address})?", abort=True, err=True)
    session.network.keystore.delete(name)
    session.out.result(account.document() | {"deleted": True}, lambda: f"deleted {name}")


def _add(session: Session, name: str, secret: bytes) -> None:
    light = session.network.home is not None
    if light:
        session.out.warn("accounts of a local network are kept with light scrypt: insecure")
    passphrase = _new_passphrase(session, name)
    account = session.network.keystore.add(name, secret, passphrase, light=light)
    session.out.result(account.document())


def _new_passphrase(session: Session, name: str) -> str:
    if session.network.passphrase_file is not None:
        return session.passphrase(name)
    return str(
        click.prompt(
            f"new passphrase of {name}", hide_input=True, confirmation_prompt=True, err=True
        )
    )


def _secret(text: str) -> bytes:
    try:
        return bytes.fromhex(text.strip().removeprefix("0x"))
    except ValueError:
        # No cause: its text would quote the secret.
        raise UsageError("the secret is not hexadecimal") from None


def _open(session: Session, text: str) -> bytes:
    from eth_keyfile.keyfile import decode_keyfile_json  # noqa: PLC0415 - slow import

    passphrase = session.passphrase("the imported keystore")
    try:
        return bytes(decode_keyfile_json(json.loads(text), passphrase.encode()))
    except (ValueError, KeyError) as error:
        raise UsageError("the passphrase does not open this keystore") from error
