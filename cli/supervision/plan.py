"""Which processes a supervisor runs, and in what order."""

import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProcessPlan:
    """A process that a supervisor runs.

    `ready` is "log:<word>" (a line with the event), or "rpc:<url>" (a chain at height 2 or more).
    With `may_finish` an exit code of 0 is no crash: a node ends so at its halt height. `after` are processes that must be ready first, and that are stopped last; `binds` are processes
    that stop with this one and that this one takes along when it starts.
    """

    name: str
    argv: tuple[str, ...]
    ready: str
    after: tuple[str, ...] = ()
    binds: tuple[str, ...] = ()
    may_finish: bool = False


def tkms(*arguments: str) -> tuple[str, ...]:
    """Return the command line of one of our own processes."""
    return (sys.executable, "-m", "cli", *arguments)


def stop_order(plans: list[ProcessPlan]) -> list[list[ProcessPlan]]:
    """Return groups to stop one after the other: nothing ends before what needs it.

    The engine ends before its node: it finishes the block in work, and the node answers until
    nobody asks any more.
    """
    left = {plan.name: plan for plan in plans}
    groups: list[list[ProcessPlan]] = []
    while left:
        needed = {name for plan in left.values() for name in plan.after}
        group = [plan for plan in left.values() if plan.name not in needed]
        # A circle would be a bug of the plan; ending all at once beats ending none.
        group = group or list(left.values())
        groups.append(group)
        for plan in group:
            del left[plan.name]
    return groups
