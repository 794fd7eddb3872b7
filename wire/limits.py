"""Bounds that hold before any state is read."""

from __future__ import annotations

from typing import Final

# Larger bodies are refused before parsing; Parameters.max_transaction_bytes may only be smaller.
MAX_TRANSACTION_BYTES: Final = 256 * 1024
NONCE_BYTES: Final = 16
ADDRESS_BYTES: Final = 20
SECP256K1_SIGNATURE_BYTES: Final = 65
ED25519_SIGNATURE_BYTES: Final = 64
ED25519_KEY_BYTES: Final = 32
VERIFICATION_KEY_BYTES: Final = 33
# 69-byte header and an ML-KEM-512 encapsulation key, as clients in the field send it.
USER_PUBLIC_KEY_BYTES: Final = 869
# Clients in the field ask for no more plaintext bits a request.
MAX_PLAINTEXT_BITS: Final = 2048
MAX_CHAIN_ID_BYTES: Final = 50
MAX_UINT64: Final = 2**64 - 1
