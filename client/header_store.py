"""The newest verified header on disk: one file that is replaced as a whole and only ever rises."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Final

from client.errors import StoreUnusable
from light import (
    LightBlock,
    LightError,
    PinnedHeader,
    Policy,
    TrustRoot,
    VerifiedBlock,
    verify_root,
)

_FORMAT: Final = 1


class HeaderStore:
    """One file of one chain and one root of trust; evidence of attacks is written beside it."""

    def __init__(self, path: Path) -> None:
        """Nothing is read yet."""
        self.path = path

    @classmethod
    def beneath(cls, folder: Path, chain_id: str, root: TrustRoot) -> HeaderStore:
        """Store of its own for every chain and root: another root never continues from this one."""
        name = hashlib.sha256(f"{chain_id} {describe(root)}".encode()).hexdigest()[:16]
        return cls(folder / f"{name}.json")

    def load(self, policy: Policy, root: TrustRoot, now_ns: int) -> VerifiedBlock | None:
        """Return the stored header, None before the first.

        Raises:
            StoreUnusable: the file is damaged, or of another chain or root.
        """
        try:
            document = json.loads(self.path.read_bytes())
            if document["format"] != _FORMAT:
                raise StoreUnusable(f"{self.path} has format {document['format']}, not {_FORMAT}")
            if (document["chain_id"], document["root"]) != (policy.chain_id, describe(root)):
                raise StoreUnusable(
                    f"{self.path} belongs to chain {document['chain_id']} from {document['root']}"
                )
            block = LightBlock(
                *(document[name].encode() for name in ("signed_header", "validators", "following"))
            )
            pinned = PinnedHeader(document["height"], bytes.fromhex(document["hash"]))
            return VerifiedBlock(verify_root(policy, pinned, block, now_ns), block)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, LightError) as error:
            raise StoreUnusable(f"{self.path} is not usable: {error}") from error

    def save(self, policy: Policy, root: TrustRoot, newest: VerifiedBlock) -> None:
        """Replace the header by a newer one; an older one changes nothing."""
        if self._height() >= newest.height:
            return
        self._replace(
            self.path,
            {
                "format": _FORMAT,
                "chain_id": policy.chain_id,
                "root": describe(root),
                "height": newest.height,
                "hash": newest.header.hash.hex(),
                "signed_header": newest.block.signed_header.decode(),
                "validators": newest.block.validators.decode(),
                "following": newest.block.next_validators.decode(),
            },
        )

    def write_evidence(self, name: str, document: dict[str, Any]) -> Path:
        """Keep evidence of an attack beside the store."""
        path = self.path.with_name(f"{self.path.stem}.{name}.json")
        self._replace(path, document)
        return path

    def _height(self) -> int:
        """Height on disk, whoever wrote it last; 0 for none or for a damaged file."""
        try:
            return int(json.loads(self.path.read_bytes())["height"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def _replace(self, path: Path, document: dict[str, Any]) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary = path.with_name(f".{path.name}.{os.getpid()}")
            with temporary.open("w") as stream:
                stream.write(json.dumps(document, indent=1) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise StoreUnusable(f"{path} cannot be written: {error}") from error


def describe(root: TrustRoot) -> str:
    """A root of trust in words."""
    if isinstance(root, PinnedHeader):
        return f"header {root.height} {root.hash.hex()}"
    return f"validators {root.hash.hex()}"
