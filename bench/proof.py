"""What somebody who trusts no node pays: size and checking time of a proof, and of a header."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from typing import Final

import tkms_kernel as kernel

import light
from bench.report import Row, row
from tests.support.light_twin import SECOND, Maker, validators_hash
from wire.pb.tkms.asc.v1 import asc_pb2

_SIZES: Final = {"1e3": 10**3, "1e5": 10**5, "1e6": 10**6}
_PROVEN: Final = 200
_HEADERS: Final = 300
_WARM: Final = 20


def measure() -> list[Row]:
    """`proof.bytes` and `proof.verify_us` of a request's record at three sizes, `proof.header_us`.

    The plain names are those of the largest state.
    """
    rows: list[Row] = []
    for label, size in _SIZES.items():
        sizes, times = _state_proofs(size)
        rows += [
            row(f"proof.bytes.{label}", "bytes", sizes),
            row(f"proof.verify_us.{label}", "us", times),
        ]
    rows += [row("proof.bytes", "bytes", sizes), row("proof.verify_us", "us", times)]
    return [*rows, row("proof.header_us", "us", _headers())]


def _state_proofs(size: int) -> tuple[list[float], list[float]]:
    content = {_key(number): _record(number) for number in range(1, size + 1)}
    root, nodes = kernel.tree_build(0, list(content.items()))
    read = _reader(dict(nodes), content)
    sizes: list[float] = []
    times: list[float] = []
    for step in range(_PROVEN + _WARM):
        key = _key(1 + step * size // (_PROVEN + _WARM))
        proof = kernel.tree_prove(read, 0, key)
        started = time.perf_counter()
        light.verify_value(root, key, content[key], proof)
        elapsed = (time.perf_counter() - started) * 1e6
        if step >= _WARM:
            sizes.append(len(proof))
            times.append(elapsed)
    return sizes, times


def _reader(
    nodes: dict[bytes, bytes], content: dict[bytes, bytes]
) -> Callable[[int, bytes], bytes | None]:
    def read(kind: int, key: bytes) -> bytes | None:
        # Presence needs no preimages of neighbours.
        return {kernel.TREE_NODE: nodes, kernel.TREE_VALUE: content}[kind].get(key)

    return read


def _key(sequence: int) -> bytes:
    return b"asc/log/" + sequence.to_bytes(8, "big")


def _record(sequence: int) -> bytes:
    """A request for one ciphertext, as the chain logs it."""
    digest = hashlib.sha256(sequence.to_bytes(8, "big")).digest()
    return asc_pb2.LogEntry(
        sequence=sequence,
        request_id=digest[:20],
        kind=asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION,
        chain_id="bench-1",
        height=sequence,
        requester=digest[:20],
        epoch_id=1,
        parties=4,
        threshold=1,
        deadline_height=sequence + 1000,
        price=1000,
        application="shop",
        key_id=digest[:20],
    ).SerializeToString(deterministic=True)


def _headers() -> list[float]:
    """One verification of a header by the one before, four validators, all signatures checked."""
    maker = Maker("bench-1")
    validators = maker.validators(a=10, b=10, c=10, d=10)
    policy = light.Policy("bench-1", 10**6, 10)
    encoded = json.dumps(validators).encode()
    blocks = [
        light.LightBlock(json.dumps(maker.block(height, validators)).encode(), encoded)
        for height in range(1, _HEADERS + _WARM + 2)
    ]
    now = maker.start_ns + (_HEADERS + 100) * SECOND
    trusted = light.verify_genesis(policy, validators_hash(validators), blocks[0], now)
    times: list[float] = []
    for block in blocks[1:]:
        started = time.perf_counter()
        trusted = light.verify_next(policy, trusted, block, now)
        times.append((time.perf_counter() - started) * 1e6)
    return times[_WARM:]
