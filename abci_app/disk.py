"""What a failing disk looks like to a node: told apart from a bug, said in an operator's words."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import plyvel

_ERRORS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ENODEV})
# The database's errors have words and no number.
_LOCK_FILE: Final = "/LOCK"


@dataclass(frozen=True, slots=True)
class DiskFailure:
    """A disk that cannot be read or written."""

    path: Path
    error: str
    free_bytes: int | None

    @property
    def hint(self) -> str:
        """What the operator does."""
        return "make space or replace the disk, then start again; no committed block is lost"


def find(error: BaseException, database: Path) -> DiskFailure | None:
    """The failure of the disk that an exception reports, if it reports one.

    Sockets, rights and a database that another process holds are no such failures.
    """
    for cause in _causes(error):
        if _is_of_disk(cause):
            return DiskFailure(database, str(cause), _free_bytes(database))
    return None


def _is_of_disk(error: BaseException) -> bool:
    if isinstance(error, plyvel.IOError):
        return _LOCK_FILE not in str(error)
    return isinstance(error, OSError) and error.errno in _ERRORS


def _causes(error: BaseException) -> Iterator[BaseException]:
    following: BaseException | None = error
    while following is not None:
        yield following
        following = following.__cause__ or following.__context__


def _free_bytes(path: Path) -> int | None:
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return None
