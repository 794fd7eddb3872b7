"""How the chain names what protocols end with."""

from typing import Final

from mpc.session import AbortReason
from wire.pb.tkms.asc.v1 import asc_pb2

_CODES: Final = {
    AbortReason.NOISE_OUT_OF_RANGE: asc_pb2.FAILURE_CODE_NOISE_OUT_OF_RANGE,
    AbortReason.PLAINTEXT_OUT_OF_RANGE: asc_pb2.FAILURE_CODE_CIPHERTEXT_MALFORMED,
}


def failure_code(reason: AbortReason) -> asc_pb2.FailureCode:
    """What a party reports; what is nobody's ciphertext is internal."""
    return _CODES.get(reason, asc_pb2.FAILURE_CODE_INTERNAL)
