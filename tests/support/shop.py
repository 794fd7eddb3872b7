"""An application with an active key on the test chain, and public decryption requests for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.support.chain import ADMIN, ALICE, Chain, genesis, message, party_account, party_key
from wire.digests import sha3_256
from wire.eip712 import crs_digest, keygen_digest
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2

APPLICATION = "shop"
DOMAIN = isc_pb2.Domain(
    name="Decryption", version="1", chain_id=8006, verifying_contract=bytes(range(20))
)


def start_shop(
    folder: Path,
    materials: Mapping[str, bytes] | None = None,
    delegate: bytes = b"",
    *,
    rich: bool = False,
) -> tuple[Chain, bytes]:
    """Chain with the application and a key that all parties agreed on; returns the key's id.

    `materials` are the bytes of public-key and server-key; without them toy bytes are agreed on. A `rich` chain
    has limits and balances that no benchmark reaches.
    """
    materials = materials or {kind: kind.encode() for kind in ("public-key", "server-key")}
    document = genesis(
        applications=[
            isc_pb2.Application(
                id=APPLICATION, kind=isc_pb2.KIND_ACL, owner=bytes(ALICE.address), domain=DOMAIN
            )
        ],
        delegates=[state_pb2.GenesisDelegate(application=APPLICATION, account=delegate)]
        if delegate
        else [],
    )
    document.parameters.decryption_deadline_blocks = 5_000
    if rich:
        _lift_limits(document)
    chain = Chain.start(folder, document)
    opened = chain.send(
        ADMIN,
        message(
            request_key_generation=asc_pb2.RequestKeyGeneration(parameters="test", dealer=True)
        ),
    )
    key_id = opened.request_id
    agree(chain, key_id, materials)
    return chain, key_id


def _lift_limits(document: state_pb2.Genesis) -> None:
    parameters = document.parameters
    parameters.max_transaction_bytes = 256 * 1024
    # Less than the engine of the test chain allows.
    parameters.max_block_bytes = 3 * 1024 * 1024
    parameters.safety_lane_bytes = 2 * 1024 * 1024
    parameters.max_block_gas = 60_000_000
    parameters.safety_messages_per_block = 10_000
    parameters.faucet_per_window = 10**9
    parameters.proposal_ttl_blocks = 5_000
    parameters.generation_deadline_blocks = 5_000
    for entry in document.accounts:
        entry.balance = 10**12


def generate_crs(chain: Chain, key_id: bytes, max_bits: int, crs: bytes) -> bytes:
    """Reference string that all parties agreed on; returns its id."""
    request = asc_pb2.RequestCrsGeneration(key_id=key_id, max_bits=max_bits, dealer=True)
    crs_id = chain.send(ADMIN, message(request_crs_generation=request)).request_id
    agree(chain, crs_id, {"crs": crs})
    return crs_id


def agree(chain: Chain, request: bytes, materials: Mapping[str, bytes]) -> None:
    """All parties answer a generation request with the same material."""
    entry = state_pb2.RequestView.FromString(chain.query("/asc/request", request)).entry
    digests = [
        asc_pb2.MaterialDigest(kind=kind, digest=sha3_256(data), size=len(data))
        for kind, data in materials.items()
    ]
    if "crs" in materials:
        signed = crs_digest(entry.domain, request, entry.max_bits, digests[0].digest)
    else:
        signed = keygen_digest(entry.domain, request, [(m.kind, m.digest) for m in digests])
    for party in range(1, 5):
        fulfil = asc_pb2.Fulfil(
            request_id=request,
            party=party,
            generation=asc_pb2.GenerationResult(digests=digests),
            signature=party_key(party).sign_digest(signed),
        )
        assert chain.send(party_account(party), message(fulfil=fulfil)).ok


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
