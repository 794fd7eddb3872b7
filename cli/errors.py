"""Errors of the command line and the exit codes they end with.

CliError                    something a person can act on
UsageError                wrong command, option or argument
ConfigError               a file or setting is wrong or missing
WrongResultError          a value came back that is not the expected one
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """What the shell sees. Documented in cli/README.md; never renumbered."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    CONFIG = 3
    UNREACHABLE = 4
    REJECTED = 5
    TIMEOUT = 6
    VERIFICATION = 7
    WARNING = 8
    DISK = 9
    VERSION = 10
    INTERRUPTED = 130


class CliError(Exception):
    """An error with everything that is shown: name, sentence, hint, code and details."""

    exit_code = ExitCode.FAILURE
    reason = "FAILURE"

    def __init__(
        self,
        sentence: str,
        *,
        hint: str = "",
        reason: str | None = None,
        code: int | None = None,
        exit_code: ExitCode | None = None,
        details: dict[str, object] | None = None,
    ) -> None:
        """Keep what is shown; `code` is the chain's reason number where there is one."""
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint
        self.reason = reason or type(self).reason
        self.exit_code = type(self).exit_code if exit_code is None else exit_code
        self.code = int(self.exit_code) if code is None else code
        self.details = details or {}

    def as_document(self) -> dict[str, object]:
        """Return the JSON form that `-o json` prints."""
        return {
            "error": {
                "code": self.code,
                "reason": self.reason,
                "sentence": self.sentence,
                "hint": self.hint,
                "exit_code": int(self.exit_code),
                **self.details,
            }
        }


class UsageError(CliError):
    """Wrong command, option or argument."""

    exit_code = ExitCode.USAGE
    reason = "USAGE"


class ConfigError(CliError):
    """A file or a setting is wrong or missing."""

    exit_code = ExitCode.CONFIG
    reason = "CONFIG"


class WrongResultError(CliError):
    """A verified value is not the expected one."""

    exit_code = ExitCode.VERIFICATION
    reason = "WRONG_RESULT"
