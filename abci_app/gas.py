"""Gas: what executing a transaction costs a validator, known before it runs.

One unit is about one microsecond of the machine that the README names. The figures are measured by
`python -m bench gas` as processor time; here they have a margin of a third. Another table needs an app version.
A message costs its base and its items: ciphertexts that it names, or parties that it accuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from wire.pb.tkms.tx.v1 import tx_pb2
from wire.tx import SignedTransaction


@dataclass(frozen=True, slots=True)
class Cost:
    """Gas of one message, and of each of its items."""

    base: int
    item: int = 0


# Decoding, signature, replay mark and fee.
TRANSACTION: Final = 150
# Bytes are decoded, hashed and stored: 64 of them cost one unit.
BYTES_PER_GAS: Final = 64

MESSAGES: Final[Mapping[str, Cost]] = {
    "transfer": Cost(45),
    "faucet": Cost(50),
    # The measured changes are epochs of 13 parties, each proposed beside 50 others on average.
    "propose_change": Cost(930),
    "approve_change": Cost(200),
    "withdraw_change": Cost(160),
    "register_application": Cost(105),
    "set_delegate": Cost(55),
    "register_ciphertexts": Cost(10, 55),
    "grant_access": Cost(60),
    "revoke_access": Cost(55),
    "set_public": Cost(55),
    "request_key_generation": Cost(165),
    "request_crs_generation": Cost(175),
    "request_preprocessing": Cost(165),
    "request_refresh": Cost(330),
    "abort_generation": Cost(265),
    "request_public_decryption": Cost(185, 13),
    "request_user_decryption": Cost(245, 21),
    "fulfil": Cost(145),
    "report_failure": Cost(105),
    "accuse": Cost(50, 6),
    "report_progress": Cost(75),
}


def gas_of(transaction: SignedTransaction) -> int:
    """Gas of a whole transaction; depends on its bytes alone."""
    total = TRANSACTION + len(transaction.raw) // BYTES_PER_GAS
    for kind, message in zip(transaction.kinds, transaction.body.messages, strict=True):
        cost = MESSAGES[kind]
        total += cost.base
        if cost.item:
            total += cost.item * _items(message, kind)
    return total


def _items(message: tx_pb2.Message, kind: str) -> int:
    content: Any = getattr(message, kind)
    return len(content.accused if kind == "accuse" else content.ciphertexts)
