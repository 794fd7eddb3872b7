"""What an operation of the API is: address, parameters and the type of its answer, in one record.

Routes are made of these records and so is the OpenAPI document, so that they cannot say different things.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.datastructures import QueryParams

from edge.explorer.api.schemas import Schema
from edge.serving import ProblemError

MAX_LIMIT: Final = 200
DEFAULT_LIMIT: Final = 50
MAX_HEIGHT: Final = 2**63 - 1
_CURSOR_PATTERN: Final = "^[A-Za-z0-9_-]{1,200}={0,2}$"
_APPLICATION_PATTERN: Final = "^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$"

Values = dict[str, Any]
Read = Callable[[Any, Values], Any | Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; `read` makes a value of its text, after the text has met the schema."""

    name: str
    description: str
    schema: Schema
    read: Callable[[str], Any] = str
    in_path: bool = False
    default: Any = None
    required: bool = False

    def value(self, text: str) -> Any:
        """Value of a text.

        Raises:
            ProblemError: 400, the text does not meet the schema.
        """
        if not _meets(self.schema, text):
            raise ProblemError(400, "malformed parameter", f"{self.name}: {self.description}")
        return self.read(text)


@dataclass(frozen=True, slots=True)
class Operation:
    """A GET address. `listed` is the type of an item where the answer is a page of a list."""

    name: str
    path: str
    summary: str
    answer: Any
    read: Read
    parameters: tuple[Parameter, ...] = ()
    listed: Any = None
    # Seconds for which others may keep the answer without asking again.
    max_age_s: int = 0
    # Whether there may be nothing of that name.
    absent: bool = field(default=False)


def values_of(operation: Operation, path: Mapping[str, Any], query: QueryParams) -> Values:
    """Values of all parameters.

    Raises:
        ProblemError: 400, a parameter is unknown, given twice, missing or malformed.
    """
    known = {parameter.name: parameter for parameter in operation.parameters}
    given = query.multi_items()
    names = [name for name, _ in given]
    for name in names:
        if name not in known or known[name].in_path:
            raise ProblemError(400, "unknown parameter", _listed(known))
        if names.count(name) > 1:
            raise ProblemError(400, "parameter given twice", name[:64])
    texts = dict(given)
    values: Values = {}
    for parameter in operation.parameters:
        text = path.get(parameter.name) if parameter.in_path else texts.get(parameter.name)
        if text is None and parameter.required:
            raise ProblemError(400, "missing parameter", parameter.name)
        values[parameter.name] = parameter.default if text is None else parameter.value(str(text))
    return values


def _listed(known: Mapping[str, Parameter]) -> str:
    names = sorted(name for name, parameter in known.items() if not parameter.in_path)
    return f"known here: {', '.join(names)}" if names else "this address takes none"


def _meets(schema: Schema, text: str) -> bool:
    if schema.get("type") == "integer":
        # No sign, no spaces, no digits of other scripts, no leading zero: one text a number.
        if re.fullmatch("0|[1-9][0-9]{0,18}", text, re.ASCII) is None:
            return False
        return bool(schema["minimum"] <= int(text) <= schema["maximum"])
    if "enum" in schema:
        return text in schema["enum"]
    if len(text) > schema.get("maxLength", MAX_HEIGHT):
        return False
    pattern = schema.get("pattern")
    # `$` also matches before a final line break.
    return pattern is None or (re.search(pattern, text) is not None and not text.endswith("\n"))


def hexadecimal(name: str, count: int, description: str) -> Parameter:
    """Path parameter of `count` bytes; a leading 0x is read over."""
    pattern = f"^(0x)?[0-9a-fA-F]{{{2 * count}}}$"
    return Parameter(
        name,
        description,
        {"type": "string", "pattern": pattern},
        lambda text: bytes.fromhex(text.removeprefix("0x")),
        in_path=True,
        required=True,
    )


def filter_hexadecimal(name: str, count: int, description: str) -> Parameter:
    """Query parameter of `count` bytes; a leading 0x is read over."""
    pattern = f"^(0x)?[0-9a-fA-F]{{{2 * count}}}$"
    return Parameter(
        name,
        description,
        {"type": "string", "pattern": pattern},
        lambda text: bytes.fromhex(text.removeprefix("0x")),
    )


def number(
    name: str, description: str, *, in_path: bool = False, maximum: int = MAX_HEIGHT
) -> Parameter:
    """A whole number from 0."""
    schema = {"type": "integer", "format": "int64", "minimum": 0, "maximum": maximum}
    return Parameter(name, description, schema, int, in_path=in_path, required=in_path)


def one_of(name: str, values: tuple[str, ...], description: str) -> Parameter:
    """Query parameter with one of some words."""
    return Parameter(name, description, {"type": "string", "enum": list(values)})


APPLICATION: Final = Parameter(
    "id",
    "Id of an application: 1 to 64 of a-z 0-9 . _ -",
    {"type": "string", "pattern": _APPLICATION_PATTERN},
    in_path=True,
    required=True,
)
OF_APPLICATION: Final = Parameter(
    "application",
    "Only of this application: 1 to 64 of a-z 0-9 . _ -",
    {"type": "string", "pattern": _APPLICATION_PATTERN},
)
CURSOR: Final = Parameter(
    "cursor",
    "Where to continue: `next` of the page before. Opaque.",
    {"type": "string", "pattern": _CURSOR_PATTERN},
)
LIMIT: Final = Parameter(
    "limit",
    f"At most this many items, 1 to {MAX_LIMIT}.",
    {
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_LIMIT,
        "default": DEFAULT_LIMIT,
    },
    int,
    default=DEFAULT_LIMIT,
)
FORMAT: Final = Parameter(
    "format",
    "json, or csv where the answer is a list.",
    {"type": "string", "enum": ["json", "csv"], "default": "json"},
    default="",
)
PAGE: Final = (CURSOR, LIMIT, FORMAT)
