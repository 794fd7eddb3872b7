"""Who may call, and how much: bearer tokens by their digest, and quotas.

The file has one table a token; only SHA-256 digests stand in it::

    [[token]]
    name = "gateway-a"
    sha256 = "9f86d0..."
    expires_at = 2027-01-01T00:00:00Z
    submissions_per_second = 50.0
    burst = 100
    max_in_flight = 1000
    units_per_day = 1000000000

Limits that are left out, or 0, are none. The file is read again when it changes.
"""

from __future__ import annotations

import datetime as dt
import math
import os
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import grpc
import structlog

from client.settings import SettingsError
from connector.relay.errors import Facts, RelayError, refusal
from wire.digests import sha256
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb

_LOG = structlog.get_logger(__name__)
_DIGEST_BYTES: Final = 32
_MOST_TOKENS: Final = 10_000
_LONGEST_NAME: Final = 64
# A longer token is nobody's, and not hashed.
_LONGEST_TOKEN: Final = 512
_LOOK_S: Final = 1.0
_DAY_S: Final = 86_400
_IN_FLIGHT_RETRY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Grant:
    """What one client may do; 0 is without limit. Without tokens everybody is the client of no name."""

    name: str = ""
    expires_at: float = math.inf
    submissions_per_second: float = 0.0
    burst: int = 0
    max_in_flight: int = 0
    units_per_day: int = 0


class Tokens:
    """The token file, read again whenever it changes."""

    def __init__(self, path: Path | None, now: Callable[[], float] = time.time) -> None:
        """Without a file everybody may call.

        Raises:
            SettingsError: the file is not usable.
        """
        self._path = path
        self._now = now
        self._looked = now()
        self._stamp: tuple[int, int] | None = None
        self._grants: Mapping[bytes, Grant] = {}
        if path is not None:
            self._stamp = _stamp(path)
            self._grants = read_tokens(path)

    def client(self, authorization: str) -> Grant:
        """Who calls with this value of the `authorization` header.

        Raises:
            RelayError: UNAUTHENTICATED.
        """
        if self._path is None:
            return Grant()
        self._look()
        scheme, _, token = authorization.partition(" ")
        grant = None
        if scheme.lower() == "bearer" and 0 < len(token) <= _LONGEST_TOKEN:
            grant = self._grants.get(sha256(token.encode("utf-8", "replace")))
        if grant is None:
            raise _unauthenticated(pb.RELAY_REASON_TOKEN_INVALID, "a known bearer token is needed")
        if grant.expires_at <= self._now():
            raise _unauthenticated(pb.RELAY_REASON_TOKEN_EXPIRED, "the token's time is over")
        return grant

    def _look(self) -> None:
        """Read the file again where it has changed; a broken one changes nothing."""
        now = self._now()
        if self._path is None or now - self._looked < _LOOK_S:
            return
        self._looked = now
        try:
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._grants = read_tokens(self._path)
                self._stamp = stamp
                _LOG.info("tokens read", tokens=len(self._grants))
        except SettingsError as error:
            _LOG.error("tokens not read", error=str(error))


def read_tokens(path: Path) -> dict[bytes, Grant]:
    """Grants by the digest of their token.

    Raises:
        SettingsError: names what is wrong, never a digest.
    """
    try:
        with path.open("rb") as stream:
            table = tomllib.load(stream)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: {type(error).__name__}") from error
    rows = table.get("token", [])
    if set(table) - {"token"} or not isinstance(rows, list) or len(rows) > _MOST_TOKENS:
        raise SettingsError(f"{path}: tables [[token]] and nothing else")
    grants: dict[bytes, Grant] = {}
    for number, row in enumerate(rows, start=1):
        try:
            digest, grant = _grant(row)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise SettingsError(f"{path}: token {number}: {error}") from None
        if digest in grants or grant.name in {other.name for other in grants.values()}:
            raise SettingsError(f"{path}: token {number}: name and digest are used once")
        grants[digest] = grant
    return grants


def _grant(row: Mapping[str, Any]) -> tuple[bytes, Grant]:
    known = {field.name for field in fields(Grant)} | {"sha256"}
    unknown = sorted(set(row) - known)
    if unknown:
        raise ValueError(f"unknown keys: {', '.join(unknown)}")
    name = row.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
        raise ValueError("name is a text of 1 to 64 characters")
    try:
        digest = bytes.fromhex(row["sha256"])
    except (KeyError, ValueError, TypeError):
        raise ValueError("sha256 has 64 hexadecimal digits") from None
    if len(digest) != _DIGEST_BYTES:
        raise ValueError("sha256 has 64 hexadecimal digits")
    expires = row.get("expires_at")
    if expires is not None and (not isinstance(expires, dt.datetime) or expires.tzinfo is None):
        raise ValueError("expires_at is a date and time with an offset")
    limits = {key: row.get(key, 0) for key in known - {"name", "sha256", "expires_at"}}
    for key, value in limits.items():
        real = key == "submissions_per_second"
        if type(value) not in ((int, float) if real else (int,)) or not 0 <= value < math.inf:
            raise ValueError(f"{key} is a number of at least 0")
    return digest, Grant(name, math.inf if expires is None else expires.timestamp(), **limits)


class Quotas:
    """What clients have used; in memory, with what the disk says at the start and at every block."""

    def __init__(
        self,
        units_today: Mapping[str, int],
        undecided: Mapping[str, int],
        now: Callable[[], float] = time.time,
    ) -> None:
        """Start from what is on disk."""
        self._now = now
        self._day = int(now() // _DAY_S)
        self._units = dict(units_today)
        self._in_flight = dict(undecided)
        # Client to tokens in its bucket, and when that was.
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, grant: Grant, units: int) -> None:
        """Count a submission.

        Raises:
            RelayError: RESOURCE_EXHAUSTED, with the time after which it may go.
        """
        self._turn_day()
        name = grant.name
        if grant.max_in_flight and self._in_flight.get(name, 0) >= grant.max_in_flight:
            raise _exhausted(
                pb.RELAY_REASON_TOO_MANY_IN_FLIGHT,
                f"{grant.max_in_flight} submissions are undecided",
                _IN_FLIGHT_RETRY_S,
            )
        if grant.units_per_day and self._units.get(name, 0) + units > grant.units_per_day:
            left = _DAY_S - self._now() % _DAY_S
            raise _exhausted(
                pb.RELAY_REASON_UNITS_EXCEEDED, "the units of this day are used up", left
            )
        if grant.submissions_per_second:
            self._take_turn(grant)
        self._units[name] = self._units.get(name, 0) + units
        self._in_flight[name] = self._in_flight.get(name, 0) + 1

    def give_back(self, grant: Grant, units: int) -> None:
        """A submission that was counted was none: known before, or not kept."""
        self._units[grant.name] = max(0, self._units.get(grant.name, 0) - units)
        self._in_flight[grant.name] = max(0, self._in_flight.get(grant.name, 0) - 1)
        if grant.submissions_per_second and grant.name in self._buckets:
            level, moment = self._buckets[grant.name]
            self._buckets[grant.name] = (level + 1, moment)

    def learn_in_flight(self, undecided: Mapping[str, int]) -> None:
        """What the disk says after a block."""
        self._in_flight = dict(undecided)

    def limits(self, grant: Grant, max_message_bytes: int) -> pb.Limits:
        """As the client sees them."""
        self._turn_day()
        return pb.Limits(
            client=grant.name,
            submissions_per_second=grant.submissions_per_second,
            burst=grant.burst,
            max_in_flight=grant.max_in_flight,
            in_flight=self._in_flight.get(grant.name, 0),
            units_per_day=grant.units_per_day,
            # A sum of what was asked for, which may be more than there is.
            units_today=min(self._units.get(grant.name, 0), 2**64 - 1),
            max_message_bytes=max_message_bytes,
        )

    def _take_turn(self, grant: Grant) -> None:
        rate = grant.submissions_per_second
        room = float(max(grant.burst, 1))
        now = self._now()
        level, moment = self._buckets.get(grant.name, (room, now))
        level = min(room, level + max(0.0, now - moment) * rate)
        if level < 1:
            self._buckets[grant.name] = (level, now)
            raise _exhausted(
                pb.RELAY_REASON_RATE_EXCEEDED, f"{rate:g} submissions a second", (1 - level) / rate
            )
        self._buckets[grant.name] = (level - 1, now)

    def _turn_day(self) -> None:
        day = int(self._now() // _DAY_S)
        if day != self._day:
            self._day = day
            self._units = {}


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = os.stat(path)  # noqa: PTH116 - both numbers of one look
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    return found.st_mtime_ns, found.st_size


def _unauthenticated(reason: pb.RelayReason, text: str) -> RelayError:
    return refusal(reason, grpc.StatusCode.UNAUTHENTICATED, text)


def _exhausted(reason: pb.RelayReason, text: str, retry_s: float) -> RelayError:
    return refusal(reason, grpc.StatusCode.RESOURCE_EXHAUSTED, text, Facts(retry_s=retry_s))
