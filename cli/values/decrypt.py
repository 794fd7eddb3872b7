"""`tkms decrypt`: public decryption."""

import click

from cli.lazy import TkmsCommand
from cli.session import Session, parse_handle, with_session


@click.command(
    cls=TkmsCommand, example="tkms decrypt 0x1f...\ntkms decrypt 0x1f... 0x2a... -o json"
)
@click.argument("handles", nargs=-1, required=True)
@click.option("--application", help="Application of the handles.")
@click.option("--answer-timeout", type=float, default=600.0, help="Seconds to wait for answers.")
@with_session(sends=True)
def decrypt(
    session: Session, handles: tuple[str, ...], application: str | None, answer_timeout: float
) -> None:
    """Decrypt values publicly and verify: t + 1 signatures and proofs of request and epoch.

    Allowed where the value is public or you hold a grant. Transaction and request id are printed
    at once (stderr).
    """
    from cli.values import handles as values  # noqa: PLC0415 - slow import

    wanted = [parse_handle(handle) for handle in handles]
    chosen = session.application(application)
    signer = session.signer()
    result = session.run(
        lambda chain: values.decrypt_publicly(
            session, chain, chosen, wanted, signer, answer_timeout
        )
    )
    show(session, result)


def show(session: Session, result: object) -> None:
    """Print verified values, or what was simulated or written instead."""
    from cli.output import table  # noqa: PLC0415
    from cli.values import handles as values  # noqa: PLC0415

    if not isinstance(result, values.Revealed):
        session.out.result(dict(result))  # type: ignore[call-overload] # a plain document
        return
    rows = [
        ("0x" + handle.hex(), fhe_type.label, value)
        for handle, fhe_type, value in zip(result.handles, result.types, result.values, strict=True)
    ]
    title = f"verified; parties {', '.join(map(str, result.parties))}"
    if result.liars:
        title += f"; wrong shares from {', '.join(map(str, result.liars))}"
    session.out.result(result.document(), lambda: table(title, ("handle", "type", "value"), rows))
