"""Errors of this package."""

from __future__ import annotations


class TelemetryError(Exception):
    """The address cannot be listened on, or an instrument is misused."""
