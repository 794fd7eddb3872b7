"""What a configuration must be before it may take effect; every check raises its own Rejection."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from ledger.config.text import MAX_TEXT_BYTES, is_plain
from wire.ids import Address
from wire.limits import ADDRESS_BYTES, MAX_TRANSACTION_BYTES
from wire.pb.tkms.config.v1 import config_pb2
from wire.reasons import Reason, Rejection
from wire.signing import is_verification_key
from wire.tx import MESSAGE_KINDS
from wire.x509 import Certificate, CertificateError, parse_certificate

# Evaluation points of the Galois ring GR(2^k, 4): 15 besides zero.
MAX_PARTIES: Final = 15
# The seen-set holds every transaction that long.
MAX_TTL_BLOCKS: Final = 2_000
# A toy that protects nothing.
INSECURE_PARAMETER_SET: Final = "test"
PARAMETER_SETS: Final = ("production", "production-64", INSECURE_PARAMETER_SET)
ROLES: Final = (config_pb2.ROLE_ADMIN, config_pb2.ROLE_REGISTRAR, config_pb2.ROLE_GENERATOR)
# Without a price for each of these the chain could not be configured any more.
GOVERNANCE_KINDS: Final = ("propose_change", "approve_change", "withdraw_change")

_MAX_CERTIFICATE_BYTES: Final = 8_192
_MAX_PORT: Final = 65_535
# A DNS name, an IPv4 address, or an IPv6 address in brackets. ASCII only.
_PEER_ADDRESS: Final = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\]):(?P<port>[1-9][0-9]{0,4})"
)
_STORAGE_LABEL: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
# A chain that takes less could not be repaired by a transaction.
_MIN_TRANSACTION_BYTES: Final = 4_096
_MAX_MESSAGES: Final = 10_000
_MAX_CIPHERTEXTS: Final = 256
# Far above any use, so that heights computed from it stay far below 64 bits.
_MAX_BLOCKS: Final = 1 << 40
# Answers travel inside transactions.
_MAX_INLINE_BYTES: Final = 64 * 1024
# Products of a price and a size stay meaningful sums of 64-bit units.
_MAX_PRICE: Final = 10**12
_PERMILLE: Final = 1000
# About a minute of one validator: a block beyond it would look like a halt.
_MAX_BLOCK_GAS: Final = 60_000_000
# The engine's own limit on the bytes of a block is above it (docs/adr/0007).
MAX_BLOCK_BYTES: Final = 4 * 1024 * 1024
_MAX_GAP_SECONDS: Final = 7 * 24 * 3600


def check_epoch(epoch: config_pb2.Epoch) -> None:
    """Require n = 3t + 1 or a single party, indices 1..n in order, nothing shared, exact thresholds."""
    parties, threshold = len(epoch.parties), epoch.threshold
    if epoch.id == 0:
        raise _epoch("an epoch's id is above zero")
    if not 1 <= parties <= MAX_PARTIES or parties != 3 * threshold + 1:
        raise _epoch(f"{parties} parties cannot have threshold {threshold}")
    _check_thresholds(epoch, parties, threshold)
    if [party.index for party in epoch.parties] != list(range(1, parties + 1)):
        raise _epoch("parties are listed by index from 1")
    for party in epoch.parties:
        _check_party(party)
    _check_distinct("accounts", [party.account for party in epoch.parties])
    _check_distinct("verification keys", [party.verification_key for party in epoch.parties])
    labels = [party.storage_label.encode() for party in epoch.parties if party.storage_label]
    _check_distinct("storage labels", labels)
    # A single party has no peers.
    if parties > 1:
        _check_peers(epoch.parties)


def check_prices(prices: config_pb2.Prices) -> None:
    """Known kinds, each at most once; changing the configuration must stay possible."""
    names = [price.message for price in prices.messages]
    if any(name not in MESSAGE_KINDS for name in names):
        raise Rejection(Reason.PRICES_INVALID, "a price names an unknown message kind")
    if len(frozenset(names)) != len(names):
        raise Rejection(Reason.PRICES_INVALID, "a message kind has two prices")
    missing = [kind for kind in GOVERNANCE_KINDS if kind not in names]
    if missing:
        raise Rejection(Reason.PRICES_INVALID, f"{missing[0]} must have a price")
    amounts = [prices.transaction_base, prices.transaction_per_byte]
    amounts += [price.base for price in prices.messages]
    amounts += [price.per_byte for price in prices.messages]
    if max(amounts) > _MAX_PRICE:
        raise Rejection(Reason.PRICES_INVALID, f"a price is above {_MAX_PRICE}")
    if prices.relayer_permille > _PERMILLE:
        raise Rejection(Reason.PRICES_INVALID, f"relayer_permille is above {_PERMILLE}")


def check_parameters(parameters: config_pb2.Parameters) -> None:
    """All limits inside the bounds that the code was made for."""
    for name, lowest, highest in (
        ("max_transaction_bytes", _MIN_TRANSACTION_BYTES, MAX_TRANSACTION_BYTES),
        ("max_messages", 1, _MAX_MESSAGES),
        ("max_ttl_blocks", 1, MAX_TTL_BLOCKS),
        ("max_ciphertexts_per_request", 1, _MAX_CIPHERTEXTS),
        ("inline_limit", 0, _MAX_INLINE_BYTES),
        ("max_ciphertext_bytes", 1, _MAX_BLOCKS),
        ("decryption_deadline_blocks", 1, _MAX_BLOCKS),
        ("generation_deadline_blocks", 1, _MAX_BLOCKS),
        ("retention_blocks", 0, _MAX_BLOCKS),
        ("faucet_window_blocks", 1 if parameters.faucet_enabled else 0, _MAX_BLOCKS),
        ("max_block_gas", 1, _MAX_BLOCK_GAS),
        ("max_block_bytes", 2 * parameters.max_transaction_bytes, MAX_BLOCK_BYTES),
        ("safety_messages_per_block", 1, _MAX_MESSAGES),
        ("max_block_gap_seconds", 1, _MAX_GAP_SECONDS),
        ("fee_payout_blocks", 0, _MAX_BLOCKS),
        ("proposal_ttl_blocks", 1, _MAX_BLOCKS),
        ("refresh_interval_blocks", 0, _MAX_BLOCKS),
        ("epoch_change_deadline_blocks", 1, _MAX_BLOCKS),
    ):
        if not lowest <= getattr(parameters, name) <= highest:
            raise _parameters(f"{name} is not in {lowest}..{highest}")
    # Room for one transaction of each lane, so that neither can lock the other out.
    largest = parameters.max_transaction_bytes
    room = parameters.max_block_bytes - largest
    if not largest <= parameters.safety_lane_bytes <= room:
        raise _parameters(f"safety_lane_bytes is not in {largest}..{room}")
    sets = list(parameters.parameter_sets)
    if len(frozenset(sets)) != len(sets) or any(name not in PARAMETER_SETS for name in sets):
        raise _parameters("a parameter set is unknown or named twice")
    url = parameters.storage_base_url
    if len(url) > MAX_TEXT_BYTES or not (url == "" or url.startswith(("http://", "https://"))):
        raise _parameters("storage_base_url is not an http address")


def check_role_change(change: config_pb2.RoleChange) -> None:
    """A known role and a well-formed account."""
    check_role(change.role)
    if len(change.account) != ADDRESS_BYTES:
        raise Rejection(Reason.BAD_ADDRESS, "account of a role")


def check_role(role: int) -> None:
    """A known role."""
    if role not in ROLES:
        raise Rejection(Reason.CHANGE_INVALID, "unknown role")


def party_of_account(epoch: config_pb2.Epoch, address: Address) -> config_pb2.Party | None:
    """Party of the epoch that sends from this account, or None."""
    for party in epoch.parties:
        if party.account == address.value:
            return party
    return None


def _check_thresholds(epoch: config_pb2.Epoch, parties: int, threshold: int) -> None:
    agreed = (
        epoch.thresholds.public_decryption,
        epoch.thresholds.user_decryption,
        epoch.thresholds.generation,
    )
    needed = (threshold + 1, 2 * threshold + 1, parties - threshold)
    if agreed != needed:
        raise _epoch(f"thresholds are {agreed}, must be {needed}: t + 1, 2t + 1, n - t")


def _check_party(party: config_pb2.Party) -> None:
    if len(party.account) != ADDRESS_BYTES:
        raise _epoch(f"account of party {party.index}")
    if not is_verification_key(party.verification_key):
        raise _epoch(f"verification key of party {party.index} is no compressed secp256k1 point")
    if not is_plain(party.name):
        raise _epoch(f"name of party {party.index} is too long or has control characters")
    if party.storage_label and _STORAGE_LABEL.fullmatch(party.storage_label) is None:
        raise _epoch(f"storage label of party {party.index} is no plain path element")


def _check_peers(parties: Sequence[config_pb2.Party]) -> None:
    """Where peers reach each party, and how they recognise it.

    TLS looks certificates up by subject, so two with one subject, like two with one key, are taken for each other.
    """
    certificates = [_peer_certificate(party) for party in parties]
    _check_distinct("a peer address", [party.peer_address.encode() for party in parties])
    _check_distinct("the key of a certificate", [found.public_key_info for found in certificates])
    _check_distinct("the subject of a certificate", [found.subject for found in certificates])


def _peer_certificate(party: config_pb2.Party) -> Certificate:
    found = _PEER_ADDRESS.fullmatch(party.peer_address)
    if found is None or not 0 < int(found["port"]) <= _MAX_PORT:
        raise _epoch(f"peer address of party {party.index} is not host:port")
    if len(party.tls_certificate) > _MAX_CERTIFICATE_BYTES:
        raise _epoch(f"certificate of party {party.index} is too large")
    try:
        certificate = parse_certificate(party.tls_certificate)
    except CertificateError as error:
        raise _epoch(f"certificate of party {party.index}: {error}") from error
    if certificate.issuer != certificate.subject:
        raise _epoch(f"certificate of party {party.index} is not self-signed")
    if not certificate.dns_names:
        raise _epoch(f"certificate of party {party.index} has no DNS name")
    return certificate


def _check_distinct(what: str, values: Sequence[bytes]) -> None:
    if len(frozenset(values)) != len(values):
        raise _epoch(f"two parties share {what}")


def _epoch(detail: str) -> Rejection:
    return Rejection(Reason.EPOCH_INVALID, detail)


def _parameters(detail: str) -> Rejection:
    return Rejection(Reason.PARAMETERS_INVALID, detail)
