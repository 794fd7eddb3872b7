"""Which flow answers which kind of request, and how flows end that come to nothing."""

from collections.abc import Awaitable, Callable
from functools import partial

from core.authorize import (
    CRS_GENERATION,
    EPOCH_CHANGE,
    KEY_DESTRUCTION,
    KEY_GENERATION,
    PREPROCESSING,
    Permission,
)
from core.errors import RunAborted, WorkFailed
from core.flows.ceremony import CeremonyFlow
from core.flows.destruction import Destruction
from core.flows.epoch_change import EpochChange
from core.flows.generation import Generation
from core.flows.preprocessing import Preprocessing
from core.flows.tools import Tools
from mpc.session import AbortReason
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.core.v1 import core_pb2

Answer = Callable[[Permission], Awaitable[core_pb2.Result | None]]
"""Does the work of one request; None where nothing is to be said."""


class Flows:
    """The flows of one core."""

    __slots__ = ("_answers", "_tools")

    def __init__(self, tools: Tools) -> None:
        """One flow a kind."""
        self._tools = tools
        self._answers: dict[int, Answer] = {
            PREPROCESSING: Preprocessing(tools).answer,
            KEY_GENERATION: Generation(tools).answer,
            CRS_GENERATION: CeremonyFlow(tools).answer,
            EPOCH_CHANGE: EpochChange(tools).answer,
            KEY_DESTRUCTION: Destruction(tools).answer,
        }

    def of(self, entry: asc_pb2.LogEntry) -> Answer | None:
        """The flow of an entry; what one core deals is none."""
        answer = None if entry.dealer else self._answers.get(entry.kind)
        return partial(self._guarded, answer) if answer else None

    async def _guarded(self, answer: Answer, permission: Permission) -> core_pb2.Result | None:
        """An aborted run becomes the failure that the chain knows."""
        try:
            return await answer(permission)
        except RunAborted as error:
            many = error.reason is AbortReason.TOO_MANY_ERRORS
            code = asc_pb2.FAILURE_CODE_PROTOCOL if many else asc_pb2.FAILURE_CODE_INTERNAL
            raise WorkFailed(code, error.detail) from error
        finally:
            self._tools.progress.forget(permission)
