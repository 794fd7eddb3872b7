"""Keys of this party inside the vault: `keys/<key id>/<epoch id>`, one line of facts and the secrets.

A share belongs to one key and one epoch. Shares of several epochs of a key may lie here at the same
time; which of them may be used is decided by `core.epoch_states` alone.
"""

import json
from dataclasses import dataclass, field

import tkms_kernel as kernel

from core.errors import VaultError
from core.vault import Vault
from mpc.dealing import Deal, Material
from wire.ids import KeyId
from wire.pb.tkms.peer.v1 import peer_pb2

_FOLDER = "keys"


@dataclass(frozen=True, slots=True)
class PartyKey:
    """Opaque handles of one key share, what is public about the key, and who made it."""

    key_id: KeyId
    share: kernel.KeyShare = field(repr=False)
    mask_keys: kernel.PrssKeys = field(repr=False)
    parameters: str
    materials: tuple[Material, ...]
    epoch_id: int
    # The dealer knew the whole secret: never for anything real.
    dealer: bool


def save(vault: Vault, key_id: KeyId, epoch_id: int, deal: Deal, *, dealer: bool) -> None:
    """Seal a share of an epoch; an older one of the same key and epoch is replaced."""
    facts = {"dealer": dealer, "epoch": epoch_id}
    message = deal_to_message(deal).SerializeToString()
    vault.put(_name(key_id, epoch_id), json.dumps(facts).encode() + b"\n" + message)


def load(vault: Vault, key_id: KeyId, epoch_id: int) -> PartyKey:
    """Open the share of an epoch.

    Raises
    ------
    VaultError
        When we hold no such share or the vault cannot open it.
    """
    name = _name(key_id, epoch_id)
    facts_line, _, message = vault.get(name).partition(b"\n")
    try:
        facts = json.loads(facts_line)
        deal = peer_pb2.Deal.FromString(message)
        found = PartyKey(
            key_id,
            kernel.KeyShare.from_bytes(deal.key_share),
            kernel.PrssKeys.from_bytes(deal.mask_keys),
            deal.parameters,
            tuple(Material(m.kind, m.digest, m.size) for m in deal.materials),
            facts["epoch"],
            facts["dealer"],
        )
    except (ValueError, KeyError) as error:
        raise VaultError(f"{name}: not a key share") from error
    if found.epoch_id != epoch_id:
        raise VaultError(f"{name}: the share of another epoch")
    return found


def key_ids(vault: Vault) -> list[KeyId]:
    """Keys of which we hold a share of some epoch, each once."""
    return sorted({key_id for key_id, _ in shares(vault)}, key=lambda key_id: key_id.value)


def shares(vault: Vault) -> list[tuple[KeyId, int]]:
    """Key and epoch of every share here."""
    found = [name.split("/")[1:] for name in vault.names(_FOLDER)]
    return [(KeyId.parse(parts[0]), int(parts[1])) for parts in found if len(parts) == 2]


def has(vault: Vault, key_id: KeyId, epoch_id: int) -> bool:
    """Whether we hold a share of this key and epoch."""
    return vault.has(_name(key_id, epoch_id))


def erase(vault: Vault, key_id: KeyId, epoch_id: int) -> None:
    """Delete one share if it is there."""
    vault.remove(_name(key_id, epoch_id))


def deal_to_message(deal: Deal) -> peer_pb2.Deal:
    """Schema form of a deal."""
    return peer_pb2.Deal(
        key_share=deal.key_share,
        mask_keys=deal.mask_keys,
        parameters=deal.parameters,
        materials=[
            peer_pb2.Material(kind=m.kind, digest=m.digest, size=m.size) for m in deal.materials
        ],
    )


def deal_from_message(message: peer_pb2.Deal) -> Deal:
    """Inverse of `deal_to_message`."""
    materials = tuple(Material(m.kind, m.digest, m.size) for m in message.materials)
    return Deal(message.key_share, message.mask_keys, message.parameters, materials)


def _name(key_id: KeyId, epoch_id: int) -> str:
    return f"{_FOLDER}/{key_id.hex}/{epoch_id}"
