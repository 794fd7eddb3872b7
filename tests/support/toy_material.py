"""Keys of the `test` parameters, made once a process."""

from __future__ import annotations

import functools

import tkms_kernel as kernel


@functools.cache
def toy_material(max_bits: int) -> tuple[kernel.ClientKey, dict[str, bytes], bytes]:
    """Secret key, public material by kind, and a reference string for lists of so many bits."""
    client_key = kernel.ClientKey.generate("test", bytes(32))
    material = {
        "public-key": client_key.compact_public_key(),
        "server-key": client_key.server_key(),
    }
    return client_key, material, kernel.Crs.generate("test", max_bits).to_bytes()
