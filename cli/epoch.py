"""`tkms epoch` and `tkms refresh`: who holds the shares, and new shares in place of old ones."""

from typing import Any

import click

from cli.errors import CliError, ExitCode
from cli.keygen import request_and_wait
from cli.lazy import TkmsCommand, TkmsGroup
from cli.output import fields
from cli.session import Session, with_session
from wire.documents import document


@click.group(cls=TkmsGroup)
def epoch() -> None:
    """Show the epoch that holds the shares, and the change that is under way.

    `tkms refresh` makes new shares for the same parties; other parties are a proposal:
    `tkms governance propose epoch`.
    """


@epoch.command(cls=TkmsCommand, example="tkms epoch show\ntkms epoch show -o json")
@with_session()
def show(session: Session) -> None:
    """Show the current and the pending epoch, the next scheduled refresh, the used pool."""
    shown = session.run(_view)
    session.out.result(shown, lambda: fields(_short(shown)))


@click.command(cls=TkmsCommand, example="tkms refresh\ntkms refresh --no-wait")
@click.option(
    "--ready-timeout", type=float, default=3600.0, show_default=True, help="Seconds to wait."
)
@with_session(sends=True)
def refresh(session: Session, ready_timeout: float) -> None:
    """Give all parties new shares of all keys: what was stolen before is worthless after.

    Public keys stay; decryption goes on meanwhile with the old shares (needs the generator role).
    """
    session.out.result(session.run(lambda chain: refresh_shares(session, chain, ready_timeout)))


async def refresh_shares(session: Session, chain: Any, timeout_s: float) -> dict[str, object]:
    """Request new shares of all keys and wait until their epoch is current."""
    from wire.pb.tkms.asc.v1 import asc_pb2  # noqa: PLC0415 - slow import
    from wire.pb.tkms.tx.v1 import tx_pb2  # noqa: PLC0415

    message = tx_pb2.Message(request_refresh=asc_pb2.RequestRefresh())
    made = await request_and_wait(session, chain, message, timeout_s, "new shares")
    if made["id"] is None:
        return dict(made["sent"])
    entry = (await chain.request(made["id"])).entry
    await _until_current(chain, entry.next_epoch_id)
    return {
        "request": str(made["id"]),
        "transaction": made["sent"]["transaction"],
        "epoch_id": entry.next_epoch_id,
        "previous_epoch_id": entry.epoch_id,
        "keys": [key_id.hex() for key_id in entry.key_ids],
    }


async def _until_current(chain: Any, epoch_id: int) -> None:
    """Wait for the end of the block in which the change was decided."""
    import asyncio  # noqa: PLC0415

    from wire.pb.tkms.state.v1 import state_pb2  # noqa: PLC0415

    for _ in range(300):
        view = state_pb2.EpochView.FromString(await chain.query("/asc/epoch"))
        if view.epoch.id >= epoch_id:
            return
        await asyncio.sleep(0.2)
    raise CliError(
        f"epoch {epoch_id} is decided but not current yet",
        reason="TIMEOUT",
        exit_code=ExitCode.TIMEOUT,
        hint="tkms epoch show",
    )


async def _view(chain: Any) -> dict[str, Any]:
    from wire.ids import RequestId  # noqa: PLC0415
    from wire.pb.tkms.state.v1 import state_pb2  # noqa: PLC0415 - slow import

    view = state_pb2.EpochView.FromString(await chain.query("/asc/epoch"))
    shown = document(view)
    if view.HasField("pending"):
        request = await chain.request(RequestId(view.pending.request_id))
        shown["pending"]["answered"] = list(request.status.answered)
        shown["pending"]["needed"] = request.entry.thresholds.generation
        shown["pending"]["deadline_height"] = request.entry.deadline_height
    return shown


def _short(shown: dict[str, Any]) -> dict[str, object]:
    """One line a fact; certificates and keys are for JSON."""
    epoch = shown["epoch"]
    lines: dict[str, object] = {
        "epoch": epoch["id"],
        "parties": ", ".join(party["name"] for party in epoch["parties"]),
        "threshold": f"{epoch['threshold']} of {len(epoch['parties'])} may be corrupt",
        "since_height": shown["since_height"],
        "next_refresh_height": shown["next_refresh_height"] or "none is scheduled",
        "pool_blocks_used": shown["pool_used"],
    }
    pending = shown.get("pending")
    if pending:
        parties = shown["pending_epoch"]["parties"]
        lines |= {
            "pending_epoch": pending["epoch_id"],
            "pending_parties": ", ".join(party["name"] for party in parties),
            "pending_request": pending["request_id"],
            "answered": f"{len(pending['answered'])} of {pending['needed']} that are needed",
            "dropped_after_height": pending["deadline_height"],
        }
    return lines
