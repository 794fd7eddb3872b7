"""Whether a process does its work, in words and as one flag for machines.

A process that answers is not therefore healthy: an engine whose consensus has died keeps serving. Health
is judged by what grows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Health:
    """A verdict: `problems` is empty where all is well.

    `ready` means that answers of this process are current: not while it is catching up.
    """

    phase: str
    problems: tuple[str, ...] = ()
    ready: bool = True
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def document(self) -> bytes:
        """JSON for the endpoint."""
        values = {
            "healthy": self.healthy,
            "ready": self.healthy and self.ready,
            "phase": self.phase,
            "problems": list(self.problems),
            **self.facts,
        }
        return json.dumps(values).encode() + b"\n"


Judge = Callable[[], Health]
