"""The table by which the node knows the bank."""

from __future__ import annotations

from typing import Final

from ledger.bank import state as bank
from ledger.bank.faucet import claim
from ledger.bank.payout import pay_out_fees
from ledger.bank.transfer import transfer
from ledger.errors import LedgerError
from ledger.module import Module
from ledger.state import State
from wire.ids import Address
from wire.limits import ADDRESS_BYTES, MAX_UINT64
from wire.pb.tkms.state.v1 import state_pb2
from wire.reasons import Reason, Rejection


def load_genesis(state: State, genesis: state_pb2.Genesis) -> None:
    """Write the balances of the genesis document; LedgerError when they are not valid."""
    addresses = [entry.address for entry in genesis.accounts]
    if len(frozenset(addresses)) != len(addresses):
        raise LedgerError("the genesis names an account twice")
    if any(len(address) != ADDRESS_BYTES for address in addresses):
        raise LedgerError("a genesis account's address does not have 20 bytes")
    if sum(entry.balance for entry in genesis.accounts) > MAX_UINT64:
        raise LedgerError("the genesis balances overflow")
    for entry in genesis.accounts:
        bank.mint(state, Address(entry.address), entry.balance)


def account_view(state: State, data: bytes) -> bytes:
    """Answer `/account`: 20-byte address to AccountView."""
    if len(data) != ADDRESS_BYTES:
        raise Rejection(Reason.UNKNOWN_QUERY, "an address has 20 bytes")
    record = bank.account(state, Address(data))
    return state_pb2.AccountView(address=data, account=record).SerializeToString(deterministic=True)


MODULE: Final = Module(
    name="bank",
    handlers={"transfer": transfer, "faucet": claim},
    end_block=pay_out_fees,
    genesis=load_genesis,
    queries={"/account": account_view},
)
