"""Trust on first use: the first validator set of a chain, pinned in a file."""

from __future__ import annotations

import json
from pathlib import Path

import structlog
import tkms_kernel

from client.errors import HeightUnavailable, VerificationFailed
from client.headers import FIRST_HEIGHT
from client.rpc import ChainRpc

_LOG = structlog.get_logger(__name__)


async def pinned_validators_hash(rpc: ChainRpc, chain_id: str, path: Path) -> bytes:
    """Hash of the first validator set: from the pin file, or taken from the node once and then pinned.

    Trust on first use: whoever answers the very first call decides what is believed afterwards.
    That is said in the log; operators set the hash themselves.

    Raises:
        VerificationFailed: the pin file belongs to another chain.
    """
    pinned = _read_pin(path, chain_id)
    if pinned is not None:
        return pinned
    validators = await _first_validators(rpc)
    digest = bytes(tkms_kernel.validators_hash(validators))
    _write_pin(path, chain_id, digest)
    _LOG.warning(
        "validators pinned on first use",
        chain_id=chain_id,
        validators_hash=digest.hex(),
        file=str(path),
        node=rpc.url,
    )
    return digest


def _read_pin(path: Path, chain_id: str) -> bytes | None:
    if not path.exists():
        return None
    pin = json.loads(path.read_text())
    if pin["chain_id"] != chain_id:
        raise VerificationFailed(f"{path} pins chain {pin['chain_id']}, not {chain_id}")
    return bytes.fromhex(pin["validators_hash"])


def _write_pin(path: Path, chain_id: str, digest: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_text(
        json.dumps({"chain_id": chain_id, "validators_hash": digest.hex()}, indent=1) + "\n"
    )
    temporary.replace(path)


async def _first_validators(rpc: ChainRpc) -> bytes:
    try:
        return await rpc.validators(FIRST_HEIGHT)
    except HeightUnavailable:
        return await rpc.validators((await rpc.status()).earliest_height)
