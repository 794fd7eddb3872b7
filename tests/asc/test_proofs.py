"""What the records of asc still prove after their payloads are gone."""

from __future__ import annotations

from pathlib import Path

import light
from tests.support.chain import (
    ADMIN,
    ALICE,
    BOB,
    CHAIN_ID,
    Chain,
    message,
    party_account,
    party_key,
)
from tests.support.generated import generated
from tests.support.shop import ciphertext, request_messages, start_shop
from wire.answers import signed_digest
from wire.eip712 import chain_domain, keygen_digest
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.signing import recover_address

PARTIES = (1, 2, 3, 4)


def proven(chain: Chain, key: bytes) -> bytes:
    """Value of a state key, checked against the app hash of the last block."""
    answer = chain.raw_query("/store", key, prove=True)
    assert answer.height == chain.height
    (operation,) = answer.proof_ops.ops
    light.verify_value(chain.app_hash, key, answer.value, operation.data)
    return answer.value


def test_digests_are_proven_after_pruning(tmp_path: Path) -> None:
    """Long after its plaintext was dropped, state proves each party's digest and signature of it.

    Who kept the plaintext shows with them that the parties signed it.
    """
    chain, key_id = start_shop(tmp_path)
    record, _ = ciphertext("x", key_id)
    register, publish, request = request_messages(record)
    assert chain.send(ALICE, register, publish).ok
    request_id = chain.send(BOB, request).request_id
    entry = state_pb2.RequestView.FromString(chain.query("/asc/request", request_id)).entry
    kept = []
    for party in PARTIES:
        fulfil = asc_pb2.Fulfil(
            request_id=request_id,
            party=party,
            public_decryption=asc_pb2.PublicDecryptionResult(
                decrypted_result=(5).to_bytes(32, "big")
            ),
        )
        fulfil.signature = party_key(party).sign_digest(signed_digest(entry, fulfil))
        kept.append(fulfil)
        assert chain.send(party_account(party), message(fulfil=fulfil)).ok
    keys = [b"asc/answer/" + request_id + b"/" + party.to_bytes(4, "big") for party in PARTIES]
    before = [asc_pb2.Answer.FromString(proven(chain, key)) for key in keys]
    assert [answer.fulfil for answer in before] == kept
    audit = proven(chain, b"asc/audit/" + (2).to_bytes(8, "big"))
    chain.skip(chain.document.parameters.retention_blocks + 2)
    for key, fulfil in zip(keys, kept, strict=True):
        answer = asc_pb2.Answer.FromString(proven(chain, key))
        assert answer.fulfil.public_decryption.decrypted_result == b""
        assert answer.canonical_digest == signed_digest(entry, fulfil)
        signer = recover_address(answer.canonical_digest, answer.fulfil.signature)
        assert signer == party_key(answer.party).address
    status = asc_pb2.RequestStatus.FromString(proven(chain, b"asc/status/" + request_id))
    assert status.agreed_digest == signed_digest(entry, kept[0])
    # The audit record is not touched by pruning.
    assert proven(chain, b"asc/audit/" + (2).to_bytes(8, "big")) == audit
    assert asc_pb2.AuditRecord.FromString(audit).result_digest == status.agreed_digest
    chain.close()


def agree(chain: Chain, request_id: bytes) -> None:
    """All parties answer alike."""
    entry = state_pb2.RequestView.FromString(chain.query("/asc/request", request_id)).entry
    for party in PARTIES:
        answer = generated(entry, party, party_key(party))
        assert chain.send(party_account(party), message(fulfil=answer)).ok


def number(raw: bytes) -> int:
    """A number as the state holds it."""
    return int.from_bytes(raw, "big")


def test_the_life_of_a_key_is_proven(tmp_path: Path) -> None:
    """What a core must believe while a key is made and its shares move, each under its own key."""
    chain, _ = start_shop(tmp_path)
    asked = message(request_preprocessing=asc_pb2.RequestPreprocessing(parameters="test"))
    preprocessing = chain.send(ADMIN, asked).request_id
    told = asc_pb2.ReportProgress(request_id=preprocessing, party=2, phase="bits", done=1, total=9)
    assert chain.send(party_account(2), message(report_progress=told)).ok
    progress = proven(chain, b"asc/progress/" + preprocessing + b"/\0\0\0\2")
    assert asc_pb2.Progress.FromString(progress).phase == "bits"
    assert proven(chain, b"asc/generating/" + preprocessing)
    agree(chain, preprocessing)
    wanted = asc_pb2.RequestKeyGeneration(parameters="test", preprocessing_id=preprocessing)
    key_id = chain.send(ADMIN, message(request_key_generation=wanted)).request_id
    taken = asc_pb2.MaterialRecord.FromString(proven(chain, b"asc/preprocessing/" + preprocessing))
    assert taken.consumed_by == key_id
    agree(chain, key_id)
    change = chain.send(ADMIN, message(request_refresh=asc_pb2.RequestRefresh())).request_id
    pending = config_pb2.PendingEpoch.FromString(proven(chain, b"config/epoch-pending"))
    assert (pending.epoch_id, pending.request_id) == (2, change)
    assert config_pb2.Epoch.FromString(proven(chain, b"config/epoch/" + bytes(7) + b"\2")).id == 2
    agree(chain, change)
    assert [
        number(proven(chain, b"config/epoch-" + name)) for name in (b"current", b"last", b"since")
    ] == [2, 2, chain.height - 1]
    record = asc_pb2.MaterialRecord.FromString(proven(chain, b"asc/key/" + key_id))
    assert (record.epoch_id, record.born_epoch_id) == (2, 1)
    # The parties of its birth still vouch for its material.
    digests = [(material.kind, material.digest) for material in record.digests]
    signed = keygen_digest(chain_domain(CHAIN_ID), key_id, digests, preprocessing)
    for signature in record.signatures:
        assert recover_address(signed, signature.signature) == party_key(signature.party).address
    assert len(record.signatures) == 4
