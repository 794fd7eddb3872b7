"""The check ciphertext of a key: what a change of epoch decrypts before anything old is erased.

It is public, and lies with the records of every epoch in which the key has shares, so that a party that
lost it, or is new, takes it from the others.
"""

import tkms_kernel as kernel

from core.flows.tools import Tools
from mpc.exchange import Setting, Steps
from mpc.names import run_name
from mpc.preprocessing import Batch, BatchKind, preprocess, rounding_material
from mpc.rounding import OrdinaryCiphertext, decrypt_publicly
from wire.ids import KeyId

VALUE = kernel.GENERATION_CHECK_VALUE

KIND = "check"

_RUN = "check"
_NAME = "check-ciphertext"
_FHE_TYPE = 2
_BATCH = Batch(BatchKind.ROUNDING, 64, 4)
"""Material for the four blocks of a number of 8 bits."""


async def keep(tools: Tools, key_id: KeyId, epoch_id: int, check: bytes) -> None:
    """Keep a key's check ciphertext for an epoch."""
    await tools.records.keep(_name(key_id, epoch_id), epoch_id, check)


async def known(tools: Tools, key_id: KeyId, epoch_id: int) -> bytes | None:
    """The ciphertext as an epoch has it here; dealt keys have none."""
    return await tools.records.get(_name(key_id, epoch_id), epoch_id)


async def taken(tools: Tools, key_id: KeyId, epoch_id: int) -> bytes | None:
    """The same, or from peers of the epoch."""
    return await tools.records.fetch(_name(key_id, epoch_id), epoch_id)


def run_of(key_id: KeyId, epoch_id: int, request_id: bytes) -> bytes:
    """Name of the test decryption of a change."""
    return run_name(_RUN, epoch_id, request_id, key_id.value)


def decrypt(
    setting: Setting, keys: kernel.PrssKeys, share: kernel.KeyShare, check: bytes, name: bytes
) -> Steps[int]:
    """The value of the check ciphertext, by material of its own that nothing else uses."""
    record = yield from preprocess(setting, keys, name, _BATCH)
    material = rounding_material(keys, name, record)
    values = yield from decrypt_publicly(
        setting, share, [OrdinaryCiphertext(check, _FHE_TYPE)], material
    )
    return values[0]


def _name(key_id: KeyId, epoch_id: int) -> bytes:
    return run_name(_NAME, epoch_id, key_id.value)
