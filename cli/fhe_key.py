"""`tkms fhe-key`: the keys whose shares the parties hold, and their states.

Accounts of people are `tkms key`.
"""

from typing import TYPE_CHECKING, Any

import click

from cli.errors import CliError
from cli.governance.sending import proposes
from cli.lazy import TkmsCommand, TkmsGroup
from cli.output import table
from cli.session import Session, parse_request, with_session
from wire.documents import document

if TYPE_CHECKING:
    from wire.pb.tkms.config.v1 import config_pb2

_KEY = click.argument("key_id", metavar="KEY")
_YES = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
# What is urgent: soon, but not before the proposal can be in a block.
_SOON_BLOCKS = 20


@click.group("fhe-key", cls=TkmsGroup)
def fhe_key() -> None:
    """Show keys and change their states by proposals of the administrators.

    An active key decrypts; a suspended one can be resumed; a revoked one is never used again and its
    shares are kept; of a destroyed one the shares are erased. Accounts are `tkms key`.
    """


@fhe_key.command(cls=TkmsCommand, example="tkms fhe-key show\ntkms fhe-key show 3f9a0c... -o json")
@click.argument("key_id", metavar="KEY", required=False)
@with_session()
def show(session: Session, key_id: str | None) -> None:
    """Show all keys, or one: state, parameters, epoch of its shares, material."""
    from wire.pb.tkms.state.v1 import state_pb2  # noqa: PLC0415 - slow import

    data = bytes(parse_request(key_id)) if key_id else b""
    raw = session.run(lambda chain: chain.query("/asc/material", data))
    found = [document(view) for view in state_pb2.MaterialList.FromString(raw).keys]
    if key_id and not found:
        raise CliError(f"{key_id} is no key", reason="NOT_FOUND", hint="tkms fhe-key show")
    for view in found:
        if view["record"]["dealer"]:
            session.out.warn(f"key {view['record']['id']}: dealer: true (insecure)")
    columns = ("id", "status", "parameters", "epoch_id", "born_epoch_id", "status_height")
    rows = [[view["record"][name] for name in columns] for view in found]
    session.out.result({"keys": found}, lambda: table("", columns, rows))


@fhe_key.command(
    cls=TkmsCommand, example="tkms fhe-key suspend 3f9a0c... --title 'operator 2 was broken into'"
)
@_KEY
@proposes(blocks=_SOON_BLOCKS)
async def suspend(_session: Session, _chain: Any, key_id: str) -> "config_pb2.Change":
    """Let no request use the key until it is resumed; requests that are open are not answered."""
    return _change(key_id, "SUSPEND")


@fhe_key.command(cls=TkmsCommand, example="tkms fhe-key resume 3f9a0c...")
@_KEY
@proposes(blocks=_SOON_BLOCKS)
async def resume(_session: Session, _chain: Any, key_id: str) -> "config_pb2.Change":
    """Let requests use a suspended key again."""
    return _change(key_id, "RESUME")


@fhe_key.command(cls=TkmsCommand, example="tkms fhe-key revoke 3f9a0c... --yes")
@_KEY
@_YES
@proposes
async def revoke(_session: Session, _chain: Any, key_id: str, yes: bool) -> "config_pb2.Change":
    """Let no request ever use the key again; its shares are kept and refreshed."""
    _confirm(yes, f"revoke {key_id}? It is never used again")
    return _change(key_id, "REVOKE")


@fhe_key.command(cls=TkmsCommand, example="tkms fhe-key destroy 3f9a0c... --yes --in 500")
@_KEY
@_YES
@proposes
async def destroy(_session: Session, _chain: Any, key_id: str, yes: bool) -> "config_pb2.Change":
    """Let the parties erase their shares: nothing under the key can be decrypted any more."""
    _confirm(yes, f"destroy {key_id}? What is encrypted under it is lost for ever")
    return _change(key_id, "DESTROY")


def _confirm(yes: bool, question: str) -> None:
    if not yes:
        click.confirm(question, abort=True, err=True)


def _change(key_id: str, action: str) -> "config_pb2.Change":
    from wire.pb.tkms.config.v1 import config_pb2  # noqa: PLC0415 - slow import

    record = config_pb2.KeyChange(
        key_id=bytes(parse_request(key_id)), action=f"KEY_ACTION_{action}"
    )
    return config_pb2.Change(key=record)
