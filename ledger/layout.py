"""Layout of the database: what the first byte of every key says.

A key, and what stands under it:

    s <key>                          value of the state
    n <node key>                     node of the state tree; a node key begins with its version (u64)
    p <SHA-256 of a key>             the key itself, for proofs of absence; not for derived keys
    h <key, escaped> <height, u64>   what the block at this height replaced (`ledger/history.py`)
    u <height>                       app hash before the block, and the keys that it changed
    x <height>                       nodes that the block replaced
    m/<name>                         height, app_hash, chain_id, and what the node must not forget
"""

from __future__ import annotations

from typing import Final

STATE: Final = b"s"
NODE: Final = b"n"
PREIMAGE: Final = b"p"
HISTORY: Final = b"h"
UNDO: Final = b"u"
STALE: Final = b"x"

HEIGHT: Final = b"m/height"
APP_HASH: Final = b"m/app_hash"
CHAIN_ID: Final = b"m/chain_id"
# Oldest height whose state can be read.
FIRST: Final = b"m/first"
# Height whose state the genesis document gave: one below the first block. Absent after a state sync.
GENESIS: Final = b"m/genesis"
# Height that a state sync restored; absent on a node that began with genesis.
RESTORED: Final = b"m/restored"

VERSION_BYTES: Final = 8


def encode_version(height: int) -> bytes:
    """Heights sort as their bytes do."""
    return height.to_bytes(VERSION_BYTES, "big")
