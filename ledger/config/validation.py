"""What a configuration must be before it may take effect; every check raises its own Rejection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from wire.ids import Address
from wire.limits import ADDRESS_BYTES, MAX_TRANSACTION_BYTES
from wire.pb.tkms.config.v1 import config_pb2
from wire.reasons import Reason, Rejection
from wire.signing import is_verification_key
from wire.tx import MESSAGE_KINDS

# Evaluation points of the Galois ring GR(2^k, 4): 15 besides zero.
MAX_PARTIES: Final = 15
# The seen-set holds every transaction that long.
MAX_TTL_BLOCKS: Final = 2_000
PARAMETER_SETS: Final = ("production", "production-64", "test")

_MAX_TEXT_BYTES: Final = 255
_MAX_CERTIFICATE_BYTES: Final = 8_192
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
    certificates = [party.tls_certificate for party in epoch.parties if party.tls_certificate]
    _check_distinct("certificates", certificates)


def check_prices(prices: config_pb2.Prices) -> None:
    """Known kinds, each at most once; changing the configuration must stay possible."""
    names = [price.message for price in prices.messages]
    if any(name not in MESSAGE_KINDS for name in names):
        raise Rejection(Reason.PRICES_INVALID, "a price names an unknown message kind")
    if len(frozenset(names)) != len(names):
        raise Rejection(Reason.PRICES_INVALID, "a message kind has two prices")
    if "schedule_change" not in names:
        raise Rejection(Reason.PRICES_INVALID, "schedule_change must have a price")
    amounts = [prices.transaction_base, prices.transaction_per_byte]
    amounts += [price.base for price in prices.messages]
    amounts += [price.per_byte for price in prices.messages]
    if max(amounts) > _MAX_PRICE:
        raise Rejection(Reason.PRICES_INVALID, f"a price is above {_MAX_PRICE}")


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
    ):
        if not lowest <= getattr(parameters, name) <= highest:
            raise _parameters(f"{name} is not in {lowest}..{highest}")
    sets = list(parameters.parameter_sets)
    if len(frozenset(sets)) != len(sets) or any(name not in PARAMETER_SETS for name in sets):
        raise _parameters("a parameter set is unknown or named twice")
    url = parameters.storage_base_url
    if len(url) > _MAX_TEXT_BYTES or not (url == "" or url.startswith(("http://", "https://"))):
        raise _parameters("storage_base_url is not an http address")


def check_role_change(change: config_pb2.RoleChange) -> None:
    """A known role and a well-formed account."""
    if change.role not in config_pb2.Role.values() or change.role == config_pb2.ROLE_UNSPECIFIED:
        raise Rejection(Reason.CHANGE_INVALID, "unknown role")
    if len(change.account) != ADDRESS_BYTES:
        raise Rejection(Reason.BAD_ADDRESS, "account of a role")


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
    if len(party.tls_certificate) > _MAX_CERTIFICATE_BYTES:
        raise _epoch(f"certificate of party {party.index} is too large")
    texts = (party.name, party.peer_address, party.storage_label)
    if any(len(text.encode()) > _MAX_TEXT_BYTES for text in texts):
        raise _epoch(f"a text of party {party.index} is too long")


def _check_distinct(what: str, values: Sequence[bytes]) -> None:
    if len(frozenset(values)) != len(values):
        raise _epoch(f"two parties share {what}")


def _epoch(detail: str) -> Rejection:
    return Rejection(Reason.EPOCH_INVALID, detail)


def _parameters(detail: str) -> Rejection:
    return Rejection(Reason.PARAMETERS_INVALID, detail)
