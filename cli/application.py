"""`tkms application`: who vouches for ciphertexts and under which rules they are decrypted."""

from typing import Any

import click

from cli.errors import CliError
from cli.lazy import TkmsCommand, TkmsGroup
from cli.session import Session, accounts_of, with_session
from wire.documents import document


@click.group(cls=TkmsGroup)
def application() -> None:
    """Register applications and delegates."""


@application.command(
    cls=TkmsCommand,
    example="tkms application register wallet --from demo --domain-name Decryption "
    "--evm-chain-id 1 --contract 0x5f00000000000000000000000000000000000000",
)
@click.argument("name")
@click.option("--domain-name", default="Decryption", show_default=True, help="EIP-712 name.")
@click.option("--domain-version", default="1", show_default=True, help="EIP-712 version.")
@click.option("--evm-chain-id", type=int, default=31337, show_default=True, help="EIP-712 chain.")
@click.option("--contract", required=True, help="EIP-712 verifying contract (address).")
@with_session(sends=True)
def register(
    session: Session,
    name: str,
    domain_name: str,
    domain_version: str,
    evm_chain_id: int,
    contract: str,
) -> None:
    """Register an application whose permissions are kept on this chain (needs the registrar role)."""
    from wire.pb.tkms.isc.v1 import isc_pb2  # noqa: PLC0415 - slow import
    from wire.pb.tkms.tx.v1 import tx_pb2  # noqa: PLC0415

    domain = isc_pb2.Domain(
        name=domain_name,
        version=domain_version,
        chain_id=evm_chain_id,
        verifying_contract=accounts_of(session, [contract])[0],
    )
    message = tx_pb2.Message(
        register_application=isc_pb2.RegisterApplication(
            id=name, kind=isc_pb2.KIND_ACL, domain=domain
        )
    )
    session.out.result(
        session.run(lambda chain: session.send(chain, [message], session.signer()))
        | {"application": name}
    )


@application.command(
    cls=TkmsCommand,
    example="tkms application delegate demo 0xAbc...\n"
    "tkms application delegate demo 0xAbc... --remove",
)
@click.argument("name")
@click.argument("delegate_account", metavar="ACCOUNT")
@click.option("--remove", is_flag=True, help="Take the delegation back.")
@with_session(sends=True)
def delegate(session: Session, name: str, delegate_account: str, remove: bool) -> None:
    """Let an account register ciphertexts and permissions for an application you own."""
    from wire.pb.tkms.isc.v1 import isc_pb2  # noqa: PLC0415 - slow import
    from wire.pb.tkms.tx.v1 import tx_pb2  # noqa: PLC0415

    message = tx_pb2.Message(
        set_delegate=isc_pb2.SetDelegate(
            application=name,
            account=accounts_of(session, [delegate_account])[0],
            allowed=not remove,
        )
    )
    session.out.result(
        session.run(lambda chain: session.send(chain, [message], session.signer()))
        | {"application": name, "allowed": not remove}
    )


@application.command(cls=TkmsCommand, example="tkms application show demo -o json")
@click.argument("name")
@with_session()
def show(session: Session, name: str) -> None:
    """Show owner, domain and delegates."""
    from wire.pb.tkms.state.v1 import state_pb2  # noqa: PLC0415 - slow import

    raw = session.run(lambda chain: chain.query("/isc/application", name.encode()))
    session.out.result(document(state_pb2.ApplicationView.FromString(raw)))


@application.command(cls=TkmsCommand, example="tkms application trust demo -o json")
@click.argument("name")
@with_session()
def trust(session: Session, name: str) -> None:
    """Show what a program must be told to check answers by itself.

    Root of trust, domain of the signatures, and the parties of the current epoch with their
    addresses: proven under this network's pinned validators.
    """
    shown = session.run(lambda chain: _trusted(chain, name))
    session.out.result(shown)


async def _trusted(chain: Any, name: str) -> dict[str, Any]:
    from client import keys  # noqa: PLC0415 - slow import
    from wire.ids import Address  # noqa: PLC0415
    from wire.pb.tkms.config.v1 import config_pb2  # noqa: PLC0415
    from wire.pb.tkms.isc.v1 import isc_pb2  # noqa: PLC0415
    from wire.signing import address_of  # noqa: PLC0415

    current = await chain.proven_value(keys.current_epoch())
    number = int.from_bytes(current.value, "big")
    found, record = await chain.proven_values([keys.application(name), keys.epoch(number)])
    if found.value is None:
        raise CliError(f"there is no application {name}", reason="UNKNOWN_APPLICATION")
    domain = isc_pb2.Application.FromString(found.value).domain
    epoch = config_pb2.Epoch.FromString(record.value)
    return {
        "chain_id": chain.chain_id,
        "root": chain.headers.root.hash.hex(),
        "application": name,
        "domain": {
            "name": domain.name,
            "version": domain.version,
            "chainId": domain.chain_id,
            "verifyingContract": Address(domain.verifying_contract).checksum,
        },
        "epoch": epoch.id,
        "threshold": epoch.threshold,
        "parties": [address_of(party.verification_key).checksum for party in epoch.parties],
        "height": found.height,
    }
