"""All storage keys of the bank and their typed accessors.

bank/account/<address>      Account; absent when all of its numbers are zero
bank/supply                 Supply
bank/escrow/<request id>    payer (20 bytes) and amount (8 bytes, big endian)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ledger.errors import InvariantError
from ledger.state import State
from wire.digests import sha3_256
from wire.ids import Address, RequestId
from wire.limits import ADDRESS_BYTES, MAX_UINT64
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.reasons import Reason, Rejection

# Where fees go. Nobody has its key: the address is a digest of a name.
FEE_ACCOUNT: Final = Address(sha3_256(b"tkms/account/fees/v1")[-ADDRESS_BYTES:])

_ACCOUNT: Final = b"bank/account/"
_ESCROW: Final = b"bank/escrow/"
_SUPPLY: Final = b"bank/supply"


@dataclass(frozen=True, slots=True)
class Escrow:
    """What a request holds until it is closed, in units."""

    payer: Address
    amount: int


def account_key(address: Address) -> bytes:
    """Key of an account."""
    return _ACCOUNT + address.value


def escrow_key(request_id: RequestId) -> bytes:
    """Key of a request's escrow."""
    return _ESCROW + request_id.value


def account(state: State, address: Address) -> bank_pb2.Account:
    """The account; a fresh one where none is stored."""
    raw = state.get(account_key(address))
    return bank_pb2.Account() if raw is None else bank_pb2.Account.FromString(raw)


def set_account(state: State, address: Address, record: bank_pb2.Account) -> None:
    """Write an account."""
    raw = record.SerializeToString(deterministic=True)
    if raw:
        state.set(account_key(address), raw)
    else:
        state.delete(account_key(address))


def balance(state: State, address: Address) -> int:
    """Units that the account may spend."""
    return int(account(state, address).balance)


def credit(state: State, address: Address, amount: int) -> None:
    """Add units that were taken elsewhere or minted."""
    record = account(state, address)
    record.balance += amount
    set_account(state, address, record)


def debit(state: State, address: Address, amount: int) -> None:
    """Take units; Rejection(INSUFFICIENT_FUNDS) when there are too few."""
    record = account(state, address)
    take(record, address, amount)
    set_account(state, address, record)


def take(record: bank_pb2.Account, address: Address, amount: int) -> None:
    """The same on a record that the caller writes."""
    if record.balance < amount:
        raise Rejection(
            Reason.INSUFFICIENT_FUNDS, f"{address} has {record.balance}, {amount} are needed"
        )
    record.balance -= amount


def escrow(state: State, request_id: RequestId) -> Escrow | None:
    """What a request holds, or None."""
    raw = state.get(escrow_key(request_id))
    if raw is None:
        return None
    return Escrow(Address(raw[:ADDRESS_BYTES]), int.from_bytes(raw[ADDRESS_BYTES:], "big"))


def set_escrow(state: State, request_id: RequestId, record: Escrow) -> None:
    """Write what a request holds."""
    state.set(escrow_key(request_id), record.payer.value + record.amount.to_bytes(8, "big"))


def minted(state: State) -> int:
    """Units that exist: genesis balances and faucet claims."""
    raw = state.get(_SUPPLY)
    return 0 if raw is None else int(bank_pb2.Supply.FromString(raw).minted)


def require_mintable(state: State, amount: int) -> int:
    """The supply after minting; Rejection(BAD_AMOUNT) when it would not fit 64 bits."""
    supply = minted(state) + amount
    if supply > MAX_UINT64:
        raise Rejection(Reason.BAD_AMOUNT, "the supply would overflow")
    return supply


def mint(state: State, address: Address, amount: int) -> None:
    """Create units; Rejection(BAD_AMOUNT) when the supply would not fit 64 bits."""
    supply = require_mintable(state, amount)
    if amount:
        state.set(_SUPPLY, bank_pb2.Supply(minted=supply).SerializeToString(deterministic=True))
        credit(state, address, amount)


def total(state: State) -> int:
    """Sum of all balances and escrows, which always equals `minted`; reads every account.

    Raises:
        InvariantError: accounts and escrow records disagree about what is in escrow.
    """
    free = held = recorded = 0
    for _, raw in state.iterate(_ACCOUNT):
        record = bank_pb2.Account.FromString(raw)
        free += record.balance
        held += record.escrowed
    for _, raw in state.iterate(_ESCROW):
        recorded += int.from_bytes(raw[ADDRESS_BYTES:], "big")
    if held != recorded:
        raise InvariantError(f"accounts hold {held} in escrow, requests {recorded}")
    return free + held
