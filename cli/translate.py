"""Turns whatever a command raised into a sentence, a hint and an exit code."""

from cli.errors import CliError, ConfigError, ExitCode

_OF_CORE = {
    "AttestationError",
    "BackupError",
    "CustodyError",
    "DeviceError",
    "DocumentError",
    "RecoveryError",
    "ReleaseError",
}


def translate(error: Exception) -> CliError:
    """Return the error as it is shown. Unknown ones are bugs and say so."""
    if isinstance(error, CliError):
        return error
    known = _of_proofs(error) or _of_client(error) or _of_wire(error) or _of_settings(error)
    if known is not None:
        return known
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
        return ConfigError(f"{error.filename}: {error.strerror}")
    return CliError(
        f"{type(error).__name__}: {error}",
        reason="INTERNAL",
        hint="this is a bug; TKMS_TRACEBACK=1 shows where",
    )


def _of_proofs(error: Exception) -> CliError | None:
    """What was served is not proven."""
    from client import errors  # noqa: PLC0415 - only on failure

    if isinstance(error, errors.ConflictingHeaders):
        return _conflict(error)
    if isinstance(error, errors.WitnessesSilent):
        return CliError(
            str(error),
            reason="WITNESSES_SILENT",
            exit_code=ExitCode.UNREACHABLE,
            hint="name a witness that runs and is not far behind: --witness URL",
        )
    if isinstance(error, errors.StoreUnusable):
        return ConfigError(str(error), reason="STORE_UNUSABLE", hint="remove it to start anew")
    if isinstance(error, errors.VerificationFailed):
        return CliError(
            str(error),
            reason="VERIFICATION_FAILED",
            exit_code=ExitCode.VERIFICATION,
            hint="believe nothing of this answer; ask another node",
        )
    return None


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


def _conflict(error: Exception) -> CliError:
    """Name both nodes and where the evidence lies."""
    conflict = getattr(error, "conflict", None)
    file = getattr(error, "evidence_file", None)
    return CliError(
        str(error),
        reason="CONFLICTING_HEADERS",
        exit_code=ExitCode.VERIFICATION,
        hint="believe neither node; show the evidence to the operators",
        details={
            "primary": getattr(conflict, "primary", ""),
            "witness": getattr(conflict, "witness", ""),
            "height": getattr(conflict, "height", 0),
            "evidence_file": str(file) if file else "",
        },
    )


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
    if type(error).__name__ in _OF_CORE:
        return CliError(str(error), reason=type(error).__name__.removesuffix("Error").upper())
    if type(error).__name__ in {"StoreError", "SnapshotError", "LedgerError"}:
        return CliError(str(error), reason="STORE", hint="tkms doctor looks the home over")
    return None
