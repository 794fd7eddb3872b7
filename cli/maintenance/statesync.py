"""What several nodes say of one header: where a new node's trust begins."""

from collections.abc import Sequence

from cli.engine import offline as engine_offline
from cli.errors import CliError, ExitCode, UsageError

_HASH_DIGITS = 64


def agree(servers: Sequence[str], height: int | None, wanted: str | None) -> tuple[int, str]:
    """Return a height and the header hash on which all servers agree (and which is `wanted`).

    Raises:
        UsageError: fewer than two servers, or a hash that is none.
        CliError: they differ, or one does not answer.
    """
    if len(set(servers)) < 2:
        raise UsageError("state sync needs two servers: one cannot be checked against another")
    if wanted is not None and (len(wanted) != _HASH_DIGITS or height is None):
        raise UsageError("--trust-hash has 64 hexadecimal digits and needs --trust-height")
    if height is None:
        latest = [
            int(engine_offline.ask(url, "status")["sync_info"]["latest_block_height"])
            for url in servers
        ]
        height = min(latest)
    if height < 1:
        raise CliError("the chain has no block yet")
    found = {
        url: str(
            engine_offline.ask(url, f"commit?height={height}")["signed_header"]["commit"][
                "block_id"
            ]["hash"]
        )
        for url in servers
    }
    known = set(found.values()) | ({wanted.upper()} if wanted else set())
    if len(known) > 1:
        raise CliError(
            f"the header of height {height} is not the same everywhere",
            reason="DISAGREEMENT",
            exit_code=ExitCode.VERIFICATION,
            hint="somebody lies or is on another chain: trust nobody before you know who",
            details={"hashes": found},
        )
    return height, known.pop()
