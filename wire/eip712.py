"""EIP-712 digests that users and parties sign; struct names and field order are those of clients in the field.

Sources: EIP-712; the structs `PublicDecryptVerification`, `UserDecryptResponseVerification`, `UserDecryptionLinker`,
`KeygenVerification`, `PrepKeygenVerification` and `CrsgenVerification` are fhEVM's; `UserDecryptionAuthorization`,
`EpochChangeVerification` and `KeyDestructionVerification` are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from wire.digests import keccak256
from wire.fhe import FheType
from wire.ids import Address
from wire.pb.tkms.isc.v1 import isc_pb2

_WORD = 32
_DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_AUTHORIZATION_TYPE = (
    b"UserDecryptionAuthorization(bytes publicKey,bytes32[] handles,string application,"
    b"string chainId,uint64 expiresAtHeight)"
)
_PUBLIC_TYPE = (
    b"PublicDecryptVerification(bytes32[] ctHandles,bytes decryptedResult,bytes extraData)"
)
_USER_TYPE = (
    b"UserDecryptResponseVerification(bytes publicKey,bytes32[] ctHandles,"
    b"bytes userDecryptedShare,bytes extraData)"
)
_LINKER_TYPE = b"UserDecryptionLinker(bytes publicKey,bytes32[] handles,address userAddress)"
_KEY_DIGEST_TYPE = b"KeyDigest(uint8 keyType,bytes digest)"
_KEYGEN_TYPE = (
    b"KeygenVerification(uint256 prepKeygenId,uint256 keyId,KeyDigest[] keyDigests,bytes extraData)"
    + _KEY_DIGEST_TYPE
)
_PREPROCESSING_TYPE = b"PrepKeygenVerification(uint256 prepKeygenId,bytes extraData)"
_EPOCH_TYPE = (
    b"EpochChangeVerification(uint256 changeId,uint256 epochId,uint256 nextEpochId,bytes digest)"
)
_DESTRUCTION_TYPE = (
    b"KeyDestructionVerification(uint256 destructionId,uint256 keyId,uint256 epochId,bytes digest)"
)
_CRS_TYPE = (
    b"CrsgenVerification(uint256 crsId,uint256 maxBitLength,bytes crsDigest,bytes extraData)"
)
# Domains of the applications whose requests are being answered.
_REMEMBERED_DOMAINS = 256
# KeyDigest.keyType of the kinds that MaterialDigest names; from 128 on they are ours.
_KEY_TYPES = {"server-key": 0, "public-key": 1, "check": 128}


def _word(number: int) -> bytes:
    return number.to_bytes(_WORD, "big")


def _left_padded(data: bytes) -> bytes:
    if len(data) > _WORD:
        raise ValueError("more than 32 bytes do not fit a word")
    return data.rjust(_WORD, b"\0")


def _array(words: Sequence[bytes]) -> bytes:
    return keccak256(b"".join(words))


# One for each type string of this file.
_type_hash = lru_cache(maxsize=None)(keccak256)


def _struct(type_string: bytes, *words: bytes) -> bytes:
    return keccak256(_type_hash(type_string) + b"".join(words))


def domain_separator(domain: isc_pb2.Domain) -> bytes:
    """Hash of the domain without salt."""
    return _separator(domain.name, domain.version, domain.chain_id, domain.verifying_contract)


@lru_cache(maxsize=_REMEMBERED_DOMAINS)
def _separator(name: str, version: str, chain_id: int, verifying_contract: bytes) -> bytes:
    return _struct(
        _DOMAIN_TYPE,
        keccak256(name.encode()),
        keccak256(version.encode()),
        _word(chain_id),
        _left_padded(verifying_contract),
    )


def _typed(domain: isc_pb2.Domain, struct: bytes) -> bytes:
    return keccak256(b"\x19\x01" + domain_separator(domain) + struct)


def chain_domain(chain_id: str) -> isc_pb2.Domain:
    """Domain of signatures that belong to no application (keys, reference strings): bound to the chain by its name."""
    return isc_pb2.Domain(
        name=f"tkms {chain_id}", version="1", chain_id=0, verifying_contract=bytes(20)
    )


def authorization_digest(
    domain: isc_pb2.Domain,
    user_public_key: bytes,
    handles: Sequence[bytes],
    application: str,
    chain_id: str,
    expires_at_height: int,
) -> bytes:
    """What a user signs to let the backend re-encrypt these handles to this key."""
    return _typed(
        domain,
        _struct(
            _AUTHORIZATION_TYPE,
            keccak256(user_public_key),
            _array([_left_padded(handle) for handle in handles]),
            keccak256(application.encode()),
            keccak256(chain_id.encode()),
            _word(expires_at_height),
        ),
    )


def authorization_message(
    domain: isc_pb2.Domain,
    user_public_key: bytes,
    handles: Sequence[bytes],
    application: str,
    chain_id: str,
    expires_at_height: int,
) -> dict[str, Any]:
    """The same as typed data in JSON form, for wallets (`eth_signTypedData_v4`)."""
    return {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "UserDecryptionAuthorization": [
                {"name": "publicKey", "type": "bytes"},
                {"name": "handles", "type": "bytes32[]"},
                {"name": "application", "type": "string"},
                {"name": "chainId", "type": "string"},
                {"name": "expiresAtHeight", "type": "uint64"},
            ],
        },
        "primaryType": "UserDecryptionAuthorization",
        "domain": {
            "name": domain.name,
            "version": domain.version,
            "chainId": domain.chain_id,
            "verifyingContract": Address(domain.verifying_contract).checksum,
        },
        "message": {
            "publicKey": "0x" + user_public_key.hex(),
            "handles": ["0x" + handle.hex() for handle in handles],
            "application": application,
            "chainId": chain_id,
            "expiresAtHeight": expires_at_height,
        },
    }


def public_decryption_digest(
    domain: isc_pb2.Domain,
    handles: Sequence[bytes],
    decrypted_result: bytes,
    extra_data: bytes = b"",
) -> bytes:
    """PublicDecryptVerification: what a party signs for a public decryption."""
    return _typed(
        domain,
        _struct(
            _PUBLIC_TYPE,
            _array([_left_padded(handle) for handle in handles]),
            keccak256(decrypted_result),
            keccak256(extra_data),
        ),
    )


def user_decryption_digest(
    domain: isc_pb2.Domain,
    user_public_key: bytes,
    handles: Sequence[bytes],
    payload_keccak: bytes,
    extra_data: bytes = b"",
) -> bytes:
    """UserDecryptResponseVerification; `payload_keccak` is keccak-256 of the response payload."""
    return _typed(
        domain,
        _struct(
            _USER_TYPE,
            keccak256(user_public_key),
            _array([_left_padded(handle) for handle in handles]),
            payload_keccak,
            keccak256(extra_data),
        ),
    )


def linker_digest(
    domain: isc_pb2.Domain, user_public_key: bytes, handles: Sequence[bytes], user: bytes
) -> bytes:
    """UserDecryptionLinker: the `link` that every party's payload carries."""
    return _typed(
        domain,
        _struct(
            _LINKER_TYPE,
            keccak256(user_public_key),
            _array([_left_padded(handle) for handle in handles]),
            _left_padded(user),
        ),
    )


def preprocessing_digest(domain: isc_pb2.Domain, preprocessing_id: bytes, digest: bytes) -> bytes:
    """PrepKeygenVerification; the digest of what was agreed on is the extra data."""
    return _typed(
        domain, _struct(_PREPROCESSING_TYPE, _left_padded(preprocessing_id), keccak256(digest))
    )


def epoch_change_digest(
    domain: isc_pb2.Domain, change_id: bytes, epoch_id: int, next_epoch_id: int, digest: bytes
) -> bytes:
    """EpochChangeVerification: the public transcript by which all shares moved to the next epoch."""
    ids = (_left_padded(change_id), _word(epoch_id), _word(next_epoch_id))
    return _typed(domain, _struct(_EPOCH_TYPE, *ids, keccak256(digest)))


def destruction_digest(
    domain: isc_pb2.Domain, destruction_id: bytes, key_id: bytes, epoch_id: int, digest: bytes
) -> bytes:
    """KeyDestructionVerification: a party says that it erased its shares of the key."""
    ids = (_left_padded(destruction_id), _left_padded(key_id), _word(epoch_id))
    return _typed(domain, _struct(_DESTRUCTION_TYPE, *ids, keccak256(digest)))


def keygen_digest(
    domain: isc_pb2.Domain,
    key_id: bytes,
    digests: Sequence[tuple[str, bytes]],
    preprocessing_id: bytes = b"",
) -> bytes:
    """KeygenVerification; dealt keys have no preprocessing, so its id is 0. `digests` in order of the record."""
    entries = [
        _struct(_KEY_DIGEST_TYPE, _word(_KEY_TYPES[kind]), keccak256(digest))
        for kind, digest in digests
    ]
    return _typed(
        domain,
        _struct(
            _KEYGEN_TYPE,
            _left_padded(preprocessing_id),
            _left_padded(key_id),
            _array(entries),
            keccak256(b""),
        ),
    )


def crs_digest(domain: isc_pb2.Domain, crs_id: bytes, max_bits: int, digest: bytes) -> bytes:
    """CrsgenVerification."""
    return _typed(
        domain,
        _struct(
            _CRS_TYPE, _left_padded(crs_id), _word(max_bits), keccak256(digest), keccak256(b"")
        ),
    )


def encode_plaintexts(values: Sequence[tuple[int, int]]) -> bytes:
    """ABI encoding of (fhe_type, value) pairs: one uint256 each.

    Raises:
        ValueError: a value does not fit its type.
    """
    words = []
    for fhe_type, value in values:
        if not 0 <= value < 1 << FheType(fhe_type).bits:
            raise ValueError("a plaintext does not fit its type")
        words.append(_word(value))
    return b"".join(words)


def decode_plaintexts(encoded: bytes, fhe_types: Sequence[int]) -> list[int]:
    """Inverse of `encode_plaintexts`.

    Raises:
        ValueError: wrong length or a value that does not fit its type.
    """
    if len(encoded) != _WORD * len(fhe_types):
        raise ValueError("one 32-byte word a ciphertext is expected")
    values = []
    for index, fhe_type in enumerate(fhe_types):
        value = int.from_bytes(encoded[index * _WORD : (index + 1) * _WORD], "big")
        if value >> FheType(fhe_type).bits:
            raise ValueError("a plaintext does not fit its type")
        values.append(value)
    return values
