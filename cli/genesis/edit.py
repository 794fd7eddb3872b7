"""Changes of a genesis document that is not used yet."""

from collections.abc import Sequence
from typing import Any

from cli.errors import ConfigError
from cli.genesis import document as genesis_document
from cli.genesis import state as genesis_state
from cli.home.card import OperatorCard
from wire.ids import Address
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.state.v1 import state_pb2


def add_validator(document: dict[str, Any], card: OperatorCard, power: int) -> None:
    """Add a validator.

    Raises:
        ConfigError: another chain's card, or its key or name is there already.
    """
    if card.chain_id != document.get("chain_id"):
        raise ConfigError(
            f"{card.moniker}'s card is for chain {card.chain_id!r}", reason="WRONG_CHAIN"
        )
    entry = genesis_document.validator(card, power)
    for known in document["validators"]:
        if known["address"] == entry["address"] or known["name"] == card.moniker:
            raise ConfigError(f"validator {card.moniker} is in the genesis already")
    document["validators"].append(entry)


def add_party(document: dict[str, Any], card: OperatorCard, balance: int) -> None:
    """Add a party to epoch 1 and its account; thresholds follow the number of parties.

    Raises:
        ConfigError: its index or account is taken.
    """
    state = genesis_state.parse(document["app_state"])
    party = card.party
    if party is None:
        raise ConfigError(f"{card.moniker} has no core", hint="tkms init --party N makes one")
    for known in state.epoch.parties:
        if known.index == party.index:
            raise ConfigError(f"party {party.index} is {known.name} already")
    one = genesis_state.epoch([card.moniker], [party]).parties[0]
    parties = sorted([*state.epoch.parties, one], key=lambda entry: entry.index)
    state.epoch.CopyFrom(genesis_state.epoch_of(parties))
    _put_account(state, party.account, balance)
    document["app_state"] = genesis_state.as_json(state)


def add_account(
    document: dict[str, Any], account: Address, balance: int, roles: Sequence[str]
) -> None:
    """Add an account, and the roles that it holds."""
    state = genesis_state.parse(document["app_state"])
    _put_account(state, account, balance)
    for name in roles:
        which = config_pb2.Role.Value(f"ROLE_{name.upper()}")
        state.roles.append(genesis_state.role(which, account))
    document["app_state"] = genesis_state.as_json(state)


def _put_account(state: state_pb2.Genesis, account: Address, balance: int) -> None:
    if any(known.address == bytes(account) for known in state.accounts):
        raise ConfigError(f"account {account} is in the genesis already")
    accounts = [*state.accounts, genesis_state.account(account, balance)]
    del state.accounts[:]
    state.accounts.extend(sorted(accounts, key=lambda entry: entry.address))
