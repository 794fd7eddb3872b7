"""`tkms demo`: the main job from nothing, every value checked."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from cli import epoch, keygen
from cli.errors import WrongResultError
from cli.lazy import TkmsCommand, terminal
from cli.output import Terminal, table

_READY_S = 180.0
_KEY_S = 3600.0
_APPLICATION = "demo"


@dataclass(frozen=True, slots=True)
class _Key:
    """The key that is asked for."""

    parameters: str
    crs_bits: int
    dealer: bool


@dataclass(slots=True)
class Report:
    """Phases with their times, and values with what they should be."""

    phases: list[dict[str, Any]] = field(default_factory=list)
    values: list[dict[str, Any]] = field(default_factory=list)

    def phase(self, name: str, started: float) -> None:
        """Note how long a phase took."""
        self.phases.append({"phase": name, "seconds": round(time.monotonic() - started, 2)})

    @property
    def right(self) -> bool:
        """Whether every value is the expected one; nothing checked is not right."""
        return bool(self.values) and all(row["right"] for row in self.values)


@click.command(
    cls=TkmsCommand, example="tkms demo\ntkms demo --parameters test\ntkms demo --keep -o json"
)
@click.option(
    "--parameters",
    type=click.Choice(["production-64", "production", "test"]),
    default="production-64",
    show_default=True,
    help="`production` has noise squashing and takes much longer; `test` is a toy.",
)
@click.option("--dealer", is_flag=True, help="One core makes the key and knows it: insecure.")
@click.option("--operators", type=int, default=4, show_default=True, help="1, 4, 7, 10 or 13.")
@click.option("--crs-bits", type=int, default=2048, show_default=True, help="Reference string.")
@click.option("--keep", is_flag=True, help="Leave the network running and say where.")
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the network [default: a temporary one].",
)
@click.pass_context
def demo(
    context: click.Context,
    parameters: str,
    dealer: bool,
    operators: int,
    crs_bits: int,
    keep: bool,
    home: Path | None,
) -> None:
    """Start a network, make a key that nobody has, encrypt, compute, decrypt and re-encrypt, verify.

    The last values are revealed after the parties got new shares.

    Exit code 0 only when every value was right and verified.
    """
    from cli.localnet import life  # noqa: PLC0415 - keeps `--help` quick
    from cli.localnet import topology as localnet_topology  # noqa: PLC0415

    out = terminal(context)
    if operators == 1 and not dealer:
        raise click.UsageError("one operator cannot share a key: add --dealer")
    topology = localnet_topology.load(None).with_overrides(
        operators=operators, parameters=parameters, chain_id="tkms-demo"
    )
    folder = home or Path(tempfile.mkdtemp(prefix="tkms-demo-"))
    report = Report()
    finished = False
    try:
        started = time.monotonic()
        plan, _ = life.create_or_load(folder, topology)
        life.start(plan, None if keep else os.getpid())
        life.wait_ready(plan, _READY_S)
        report.phase(f"start {len(plan.processes)} processes", started)
        asyncio.run(_work(out, folder, _Key(parameters, crs_bits, dealer=dealer), report))
        finished = True
    finally:
        if keep:
            out.note(f"the network is kept: export TKMS_LOCALNET_HOME={folder}")
        else:
            _tear_down(folder, report, finished=finished, out=out)
    _show(out, report, parameters)


def _tear_down(folder: Path, report: Report, *, finished: bool, out: Terminal) -> None:
    """End everything; the logs of a failed run are kept, and said where."""
    from cli.localnet import life  # noqa: PLC0415

    started = time.monotonic()
    life.end(folder)
    if not finished and (folder / "logs").exists():
        kept = Path(tempfile.mkdtemp(prefix="tkms-demo-logs-"))
        shutil.copytree(folder / "logs", kept, dirs_exist_ok=True)
        out.note(f"the logs of this run are kept in {kept}")
    life.remove(folder)
    report.phase("stop", started)


async def _work(out: Terminal, home: Path, key: _Key, report: Report) -> None:
    from cli.network import resolve  # noqa: PLC0415 - slow imports
    from cli.session import Sending, Session  # noqa: PLC0415

    network = resolve(home, None, None, None)
    session = Session(out, network, Sending())
    async with session.chain() as chain:
        made = await _make_key(session, chain, key, report)
        groups, expected = await _values(session, chain, made, report)
        *before, last = groups
        for group in before:
            await _reveal(session, chain, group, expected, report)
        if not key.dealer:
            new_shares = epoch.refresh_shares(session, chain, _KEY_S)
            await _timed(report, "new shares for all parties", new_shares)
        await _reveal(session, chain, last, expected, report)


async def _make_key(session: Any, chain: Any, key: _Key, report: Report) -> dict[str, object]:
    """Return the ids of a key and its reference string."""
    if key.dealer:
        dealt = keygen.deal(session, chain, key.parameters, key.crs_bits, _KEY_S)
        return await _timed(report, "deal key and reference string (dealer: true)", dealt)  # type: ignore[no-any-return] # a document
    prepared = await _timed(
        report,
        "preprocess for the key",
        keygen.make_preprocessing(session, chain, key.parameters, _KEY_S),
    )
    return await _timed(  # type: ignore[no-any-return] # a document
        report,
        "generate key and reference string",
        keygen.generate(
            session,
            chain,
            key.parameters,
            key.crs_bits,
            _KEY_S,
            str(prepared["preprocessing_id"]),
        ),
    )


async def _values(
    session: Any, chain: Any, made: dict[str, object], report: Report
) -> tuple[list[list[bytes]], dict[bytes, int]]:
    """Encrypt, compute, prepare, permit; return handles in groups and what they hide."""
    from cli.values import compute, prepare  # noqa: PLC0415
    from cli.values import handles as values  # noqa: PLC0415
    from wire.fhe import FheType  # noqa: PLC0415
    from wire.ids import KeyId  # noqa: PLC0415

    keystore = session.network.keystore
    material = (KeyId.parse(str(made["key_id"])), KeyId.parse(str(made["crs_id"])))
    owner = keystore.resolve("demo")

    async def put(typed: list[tuple[Any, int]]) -> list[bytes]:
        found = await values.encrypt_values(session, chain, typed, material, _APPLICATION, owner)
        return [bytes(value.handle) for value in found]

    expected: dict[bytes, int] = {}
    singles = [(FheType.EBOOL, 1), (FheType.EUINT8, 42), (FheType.EUINT64, 2**63 + 5)]
    for entry in singles:
        handles = await _timed(report, f"encrypt and prove {entry[0].label}", put([entry]))
        expected[handles[0]] = entry[1]
    batch = [(FheType.EUINT8, 200), (FheType.EUINT8, 100), (FheType.EBOOL, 0)]
    first, second, flag = await _timed(report, "encrypt and prove a batch of 3", put(batch))
    expected[flag] = 0
    total = await _timed(report, "add two values", compute.operate(session, "add", [first, second]))
    # euint8 wraps around.
    expected[bytes(total.handle)] = (200 + 100) % 256
    handles = list(expected)
    await _timed(report, "prepare (store, register)", prepare.ready(session, handles, 0))
    await _timed(report, "permit (public and grant)", _permit(session, chain, handles))
    return _groups(handles), expected


def _groups(handles: list[bytes]) -> list[list[bytes]]:
    """Return the first three one by one, then the rest as one batch."""
    return [[handles[0]], [handles[1]], [handles[2]], handles[3:]]


async def _permit(session: Any, chain: Any, handles: list[bytes]) -> None:
    from wire.pb.tkms.isc.v1 import isc_pb2  # noqa: PLC0415
    from wire.pb.tkms.tx.v1 import tx_pb2  # noqa: PLC0415

    user = bytes(session.network.keystore.resolve("alice"))
    messages = []
    for handle in handles:
        open_to_all = isc_pb2.SetPublic(application=_APPLICATION, handle=handle, allowed=True)
        granted = isc_pb2.GrantAccess(application=_APPLICATION, handle=handle, account=user)
        messages += [tx_pb2.Message(set_public=open_to_all), tx_pb2.Message(grant_access=granted)]
    await session.send(chain, messages, session.signer("demo"))


async def _reveal(
    session: Any,
    chain: Any,
    handles: list[bytes],
    expected: dict[bytes, int],
    report: Report,
) -> None:
    from cli.values import handles as values  # noqa: PLC0415

    what = f"{len(handles)} value{'s' if len(handles) > 1 else ''}"
    demo_account, alice = session.signer("demo"), session.signer("alice")
    public = await _timed(
        report,
        f"decrypt publicly, {what}",
        values.decrypt_publicly(session, chain, _APPLICATION, handles, demo_account, 600),
    )
    private = await _timed(
        report,
        f"re-encrypt to a user, {what}",
        values.reencrypt_to(session, chain, _APPLICATION, handles, alice, alice, 600),
    )
    for way, revealed in (("public", public), ("user", private)):
        for handle, fhe_type, value in zip(
            revealed.handles, revealed.types, revealed.values, strict=True
        ):
            report.values.append(
                {
                    "way": way,
                    "handle": "0x" + handle.hex(),
                    "type": fhe_type.label,
                    "value": value,
                    "expected": expected[handle],
                    "right": value == expected[handle],
                    "parties": list(revealed.parties),
                }
            )


async def _timed(report: Report, name: str, work: Awaitable[Any]) -> Any:
    started = time.monotonic()
    try:
        return await work
    finally:
        report.phase(name, started)


def _show(out: Terminal, report: Report, parameters: str) -> None:
    """Print both tables; a wrong value is an error of its own."""
    document = {
        "parameters": parameters,
        "right": report.right,
        "phases": report.phases,
        "values": report.values,
    }
    if not report.right:
        wrong = [row for row in report.values if not row["right"]]
        raise WrongResultError(
            "a decrypted value is not what was encrypted", details={"wrong": wrong}
        )
    if not out.as_json:
        out.show(table("", ("phase", "seconds"), [tuple(row.values()) for row in report.phases]))
    rows = [
        (row["way"], row["handle"][:18] + "…", row["type"], row["value"], "right", row["parties"])
        for row in report.values
    ]
    columns = ("way", "handle", "type", "value", "verified and", "parties")
    out.result(document, lambda: table(f"parameters {parameters}", columns, rows))
