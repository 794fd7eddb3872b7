"""Records on disk: what runs of protocols opened, public among the parties, one file each.

Secrets are derived from pseudorandom keys and these values, so nothing here is sealed. A file is
there as a whole or not at all; its name says epoch and run.
"""

import contextlib
import hashlib
from pathlib import Path

from core.vault import make_private_folder, write_private

DIGEST_BYTES = 32
MAX_RECORD_BYTES = 256 * 2**20


def digest_of(body: bytes) -> bytes:
    """What parties compare: BLAKE2b, because records are large and SHA-3 is slow."""
    return hashlib.blake2b(body, digest_size=DIGEST_BYTES).digest()


class RecordStore:
    """Records of all epochs by session id. Methods block for the disk."""

    __slots__ = ("_digests", "_root")

    def __init__(self, root: Path) -> None:
        """Bind to a folder."""
        self._root = root
        self._digests: dict[tuple[int, bytes], tuple[bytes, int]] = {}

    def put(self, epoch_id: int, session: bytes, body: bytes) -> None:
        """Store durably."""
        path = self._path(epoch_id, session)
        make_private_folder(path.parent)
        write_private(path, body)
        self._digests[epoch_id, session] = (digest_of(body), len(body))

    def get(self, epoch_id: int, session: bytes) -> bytes | None:
        """A whole record."""
        with contextlib.suppress(FileNotFoundError):
            return self._path(epoch_id, session).read_bytes()
        return None

    def has(self, epoch_id: int, session: bytes) -> bool:
        """Whether it is here."""
        return self._path(epoch_id, session).exists()

    def facts(self, epoch_id: int, session: bytes) -> tuple[bytes, int] | None:
        """Digest and size."""
        found = self._digests.get((epoch_id, session))
        if found is None:
            body = self.get(epoch_id, session)
            if body is None:
                return None
            found = self._digests[epoch_id, session] = (digest_of(body), len(body))
        return found

    def part(self, epoch_id: int, session: bytes, offset: int, length: int) -> bytes:
        """Some bytes of a record; fewer at its end, none when it is not here."""
        with (
            contextlib.suppress(FileNotFoundError),
            self._path(epoch_id, session).open("rb") as file,
        ):
            file.seek(offset)
            return file.read(length)
        return b""

    def remove(self, epoch_id: int, session: bytes) -> None:
        """Delete a record that nobody needs any more."""
        self._path(epoch_id, session).unlink(missing_ok=True)
        self._digests.pop((epoch_id, session), None)

    def remove_epoch(self, epoch_id: int) -> None:
        """Delete all records of an epoch."""
        folder = self._root / str(epoch_id)
        if folder.exists():
            for path in folder.iterdir():
                path.unlink()
            folder.rmdir()
        self._digests = {key: facts for key, facts in self._digests.items() if key[0] != epoch_id}

    def _path(self, epoch_id: int, session: bytes) -> Path:
        return self._root / str(epoch_id) / session.hex()
