"""JSON from outside. The standard parser descends as deep as the text says.

A library that we need raises the interpreter's recursion limit to 100,000, with which nested text
overflows the stack: the process would end instead of the call.
"""

import json
import re
from typing import Any

MAX_DEPTH = 100

_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)


def parse_json(text: bytes | str) -> Any:
    """Value of a JSON text.

    Raises
    ------
    ValueError
        It is no JSON, or nested deeper than `MAX_DEPTH`.
    """
    decoded = text if isinstance(text, str) else text.decode(json.detect_encoding(text))
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(decoded):
        piece = found.group()
        depth += piece in "[{"
        depth -= piece in "]}"
        if depth > MAX_DEPTH:
            raise ValueError(f"JSON is nested deeper than {MAX_DEPTH}")
    return json.loads(decoded)
