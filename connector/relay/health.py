"""How the relay does, dependency by dependency: for gRPC's health service and for /healthz."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from grpc_health.v1 import health_pb2

from connector.relay.calls import Door
from connector.relay.metrics import RelayMeter
from connector.relay.writer import Writer
from telemetry.health import Health
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb

SERVICE: Final = pb.DESCRIPTOR.services_by_name["GatewayService"].full_name
_LOOK_S: Final = 0.5


class Doctor:
    """Judges from what the parts noted; asks nobody."""

    def __init__(self, meter: RelayMeter, writer: Writer, door: Door, age_limit_s: float) -> None:
        """Bind to the parts."""
        self._meter = meter
        self._writer = writer
        self._door = door
        self._age_limit_s = age_limit_s

    def problems(self) -> Mapping[str, str]:
        """What is wrong with each dependency; empty text where nothing is."""
        meter = self._meter
        node = meter.node_error
        if not node and meter.age_seconds > self._age_limit_s:
            node = f"the node's height has not grown for {meter.age_seconds:.0f} s"
        return {
            "node": node,
            "storage": meter.storage_error,
            "database": "the last write failed" if self._writer.failed else "",
            "payers": "no paying account is above the alarm" if meter.low_balance else "",
        }

    def serving(self) -> dict[str, bool]:
        """Which services of the health protocol serve; without node or database the whole does not."""
        problems = self.problems()
        whole = not (problems["node"] or problems["database"] or self._door.draining)
        parts = {name: not problem for name, problem in problems.items()}
        return {**parts, "": whole, SERVICE: whole}

    def judge(self) -> Health:
        """For /healthz and /readyz."""
        problems = {name: text for name, text in self.problems().items() if text}
        return Health(
            phase="draining" if self._door.draining else "serving",
            problems=tuple(f"{name}: {text}" for name, text in problems.items()),
            ready=not self._door.draining,
            facts={"height": self._meter.height},
        )

    async def run(self, servicer: Any) -> None:
        """Keep the health service up to date."""
        known: dict[str, bool] = {}
        while True:
            for name, serving in self.serving().items():
                if known.get(name) is not serving:
                    await servicer.set(name, serving_status(serving=serving))
                    known[name] = serving
            await asyncio.sleep(_LOOK_S)


def serving_status(*, serving: bool) -> health_pb2.HealthCheckResponse.ServingStatus:
    """Of the health protocol."""
    status = health_pb2.HealthCheckResponse
    return status.SERVING if serving else status.NOT_SERVING
