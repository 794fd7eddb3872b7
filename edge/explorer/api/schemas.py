"""One walk over the explorer's frozen dataclasses: to JSON values, and to the JSON Schema of those values.

Bytes become lower-case hexadecimal without a prefix, enumerations their value, tuples arrays. What both
functions say of a type must be the same; a test holds every answer of the API against its schema.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Final

Schema = dict[str, Any]

_COMPONENT: Final = "#/components/schemas/"
_MAX_INT: Final = 2**64 - 1
_PLAIN: Final[dict[type, Schema]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": _MAX_INT},
    float: {"type": "number"},
    bytes: {"type": "string", "pattern": "^([0-9a-f]{2})*$"},
    types.NoneType: {"type": "null"},
}


def json_of(value: Any) -> Any:
    """JSON value of a dataclass, or of what its fields hold."""
    if isinstance(value, enum.Enum):
        return value.value
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {str(json_of(key)): json_of(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: json_of(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    return [json_of(item) for item in value]


class Components:
    """Named schemas, collected while types are described."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {}

    def of(self, kind: Any) -> Schema:
        """Schema of a type; dataclasses become components and are referred to."""
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin in (typing.Union, types.UnionType):
            return {"anyOf": [self.of(argument) for argument in arguments]}
        if isinstance(origin, type):
            return self._generic(kind, origin, arguments)
        if isinstance(kind, typing.NewType):
            return self.of(kind.__supertype__)
        return self._plain(kind)

    def _plain(self, kind: Any) -> Schema:
        if kind is Any:
            return {}
        if kind in _PLAIN:
            return dict(_PLAIN[kind])
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            return {"enum": [member.value for member in kind]}
        if dataclasses.is_dataclass(kind):
            return self._component(kind, getattr(kind, "__name__", ""), {})
        raise TypeError(f"{kind!r} has no JSON form here")

    def _generic(self, kind: Any, origin: type, arguments: tuple[Any, ...]) -> Schema:
        if dataclasses.is_dataclass(origin):
            names = {
                str(variable): argument
                for variable, argument in zip(
                    getattr(origin, "__parameters__", ()), arguments, strict=True
                )
            }
            named = "".join(getattr(argument, "__name__", "") for argument in arguments)
            return self._component(origin, named + origin.__name__, names)
        if issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.of(arguments[1])}
        if origin is tuple and arguments[-1] is not Ellipsis:
            return {
                "type": "array",
                "prefixItems": [self.of(argument) for argument in arguments],
                "items": False,
                "minItems": len(arguments),
            }
        if issubclass(origin, Sequence):
            return {"type": "array", "items": self.of(arguments[0])}
        raise TypeError(f"{kind!r} has no JSON form here")

    def _component(self, kind: Any, name: str, names: Mapping[str, Any]) -> Schema:
        if name not in self.schemas:
            self.schemas[name] = {}
            hints = typing.get_type_hints(kind)
            fields = [field.name for field in dataclasses.fields(kind)]
            properties = {field: self.of(_filled(hints[field], names)) for field in fields}
            self.schemas[name] = {
                "type": "object",
                "description": (kind.__doc__ or "").strip().split("\n")[0],
                "properties": properties,
                "required": fields,
                "additionalProperties": False,
            }
        return {"$ref": _COMPONENT + name}


def _filled(hint: Any, names: Mapping[str, Any]) -> Any:
    """Type with its variables replaced."""
    if isinstance(hint, typing.TypeVar):
        return names[str(hint)]
    arguments = typing.get_args(hint)
    if names and any(isinstance(argument, typing.TypeVar) for argument in arguments):
        return hint[tuple(names[str(argument)] for argument in hint.__parameters__)]
    return hint
