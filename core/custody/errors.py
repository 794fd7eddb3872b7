"""Errors of custody.

CustodyError (a CoreError)
├── DocumentError     a document is not well formed, not signed by whom it names, or of another backup
├── BackupError       the backup folder is damaged, incomplete, or does not fit the vault
└── RecoveryError     too few right answers, or what they give is not the backup's key
"""

from core.errors import CoreError


class CustodyError(CoreError):
    """Failure of backup or recovery."""


class DocumentError(CustodyError):
    """A document that is not well formed, not rightly signed, or of another backup."""


class BackupError(CustodyError):
    """The backup folder is damaged, incomplete, or does not fit the vault."""


class RecoveryError(CustodyError):
    """Too few right answers, or what they give is not the backup's key."""
