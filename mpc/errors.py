"""Errors of the protocols.

SessionError
├── UsageError      the caller broke the contract of a session: a defect of ours
└── (nothing else)  what peers do wrong is an output (Blame, Abort), never an exception
"""


class SessionError(Exception):
    """Failure of a session."""


class UsageError(SessionError):
    """The caller broke the contract: wrong own shares, started twice, fed before the start."""
