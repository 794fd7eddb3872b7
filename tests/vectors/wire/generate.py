"""Write the golden vectors of `wire`: only when a change of the protocol is meant."""

from __future__ import annotations

import json
from pathlib import Path

from wire.pb.tkms.bank.v1 import bank_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.reasons import Reason
from wire.signing import Ed25519Signer, Secp256k1Signer
from wire.tx import MESSAGE_KINDS, build, decode

HERE = Path(__file__).parent


def main() -> None:
    """Write both files."""
    vector: dict[str, object] = {"message_kinds": list(MESSAGE_KINDS)}
    for name, signer in (
        ("secp256k1", Secp256k1Signer(b"\x01" * 32)),
        ("ed25519", Ed25519Signer(b"\x02" * 32)),
    ):
        message = tx_pb2.Message(transfer=bank_pb2.Transfer(recipient=b"\x09" * 20, amount=5))
        raw = build(
            signer, "tkms-test-1", [message], expires_at_height=100, max_fee=1000, nonce=b"n" * 16
        )
        transaction = decode(raw)
        vector[name] = {
            "raw": raw.hex(),
            "hash": transaction.hash.hex(),
            "request_id": str(transaction.request_id(0)),
        }
    (HERE / "transaction.json").write_text(json.dumps(vector, indent=1) + "\n")
    reasons = {member.name: int(member) for member in Reason}
    (HERE / "reasons.json").write_text(json.dumps(reasons, indent=1) + "\n")


if __name__ == "__main__":
    main()
