"""Records by field name as people read them: hexadecimal bytes, EIP-55 accounts, enumerations in words."""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from wire.ids import Address

# Fields that hold accounts, wherever they are.
_ACCOUNTS: Final = frozenset(
    {
        "account",
        "accounts",
        "address",
        "approvers",
        "delegates",
        "given_by",
        "granted",
        "owner",
        "proposer",
        "recipient",
        "relayer",
        "requester",
        "sender",
        "user",
        "verifying_contract",
    }
)
_HANDLES: Final = frozenset({"handle", "handles"})


def document(record: Message) -> dict[str, Any]:
    """Fields of a record: numbers and texts always, records and members of a choice where they are set."""
    values: dict[str, Any] = {}
    for field in record.DESCRIPTOR.fields:
        value = getattr(record, field.name)
        if field.is_repeated:
            values[field.name] = [_value(field, item) for item in value]
        elif not field.has_presence or record.HasField(field.name):
            values[field.name] = _value(field, value)
    return values


def label(enum: EnumDescriptor | Any, number: int) -> str:
    """STATUS_FULFILLED as `fulfilled`; a number that this version does not know as its digits."""
    descriptor = getattr(enum, "DESCRIPTOR", enum)
    found = descriptor.values_by_number.get(number)
    if found is None:
        return str(number)
    prefix = descriptor.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return str(found.name.removeprefix(prefix).lower().replace("_", "-"))


def account(raw: bytes) -> str:
    """EIP-55 text of an account; empty where there is none."""
    return Address(raw).checksum if len(raw) == Address.LENGTH else raw.hex()


def _value(field: Any, value: Any) -> Any:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return document(value)
    if field.type == FieldDescriptor.TYPE_ENUM:
        return label(field.enum_type, value)
    if field.type != FieldDescriptor.TYPE_BYTES:
        return value
    if field.name in _ACCOUNTS:
        return account(value)
    return "0x" + value.hex() if field.name in _HANDLES else value.hex()
