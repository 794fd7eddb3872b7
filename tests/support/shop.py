"""An application with an active key on the test chain, and public decryption requests for it."""

from __future__ import annotations

from pathlib import Path

from tests.support.chain import ADMIN, ALICE, Chain, genesis, message, party_account, party_key
from wire.digests import sha3_256
from wire.eip712 import keygen_digest
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2

APPLICATION = "shop"
DOMAIN = isc_pb2.Domain(
    name="Decryption", version="1", chain_id=8006, verifying_contract=bytes(range(20))
)


def start_shop(folder: Path) -> tuple[Chain, bytes]:
    """Chain with the application and a key that three parties agreed on; returns its id."""
    document = genesis(
        applications=[
            isc_pb2.Application(
                id=APPLICATION, kind=isc_pb2.KIND_ACL, owner=bytes(ALICE.address), domain=DOMAIN
            )
        ]
    )
    document.parameters.decryption_deadline_blocks = 5_000
    chain = Chain.start(folder, document)
    opened = chain.send(
        ADMIN, message(request_key_generation=asc_pb2.RequestKeyGeneration(parameters="test"))
    )
    key_id = opened.request_id
    view = state_pb2.RequestView.FromString(chain.query("/asc/request", key_id))
    digests = [
        asc_pb2.MaterialDigest(kind=kind, digest=sha3_256(kind.encode()), size=1)
        for kind in ("public-key", "server-key")
    ]
    signed = keygen_digest(view.entry.domain, key_id, [(m.kind, m.digest) for m in digests])
    for party in range(1, 5):
        fulfil = asc_pb2.Fulfil(
            request_id=key_id,
            party=party,
            generation=asc_pb2.GenerationResult(digests=digests),
            signature=party_key(party).sign_digest(signed),
        )
        assert chain.send(party_account(party), message(fulfil=fulfil)).ok
    return chain, key_id


def ciphertext(name: str, key_id: bytes) -> tuple[isc_pb2.Ciphertext, bytes]:
    """Record and bytes of a named ciphertext; nobody decrypts it here."""
    data = f"ciphertext {name}".encode() * 10
    record = isc_pb2.Ciphertext(
        handle=sha3_256(name.encode()),
        digest=sha3_256(data),
        fhe_type=2,
        format=2,
        size=len(data),
        key_id=key_id,
    )
    return record, data


def request_messages(record: isc_pb2.Ciphertext) -> list[asc_pb2.RequestPublicDecryption]:
    """Registration, permission and request of one ciphertext, by the application's owner."""
    return [
        message(
            register_ciphertexts=isc_pb2.RegisterCiphertexts(
                application=APPLICATION, ciphertexts=[record]
            )
        ),
        message(
            set_public=isc_pb2.SetPublic(
                application=APPLICATION, handle=record.handle, allowed=True
            )
        ),
        message(
            request_public_decryption=asc_pb2.RequestPublicDecryption(
                application=APPLICATION, key_id=record.key_id, ciphertexts=[record]
            )
        ),
    ]
