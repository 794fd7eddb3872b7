"""Structure-aware changes of protobuf messages: fields take values that mean something, or nothing at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from tests.fuzz.choices import Choices

_INTEGERS = frozenset(
    {
        FieldDescriptor.TYPE_UINT32,
        FieldDescriptor.TYPE_UINT64,
        FieldDescriptor.TYPE_INT32,
        FieldDescriptor.TYPE_INT64,
    }
)
_RANGES = {
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_ENUM: (0, 2**31 - 1),
}
_TEXTS = ("", "shop", "a", "x" * 64, "x" * 300, "ä/\x00", "test", "production", "transfer", "h:1")
# A repeated field grows to this.
_MOST_ITEMS = 40
_DEEPEST = 4


@dataclass
class Dictionary:
    """Byte strings that the chain knows, and numbers near its height."""

    values: Sequence[bytes]
    numbers: Sequence[int]


def mutate(message: Message, choices: Choices, dictionary: Dictionary, depth: int = 0) -> None:
    """Change one field of a message or of a message in it."""
    fields = message.DESCRIPTOR.fields
    if not fields:
        return
    present = [field for field, _ in message.ListFields()]
    nested = [field for field in present if field.message_type is not None]
    if nested and depth < _DEEPEST and choices.chance(180):
        field = choices.pick(nested)
        value = getattr(message, field.name)
        if not field.is_repeated:
            mutate(value, choices, dictionary, depth + 1)
            return
        if choices.chance(170):
            mutate(choices.pick(value), choices, dictionary, depth + 1)
            return
    else:
        field = choices.pick(present if present and choices.chance(180) else fields)
    change(message, field, choices, dictionary, depth)


def change(
    message: Message, field: FieldDescriptor, choices: Choices, dictionary: Dictionary, depth: int
) -> None:
    """Give one field another value, or none."""
    if choices.chance(40):
        message.ClearField(field.name)
    elif field.is_repeated:
        _change_list(getattr(message, field.name), field, choices, dictionary, depth)
    elif field.message_type is not None:
        inner = getattr(message, field.name)
        inner.SetInParent()
        if depth < _DEEPEST:
            mutate(inner, choices, dictionary, depth + 1)
    else:
        setattr(
            message, field.name, scalar(field, getattr(message, field.name), choices, dictionary)
        )


def _change_list(
    items: Any, field: FieldDescriptor, choices: Choices, dictionary: Dictionary, depth: int
) -> None:
    action = choices.below(4)
    if action == 0 and len(items):
        del items[choices.below(len(items))]
    elif action == 1 and len(items):
        # The same twice, the same often.
        again = choices.pick(items)
        for _ in range(1 + choices.below(_MOST_ITEMS - min(_MOST_ITEMS - 1, len(items)))):
            items.append(again)
    elif field.message_type is not None:
        if depth < _DEEPEST:
            mutate(items.add(), choices, dictionary, depth + 1)
    elif len(items) < _MOST_ITEMS:
        items.append(scalar(field, items[-1] if len(items) else None, choices, dictionary))


def scalar(field: FieldDescriptor, old: Any, choices: Choices, dictionary: Dictionary) -> Any:
    """Another value of a field that is no message."""
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _octets(old or b"", choices, dictionary)
    if field.type == FieldDescriptor.TYPE_STRING:
        return choices.pick(_TEXTS)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return not old
    if field.type in _RANGES:
        return _number(field, int(old or 0), choices, dictionary)
    raise TypeError(f"consensus messages have no fields like {field.full_name}")


def _number(field: FieldDescriptor, old: int, choices: Choices, dictionary: Dictionary) -> int:
    low, high = _RANGES[field.type]
    if field.type == FieldDescriptor.TYPE_ENUM:
        return choices.below(12)
    candidate = (
        old + 1,
        old - 1,
        0,
        1,
        choices.byte(),
        choices.pick(dictionary.numbers),
        high,
        high - 1,
        high // 2,
        low,
        choices.bits(64) % (high + 1),
    )[choices.below(11)]
    return max(low, min(high, candidate))


def _octets(old: bytes, choices: Choices, dictionary: Dictionary) -> bytes:
    action = choices.below(6)
    if action == 0:
        return choices.pick(dictionary.values)
    if action == 1 and old:
        changed = bytearray(old)
        changed[choices.below(len(changed))] ^= 1 << choices.below(8)
        return bytes(changed)
    if action == 2:
        return old[:-1]
    if action == 3:
        return old + choices.some(4)
    if action == 4:
        return bytes(choices.pick((0, 1, 20, 32, 33, 65, 300)))
    return choices.some(80)
