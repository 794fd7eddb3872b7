"""Turns whatever a command raised into a sentence, a hint and an exit code."""

from cli.errors import CliError, ConfigError, ExitCode


def translate(error: Exception) -> CliError:
    """Return the error as it is shown. Unknown ones are bugs and say so."""
    if isinstance(error, CliError):
        return error
    known = _of_client(error) or _of_wire(error) or _of_settings(error)
    if known is not None:
        return known
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
        return ConfigError(f"{error.filename}: {error.strerror}")
    return CliError(
        f"{type(error).__name__}: {error}",
        reason="INTERNAL",
        hint="this is a bug; TKMS_TRACEBACK=1 shows where",
    )


def _of_client(error: Exception) -> CliError | None:
    from client import errors  # noqa: PLC0415 - only on failure

    if isinstance(error, errors.RejectedByChain):
        return _rejected(error)
    if isinstance(error, errors.Timeout):
        found = error.transaction_hash.hex()
        return CliError(
            str(error),
            reason="TIMEOUT",
            exit_code=ExitCode.TIMEOUT,
            hint=f"it may still happen: tkms tx wait {found}",
            details={"transaction": found},
        )
    if isinstance(error, errors.VerificationFailed):
        return CliError(
            str(error),
            reason="VERIFICATION_FAILED",
            exit_code=ExitCode.VERIFICATION,
            hint="believe nothing of this answer; ask another node",
        )
    if isinstance(error, errors.Unreachable):
        return CliError(
            str(error),
            reason="UNREACHABLE",
            exit_code=ExitCode.UNREACHABLE,
            hint="does it run? `tkms status`; another node: --node URL",
        )
    if isinstance(error, errors.ClientError):
        return CliError(str(error), reason=type(error).__name__.upper())
    return None


def _rejected(error: Exception) -> CliError:
    """Show the chain's reason: name, sentence and hint."""
    reason = getattr(error, "reason", None)
    code = int(getattr(error, "code", 0))
    log = str(getattr(error, "log", ""))
    details: dict[str, object] = {"detail": log} if log else {}
    transaction = getattr(error, "transaction_hash", b"")
    if transaction:
        details["transaction"] = transaction.hex()
    if reason is None:
        return CliError(
            f"the chain refused with code {code}",
            reason="REJECTED",
            code=code,
            exit_code=ExitCode.REJECTED,
            hint="this client is older than the chain",
            details=details,
        )
    return CliError(
        reason.sentence,
        reason=reason.name,
        code=int(reason),
        exit_code=ExitCode.REJECTED,
        hint=reason.hint,
        details=details,
    )


def _of_wire(error: Exception) -> CliError | None:
    from wire.reasons import Rejection  # noqa: PLC0415 - only on failure

    if isinstance(error, Rejection):
        return CliError(
            error.reason.sentence,
            reason=error.reason.name,
            code=int(error.reason),
            exit_code=ExitCode.REJECTED,
            hint=error.reason.hint,
            details={"detail": error.detail} if error.detail else {},
        )
    return None


def _of_settings(error: Exception) -> CliError | None:
    """Settings errors of every process have the same name."""
    if type(error).__name__ in {"SettingsError", "VaultError"}:
        return ConfigError(str(error))
    return None
