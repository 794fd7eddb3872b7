"""Keeps gauges and the balance alarm up to date; reads memory and the database only."""

from __future__ import annotations

import asyncio
from typing import Final

from connector.relay.broadcast import Broadcaster
from connector.relay.database import Database
from connector.relay.metrics import RelayMeter
from connector.relay.payers import Payers

_LOOK_S: Final = 2.0


class Watch:
    """Looks every few seconds, whether or not somebody reads the numbers."""

    def __init__(
        self, database: Database, payers: Payers, broadcaster: Broadcaster, meter: RelayMeter
    ) -> None:
        """Bind to the parts."""
        self._database = database
        self._payers = payers
        self._broadcaster = broadcaster
        self._meter = meter

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(_LOOK_S)
            self.look()

    def look(self) -> None:
        """Once."""
        meter = self._meter
        meter.in_flight.set(len(self._broadcaster))
        meter.rows.replace(
            {
                (name.removeprefix("REQUEST_STATE_").lower(),): count
                for name, count in self._database.counts().items()
            }
        )
        for payer in self._payers.messages():
            meter.balance.set(payer.balance, "0x" + payer.address.hex())
        meter.low_balance = meter.height > 0 and self._payers.low
        meter.balance_alarm.set(int(meter.low_balance))
