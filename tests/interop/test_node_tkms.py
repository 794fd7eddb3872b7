"""A published third-party client, node-tkms 0.12.8, opens the answers of our cores, verification switched on."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import tkms_kernel as kernel

from core.authorize import _SEAL, Permission
from core.engine import PartialDecryption, _partial, mask_info
from core.journal import Record
from core.keystore import PartyKey
from core.ordinary import PACKING_FACTOR
from core.signer import ResultSigner
from mpc.exchange import Setting, Steps
from mpc.public_decryption import Item
from mpc.rounding import OrdinaryCiphertext, blocks_of, decrypt_for_user
from tests.mpc.network import Network
from tests.mpc.rounding_world import materials
from tests.support.node import NODE, install
from wire.digests import sha3_256, sha256
from wire.fhe import FheType, Format
from wire.ids import Address, Height, KeyId, PartyId, RequestId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.signing import Secp256k1Signer, address_of

HERE = Path(__file__).parent
USER = Address(b"\x77" * 20)
DOMAIN = isc_pb2.Domain(
    name="Decryption", version="1", chain_id=8006, verifying_contract=b"\x11" * 20
)
VALUES = [
    (FheType.EBOOL, 1),
    (FheType.EUINT8, 200),
    (FheType.EUINT16, 0xBEEF),
    (FheType.EUINT32, 0xDEADBEEF),
    (FheType.EUINT64, 2**64 - 59),
    (FheType.EUINT128, 2**127 + 5),
    (FheType.EUINT160, 2**160 - 47),
    (FheType.EUINT256, 2**255 + 3),
]


def client(command: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Run the JavaScript client once."""
    return subprocess.run(
        [NODE, "open.cjs"],
        cwd=HERE,
        input=json.dumps(command),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def user_key() -> dict[str, str]:
    """Key pair made by the client itself."""
    install(HERE)
    made = client({"command": "keygen"})
    assert made.returncode == 0, made.stderr
    return dict(json.loads(made.stdout))


@pytest.fixture(scope="module")
def secret() -> tuple[kernel.ClientKey, kernel.ServerKey]:
    """A key of the insecure `test` set."""
    key = kernel.ClientKey.generate("test")
    return key, kernel.ServerKey.load(key.server_key())


def responses(
    secret: tuple[kernel.ClientKey, kernel.ServerKey],
    user_key: dict[str, str],
    values: list[tuple[FheType, int]],
    shape: Format,
    threshold: int,
) -> dict[str, Any]:
    """What the asker would hand its client: signed payloads of all parties and the request."""
    key, server = secret
    n = 3 * threshold + 1
    signers = [ResultSigner(PartyId(i + 1), sha256(b"party %d" % i)) for i in range(n)]
    epoch = config_pb2.Epoch(
        id=1,
        threshold=threshold,
        parties=[
            config_pb2.Party(index=i + 1, verification_key=signer.verification_key)
            for i, signer in enumerate(signers)
        ],
    )
    blobs = []
    for fhe_type, value in values:
        blob = key.encrypt(fhe_type, value)
        if shape.squashed:
            blob = server.squash(blob, fhe_type, shape is Format.BIG_COMPRESSED)
        blobs.append(blob)
    ciphertexts = [
        isc_pb2.Ciphertext(
            handle=bytes([i + 1]) * 32,
            digest=sha3_256(blob),
            fhe_type=values[i][0],
            format=shape,
            size=len(blob),
        )
        for i, blob in enumerate(blobs)
    ]
    entry = asc_pb2.LogEntry(
        request_id=b"\x05" * 20,
        kind=asc_pb2.REQUEST_KIND_USER_DECRYPTION,
        epoch_id=1,
        domain=DOMAIN,
        key_id=b"\x06" * 20,
        ciphertexts=ciphertexts,
        user=bytes(USER),
        user_public_key=bytes.fromhex(user_key["public_key"]),
        parameters="test",
    )
    shares = key.deal(n, threshold)
    masks = kernel.PrssKeys.deal(n, threshold, b"\x01" * 32)
    rounded = [] if shape.squashed else ordinary_shares(shares, threshold, values, blobs)
    answers = []
    for index, signer in enumerate(signers):
        permission = Permission(
            record(entry), epoch.SerializeToString(), b"", PartyId(index + 1), b"", _SEAL
        )
        party_key = PartyKey(
            key_id=KeyId(entry.key_id),
            share=shares[index],
            mask_keys=masks[index],
            parameters="test",
            materials=(),
            epoch_id=1,
            dealer=True,
        )
        partial = (
            rounded[index]
            if rounded
            else [
                _partial(party_key, ct, shape, blob, mask_info(permission, ct.digest))
                for ct, blob in zip(ciphertexts, blobs, strict=True)
            ]
        )
        answer = signer.user_decryption(permission, partial)
        payload = answer.fulfil.user_decryption.payload or answer.uploads[0].data
        answers.append(
            {
                "signature": answer.fulfil.signature.hex(),
                "payload": payload.hex(),
                "extra_data": None,
            }
        )
    contract = "0x" + "11" * 20
    return {
        "command": "open",
        "secret_key": user_key["secret_key"],
        "parties": [str(address_of(signer.verification_key)) for signer in signers],
        "user": str(USER),
        "request": {
            "signature": "00" * 65,
            "client_address": str(USER),
            "enc_key": user_key["public_key"],
            "ciphertext_handles": [ct.handle.hex() for ct in ciphertexts],
            "eip712_verifying_contract": contract,
        },
        "domain": {
            "name": DOMAIN.name,
            "version": DOMAIN.version,
            "chain_id": DOMAIN.chain_id.to_bytes(32, "big").hex(),
            "verifying_contract": contract,
        },
        "responses": answers,
    }


def ordinary_shares(
    shares: list[kernel.KeyShare],
    threshold: int,
    values: list[tuple[FheType, int]],
    blobs: list[bytes],
) -> list[list[PartialDecryption]]:
    """Everybody's lifted shares of ordinary ciphertexts, by the protocol."""
    types = [int(fhe_type) for fhe_type, _ in values]
    prepared = materials(len(shares), threshold, blocks_of(types))
    inputs = [OrdinaryCiphertext(blob, each) for blob, each in zip(blobs, types, strict=True)]

    def protocol(setting: Setting) -> Steps[tuple[bytes, ...]]:
        place = setting.party - 1
        return decrypt_for_user(setting, shares[place], inputs, prepared[place])

    run = Network(len(shares), threshold, protocol, 1).run()
    return [
        [
            PartialDecryption(
                Item(sha3_256(blob), fhe_type, fhe_type.blocks), share, PACKING_FACTOR
            )
            for (fhe_type, _), blob, share in zip(values, blobs, vector, strict=True)
        ]
        for vector in run.values()
        if vector is not None
    ]


def record(entry: asc_pb2.LogEntry) -> Record:
    """Journal record of a proven entry."""
    return Record(
        request_id=RequestId(entry.request_id),
        sequence=1,
        deadline_height=Height(1000),
        epoch_id=entry.epoch_id,
        entry=entry.SerializeToString(),
        parameters=entry.parameters,
    )


def opened(command: dict[str, Any]) -> list[tuple[int, int]]:
    """(type, value) pairs as the client read them; it returns big-endian bytes."""
    done = client(command)
    assert done.returncode == 0, done.stderr
    return [(entry["type"], int(entry["value"], 16)) for entry in json.loads(done.stdout)]


@pytest.mark.parametrize("shape", [Format.BIG_COMPRESSED, Format.BIG_EXPANDED])
@pytest.mark.parametrize("threshold", [0, 1])
def test_every_type_in_both_formats(
    secret: tuple[kernel.ClientKey, kernel.ServerKey],
    user_key: dict[str, str],
    shape: Format,
    threshold: int,
) -> None:
    """A batch of all types, n = 4 and n = 1."""
    command = responses(secret, user_key, VALUES, shape, threshold)
    assert opened(command) == [(int(fhe_type), value) for fhe_type, value in VALUES]


def test_every_type_of_ordinary_ciphertexts(
    secret: tuple[kernel.ClientKey, kernel.ServerKey], user_key: dict[str, str]
) -> None:
    """Rounded values lifted to the ring of squashed ones: no client notices, one lying party or not."""
    command = responses(secret, user_key, VALUES, Format.SMALL_EXPANDED, 1)
    expected = [(int(fhe_type), value) for fhe_type, value in VALUES]
    assert opened(command) == expected
    command["responses"] = command["responses"][1:]
    assert opened(command) == expected


def test_a_lying_and_a_missing_party(
    secret: tuple[kernel.ClientKey, kernel.ServerKey], user_key: dict[str, str]
) -> None:
    """Three of four answers suffice; an answer whose payload was changed is not believed."""
    values = [(FheType.EUINT64, 123456789)]
    command = responses(secret, user_key, values, Format.BIG_COMPRESSED, 1)
    whole = command["responses"]
    command["responses"] = whole[:3]
    assert opened(command) == [(5, 123456789)]
    changed = bytearray(bytes.fromhex(whole[1]["payload"]))
    changed[200] ^= 1
    command["responses"] = [whole[0], {**whole[1], "payload": changed.hex()}, *whole[2:]]
    assert opened(command) == [(5, 123456789)]


def test_a_forged_majority_is_refused(
    secret: tuple[kernel.ClientKey, kernel.ServerKey], user_key: dict[str, str]
) -> None:
    """Control: signatures by other keys do not open."""
    command = responses(secret, user_key, [(FheType.EUINT8, 5)], Format.BIG_COMPRESSED, 1)
    other = Secp256k1Signer(b"\x09" * 32)
    command["parties"] = [str(other.address)] * 4
    assert client(command).returncode == 1
