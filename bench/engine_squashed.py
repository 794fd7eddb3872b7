"""Squashed ciphertexts for the engine benchmark: the core's own session, as a run of the host."""

from __future__ import annotations

from pathlib import Path

import tkms_kernel as kernel

from mpc.exchange import Exchange, Payloads, ProtocolAbort, Setting, Steps, others, to_others
from mpc.public_decryption import Item, PublicDecryption
from mpc.session import Abort, AbortReason, Done, MaskedShare, MaskedShares
from wire.digests import sha3_256
from wire.fhe import Format


class SquashedValue:
    """A prepared ciphertext."""

    def __init__(self, folder: Path, fhe_type: int) -> None:
        """Read it."""
        self.fhe_type = fhe_type
        self.data = (folder / f"squashed.{fhe_type}").read_bytes()
        self.format = int(Format.BIG_COMPRESSED)


def open_squashed(
    setting: Setting,
    share: kernel.KeyShare,
    prss: kernel.PrssKeys,
    value: SquashedValue,
    name: bytes,
) -> Steps[tuple[int, ...]]:
    """Mask, exchange, open."""
    blocks, _ = kernel.squashed_info(value.data, value.fhe_type, value.format)
    masked = share.partial_decrypt(value.data, value.fhe_type, value.format, prss, name)
    digest = sha3_256(value.data)
    session = PublicDecryption(setting, [Item(digest, value.fhe_type, blocks)], [masked])
    outputs = list(session.start())
    fed: set[int] = set()

    def enough(received: Payloads) -> bool:
        for sender in sorted(set(received) - fed):
            fed.add(sender)
            message = MaskedShares((MaskedShare(digest, received[sender]),))
            outputs.extend(session.feed(sender, message))
        return session.finished

    yield Exchange(to_others(setting, masked), others(setting), enough)
    for output in outputs:
        if isinstance(output, Done):
            return output.value
        if isinstance(output, Abort):
            raise ProtocolAbort(output.reason, output.detail)
    raise ProtocolAbort(AbortReason.TOO_MANY_ERRORS, "no value")
