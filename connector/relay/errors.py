"""Refusals of the relay as callers see them: `google.rpc.Status` with details, never a bare text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from client.errors import reason_of
from connector.errors import ConnectorError
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb
from wire.reasons import Reason

DOMAIN: Final = "tkms"
# Where gRPC carries a google.rpc.Status.
DETAILS_KEY: Final = "grpc-status-details-bin"
_NANOS: Final = 10**9
_PREFIX: Final = "RELAY_REASON_"

_Code = grpc.StatusCode
# What the caller can do about a refusal of the chain decides its code; the others are FAILED_PRECONDITION.
_CHAIN_CODES: Final[Mapping[Reason, grpc.StatusCode]] = {
    **dict.fromkeys(
        (Reason.MISSING_ROLE, Reason.ACCESS_DENIED, Reason.BAD_USER_SIGNATURE),
        _Code.PERMISSION_DENIED,
    ),
    **dict.fromkeys(
        (
            Reason.DECODE,
            Reason.TOO_LARGE,
            Reason.NO_CIPHERTEXTS,
            Reason.TOO_MANY_CIPHERTEXTS,
            Reason.DUPLICATE_HANDLE,
            Reason.REQUEST_TOO_LARGE,
            Reason.BAD_USER_KEY,
            Reason.BAD_ADDRESS,
            Reason.BAD_NONCE,
            Reason.BAD_MAX_BITS,
            Reason.TTL_TOO_LONG,
            Reason.TYPE_MISMATCH,
        ),
        _Code.INVALID_ARGUMENT,
    ),
    **dict.fromkeys(
        (
            Reason.NOT_FOUND,
            Reason.UNKNOWN_APPLICATION,
            Reason.UNKNOWN_HANDLE,
            Reason.UNKNOWN_KEY,
            Reason.UNKNOWN_REQUEST,
            Reason.UNKNOWN_PREPROCESSING,
        ),
        _Code.NOT_FOUND,
    ),
    **dict.fromkeys((Reason.BUSY, Reason.RATE_LIMITED), _Code.RESOURCE_EXHAUSTED),
    Reason.INTERNAL: _Code.INTERNAL,
}


@dataclass(frozen=True, slots=True)
class Violation:
    """A field of the request that cannot be right, and why."""

    field: str
    why: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a refusal carries beside its words."""

    metadata: Mapping[str, str] = field(default_factory=dict)
    violations: Sequence[Violation] = ()
    retry_s: float | None = None


class RelayError(ConnectorError):
    """A refusal with one gRPC code and one stable reason."""

    def __init__(
        self, code: grpc.StatusCode, reason: str, text: str, facts: Facts | None = None
    ) -> None:
        """`reason` is a name of `Reason` or of `RelayReason` without its prefix; `text` holds no secrets."""
        super().__init__(f"{reason}: {text}")
        self.code = code
        self.reason = reason
        self.text = text
        self.facts = facts or Facts()

    def status(self) -> status_pb2.Status:
        """The whole refusal as gRPC's clients read it."""
        info = error_details_pb2.ErrorInfo(
            reason=self.reason, domain=DOMAIN, metadata=self.facts.metadata
        )
        details = [_packed(info)]
        if self.facts.violations:
            violations = [
                error_details_pb2.BadRequest.FieldViolation(field=item.field, description=item.why)
                for item in self.facts.violations
            ]
            details.append(_packed(error_details_pb2.BadRequest(field_violations=violations)))
        if self.facts.retry_s is not None:
            retry = error_details_pb2.RetryInfo()
            fraction, whole = math.modf(self.facts.retry_s)
            retry.retry_delay.seconds = int(whole)
            retry.retry_delay.nanos = int(fraction * _NANOS)
            details.append(_packed(retry))
        return status_pb2.Status(code=self.code.value[0], message=str(self), details=details)


def refusal(
    reason: pb.RelayReason, code: grpc.StatusCode, text: str, facts: Facts | None = None
) -> RelayError:
    """A refusal for a reason of the relay's own."""
    return RelayError(code, pb.RelayReason.Name(reason).removeprefix(_PREFIX), text, facts)


def malformed(*violations: Violation) -> RelayError:
    """Fields that cannot be right."""
    text = "; ".join(f"{item.field}: {item.why}" for item in violations)
    return refusal(
        pb.RELAY_REASON_MALFORMED, _Code.INVALID_ARGUMENT, text, Facts(violations=violations)
    )


def unavailable(
    text: str, reason: pb.RelayReason = pb.RELAY_REASON_NODE_UNAVAILABLE, retry_s: float = 1.0
) -> RelayError:
    """Something behind the relay is away; it passes."""
    return refusal(reason, _Code.UNAVAILABLE, text, Facts(retry_s=retry_s))


def busy(text: str, retry_s: float = 0.5) -> RelayError:
    """More work than can be done now."""
    return refusal(pb.RELAY_REASON_BUSY, _Code.RESOURCE_EXHAUSTED, text, Facts(retry_s=retry_s))


def refused_by_chain(code: int, detail: str) -> RelayError:
    """The chain's own refusal, with its number in the metadata."""
    reason = reason_of(code)
    if reason is None:
        return RelayError(_Code.FAILED_PRECONDITION, "UNKNOWN", detail, Facts({"code": str(code)}))
    grpc_code = _CHAIN_CODES.get(reason, _Code.FAILED_PRECONDITION)
    retry_s = 1.0 if grpc_code is _Code.RESOURCE_EXHAUSTED else None
    facts = Facts({"code": str(code), "hint": reason.hint}, retry_s=retry_s)
    return RelayError(grpc_code, reason.name, detail or reason.sentence, facts)


def reason_name(code: int) -> str:
    """Name of a refusal's number, "UNKNOWN" for one of a later chain."""
    reason = reason_of(code)
    return "UNKNOWN" if reason is None else reason.name


def _packed(
    detail: error_details_pb2.ErrorInfo
    | error_details_pb2.BadRequest
    | error_details_pb2.RetryInfo,
) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(detail)
    return packed
