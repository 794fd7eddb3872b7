"""Digests as people type them."""

from cli.errors import UsageError


def parse_hash(text: str) -> bytes:
    """Return the 32 bytes of a transaction hash; UsageError on anything else."""
    from wire.ids import Digest32  # noqa: PLC0415

    try:
        return bytes(Digest32.parse(text.lower()))
    except ValueError as error:
        raise UsageError(f"{text}: {error}") from error
