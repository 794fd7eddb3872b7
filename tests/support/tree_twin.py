"""Slow second opinion on the state tree: the root rule and ICS-23 existence in plain Python."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

EMPTY = b"SPARSE_MERKLE_PLACEHOLDER_HASH__"
LEAF = b"JMT::LeafNode"
INNER = b"JMT::IntrnalNode"
KEY_BITS = 256


def digest(data: bytes) -> bytes:
    """SHA-256."""
    return sha256(data).digest()


def tree_root(content: Mapping[bytes, bytes]) -> bytes:
    """Root of the tree that holds ``content``; independent of any history."""
    leaves = sorted((digest(key), digest(value)) for key, value in content.items())
    return subtree(leaves, 0)


def subtree(leaves: list[tuple[bytes, bytes]], depth: int) -> bytes:
    """Hash of the subtree of ``leaves`` (key hash, value hash), which agree on ``depth`` bits."""
    if not leaves:
        return EMPTY
    if len(leaves) == 1:
        return digest(LEAF + leaves[0][0] + leaves[0][1])
    sides: tuple[list[tuple[bytes, bytes]], ...] = ([], [])
    for leaf in leaves:
        sides[bit(leaf[0], depth)].append(leaf)
    return digest(INNER + subtree(sides[0], depth + 1) + subtree(sides[1], depth + 1))


def bit(key_hash: bytes, depth: int) -> int:
    """Bit ``depth`` of a key hash, the most significant bit of the first byte first."""
    return key_hash[depth // 8] >> (7 - depth % 8) & 1


def existence_holds(proof: bytes, root: bytes, key: bytes, value: bytes) -> bool:
    """Verify an ICS-23 existence proof of this tree."""
    message = parse(proof)
    if 1 not in message:
        return False
    return existence_root(message[1][0], key, value) == root


def absence_neighbours(proof: bytes) -> list[tuple[bytes, bytes, bytes | None]]:
    """Key, value and computed root of each neighbour (left, right) in a non-existence proof."""
    absence = parse(parse(proof)[2][0])
    found = []
    for number in (2, 3):
        for neighbour in absence.get(number, []):
            fields = parse(neighbour)
            key, value = fields[1][0], fields[2][0]
            found.append((key, value, existence_root(neighbour, key, value)))
    return found


def existence_root(proof: bytes, key: bytes, value: bytes) -> bytes | None:
    """Root that an encoded ExistenceProof leads to, or None if it is about something else."""
    fields = parse(proof)
    if fields[1] != [key] or fields[2] != [value]:
        return None
    current = digest(LEAF + digest(key) + digest(value))
    for encoded in fields.get(4, []):
        step = parse(encoded)
        current = digest(step[2][0] + current + step.get(3, [b""])[0])
    return current


def parse(message: bytes) -> dict[int, list[bytes]]:
    """Split a protobuf message into its length-delimited fields; skips varints."""
    fields: dict[int, list[bytes]] = {}
    position = 0
    while position < len(message):
        tag, position = varint(message, position)
        number, position = varint(message, position)
        if tag & 7 == 2:
            fields.setdefault(tag >> 3, []).append(message[position : position + number])
            position += number
    return fields


def varint(message: bytes, position: int) -> tuple[int, int]:
    """Read a varint; returns it and the position behind it."""
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position
