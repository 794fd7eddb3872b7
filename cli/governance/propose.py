"""`tkms governance propose`: one command a kind of change."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.errors import UsageError
from cli.governance.sending import proposes
from cli.lazy import TkmsCommand, TkmsGroup
from cli.session import Session, accounts_of

if TYPE_CHECKING:
    from wire.pb.tkms.config.v1 import config_pb2

_ROLE = click.argument(
    "role_name", metavar="ROLE", type=click.Choice(["admin", "registrar", "generator"])
)
_HOLDER = click.argument("holder", metavar="ACCOUNT")
_FILE = click.argument("source", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
_KEY = click.option("--key", required=True, help="ed25519 key: base64 as in genesis.json, or hex.")
_POWER = click.option("--power", type=click.IntRange(1), required=True, help="Voting power.")
_NAME = click.option("--name", default="", help="Name for people.")


@click.group(cls=TkmsGroup)
def propose() -> None:
    """Propose a change; a holder's proposal is his approval.

    Where one holder decides, it is scheduled at once. The change is in force from --at HEIGHT, or from
    --in BLOCKS after now.
    """


@propose.command(
    cls=TkmsCommand,
    example="tkms governance propose parameters --set max_messages=300 --set parameter_sets=production\n"
    "tkms governance propose parameters --set faucet_enabled=false --at 120000 --title 'close the faucet'",
)
@click.option("--set", "assignments", multiple=True, required=True, help="NAME=VALUE, repeatable.")
@proposes
async def parameters(
    _session: Session, chain: Any, assignments: tuple[str, ...]
) -> "config_pb2.Change":
    """Limits and switches; what is not named stays as it is now."""
    from cli.governance import records  # noqa: PLC0415 - slow import
    from wire.pb.tkms.config.v1 import config_pb2  # noqa: PLC0415

    record = (await chain.config()).parameters
    records.assign(record, assignments)
    return config_pb2.Change(parameters=record)


@propose.command(
    cls=TkmsCommand,
    example="tkms governance propose prices --price transfer=20 --price request_public_decryption=1500:2\n"
    "tkms governance propose prices --set transaction_base=5 --set relayer_permille=50",
)
@click.option(
    "--price", "entries", multiple=True, help="KIND=BASE or KIND=BASE:PER_BYTE, repeatable."
)
@click.option("--set", "assignments", multiple=True, help="NAME=VALUE, repeatable.")
@proposes
async def prices(
    _session: Session, chain: Any, entries: tuple[str, ...], assignments: tuple[str, ...]
) -> "config_pb2.Change":
    """Prices; what is not named stays as it is now."""
    from cli.governance import records  # noqa: PLC0415 - slow import
    from wire.pb.tkms.config.v1 import config_pb2  # noqa: PLC0415

    if not entries and not assignments:
        raise UsageError("nothing would change: name a price or a value")
    record = (await chain.config()).prices
    records.assign(record, assignments)
    for text in entries:
        _set_price(record, text)
    return config_pb2.Change(prices=record)


@propose.command(
    cls=TkmsCommand,
    example="tkms governance epoch -o json > epoch.json   # then edit: id (0: the next), parties, thresholds\n"
    "tkms governance propose epoch epoch.json --title 'operator 3 leaves'",
)
@_FILE
@proposes
async def epoch(_session: Session, _chain: Any, source: Path) -> "config_pb2.Change":
    """Parties and thresholds, from a JSON or TOML file; in force once the new parties have their shares."""
    return _from_file(source, "epoch")


@propose.group(cls=TkmsGroup)
def role() -> None:
    """Who holds a role."""


@role.command(cls=TkmsCommand, example="tkms governance propose role grant admin alice")
@_ROLE
@_HOLDER
@proposes
async def grant(session: Session, _chain: Any, role_name: str, holder: str) -> "config_pb2.Change":
    """Give a role to an account."""
    return _role_change(session, role_name, holder, granted=True)


@role.command(cls=TkmsCommand, example="tkms governance propose role revoke admin alice")
@_ROLE
@_HOLDER
@proposes
async def revoke(session: Session, _chain: Any, role_name: str, holder: str) -> "config_pb2.Change":
    """Take a role from an account; its approvals count no longer."""
    return _role_change(session, role_name, holder, granted=False)


@propose.command(cls=TkmsCommand, example="tkms governance propose quorum admin 3")
@_ROLE
@click.argument("count", metavar="APPROVALS", type=click.IntRange(1, 256))
@proposes
async def quorum(_session: Session, _chain: Any, role_name: str, count: int) -> "config_pb2.Change":
    """How many holders of a role must approve what it decides."""
    from wire.pb.tkms.config.v1 import config_pb2  # noqa: PLC0415 - slow import

    record = config_pb2.RoleQuorum(role=f"ROLE_{role_name.upper()}", quorum=count)
    return config_pb2.Change(quorum=record)


@propose.group(cls=TkmsGroup)
def validator() -> None:
    """Who votes on blocks; the new set votes two blocks after the change is in force."""


@validator.command(
    cls=TkmsCommand,
    example="tkms governance propose validator join --key jO0Q1m...= --power 10 --name node5",
)
@_KEY
@_POWER
@_NAME
@proposes
async def join(
    _session: Session, chain: Any, key: str, power: int, name: str
) -> "config_pb2.Change":
    """Let a validator vote. Start its node first: a set that does not vote halts the chain."""
    public_key = parse_validator_key(key)
    if await _validator(chain, public_key) is not None:
        raise UsageError("this key votes already", hint="tkms governance propose validator power")
    return _voter(public_key, power, name)


@validator.command(
    cls=TkmsCommand, example="tkms governance propose validator power --key jO0Q1m...= --power 20"
)
@_KEY
@_POWER
@proposes
async def power(_session: Session, chain: Any, key: str, power: int) -> "config_pb2.Change":
    """Change a validator's voting power."""
    known = await _require_validator(chain, key)
    return _voter(known.public_key, power, known.name)


@validator.command(
    cls=TkmsCommand, example="tkms governance propose validator leave --key jO0Q1m...="
)
@_KEY
@proposes
async def leave(_session: Session, chain: Any, key: str) -> "config_pb2.Change":
    """Take a validator's vote. Stop its node only after the change is in force."""
    known = await _require_validator(chain, key)
    return _voter(known.public_key, 0, "")


@propose.command(
    cls=TkmsCommand,
    example="tkms governance propose consensus --set block.max_bytes=8388608\n"
    "tkms governance propose consensus --set evidence.max_age_blocks=200000",
)
@click.option(
    "--set", "assignments", multiple=True, required=True, help="PART.NAME=VALUE, repeatable."
)
@proposes
async def consensus(
    _session: Session, chain: Any, assignments: tuple[str, ...]
) -> "config_pb2.Change":
    """The engine's block and evidence limits; what is not named stays as it is now."""
    from cli.governance import records  # noqa: PLC0415 - slow import
    from wire.pb.tkms.config.v1 import config_pb2  # noqa: PLC0415

    present = (await _validators(chain)).consensus
    record = config_pb2.ConsensusParameters()
    for text in assignments:
        part, dot, rest = text.partition(".")
        if not dot or part not in {"block", "evidence"}:
            raise UsageError(f"{text} is neither block.NAME=VALUE nor evidence.NAME=VALUE")
        if not record.HasField(part):
            # The engine replaces all fields of a part.
            getattr(record, part).CopyFrom(getattr(present, part))
        records.assign(getattr(record, part), [rest])
    return config_pb2.Change(consensus=record)


@propose.command(
    cls=TkmsCommand,
    example="tkms governance propose application wallet --owner alice --domain-name Decryption "
    "--evm-chain-id 1 --contract 0x5f00000000000000000000000000000000000000",
)
@click.argument("application_id", metavar="NAME")
@click.option("--owner", required=True, help="Account that will own it.")
@click.option("--domain-name", default="Decryption", show_default=True, help="EIP-712 name.")
@click.option("--domain-version", default="1", show_default=True, help="EIP-712 version.")
@click.option("--evm-chain-id", type=int, default=31337, show_default=True, help="EIP-712 chain.")
@click.option("--contract", required=True, help="EIP-712 verifying contract (address).")
@proposes
async def application(session: Session, _chain: Any, **values: Any) -> "config_pb2.Change":
    """Register an application, or give a registered one all of these settings."""
    from wire.pb.tkms.config.v1 import config_pb2  # noqa: PLC0415 - slow import
    from wire.pb.tkms.isc.v1 import isc_pb2  # noqa: PLC0415

    owner, contract = accounts_of(session, [values["owner"], values["contract"]])
    record = isc_pb2.Application(
        id=values["application_id"],
        kind=isc_pb2.KIND_ACL,
        owner=owner,
        domain=isc_pb2.Domain(
            name=values["domain_name"],
            version=values["domain_version"],
            chain_id=values["evm_chain_id"],
            verifying_contract=contract,
        ),
    )
    return config_pb2.Change(application=record)


@propose.command(cls=TkmsCommand, example="tkms governance propose upgrade 2 --at 500000")
@click.argument("version", metavar="VERSION", type=click.IntRange(2, 2**63 - 1))
@proposes
async def upgrade(_session: Session, _chain: Any, version: int) -> "config_pb2.Change":
    """The version of the chain's rules; nodes that do not know it stop at the height."""
    from wire.pb.tkms.config.v1 import config_pb2  # noqa: PLC0415 - slow import

    return config_pb2.Change(upgrade=config_pb2.Upgrade(app_version=version))


@propose.command(
    "file",
    cls=TkmsCommand,
    example="tkms governance propose file change.toml --title 'three validators at once'",
)
@_FILE
@proposes
async def from_file(_session: Session, _chain: Any, source: Path) -> "config_pb2.Change":
    """Any change, from a JSON or TOML file whose one top-level name is the kind."""
    return _from_file(source, None)


def _role_change(
    session: Session, role_name: str, holder: str, *, granted: bool
) -> "config_pb2.Change":
    from wire.pb.tkms.config.v1 import config_pb2  # noqa: PLC0415 - slow import

    account = accounts_of(session, [holder])[0]
    record = config_pb2.RoleChange(
        role=f"ROLE_{role_name.upper()}", account=account, granted=granted
    )
    return config_pb2.Change(role=record)


def parse_validator_key(text: str) -> bytes:
    """Return the 32 bytes of base64 or hexadecimal; UsageError on anything else."""
    from base64 import b64decode  # noqa: PLC0415

    try:
        key = bytes.fromhex(text) if len(text) == 64 else b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise UsageError(
            "a validator's key has 32 bytes, in base64 or hexadecimal",
            hint="pub_key.value in priv_validator_key.json",
        )
    return key


def _from_file(source: Path, kind: str | None) -> "config_pb2.Change":
    from cli.governance import records  # noqa: PLC0415 - slow import
    from wire.pb.tkms.config.v1 import config_pb2  # noqa: PLC0415

    values = records.read_file(source)
    if kind is not None and set(values) != {kind}:
        values = {kind: values}
    if len(values) != 1:
        raise UsageError(f"{source} names {len(values)} changes", hint="exactly one a proposal")
    change = config_pb2.Change()
    records.fill(change, values)
    return change


def _set_price(record: Any, text: str) -> None:
    kind, separator, amounts = text.partition("=")
    base, colon, per_byte = amounts.partition(":")
    if not separator or not base.isdecimal() or (colon and not per_byte.isdecimal()):
        raise UsageError(f"{text} is neither KIND=BASE nor KIND=BASE:PER_BYTE")
    entry = next((price for price in record.messages if price.message == kind), None)
    if entry is None:
        entry = record.messages.add(message=kind)
    entry.base = int(base)
    if colon:
        entry.per_byte = int(per_byte)


def _voter(public_key: bytes, power: int, name: str) -> "config_pb2.Change":
    from wire.pb.tkms.config.v1 import config_pb2  # noqa: PLC0415 - slow import

    voter = config_pb2.Validator(public_key=public_key, power=power, name=name)
    return config_pb2.Change(validators=config_pb2.ValidatorChange(validators=[voter]))


async def _validators(chain: Any) -> Any:
    from wire.pb.tkms.state.v1 import state_pb2  # noqa: PLC0415 - slow import

    return state_pb2.ValidatorList.FromString(await chain.query("/config/validators"))


async def _validator(chain: Any, public_key: bytes) -> Any:
    found = (await _validators(chain)).validators
    return next((voter for voter in found if voter.public_key == public_key), None)


async def _require_validator(chain: Any, key: str) -> Any:
    found = await _validator(chain, parse_validator_key(key))
    if found is None:
        raise UsageError("no validator has this key", hint="tkms governance validators")
    return found
