"""Files and NAME=VALUE become records; what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf.message import Message

from cli.errors import ConfigError, UsageError
from cli.governance import records
from cli.governance.propose import parse_validator_key
from tests.support.chain import ADMIN, epoch, parameters, prices, validator_key
from wire.documents import document
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.isc.v1 import isc_pb2

CHANGES = [
    config_pb2.Change(epoch=epoch(4)),
    config_pb2.Change(prices=prices()),
    config_pb2.Change(parameters=parameters()),
    config_pb2.Change(
        role=config_pb2.RoleChange(
            role=config_pb2.ROLE_REGISTRAR, account=bytes(ADMIN.address), granted=True
        )
    ),
    config_pb2.Change(consensus={"block": {"max_bytes": -1, "max_gas": -1}}),
    config_pb2.Change(
        validators={"validators": [{"public_key": validator_key(1), "power": 2**60, "name": "n"}]}
    ),
    config_pb2.Change(
        application=isc_pb2.Application(
            id="a", kind=isc_pb2.KIND_ACL, owner=bytes(ADMIN.address), domain={"name": "D"}
        )
    ),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.WhichOneof("kind"))
def test_what_is_shown_can_be_read_again(change: Message) -> None:
    """`fill` is the inverse of `document` for every kind of change."""
    again = config_pb2.Change()
    records.fill(again, document(change))
    assert again == change


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"nothing": 1}, "there is no nothing"),
        ({"parameters": {"max_message": 1}}, "there is no parameters.max_message"),
        ({"parameters": 5}, "parameters is a table"),
        ({"parameters": {"max_messages": "many"}}, "many is not a whole number"),
        ({"parameters": {"max_messages": 1.5}}, "max_messages is a whole number"),
        ({"parameters": {"max_messages": True}}, "max_messages is a whole number"),
        ({"parameters": {"max_messages": 2**32}}, "4294967296 does not fit"),
        ({"parameters": {"faucet_enabled": "maybe"}}, "faucet_enabled is true or false"),
        ({"parameters": {"storage_base_url": 5}}, "storage_base_url is text"),
        ({"parameters": {"parameter_sets": "test"}}, "parameter_sets is a list"),
        ({"role": {"role": "king"}}, "there is no king"),
        ({"role": {"role": "unspecified"}}, "there is no unspecified"),
        ({"role": {"account": "0xzz"}}, "account"),
        ({"role": {"account": 5}}, "account is hexadecimal"),
        # A wrong EIP-55 checksum.
        ({"role": {"account": str(ADMIN.address).swapcase().replace("0X", "0x")}}, "checksum"),
        ({"epoch": {"parties": [5]}}, "epoch.parties is a table"),
    ],
)
def test_what_is_wrong_is_named(values: dict[str, object], words: str) -> None:
    """With its place in the file."""
    with pytest.raises(UsageError) as refused:
        records.fill(config_pb2.Change(), values)
    assert words in refused.value.sentence


def test_assignments_change_what_they_name() -> None:
    """Numbers, switches, texts and lists."""
    record, expected = parameters(), parameters()
    records.assign(
        record,
        ["max_messages=7", "faucet_enabled=off", "parameter_sets=production", "storage_base_url="],
    )
    expected.max_messages, expected.faucet_enabled, expected.storage_base_url = 7, False, ""
    expected.parameter_sets[:] = ["production"]
    assert record == expected
    with pytest.raises(UsageError):
        records.assign(record, ["max_messages"])


def test_files_are_json_or_toml(tmp_path: Path) -> None:
    """By their ending; broken ones and lists are configuration errors."""
    toml, json = tmp_path / "change.toml", tmp_path / "change.json"
    toml.write_text("[quorum]\nrole = 'admin'\nquorum = 2\n")
    json.write_text('{"quorum": {"role": "admin", "quorum": 2}}')
    assert records.read_file(toml) == records.read_file(json)
    for text in ("{", "[]"):
        json.write_text(text)
        with pytest.raises(ConfigError):
            records.read_file(json)


def test_validator_keys_in_both_spellings() -> None:
    """As CometBFT writes them and as we show them."""
    import base64

    key = validator_key(3)
    assert parse_validator_key(key.hex()) == parse_validator_key(base64.b64encode(key).decode())
    for broken in ("", "zz", "11" * 31, "A" * 44):
        with pytest.raises(UsageError):
            parse_validator_key(broken)
