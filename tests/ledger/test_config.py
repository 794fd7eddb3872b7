"""The Config contract: what it refuses, and when a change takes effect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from abci_app.errors import GenesisError
from ledger.config import state as config
from ledger.config.validation import check_epoch, check_parameters, check_prices
from tests.support.chain import (
    ADMIN,
    ALICE,
    BOB,
    Chain,
    epoch,
    genesis,
    message,
    parameters,
    prices,
)
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.reasons import Reason, Rejection
from wire.signing import Signer


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """A fresh chain."""
    chain = Chain.start(tmp_path)
    yield chain
    chain.close()


def change(height: int, **kind: object) -> tx_pb2.Message:
    """ScheduleChange message."""
    return message(schedule_change=config_pb2.ScheduleChange(activation_height=height, **kind))


def admin(account: Signer, *, granted: bool) -> config_pb2.RoleChange:
    """RoleChange of the administrator's role."""
    return config_pb2.RoleChange(
        role=config_pb2.ROLE_ADMIN, account=bytes(account.address), granted=granted
    )


@pytest.mark.parametrize("parties", [1, 4, 7, 10, 13])
def test_conformant_epochs_are_accepted(parties: int) -> None:
    """Every n = 3t + 1 up to 13, and a single party."""
    check_epoch(epoch(parties))


def _drop(made: config_pb2.Epoch) -> None:
    del made.parties[3]


def _grow(made: config_pb2.Epoch) -> None:
    made.CopyFrom(epoch(16))


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
    ],
)  # fmt: skip
def test_other_epochs_are_refused(break_it: Callable[[config_pb2.Epoch], None]) -> None:
    """Each rule is checked by itself."""
    made = epoch(4)
    break_it(made)
    with pytest.raises(Rejection) as refused:
        check_epoch(made)
    assert refused.value.reason is Reason.EPOCH_INVALID


@pytest.mark.parametrize(
    "broken",
    [
        config_pb2.Prices(),
        config_pb2.Prices(messages=[config_pb2.Price(message="schedule_change")] * 2),
        config_pb2.Prices(
            messages=[config_pb2.Price(message=name) for name in ("schedule_change", "nothing")]
        ),
        config_pb2.Prices(
            transaction_base=10**12 + 1, messages=[config_pb2.Price(message="schedule_change")]
        ),
    ],
)
def test_other_prices_are_refused(broken: config_pb2.Prices) -> None:
    """Unknown kinds, two prices, no way back, absurd amounts."""
    check_prices(prices())
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


def test_a_change_takes_effect_at_its_height(chain: Chain) -> None:
    """Not before the block of that height, and for the whole of that block."""
    dear = prices()
    dear.transaction_base = 500
    assert chain.send(ADMIN, change(4, prices=dear)).ok
    before = chain.balance(ALICE)
    raws = []
    for height in (2, 3, 4):
        raws.append(chain.build(ALICE, change(100, prices=dear)))
        assert chain.decide(raws[-1])[0].reason is Reason.MISSING_ROLE
        assert chain.height == height
        base = 500 if height == 4 else 5
        after = chain.balance(ALICE)
        assert before - after == base + len(raws[-1]) + 10
        before = after
    assert chain.events == (("config_activated", {"change": "prices"}),)
    view = state_pb2.ConfigView.FromString(chain.query("/config"))
    assert view.prices == dear
    assert list(config.scheduled(chain.state())) == []


@pytest.mark.parametrize("height", [0, 1])
def test_a_change_lies_in_the_future(chain: Chain, height: int) -> None:
    """Block 1 cannot schedule for block 1."""
    result = chain.send(ADMIN, change(height, prices=prices()))
    assert result.reason is Reason.ACTIVATION_PAST


def test_only_administrators_change_and_only_what_is_valid(chain: Chain) -> None:
    """Each refusal has its reason."""
    assert chain.send(ALICE, change(9, prices=prices())).reason is Reason.MISSING_ROLE
    assert chain.send(ADMIN, change(9)).reason is Reason.CHANGE_INVALID
    assert chain.send(ADMIN, change(2**63, prices=prices())).reason is Reason.CHANGE_INVALID
    assert chain.send(ADMIN, change(90, epoch=epoch(4, 1))).reason is Reason.EPOCH_INVALID
    assert (
        chain.send(ADMIN, change(90, parameters=config_pb2.Parameters())).reason
        is Reason.PARAMETERS_INVALID
    )
    role = config_pb2.RoleChange(role=9, account=bytes(20), granted=True)
    assert chain.send(ADMIN, change(90, role=role)).reason is Reason.CHANGE_INVALID


def test_a_new_epoch_leaves_the_old_record(chain: Chain) -> None:
    """Requests that pinned the old epoch still find it, and so does a proof."""
    assert chain.send(ADMIN, change(3, epoch=epoch(7, 2))).ok
    chain.skip(2)
    state = chain.state()
    assert config.current_epoch(state) == epoch(7, 2)
    assert config.epoch(state, 1) == epoch(4, 1)
    assert chain.query("/store", config.epoch_key(2)) == epoch(7, 2).SerializeToString()


def test_the_last_administrator_stays(chain: Chain) -> None:
    """Refused when scheduled, and dropped when two scheduled changes would do it together."""
    assert (
        chain.send(ADMIN, change(9, role=admin(ADMIN, granted=False))).reason is Reason.LAST_ADMIN
    )
    assert chain.send(ADMIN, change(3, role=admin(BOB, granted=True))).ok
    chain.skip(2)
    assert config.has_role(chain.state(), config_pb2.ROLE_ADMIN, BOB.address)
    first = chain.build(BOB, change(6, role=admin(ADMIN, granted=False)))
    second = chain.build(ADMIN, change(6, role=admin(BOB, granted=False)))
    assert [result.ok for result in chain.block(first, second)] == [True, True]
    chain.skip(1)
    assert chain.events == (
        ("config_activated", {"change": "role"}),
        ("config_dropped", {"change": "role", "reason": "LAST_ADMIN"}),
    )
    assert config.role_holders(chain.state(), config_pb2.ROLE_ADMIN) == [bytes(BOB.address)]


@pytest.mark.parametrize("broken", ["epoch", "roles", "twice", "address"])
def test_a_broken_genesis_does_not_start(tmp_path: Path, broken: str) -> None:
    """The chain does not begin with what could not be scheduled."""
    document = genesis()
    if broken == "epoch":
        document.epoch.threshold = 2
    elif broken == "roles":
        del document.roles[:]
    elif broken == "twice":
        document.accounts.append(document.accounts[0])
    else:
        document.accounts[0].address = bytes(21)
    with pytest.raises(GenesisError):
        Chain.start(tmp_path, document)
