"""The process table of an operator's home: what `tkms start` runs, and what `tkms deploy` writes down."""

from dataclasses import dataclass
from pathlib import Path

from cli.errors import ConfigError
from cli.home.files import OperatorFiles
from cli.supervision.plan import ProcessPlan, tkms


@dataclass(frozen=True, slots=True)
class Entry:
    """One process of a home.

    `verb` and `home` make its command line. It starts after `after`; `bound` to a process it also ends
    when that one ends. With `may_finish`, exit code 0 means that its work is done.
    """

    name: str
    verb: str
    home: Path
    what: str
    after: tuple[str, ...] = ()
    bound: str = ""
    may_finish: bool = False


def table(files: OperatorFiles) -> tuple[Entry, ...]:
    """Return every process that this home has settings for."""
    entries = [
        # Its exit code 0 without being asked is the halt height.
        Entry("node", "node", files.app, "the ABCI application", may_finish=True),
        Entry(
            "engine",
            "engine",
            files.home,
            "CometBFT: blocks, votes, peers",
            after=("node",),
            bound="node",
        ),
    ]
    if files.core is not None:
        entries.append(Entry("core", "core", files.core, "this operator's shares"))
    if files.connector is not None:
        after = ("node", "core") if files.core is not None else ("node",)
        what = "the link between chain and core"
        entries.append(Entry("connector", "connector", files.connector, what, after=after))
    return tuple(entries)


def plans(
    files: OperatorFiles, wanted: set[str], engine_options: tuple[str, ...]
) -> list[ProcessPlan]:
    """Return what a supervisor runs: node and engine, and of core and connector what is wanted.

    Raises:
        ConfigError: a wanted process has no home.
    """
    entries = {entry.name: entry for entry in table(files)}
    missing = sorted(wanted - set(entries))
    if missing:
        raise ConfigError(
            f"{files.home} has no {missing[0]}",
            hint="a home with a backend is made by `tkms init --party N`",
        )
    found = []
    for entry in entries.values():
        if entry.bound == "" and not entry.may_finish and entry.name not in wanted:
            continue
        options = engine_options if entry.name == "engine" else ()
        found.append(
            ProcessPlan(
                entry.name,
                tkms(entry.verb, entry.home, *options),
                f"rpc:{files.rpc_url()}" if entry.name == "engine" else "log:ready",
                # Core and connector wait by themselves: only the engine needs an order.
                after=entry.after if entry.bound else (),
                binds=tuple(other.name for other in entries.values() if other.bound == entry.name),
                may_finish=entry.may_finish,
            )
        )
    return found
