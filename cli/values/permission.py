"""`tkms grant`, `revoke`, `public`: who may see what."""

from typing import Any

import click

from cli.lazy import TkmsCommand
from cli.session import Session, accounts_of, parse_handle, with_session

_APPLICATION = click.option("--application", help="Application of the handles.")


@click.command(cls=TkmsCommand, example="tkms grant alice 0x1f... 0x2a...")
@click.argument("to", metavar="ACCOUNT")
@click.argument("handles", nargs=-1, required=True)
@_APPLICATION
@with_session(sends=True)
def grant(session: Session, to: str, handles: tuple[str, ...], application: str | None) -> None:
    """Let an account see values (re-encrypted to itself, or decrypted at its request)."""
    _change(session, handles, application, to, given=True)


@click.command(cls=TkmsCommand, example="tkms revoke alice 0x1f...")
@click.argument("to", metavar="ACCOUNT")
@click.argument("handles", nargs=-1, required=True)
@_APPLICATION
@with_session(sends=True)
def revoke(session: Session, to: str, handles: tuple[str, ...], application: str | None) -> None:
    """Take an account's permission away; what it has seen it has seen."""
    _change(session, handles, application, to, given=False)


@click.command(cls=TkmsCommand, example="tkms public 0x1f...\ntkms public 0x1f... --no")
@click.argument("handles", nargs=-1, required=True)
@click.option("--no", "forbid", is_flag=True, help="No longer.")
@_APPLICATION
@with_session(sends=True)
def public(
    session: Session, handles: tuple[str, ...], forbid: bool, application: str | None
) -> None:
    """Let anybody ask for the public decryption of values."""
    from wire.pb.tkms.isc.v1 import isc_pb2  # noqa: PLC0415 - slow import
    from wire.pb.tkms.tx.v1 import tx_pb2  # noqa: PLC0415

    chosen = session.application(application)
    messages = [
        tx_pb2.Message(
            set_public=isc_pb2.SetPublic(
                application=chosen, handle=parse_handle(handle), allowed=not forbid
            )
        )
        for handle in handles
    ]
    session.out.result(session.run(lambda chain: session.send(chain, messages, session.signer())))


def _change(
    session: Session, handles: tuple[str, ...], application: str | None, to: str, *, given: bool
) -> None:
    """Grant or revoke all handles in one transaction."""
    from wire.pb.tkms.isc.v1 import isc_pb2  # noqa: PLC0415 - slow import
    from wire.pb.tkms.tx.v1 import tx_pb2  # noqa: PLC0415

    chosen = session.application(application)
    account = accounts_of(session, [to])[0]
    messages = []
    for handle in handles:
        named: dict[str, Any] = {
            "application": chosen,
            "handle": parse_handle(handle),
            "account": account,
        }
        if given:
            message = tx_pb2.Message(grant_access=isc_pb2.GrantAccess(**named))
        else:
            message = tx_pb2.Message(revoke_access=isc_pb2.RevokeAccess(**named))
        messages.append(message)
    session.out.result(session.run(lambda chain: session.send(chain, messages, session.signer())))
