"""What commands that talk to a network share: their options, the chain, signing and sending."""

import asyncio
import functools
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.errors import ConfigError, UsageError
from cli.lazy import terminal
from cli.output import Terminal

if TYPE_CHECKING:
    from cli.network import Network
    from cli.trust import Trust
    from client.chain import Chain, Submitted
    from wire.pb.tkms.tx.v1 import tx_pb2
    from wire.signing import Secp256k1Signer, Signer

_DEFAULT_TTL_BLOCKS = 1000


@dataclass(frozen=True, slots=True)
class Sending:
    """How a transaction is sent."""

    account: str | None = None
    max_fee: int | None = None
    ttl_blocks: int = _DEFAULT_TTL_BLOCKS
    expires_at_height: int | None = None
    wait: bool = True
    timeout_s: float = 60.0
    dry_run: bool = False
    offline: Path | None = None


class Session:
    """One command's view of the network."""

    def __init__(
        self, out: Terminal, network: "Network", sending: Sending, operator: Path | None = None
    ) -> None:
        """Keep the parts; nothing is opened yet. `operator` is the home where --home named one."""
        self.out = out
        self.network = network
        self.sending = sending
        self.operator = operator

    def run(self, work: Callable[["Chain"], Awaitable[Any]], trust: "Trust | None" = None) -> Any:
        """Run an asynchronous command with an open chain."""

        async def opened() -> Any:
            async with self.chain(trust) as chain:
                return await work(chain)

        return asyncio.run(opened())

    @asynccontextmanager
    async def chain(self, trust: "Trust | None" = None) -> AsyncIterator["Chain"]:
        """Open the chain with its root of trust.

        With `trust` (commands that verify for their own sake) the newest verified header is kept in the
        configuration folder, and witnesses are asked.
        """
        from client.chain import Chain  # noqa: PLC0415 - slow import
        from client.rpc import ChainRpc  # noqa: PLC0415

        _log_to_stderr()
        network = self.network
        pinned = network.trusted_validators_hash
        root = trust.root if trust else None
        if trust and network.node in trust.witnesses:
            raise UsageError("a witness is another node than the one that is asked")
        async with AsyncExitStack() as stack:
            rpc = await stack.enter_async_context(ChainRpc(network.node))
            witnesses = [
                await stack.enter_async_context(ChainRpc(url))
                for url in (trust.witnesses if trust else ())
            ]
            if root is None and not pinned and not network.pin_file.exists():
                network.pin_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self.out.warn(
                    f"no trusted_validators_hash is set: what {network.node} says now is pinned"
                )
            yield await Chain.connect(
                rpc,
                root=root,
                validators_hash=bytes.fromhex(pinned) if pinned else None,
                pin=None if pinned else network.pin_file,
                chain_id=network.chain_id,
                witnesses=witnesses,
                store=network.header_folder if trust else None,
            )

    def signer(self, name: str | None = None, default: str = "demo") -> "Secp256k1Signer":
        """Return the account that signs: the given one, --from, or (local networks) `default`."""
        chosen = name or self.sending.account
        if chosen is None and self.network.home is not None:
            chosen = default
        if chosen is None:
            raise UsageError("who signs? name an account with --from", hint="tkms key list")
        return self.network.keystore.signer(chosen, self.passphrase(chosen))

    def passphrase(self, name: str) -> str:
        """Return the passphrase: from the file, else asked for."""
        from cli.keystore import read_passphrase  # noqa: PLC0415

        if self.network.passphrase_file is not None:
            return read_passphrase(self.network.passphrase_file)
        return str(click.prompt(f"passphrase of {name}", hide_input=True, err=True))

    def application(self, given: str | None = None) -> str:
        """Return the application id of the command or of the network."""
        chosen = given or self.network.application
        if not chosen:
            raise UsageError("which application? name it with --application")
        return chosen

    def need(self, name: str) -> str:
        """Return an endpoint of the network; ConfigError when it is not known."""
        value = str(getattr(self.network, name))
        if not value:
            raise ConfigError(
                f"the address of the {name} is not known",
                hint=f"set TKMS_{name.upper()}, or `{name}` in client.toml",
            )
        return value

    async def send(
        self,
        chain: "Chain",
        messages: "Sequence[tx_pb2.Message]",
        signer: "Signer",
    ) -> dict[str, object]:
        """Send as the options say and return what happened; the hash is told at once."""
        if self.sending.dry_run:
            return await self._simulate(chain, messages, signer)
        submitted = await self._build(chain, messages, signer)
        if self.sending.offline is not None:
            return self._keep(submitted)
        await chain.send(submitted)
        return await self.follow(chain, submitted)

    async def follow(self, chain: "Chain", submitted: "Submitted") -> dict[str, object]:
        """Tell hash and request ids, then wait for inclusion unless --no-wait."""
        document: dict[str, object] = {
            "transaction": submitted.hash.hex(),
            "request_ids": [str(request) for request in submitted.request_ids],
            "expires_at_height": submitted.expires_at_height,
        }
        self.out.note(f"transaction {submitted.hash.hex()}")
        for request in submitted.request_ids:
            self.out.note(f"request {request}")
        if not self.sending.wait:
            return document | {"included": False}
        outcome = await chain.wait(submitted, self.sending.timeout_s)
        return document | {"included": True, "height": outcome.height}

    async def _build(
        self,
        chain: "Chain",
        messages: "Sequence[tx_pb2.Message]",
        signer: "Signer",
    ) -> "Submitted":
        sending = self.sending
        if sending.expires_at_height is not None and sending.max_fee is not None:
            return build_offline(
                signer, chain.chain_id, messages, sending.expires_at_height, sending.max_fee
            )
        return await chain.build(messages, signer, sending.max_fee, sending.ttl_blocks)

    async def _simulate(
        self,
        chain: "Chain",
        messages: "Sequence[tx_pb2.Message]",
        signer: "Signer",
    ) -> dict[str, object]:
        from client.errors import RejectedByChain  # noqa: PLC0415

        limit = self.sending.max_fee or 2**62
        height = await chain.height()
        draft = build_offline(
            signer, chain.chain_id, messages, height + self.sending.ttl_blocks, limit
        )
        simulation = await chain.simulate(draft.raw)
        if simulation.code != 0:
            raise RejectedByChain(simulation.code, simulation.detail)
        return {
            "dry_run": True,
            "fee": simulation.fee,
            "escrow": simulation.escrow,
            "sender": str(signer.address),
            "messages": [message.WhichOneof("kind") for message in messages],
        }

    def _keep(self, submitted: "Submitted") -> dict[str, object]:
        path = self.sending.offline
        if path is None:
            raise UsageError("--offline needs a file")
        path.write_bytes(submitted.raw)
        return {
            "transaction": submitted.hash.hex(),
            "file": str(path),
            "bytes": len(submitted.raw),
            "request_ids": [str(request) for request in submitted.request_ids],
            "expires_at_height": submitted.expires_at_height,
        }


def _log_to_stderr() -> None:
    """Keep what the libraries log away from stdout, where the one result goes."""
    import structlog  # noqa: PLC0415 - slow import

    if not structlog.is_configured():
        structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


def build_offline(
    signer: "Signer",
    chain_id: str,
    messages: "Sequence[tx_pb2.Message]",
    expires_at_height: int,
    max_fee: int,
) -> "Submitted":
    """Sign without asking any node."""
    from client.chain import Submitted, request_ids  # noqa: PLC0415
    from wire.digests import sha256  # noqa: PLC0415
    from wire.tx import build  # noqa: PLC0415

    raw = build(
        signer,
        chain_id,
        messages,
        expires_at_height=expires_at_height,
        max_fee=max_fee,
        nonce=os.urandom(16),
    )
    return Submitted(sha256(raw), raw, request_ids(chain_id, raw), expires_at_height)


_NETWORK_OPTIONS = (
    click.option("--node", envvar="TKMS_NODE", help="RPC address of a node."),
    click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path(".tkms-localnet"),
        envvar="TKMS_LOCALNET_HOME",
        help="Local network, or an operator's home [default: .tkms-localnet].",
    ),
    click.option(
        "--keystore",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="TKMS_KEYSTORE",
        help="Folder of the accounts.",
    ),
    click.option(
        "--passphrase-file",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar="TKMS_PASSPHRASE_FILE",
        help="File with the passphrase (mode 600); asked for otherwise.",
    ),
)
_SENDING_OPTIONS = (
    click.option("--from", "account", envvar="TKMS_FROM", help="Account that signs."),
    click.option("--max-fee", type=int, help="Upper bound of cost [default: as simulated]."),
    click.option(
        "--ttl-blocks",
        type=int,
        default=_DEFAULT_TTL_BLOCKS,
        show_default=True,
        help="Blocks within which it must be included.",
    ),
    click.option("--expires-at-height", type=int, help="Last height of inclusion."),
    click.option("--wait/--no-wait", default=True, help="Wait for inclusion [default: wait]."),
    click.option("--timeout", "timeout_s", type=float, default=60.0, help="Seconds to wait."),
    click.option("--dry-run", is_flag=True, help="Only simulate: cost, no effect."),
    click.option(
        "--offline",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Write the signed bytes to this file and send nothing.",
    ),
)


def with_session(*, sends: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the network's options and a Session as its first argument."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @click.pass_context
        @functools.wraps(function)
        def wrapped(context: click.Context, /, **values: Any) -> Any:
            from cli.network import resolve  # noqa: PLC0415

            where = [values.pop(n) for n in ("home", "node", "keystore", "passphrase_file")]
            how = {entry.name: values.pop(entry.name) for entry in fields(Sending) if sends}
            network, sending = resolve(*where), Sending(**how)
            home = Path(where[0])
            operator = home if (home / "config" / "config.toml").is_file() else None
            session = Session(terminal(context), network, sending, operator)
            return function(session, **values)

        options = _NETWORK_OPTIONS + (_SENDING_OPTIONS if sends else ())
        for option in reversed(options):
            wrapped = option(wrapped)
        return wrapped

    return decorate


def accounts_of(session: Session, names: Sequence[str]) -> list[bytes]:
    """Return the addresses that names or addresses mean."""
    return [bytes(session.network.keystore.resolve(name)) for name in names]


def parse_handle(text: str) -> bytes:
    """Return a handle's 32 bytes; UsageError on anything else."""
    from wire.ids import HandleId  # noqa: PLC0415

    try:
        return bytes(HandleId.parse(text))
    except ValueError as error:
        raise UsageError(f"{text}: {error}") from error


def parse_request(text: str) -> Any:
    """Return a request id; UsageError on anything else."""
    from wire.ids import RequestId  # noqa: PLC0415

    try:
        return RequestId.parse(text)
    except ValueError as error:
        raise UsageError(f"{text}: {error}") from error
