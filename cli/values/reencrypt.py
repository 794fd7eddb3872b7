"""`tkms reencrypt`: user decryption."""

import click

from cli.lazy import TkmsCommand
from cli.session import Session, parse_handle, with_session
from cli.values.decrypt import show


@click.command(cls=TkmsCommand, example="tkms reencrypt 0x1f... --from alice")
@click.argument("handles", nargs=-1, required=True)
@click.option("--application", help="Application of the handles.")
@click.option("--payer", help="Account that pays [default: the user itself].")
@click.option("--answer-timeout", type=float, default=600.0, help="Seconds to wait for answers.")
@with_session(sends=True)
def reencrypt(
    session: Session,
    handles: tuple[str, ...],
    application: str | None,
    payer: str | None,
    answer_timeout: float,
) -> None:
    """Have values re-encrypted to a fresh key of yours, combine the shares and verify.

    The user (--from) signs an authorization of exactly these handles and this key. Parties whose
    shares were wrong are named. The values leave this process only as its output.
    """
    from cli.values import handles as values  # noqa: PLC0415 - slow import

    wanted = [parse_handle(handle) for handle in handles]
    chosen = session.application(application)
    user = session.signer(default="alice")
    sender = session.signer(payer) if payer else user
    result = session.run(
        lambda chain: values.reencrypt_to(
            session, chain, chosen, wanted, user, sender, answer_timeout
        )
    )
    show(session, result)
