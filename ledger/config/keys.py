"""One key, one purpose: what must not be shared between parties, role holders and validators.

A connector holds its party's account in a process that is online and holds nothing worth stealing; a core holds
the verification key. Whoever used one for the other, or for deciding about the chain, would move that secret to
where it is not guarded. Validator keys sign votes only.
"""

from __future__ import annotations

from ledger.config import state as config
from ledger.config.validation import ROLES
from ledger.state import State
from wire.pb.tkms.config.v1 import config_pb2
from wire.reasons import Reason, Rejection
from wire.signing import address_of, ed25519_address


def check_epoch(state: State, epoch: config_pb2.Epoch) -> None:
    """Keys and accounts of a well-formed epoch against each other, the roles and the validators."""
    accounts = [party.account for party in epoch.parties]
    signers = _signers(epoch)
    _require_disjoint("a party's account and a verification key", accounts, signers)
    for role in ROLES:
        _require_disjoint(
            "a verification key and a role", signers, config.role_holders(state, role)
        )
    admins = config.role_holders(state, config_pb2.ROLE_ADMIN)
    _require_disjoint("a party's account and an administrator", accounts, admins)
    voters = [ed25519_address(voter.public_key).value for voter in config.validators(state)]
    _require_disjoint("a party's account and a validator", accounts, voters)


def check_holder(state: State, role: int, account: bytes) -> None:
    """An account that is to hold a role against the parties, present and pending, and the validators."""
    for epoch in config.epochs_in_use(state):
        _require_disjoint("a verification key and a role", [account], _signers(epoch))
        if role == config_pb2.ROLE_ADMIN:
            accounts = [party.account for party in epoch.parties]
            _require_disjoint("a party's account and an administrator", [account], accounts)
    voters = [ed25519_address(voter.public_key).value for voter in config.validators(state)]
    _require_disjoint("a validator and a role", [account], voters)


def check_validator(state: State, public_key: bytes) -> None:
    """A validator that joins against accounts."""
    account = [ed25519_address(public_key).value]
    for epoch in config.epochs_in_use(state):
        accounts = [party.account for party in epoch.parties]
        _require_disjoint("a party's account and a validator", account, accounts)
    for role in ROLES:
        _require_disjoint("a validator and a role", account, config.role_holders(state, role))


def _signers(epoch: config_pb2.Epoch) -> list[bytes]:
    """Addresses of the verification keys."""
    return [address_of(party.verification_key).value for party in epoch.parties]


def _require_disjoint(what: str, some: list[bytes], others: list[bytes]) -> None:
    if any(value in others for value in some):
        raise Rejection(Reason.KEY_REUSED, what)
