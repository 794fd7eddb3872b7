"""The accounts that pay: who pays next, and what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import grpc

from connector.relay.errors import refusal
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb
from wire.signing import Signer


@dataclass(slots=True)
class Account:
    """A paying account: balance as the node last said, less what was promised since."""

    signer: Signer
    balance: int = 0
    promised: int = 0

    @property
    def left(self) -> int:
        """What can still be promised."""
        return self.balance - self.promised


class Payers:
    """At least one account; the fullest pays."""

    def __init__(self, signers: Sequence[Signer], alarm_units: int) -> None:
        """Nothing is known of balances yet."""
        self._accounts = {bytes(signer.address): Account(signer) for signer in signers}
        self._alarm = alarm_units

    @property
    def addresses(self) -> tuple[bytes, ...]:
        """All accounts."""
        return tuple(self._accounts)

    def choose(self, wanted: bytes) -> Account:
        """The named account, or the one with the most left.

        Raises:
            RelayError: the named one is none of ours.
        """
        if not wanted:
            return max(self._accounts.values(), key=lambda account: account.left)
        account = self._accounts.get(wanted)
        if account is None:
            raise refusal(
                pb.RELAY_REASON_UNKNOWN_PAYER,
                grpc.StatusCode.FAILED_PRECONDITION,
                "the payer is no account of this relay",
            )
        return account

    def learn(self, address: bytes, balance: int) -> None:
        """What the node says; promises before it are in it or come again."""
        account = self._accounts[address]
        account.balance = balance
        account.promised = 0

    @property
    def low(self) -> bool:
        """Whether no account is above the alarm."""
        return all(account.balance < self._alarm for account in self._accounts.values())

    def messages(self) -> list[pb.Payer]:
        """As callers see them."""
        return [
            pb.Payer(address=address, balance=account.balance, low=account.balance < self._alarm)
            for address, account in self._accounts.items()
        ]
