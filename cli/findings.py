"""What a check found: how bad, what, and what to do about it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum

from cli.errors import ExitCode


class Severity(IntEnum):
    """From good to bad; the worst one decides the exit code."""

    OK = 0
    NOTE = 1
    WARNING = 2
    ERROR = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of one check."""

    severity: Severity
    check: str
    sentence: str
    remedy: str = ""

    def document(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "severity": self.severity.name.lower(),
            "check": self.check,
            "sentence": self.sentence,
            "remedy": self.remedy,
        }


def ok(check: str, sentence: str) -> Finding:
    """Return a good result."""
    return Finding(Severity.OK, check, sentence)


def note(check: str, sentence: str, remedy: str = "") -> Finding:
    """Return something to know."""
    return Finding(Severity.NOTE, check, sentence, remedy)


def warning(check: str, sentence: str, remedy: str) -> Finding:
    """Return something that will hurt one day."""
    return Finding(Severity.WARNING, check, sentence, remedy)


def error(check: str, sentence: str, remedy: str) -> Finding:
    """Return something that hurts now or at the next start."""
    return Finding(Severity.ERROR, check, sentence, remedy)


def worst(findings: Iterable[Finding]) -> Severity:
    """Return the worst severity."""
    return max((finding.severity for finding in findings), default=Severity.OK)


def exit_code(findings: Iterable[Finding]) -> ExitCode:
    """Return 0 for good and notes, 8 for warnings, 1 for errors."""
    found = worst(findings)
    if found is Severity.ERROR:
        return ExitCode.FAILURE
    return ExitCode.WARNING if found is Severity.WARNING else ExitCode.OK


def guarded(check: str, work: Callable[[], list[Finding]]) -> list[Finding]:
    """Run one check; what it could not look at is a finding too, and ends no other check."""
    from cli.translate import translate  # noqa: PLC0415 - only on failure

    try:
        return work()
    except Exception as problem:  # noqa: BLE001 - a doctor reports, whatever the patient does
        shown = translate(problem)
        return [error(check, shown.sentence, shown.hint or "mend this first")]
