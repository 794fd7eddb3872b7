"""The part of CBOR (RFC 8949) that attestation documents use, read strictly.

Rules
1. Definite lengths in their shortest form only, so that a value has one encoding.
2. Integers, byte strings, text, arrays, maps, false, true and null; no tags, floats or undefined.
3. Map keys are integers or text, each once; nesting ends at 8; nothing may follow the value.
4. A length is compared with the bytes that are there before anything is allocated.
"""

from collections.abc import Mapping, Sequence

Value = int | bytes | str | bool | None | Sequence["Value"] | Mapping["int | str", "Value"]

_MAX_DEPTH = 8
_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _SIMPLE = 0, 1, 2, 3, 4, 5, 7
_SIMPLE_VALUES: dict[int, bool | None] = {20: False, 21: True, 22: None}
# Additional information below 24 is the argument; 24 to 27 announce 1, 2, 4 or 8 bytes of it.
_WIDTHS = {24: 1, 25: 2, 26: 4, 27: 8}


class CborError(ValueError):
    """Not one value of the accepted part of CBOR."""


def decode(data: bytes) -> Value:
    """The one value that `data` holds.

    Raises
    ------
    CborError
        Anything outside the rules above.
    """
    value, end = _value(data, 0, 0)
    if end != len(data):
        raise CborError("bytes follow the value")
    return value


def encode(value: Value) -> bytes:
    """Shortest encoding; maps keep the order that they have."""
    if value is None or isinstance(value, bool):
        return bytes([_SIMPLE << 5 | {False: 20, True: 21, None: 22}[value]])
    if isinstance(value, int):
        return _head(_UNSIGNED, value) if value >= 0 else _head(_NEGATIVE, -1 - value)
    if isinstance(value, bytes):
        return _head(_BYTES, len(value)) + value
    if isinstance(value, str):
        text = value.encode()
        return _head(_TEXT, len(text)) + text
    if isinstance(value, Mapping):
        pairs = (encode(key) + encode(item) for key, item in value.items())
        return _head(_MAP, len(value)) + b"".join(pairs)
    return _head(_ARRAY, len(value)) + b"".join(encode(item) for item in value)


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    for information, width in _WIDTHS.items():
        if argument < 1 << 8 * width:
            return bytes([major << 5 | information]) + argument.to_bytes(width, "big")
    raise CborError("an integer has at most 64 bits")


def _value(data: bytes, position: int, depth: int) -> tuple[Value, int]:
    """Value at a position and where it ends."""
    if depth > _MAX_DEPTH:
        raise CborError("nested too deep")
    major, argument, position = _read_head(data, position)
    if major in {_BYTES, _TEXT}:
        content = _take(data, position, argument)
        return content if major == _BYTES else _text(content), position + argument
    if major == _ARRAY:
        return _array(data, position, argument, depth)
    if major == _MAP:
        return _map(data, position, argument, depth)
    return _scalar(major, argument), position


def _scalar(major: int, argument: int) -> int | bool | None:
    if major == _UNSIGNED:
        return argument
    if major == _NEGATIVE:
        return -1 - argument
    if major == _SIMPLE and argument in _SIMPLE_VALUES:
        return _SIMPLE_VALUES[argument]
    raise CborError("a tag, a float or an unknown simple value")


def _read_head(data: bytes, position: int) -> tuple[int, int, int]:
    """Major type, argument and where the content starts."""
    if position >= len(data):
        raise CborError("cut off")
    major, information = data[position] >> 5, data[position] & 0x1F
    position += 1
    if information < 24:
        return major, information, position
    width = _WIDTHS.get(information)
    if width is None or major == _SIMPLE:
        raise CborError("an indefinite length, a float or a reserved form")
    argument = int.from_bytes(_take(data, position, width), "big")
    smallest = 24 if width == 1 else 1 << 4 * width
    if argument < smallest:
        raise CborError("an argument longer than it needs")
    return major, argument, position + width


def _take(data: bytes, position: int, count: int) -> bytes:
    if count > len(data) - position:
        raise CborError("cut off")
    return data[position : position + count]


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise CborError("text that is not UTF-8") from error


def _array(data: bytes, position: int, count: int, depth: int) -> tuple[list[Value], int]:
    if count > len(data) - position:
        raise CborError("cut off")
    items = []
    for _ in range(count):
        item, position = _value(data, position, depth + 1)
        items.append(item)
    return items, position


def _map(data: bytes, position: int, count: int, depth: int) -> tuple[dict[int | str, Value], int]:
    if 2 * count > len(data) - position:
        raise CborError("cut off")
    pairs: dict[int | str, Value] = {}
    for _ in range(count):
        key, position = _value(data, position, depth + 1)
        if isinstance(key, bool) or not isinstance(key, int | str):
            raise CborError("a map key that is neither integer nor text")
        if key in pairs:
            raise CborError("a map key twice")
        pairs[key], position = _value(data, position, depth + 1)
    return pairs, position
