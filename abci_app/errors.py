"""Errors of the node."""

from __future__ import annotations


class NodeError(Exception):
    """Base of this package's errors."""


class FramingError(NodeError):
    """The peer's bytes are not a sequence of length-prefixed messages: the connection is useless."""


class SettingsError(NodeError):
    """The settings file is not usable."""


class GenesisError(NodeError):
    """The genesis document cannot start this chain."""


class ProtocolError(NodeError):
    """The engine asked for something that it may not ask now, or does not ask of this node."""


class ResponseError(NodeError):
    """An answer of our own breaks the contract with the engine: a bug, the process must stop."""


class GrammarError(NodeError):
    """The engine called in an order that its contract excludes."""


class LogError(NodeError):
    """A file is not a record of calls."""


class HaltError(NodeError):
    """The height at which the operator wants this node to stop is reached."""
