"""Changes of bytes whose structure the fuzzer does not know, and the bounds that every answer to them keeps."""

from __future__ import annotations

import atexit
import functools
import json
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from tests.fuzz.choices import Choices
from wire.json_text import parse_json

Value = TypeVar("Value")

MOST_SECONDS: Final = 10.0
"""Processor time of one call: far above any, far below what would hurt a core."""

MOST_KILOBYTES: Final = 128 * 1024
"""Growth of the largest memory during one call: inputs are small."""

# Lengths are mostly in front, in eight little-endian bytes.
_HEAD: Final = 400
_NUMBERS: Final = (
    *(b"\xff" * 8, (1 << 40).to_bytes(8, "little"), (1 << 31).to_bytes(8, "little")),
    *(bytes(8), b"\x01" + bytes(7), b"\xff\xff\xff\xff", b"\x80", b"\x7f\xff"),
)


def spoil(good: bytes, choices: Choices, others: Sequence[bytes] = (b"",)) -> bytes:
    """Good bytes, changed in a few places, mixed with others, or replaced by anything."""
    changed = bytearray(good)
    for _ in range(choices.below(4)):
        _change(changed, choices, others)
    return bytes(changed)


def _change(changed: bytearray, choices: Choices, others: Sequence[bytes]) -> None:
    action = choices.below(10)
    place = _place(len(changed), choices)
    if action < 3 and place < len(changed):
        changed[place] ^= 1 << choices.below(8)
    elif action == 3:
        number = choices.pick(_NUMBERS)
        changed[place : place + len(number)] = number
    elif action == 4:
        del changed[place:]
    elif action == 5:
        del changed[place : place + 1 + choices.byte()]
    elif action == 6:
        changed[place:place] = choices.some(40)
    elif action == 7:
        changed += choices.some(40)
    elif action == 8:
        other = choices.pick(others)
        start = _place(len(other), choices)
        size = choices.pick((1, 8, 64, len(other)))
        changed[place : place + size] = other[start : start + size]
    else:
        changed[:] = choices.some(400)


def _place(size: int, choices: Choices) -> int:
    """Somewhere, mostly in the head."""
    if choices.chance(160):
        return choices.below(min(size, _HEAD) + 1)
    return choices.below(65536) * size // 65535


def spoil_json(text: bytes, choices: Choices, others: Sequence[bytes]) -> bytes:
    """JSON with another value somewhere, or spoiled as bytes."""
    if choices.chance(128):
        return spoil(text, choices, others)
    if choices.chance(16):
        return choices.pick((b"[" * 100_000, b'{"a":' * 50_000, b"9" * 10_000, b"1e999", b"NaN"))
    try:
        root = parse_json(text)
    except ValueError:
        return text
    for _ in range(choices.below(3)):
        _change_json(root, choices)
    return json.dumps(root).encode()


def _change_json(node: object, choices: Choices) -> None:
    """Go down some way and put something else there."""
    while isinstance(node, dict | list) and node:
        key: object = choices.pick(list(node) if isinstance(node, dict) else range(len(node)))
        child = node[key]  # type: ignore[call-overload,index]  # a key of the node
        if isinstance(child, dict | list) and child and choices.chance(200):
            node = child
            continue
        strange = (None, 0, -1, 2**63, 2**64, 1.5, "", "0" * 64, "\ud800", [], {}, [[]], True)
        if isinstance(node, list) and choices.chance(60):
            node.append(child)
        else:
            node[key] = choices.pick((*strange, str(child), child))  # type: ignore[call-overload,index]  # as above
        return


@functools.cache
def scratch() -> Path:
    """A folder of this process."""
    folder = tempfile.mkdtemp(prefix="tkms-fuzz-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@contextmanager
def bounded(seconds: float = MOST_SECONDS, kilobytes: int = MOST_KILOBYTES) -> Iterator[None]:
    """What happens inside takes little time and memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    yield
    assert time.process_time() - started < seconds
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < kilobytes


def answer(
    call: Callable[[], Value], typed: type[Exception] | tuple[type[Exception], ...]
) -> Value | None:
    """What a call gives; None where it refuses with one of its documented errors."""
    try:
        return call()
    except typed:
        return None
