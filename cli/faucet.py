"""`tkms faucet`: units for nothing, where the chain allows it."""

import click

from cli.lazy import TkmsCommand
from cli.session import Session, accounts_of, with_session


@click.command(cls=TkmsCommand, example="tkms faucet alice\ntkms faucet 0xAbc... --amount 500")
@click.argument("account_to_fund", metavar="ACCOUNT")
@click.option("--amount", type=click.IntRange(min=1), default=1_000_000, show_default=True)
@with_session(sends=True)
def faucet(session: Session, account_to_fund: str, amount: int) -> None:
    """Mint units for an account (development networks)."""
    from wire.pb.tkms.bank.v1 import bank_pb2  # noqa: PLC0415 - slow import
    from wire.pb.tkms.tx.v1 import tx_pb2  # noqa: PLC0415

    recipient = accounts_of(session, [account_to_fund])[0]
    message = tx_pb2.Message(faucet=bank_pb2.Faucet(recipient=recipient, amount=amount))
    document = session.run(lambda chain: session.send(chain, [message], session.signer()))
    session.out.result(document | {"recipient": "0x" + recipient.hex(), "amount": amount})
