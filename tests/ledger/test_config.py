"""The Config contract: what a configuration must be, in a genesis and in a change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from abci_app.errors import GenesisError
from ledger.config.validation import (
    GOVERNANCE_KINDS,
    ROLES,
    check_epoch,
    check_parameters,
    check_prices,
)
from tests.support.chain import (
    Chain,
    epoch,
    genesis,
    parameters,
    party_account,
    party_key,
    prices,
)
from wire.pb.tkms.config.v1 import config_pb2
from wire.reasons import Reason, Rejection


def test_every_role_is_known() -> None:
    """A role added to the schema must be added to the rules."""
    assert list(ROLES) == [role for role in config_pb2.Role.values() if role]


@pytest.mark.parametrize("parties", [1, 4, 7, 10, 13])
def test_conformant_epochs_are_accepted(parties: int) -> None:
    """Every n = 3t + 1 up to 13, and a single party."""
    check_epoch(epoch(parties))


def _drop(made: config_pb2.Epoch) -> None:
    del made.parties[3]


def _grow(made: config_pb2.Epoch) -> None:
    made.CopyFrom(epoch(16))


def test_a_single_party_needs_no_peers() -> None:
    """Neither address nor certificate."""
    made = epoch(1)
    made.parties[0].ClearField("tls_certificate")
    made.parties[0].ClearField("peer_address")
    check_epoch(made)


@pytest.mark.parametrize("address", ["kms.example.org:443", "10.0.0.1:1", "[2001:db8::1]:65535"])
def test_peer_addresses(address: str) -> None:
    """Names and both kinds of addresses, with a port."""
    made = epoch(4)
    made.parties[0].peer_address = address
    check_epoch(made)


def _shift(made: config_pb2.Epoch) -> None:
    made.parties[1].index = 5


def _share_account(made: config_pb2.Epoch) -> None:
    made.parties[1].account = made.parties[0].account


def _share_key(made: config_pb2.Epoch) -> None:
    made.parties[1].verification_key = made.parties[0].verification_key


def _share_certificate(made: config_pb2.Epoch) -> None:
    made.parties[1].tls_certificate = made.parties[0].tls_certificate


def _no_point(made: config_pb2.Epoch) -> None:
    made.parties[1].verification_key = b"\x02" + b"\xff" * 32


def _long_key(made: config_pb2.Epoch) -> None:
    made.parties[1].verification_key += b"\x00"


def _short_account(made: config_pb2.Epoch) -> None:
    made.parties[1].account = bytes(19)


def _no_id(made: config_pb2.Epoch) -> None:
    made.id = 0


def _certificate(broken: Callable[[bytes], bytes]) -> Callable[[config_pb2.Epoch], None]:
    def break_it(made: config_pb2.Epoch) -> None:
        made.parties[1].tls_certificate = broken(made.parties[1].tls_certificate)

    return break_it


def _text(field: str, value: str) -> Callable[[config_pb2.Epoch], None]:
    def break_it(made: config_pb2.Epoch) -> None:
        setattr(made.parties[1], field, value)

    break_it.__name__ = f"{field}={value[:20]!r}"
    return break_it


def _threshold(name: str, value: int) -> Callable[[config_pb2.Epoch], None]:
    def break_it(made: config_pb2.Epoch) -> None:
        setattr(made.thresholds, name, value)

    break_it.__name__ = f"{name}={value}"
    return break_it


@pytest.mark.parametrize(
    "break_it",
    [
        _drop, _grow, _shift, _share_account, _share_key, _share_certificate, _no_point,
        _long_key, _short_account, _no_id,
        _threshold("public_decryption", 1), _threshold("public_decryption", 3),
        _threshold("user_decryption", 2), _threshold("user_decryption", 4),
        _threshold("generation", 2), _threshold("generation", 4),
        _certificate(lambda _: b""), _certificate(lambda der: der[:-1]),
        _certificate(lambda der: der + bytes(8192)),
        _text("peer_address", ""), _text("peer_address", "host"), _text("peer_address", "host:0"),
        _text("peer_address", "host:65536"), _text("peer_address", "http://host:7000"),
        _text("peer_address", "host:07000"), _text("peer_address", "127.0.0.1:7001"),
        _text("peer_address", "::1:7000"), _text("peer_address", "ho st:7000"),
        _text("storage_label", "PUB-p1"), _text("storage_label", "../p1"), _text("storage_label", "."),
        _text("name", "a\x1b[2J"), _text("name", "a\u202eb"), _text("name", "x" * 256),
    ],
)  # fmt: skip
def test_other_epochs_are_refused(break_it: Callable[[config_pb2.Epoch], None]) -> None:
    """Each rule is checked by itself."""
    made = epoch(4)
    break_it(made)
    with pytest.raises(Rejection) as refused:
        check_epoch(made)
    assert refused.value.reason is Reason.EPOCH_INVALID


def _table(*kinds: str) -> config_pb2.Prices:
    return config_pb2.Prices(messages=[config_pb2.Price(message=kind) for kind in kinds])


@pytest.mark.parametrize(
    "broken",
    [
        config_pb2.Prices(),
        _table(*GOVERNANCE_KINDS, "propose_change"),
        _table(*GOVERNANCE_KINDS, "nothing"),
        *[
            _table(*(kind for kind in GOVERNANCE_KINDS if kind != left))
            for left in GOVERNANCE_KINDS
        ],
        config_pb2.Prices(transaction_base=10**12 + 1, messages=_table(*GOVERNANCE_KINDS).messages),
    ],
)
def test_other_prices_are_refused(broken: config_pb2.Prices) -> None:
    """Unknown kinds, two prices, no way back, absurd amounts."""
    check_prices(prices())
    check_prices(_table(*GOVERNANCE_KINDS))
    with pytest.raises(Rejection) as refused:
        check_prices(broken)
    assert refused.value.reason is Reason.PRICES_INVALID


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_transaction_bytes", 4095), ("max_transaction_bytes", 256 * 1024 + 1),
        ("max_messages", 0), ("max_ttl_blocks", 0), ("max_ttl_blocks", 2001),
        ("max_ciphertexts_per_request", 0), ("inline_limit", 65537),
        ("max_ciphertext_bytes", 0), ("decryption_deadline_blocks", 0),
        ("generation_deadline_blocks", 0), ("faucet_window_blocks", 0),
        ("storage_base_url", "ftp://x"),
    ],
)  # fmt: skip
def test_other_parameters_are_refused(name: str, value: int | str) -> None:
    """Every limit has bounds."""
    made = parameters()
    check_parameters(made)
    setattr(made, name, value)
    with pytest.raises(Rejection) as refused:
        check_parameters(made)
    assert refused.value.reason is Reason.PARAMETERS_INVALID


@pytest.mark.parametrize(
    "broken",
    ["epoch", "roles", "twice", "address", "quorum", "party admin", "signing admin", "own signer"],
)
def test_a_broken_genesis_does_not_start(tmp_path: Path, broken: str) -> None:
    """The chain does not begin with what could not be decided later."""
    document = genesis()
    if broken == "epoch":
        document.epoch.threshold = 2
    elif broken == "roles":
        del document.roles[:]
    elif broken == "twice":
        document.accounts.append(document.accounts[0])
    elif broken == "quorum":
        document.role_quorums.add(role=config_pb2.ROLE_ADMIN, quorum=2)
    elif broken == "party admin":
        document.roles[0].account = bytes(party_account(2).address)
    elif broken == "signing admin":
        document.roles[0].account = bytes(party_key(2).address)
    elif broken == "own signer":
        document.epoch.parties[0].account = bytes(party_key(1).address)
    else:
        document.accounts[0].address = bytes(21)
    with pytest.raises(GenesisError):
        Chain.start(tmp_path, document)
