"""Keys of this party inside the vault: `keys/<key id>`, one line of facts and the dealt secrets."""

import json
from dataclasses import dataclass, field

import tkms_kernel as kernel

from core.errors import VaultError
from core.vault import Vault
from mpc.dealing import Deal, Material
from wire.ids import KeyId
from wire.pb.tkms.peer.v1 import peer_pb2


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


def save(vault: Vault, key_id: KeyId, epoch_id: int, deal: Deal) -> None:
    """Seal what a dealer gave us."""
    facts = {"dealer": True, "epoch": epoch_id}
    message = deal_to_message(deal).SerializeToString()
    vault.put(_name(key_id), json.dumps(facts).encode() + b"\n" + message)


def load(vault: Vault, key_id: KeyId) -> PartyKey:
    """Open a key share.

    Raises
    ------
    VaultError
        When we hold no such key or the vault cannot open it.
    """
    facts_line, _, message = vault.get(_name(key_id)).partition(b"\n")
    try:
        facts = json.loads(facts_line)
        deal = peer_pb2.Deal.FromString(message)
        return PartyKey(
            key_id,
            kernel.KeyShare.from_bytes(deal.key_share),
            kernel.PrssKeys.from_bytes(deal.mask_keys),
            deal.parameters,
            tuple(Material(m.kind, m.digest, m.size) for m in deal.materials),
            facts["epoch"],
            facts["dealer"],
        )
    except (ValueError, KeyError) as error:
        raise VaultError(f"{_name(key_id)}: not a key share") from error


def key_ids(vault: Vault) -> list[KeyId]:
    """Keys of which we hold a share."""
    return [KeyId.parse(name.removeprefix("keys/")) for name in vault.names("keys")]


def has(vault: Vault, key_id: KeyId) -> bool:
    """Whether we hold a share of this key."""
    return vault.has(_name(key_id))


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


def _name(key_id: KeyId) -> str:
    return f"keys/{key_id.hex}"
