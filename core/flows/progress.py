"""How far a request is, told often enough for people and not more."""

import time
from collections.abc import Callable

from core.authorize import Permission
from wire.ids import PartyId, RequestId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.core.v1 import core_pb2

PAUSE_S = 2.0
"""Between two reports of one phase; a new phase is told at once."""


class Progress:
    """Reports of one party."""

    __slots__ = ("_clock", "_party", "_report", "_told")

    def __init__(
        self,
        party: PartyId,
        report: Callable[[core_pb2.Result], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`report` hands a result without cursor to whoever listens."""
        self._party = party
        self._report = report
        self._clock = clock
        self._told: dict[RequestId, tuple[str, float]] = {}

    def tell(self, permission: Permission, phase: str, done: int, total: int) -> None:
        """Report, unless the same phase was reported a moment ago."""
        now = self._clock()
        known, when = self._told.get(permission.request_id, ("", 0.0))
        if phase == known and done < total and now - when < PAUSE_S:
            return
        self._told[permission.request_id] = (phase, now)
        progress = asc_pb2.ReportProgress(
            request_id=permission.request_id.value,
            party=self._party,
            phase=phase,
            done=done,
            total=total,
        )
        self._report(
            core_pb2.Result(
                request_id=permission.request_id.value,
                progress=progress,
                deadline_height=permission.deadline_height,
            )
        )

    def forget(self, permission: Permission) -> None:
        """The request is over."""
        self._told.pop(permission.request_id, None)
