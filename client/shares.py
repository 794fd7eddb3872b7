"""How the shares of a user decryption are laid out: elements of four blocks, by the ciphertext's form.

A block of a squashed ciphertext holds two message blocks of 2 bits, one of an ordinary ciphertext holds
one; both stand at the same place of a word, so that one decoder reads both.
"""

from __future__ import annotations

from typing import Final

import tkms_kernel

from wire.fhe import FheType, Format
from wire.pb.tkms.isc.v1 import isc_pb2

ELEMENT_BYTES: Final = 64
MIN_PACKING: Final = 1
MAX_PACKING: Final = 2
_BLOCKS_AN_ELEMENT: Final = 4
_MESSAGE_BITS: Final = 2


def packing_of(ciphertext: isc_pb2.Ciphertext) -> int:
    """Message blocks of 2 bits in one block of a share."""
    return MAX_PACKING if Format(ciphertext.format).squashed else MIN_PACKING


def blocks_of(ciphertext: isc_pb2.Ciphertext) -> int:
    """Blocks of a share."""
    return -(-FheType(ciphertext.fhe_type).bits // (_MESSAGE_BITS * packing_of(ciphertext)))


def elements_of(ciphertext: isc_pb2.Ciphertext) -> int:
    """Elements of a share."""
    return -(-blocks_of(ciphertext) // _BLOCKS_AN_ELEMENT)


def value_of(ciphertext: isc_pb2.Ciphertext, blocks: bytes) -> int:
    """Plaintext of rounded blocks.

    Raises:
        tkms_kernel.KernelError: they are no value of the type.
    """
    if packing_of(ciphertext) == MIN_PACKING:
        return tkms_kernel.plaintext_from_ordinary_blocks(blocks, ciphertext.fhe_type)
    return tkms_kernel.plaintext_from_blocks(blocks, ciphertext.fhe_type)
