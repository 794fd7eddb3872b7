"""Protobuf records as people read them: hexadecimal bytes, EIP-55 addresses, enum names."""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from wire.ids import Address

# Fields of these names are accounts wherever they appear.
_ADDRESSES = {
    "account",
    "requester",
    "sender",
    "recipient",
    "owner",
    "user",
    "given_by",
    "verifying_contract",
    "address",
    "granted",
    "delegates",
    "accounts",
}
# Longer bytes are shown by their beginning in text and whole in JSON.
_LONGEST_SHOWN = 64


def document(message: Message) -> dict[str, Any]:
    """Return all set fields of a record; empty ones too where they mean something (numbers)."""
    values: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.is_repeated:
            values[field.name] = [_value(field, item) for item in value]
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            if message.HasField(field.name):
                values[field.name] = document(value)
        elif (
            field.containing_oneof is None
            or message.WhichOneof(field.containing_oneof.name) == field.name
        ):
            values[field.name] = _value(field, value)
    return values


def message_document(message: Any) -> dict[str, Any]:
    """Return a transaction's message as {kind: fields}."""
    kind = message.WhichOneof("kind")
    return {kind: document(getattr(message, kind))}


def enum_label(name: str, prefix: str) -> str:
    """Return STATUS_FULFILLED as `fulfilled`."""
    return name.removeprefix(prefix).lower().replace("_", "-")


def _value(field: Any, value: Any) -> Any:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        return document(value)
    if field.type == FieldDescriptor.TYPE_BYTES:
        if field.name in _ADDRESSES and len(value) == Address.LENGTH:
            return Address(value).checksum
        return ("0x" if field.name == "handle" else "") + value.hex()
    if field.type == FieldDescriptor.TYPE_ENUM and field.enum_type is not None:
        entry = field.enum_type.values_by_number.get(value)
        if entry is None:
            return value
        first = field.enum_type.values_by_number[0].name.removesuffix("UNSPECIFIED")
        return enum_label(entry.name, first)
    return value
