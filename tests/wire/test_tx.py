"""Transactions: canonical bytes only, one reason per defect."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.digests import sha256
from wire.ids import request_id
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.reasons import Reason, Rejection
from wire.signing import Ed25519Signer, Secp256k1Signer, Signer
from wire.tx import MESSAGE_KINDS, build, decode, verify_signature

CHAIN = "tkms-test-1"
SECP = Secp256k1Signer(b"\x01" * 32)
EDWARDS = Ed25519Signer(b"\x02" * 32)
VECTORS = Path(__file__).parent.parent / "vectors" / "wire" / "transaction.json"


def transfer(amount: int = 5) -> tx_pb2.Message:
    """A transfer message."""
    return tx_pb2.Message(transfer=bank_pb2.Transfer(recipient=b"\x09" * 20, amount=amount))


def signed(signer: Signer = SECP, **changes: object) -> bytes:
    """A well-formed transaction with changes."""
    arguments: dict[str, object] = {
        "expires_at_height": 100,
        "max_fee": 1000,
        "nonce": b"n" * 16,
    } | changes
    messages = arguments.pop("messages", [transfer()])
    return build(signer, CHAIN, messages, **arguments)  # type: ignore[arg-type]


def reason_of(raw: bytes, limit: int = 256 * 1024) -> Reason:
    """Reason with which decoding refuses."""
    with pytest.raises(Rejection) as refused:
        decode(raw, limit)
    return refused.value.reason


@pytest.mark.parametrize("signer", [SECP, EDWARDS])
def test_round_trip(signer: Signer) -> None:
    """What is built decodes to the same bytes, sender and hash, and its signature verifies."""
    raw = signed(signer)
    transaction = decode(raw)
    verify_signature(transaction, CHAIN)
    assert transaction.raw == raw
    assert transaction.hash == sha256(raw)
    assert transaction.sender == signer.address
    assert transaction.kind(0) == "transfer"


@pytest.mark.parametrize("signer", [SECP, EDWARDS])
def test_signature_binds_chain_and_body(signer: Signer) -> None:
    """Another chain id or one changed body byte is BAD_SIGNATURE."""
    transaction = decode(signed(signer))
    with pytest.raises(Rejection) as refused:
        verify_signature(transaction, "other-chain")
    assert refused.value.reason is Reason.BAD_SIGNATURE
    outer = tx_pb2.Tx.FromString(signed(signer))
    body = tx_pb2.TxBody.FromString(outer.body)
    body.max_fee += 1
    outer.body = body.SerializeToString()
    with pytest.raises(Rejection) as refused:
        verify_signature(decode(outer.SerializeToString()), CHAIN)
    assert refused.value.reason is Reason.BAD_SIGNATURE


def test_each_defect_has_its_reason() -> None:
    """Shape defects are told apart."""
    good = tx_pb2.Tx.FromString(signed())

    def outer(**fields: object) -> bytes:
        changed = tx_pb2.Tx()
        changed.CopyFrom(good)
        for name, value in fields.items():
            setattr(changed, name, value)
        return changed.SerializeToString()

    def body(**fields: object) -> bytes:
        changed = tx_pb2.TxBody.FromString(good.body)
        for name, value in fields.items():
            setattr(changed, name, value)
        return outer(body=changed.SerializeToString())

    assert reason_of(b"\xff\xff") is Reason.DECODE
    assert reason_of(signed() + b"\x00") is Reason.DECODE
    assert reason_of(signed(), limit=10) is Reason.TOO_LARGE
    assert reason_of(outer(signature=b"")) is Reason.UNSIGNED
    assert reason_of(outer(scheme=77)) is Reason.UNKNOWN_SCHEME
    assert reason_of(outer(signature=good.signature[:-1])) is Reason.BAD_SIGNATURE
    assert reason_of(outer(signature=good.signature[:-1] + b"\x1b")) is Reason.BAD_SIGNATURE
    assert reason_of(outer(public_key=b"\x01" * 32)) is Reason.BAD_SIGNATURE
    assert reason_of(body(sender=b"\x01" * 19)) is Reason.BAD_ADDRESS
    assert reason_of(body(nonce=b"")) is Reason.BAD_NONCE
    assert reason_of(signed(messages=[])) is Reason.NO_MESSAGES
    assert reason_of(signed(messages=[tx_pb2.Message()])) is Reason.UNKNOWN_MESSAGE


def test_unknown_fields_and_non_minimal_forms_are_refused() -> None:
    """Anything that does not serialise to itself is DECODE: also inside the body and nested messages."""
    good = tx_pb2.Tx.FromString(signed())
    unknown_field = b"\xf8\x06\x01"  # field 111, varint 1
    assert reason_of(signed() + unknown_field) is Reason.DECODE
    good.body += unknown_field
    assert reason_of(good.SerializeToString()) is Reason.DECODE
    explicit_default = tx_pb2.Tx.FromString(signed()).SerializeToString() + b"\x10\x00"
    assert reason_of(explicit_default) is Reason.DECODE


@given(st.binary(max_size=400))
def test_any_bytes_give_a_transaction_or_a_rejection(raw: bytes) -> None:
    """No other exception ever leaves the decoder."""
    try:
        transaction = decode(raw)
    except Rejection:
        return
    assert transaction.raw == raw


@given(st.data())
def test_any_change_of_bytes_is_noticed(data: st.DataObject) -> None:
    """Flipping any bit gives a rejection, or a transaction whose signature no longer verifies, or the same signer fails."""
    raw = bytearray(signed())
    position = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[position // 8] ^= 1 << (position % 8)
    with pytest.raises(Rejection):
        verify_signature(decode(bytes(raw)), CHAIN)


def test_two_requests_of_one_transaction_have_two_ids() -> None:
    """The message index is bound into the id, and so are chain and body."""
    transaction = decode(signed(messages=[transfer(), transfer()]))
    ids = {transaction.request_id(0), transaction.request_id(1)}
    ids |= {request_id("other", transaction.body_bytes, 0), request_id(CHAIN, b"other", 0)}
    assert len(ids) == 4


def test_golden_bytes() -> None:
    """The encoding of a transaction, its hash, digest and request id never change."""
    vector = json.loads(VECTORS.read_text())
    for name, signer in (("secp256k1", SECP), ("ed25519", EDWARDS)):
        transaction = decode(signed(signer))
        assert {
            "raw": transaction.raw.hex(),
            "hash": transaction.hash.hex(),
            "request_id": str(transaction.request_id(0)),
        } == vector[name]


def test_message_kinds_are_stable() -> None:
    """Kinds are names of the price table: renaming one breaks state."""
    assert tuple(json.loads(VECTORS.read_text())["message_kinds"]) == MESSAGE_KINDS
