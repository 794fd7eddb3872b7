"""All state-machine modules of the chain, in the order of their hooks; nothing registers itself."""

from __future__ import annotations

from typing import Final

from abci_app.replay import MODULE as REPLAY
from asc.changes import CHANGES as ASC_CHANGES
from asc.module import MODULE as ASC
from isc.changes import CHANGES as ISC_CHANGES
from isc.module import MODULE as ISC
from ledger.bank.module import MODULE as BANK
from ledger.clock.module import MODULE as CLOCK
from ledger.config.module import config_module
from ledger.module import Handler, Module, Query
from wire.tx import MESSAGE_KINDS

CONFIG: Final = config_module([*ISC_CHANGES, *ASC_CHANGES])

# Config first: its changes are in force for everything else in the block. The clock after it: its limit is one of
# them, and everything else may ask for the time.
MODULES: Final[tuple[Module, ...]] = (CONFIG, CLOCK, REPLAY, BANK, ISC, ASC)


def handlers(modules: tuple[Module, ...]) -> dict[str, Handler]:
    """Handler of each message kind; ValueError unless every kind has exactly one."""
    pairs = [pair for module in modules for pair in module.handlers.items()]
    table = dict(pairs)
    if len(table) != len(pairs) or sorted(table) != sorted(MESSAGE_KINDS):
        raise ValueError("every message kind needs exactly one handler")
    return table


def queries(modules: tuple[Module, ...]) -> dict[str, Query]:
    """Query function of each path; ValueError when two modules claim one."""
    pairs = [pair for module in modules for pair in module.queries.items()]
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("two modules answer the same query")
    return table
