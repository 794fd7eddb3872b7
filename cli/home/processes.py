"""The process table of an operator's home: what `tkms start` runs, and what `tkms deploy` writes down."""

from dataclasses import dataclass
from pathlib import Path

from cli.errors import ConfigError
from cli.home.files import OperatorFiles
from cli.supervision.plan import ProcessPlan, tkms

_REMEDIES = {
    name: f"tkms add {name} --home DIR --listen HOST:PORT" for name in ("relay", "explorer")
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One process of a home.

    `arguments` make its command line. It starts after `after`; `bound` to a process it also ends
    when that one ends. With `may_finish`, exit code 0 means that its work is done.
    """

    name: str
    arguments: tuple[str, ...]
    what: str
    after: tuple[str, ...] = ()
    bound: str = ""
    may_finish: bool = False


def table(files: OperatorFiles) -> tuple[Entry, ...]:
    """Return every process that this home has settings for."""
    entries = [
        # Its exit code 0 without being asked is the halt height.
        Entry("node", _of_home("node", files.app), "the ABCI application", may_finish=True),
        Entry(
            "engine",
            _of_home("engine", files.home),
            "CometBFT: blocks, votes, peers",
            after=("node",),
            bound="node",
        ),
    ]
    if files.core is not None:
        entries.append(Entry("core", _of_home("core", files.core), "this operator's shares"))
    if files.connector is not None:
        after = ("node", "core") if files.core is not None else ("node",)
        what = "the link between chain and core"
        arguments = _of_home("connector", files.connector)
        entries.append(Entry("connector", arguments, what, after=after))
    settings = files.own_settings()
    for name, arguments, what in (
        ("relay", ("relay",), "the gRPC service for gateways"),
        ("explorer", ("explorer", "run"), "the pages for readers"),
    ):
        if name in settings:
            command = (*arguments, "--config", str(settings[name]))
            entries.append(Entry(name, command, what, after=("engine",)))
    return tuple(entries)


def _of_home(verb: str, home: Path) -> tuple[str, ...]:
    return (verb, "--home", str(home))


def plans(
    files: OperatorFiles, wanted: set[str], engine_options: tuple[str, ...]
) -> list[ProcessPlan]:
    """Return what a supervisor runs: node and engine, and of the others what is wanted.

    Raises:
        ConfigError: a wanted process has no home.
    """
    entries = {entry.name: entry for entry in table(files)}
    missing = sorted(wanted - set(entries))
    if missing:
        raise ConfigError(
            f"{files.home} has no {missing[0]}",
            hint=_REMEDIES.get(
                missing[0], "a home with a backend is made by `tkms init --party N`"
            ),
        )
    found = []
    for entry in entries.values():
        if entry.bound == "" and not entry.may_finish and entry.name not in wanted:
            continue
        options = engine_options if entry.name == "engine" else ()
        found.append(
            ProcessPlan(
                entry.name,
                tkms(*entry.arguments, *options),
                f"rpc:{files.rpc_url()}" if entry.name == "engine" else "log:ready",
                # The others wait for their node by themselves: only the engine needs an order.
                after=entry.after if entry.bound else (),
                binds=tuple(other.name for other in entries.values() if other.bound == entry.name),
                may_finish=entry.may_finish,
            )
        )
    return found
