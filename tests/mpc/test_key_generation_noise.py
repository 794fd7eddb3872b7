"""A20: what the bodies hide is what the formulas say: binary keys, right messages, TUniform noise.

A test may do what no party can: it opens the secret keys from all shares.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import pytest
import tkms_kernel as kernel

from mpc.key_generation import Chunk
from mpc.preprocessing import bit_shares
from tests.mpc.generation_world import World
from tests.mpc.rounding_world import opened_scalars
from tests.support.generation_twin import (
    gadget,
    mask_words,
    phase,
    ring_phases,
    signed,
    words,
)

SIGMAS = 5
"""Deviations that a statistical test lets pass: one in two million wrongly fails; seeds are fixed."""


@functools.cache
def world(parameters: str) -> tuple[World, bytes]:
    """Four parties with keys, and the seed of the masks."""
    made = World(4, 1, parameters)
    return made, made.begin()


@functools.cache
def secrets(parameters: str, batch: int) -> tuple[int, ...]:
    """Bits of a secret batch."""
    made, _ = world(parameters)
    record, name = made.record(batch), made.first.names.batch(batch)
    shares = [bit_shares(keys, name, record) for keys in made.keys]
    bits = opened_scalars(record.batch.bits, 1, shares)
    assert set(bits) <= {0, 1}
    return tuple(bits)


def keys_of(parameters: str) -> dict[str, Sequence[int]]:
    """The secret keys by name."""
    info = kernel.parameter_info(parameters)
    names = {
        "small": info["lwe_dimension"],
        "big": info["big_dimension"],
        "compact": info["public_key_dimension"],
        "squashed": info["squashed_dimension"],
        "compressed": info["compressed_squashed_dimension"],
    }
    if names["squashed"]:
        order = [(0, ("big", "compact")), (1, ("small", "squashed", "compressed"))]
    else:
        order = [(0, ("small", "big", "compact"))]
    keys: dict[str, Sequence[int]] = {}
    for batch, parts in order:
        bits = secrets(parameters, batch)
        for part in parts:
            keys[part], bits = bits[: names[part]], bits[names[part] :]
    return keys


def chunk_of(made: World, part: str) -> Chunk:
    """First chunk of a part."""
    return next(chunk for chunk in made.first.plan.chunks if chunk.part == part)


def is_tuniform(noise: Sequence[int], bound: int) -> None:
    """Range, mean and variance of TUniform(bound)."""
    limit, count = 2**bound, len(noise)
    assert max(map(abs, noise)) <= limit
    # A quarter of the samples in each quarter of the range, about.
    assert max(noise) > limit / 2
    assert min(noise) < -limit / 2
    variance = (2 ** (2 * bound + 1) + 1) / 6
    assert abs(sum(noise) / count) < SIGMAS * math.sqrt(variance / count)
    # The fourth moment of a uniform number is 9/5 of the variance squared.
    spread = variance * math.sqrt(0.8 / count)
    assert abs(sum(e * e for e in noise) / count - variance) < SIGMAS * spread


def test_keys_are_binary_and_balanced() -> None:
    """A weight far from the half, or a key that repeats another, would be a weak or a wrong key."""
    keys = keys_of("production-64")
    assert {name: len(key) for name, key in keys.items() if key} == {
        "small": 918,
        "big": 2048,
        "compact": 2048,
    }
    for key in keys.values():
        if key:
            assert abs(sum(key) - len(key) / 2) < SIGMAS * math.sqrt(len(key)) / 2
    pairs = zip(keys["big"], keys["compact"], strict=True)
    equal = sum(one == other for one, other in pairs)
    assert abs(equal - 1024) < SIGMAS * math.sqrt(2048) / 2


def test_the_share_is_of_the_key_that_encrypts() -> None:
    """The key share holds the big key, bit for bit."""
    made, _ = world("production-64")
    columns = []
    for number, generation in enumerate(made.generations, start=1):
        share = generation._kernel.key_share().to_bytes()
        columns.append((number, share[-2048 * 32 :]))
    values = words(kernel.decode_shares(64, 4, 1, columns, 0)[0], 64)
    assert tuple(values[::4]) == tuple(keys_of("production-64")["big"])


def test_noise_of_the_key_switch() -> None:
    """Messages are the input bits at four levels; noise is TUniform(45), 5,000 samples."""
    made, seed = world("production-64")
    keys, chunk = keys_of("production-64"), chunk_of(made, "key-switch")
    bodies, masks = words(made.open(chunk), 64), mask_words("key-switch", seed, 64, 0, 918 * 5000)
    noise = []
    for row in range(5000):
        message = keys["big"][row // 4] * gadget(64, 4, 4 - row % 4)
        hidden = phase(bodies[row], masks[918 * row : 918 * (row + 1)], keys["small"], 64)
        noise.append(signed(hidden - message, 64))
    is_tuniform(noise, 45)


def test_noise_of_the_public_key_and_the_bootstrap() -> None:
    """One ring row each: zero under the reversed key, a bit times the key; TUniform(17)."""
    made, seed = world("production-64")
    keys = keys_of("production-64")
    bodies = words(made.open(chunk_of(made, "public-key")), 64)
    masks = mask_words("public-key", seed, 64, 0, 2048)
    hidden = ring_phases(bodies, masks, keys["compact"][::-1], 64)
    is_tuniform([signed(word, 64) for word in hidden], 17)

    bodies = words(made.open(chunk_of(made, "bootstrap")), 64)
    # The third unit: its row with minus bit times key, and its last row.
    for row, unit in ((4, 2), (5, 2)):
        masks = mask_words("bootstrap", seed, 64, 2048 * row, 2048)
        hidden = ring_phases(bodies[2048 * row : 2048 * (row + 1)], masks, keys["big"], 64)
        bit, factor = keys["small"][unit], gadget(64, 23, 1)
        message = [-bit * s * factor for s in keys["big"]]
        if row == 5:
            message = [bit * factor] + [0] * 2047
        noise = [signed(h - m, 64) for h, m in zip(hidden, message, strict=True)]
        is_tuniform(noise, 17)


def test_wide_parts_of_the_toy_set() -> None:
    """Squashing and packing on 128 bits: noise TUniform(0) and TUniform(3) around the right messages."""
    made, seed = world("test")
    keys = keys_of("test")
    bodies = words(made.open(chunk_of(made, "squashing")), 128)
    noise = []
    for row in range(4):
        masks = mask_words("squashing", seed, 128, 256 * row, 256)
        hidden = ring_phases(bodies[256 * row : 256 * (row + 1)], masks, keys["squashed"], 128)
        bit, factor = keys["small"][0], gadget(128, 33, 2 - row // 2)
        message = [-bit * s * factor for s in keys["squashed"]]
        if row % 2:
            message = [bit * factor] + [0] * 255
        noise += [signed(h - m, 128) for h, m in zip(hidden, message, strict=True)]
    is_tuniform(noise, 0)
    ends = sum(e != 0 for e in noise)
    assert abs(ends - len(noise) / 2) < SIGMAS * math.sqrt(len(noise)) / 2

    bodies = words(made.open(chunk_of(made, "packing")), 128)
    noise = []
    for row in range(20):
        masks = mask_words("packing", seed, 128, 512 * row, 512)
        hidden = ring_phases(bodies[256 * row : 256 * (row + 1)], masks, keys["compressed"], 128)
        message = [keys["squashed"][row // 2] * gadget(128, 41, 2 - row % 2)] + [0] * 255
        noise += [signed(h - m, 128) for h, m in zip(hidden, message, strict=True)]
    is_tuniform(noise, 3)
    ends = sum(abs(e) == 8 for e in noise)
    assert abs(ends - len(noise) / 16) < SIGMAS * math.sqrt(len(noise) / 16)


@pytest.mark.slow
def test_squashing_with_production_parameters() -> None:
    """Two polynomials and three levels: what the toy set does not have."""
    made, seed = world("production")
    keys = keys_of("production")
    chunk = next(c for c in made.first.plan.chunks[1:] if c.part == "squashing")
    bodies = words(made.open(chunk), 128)
    bit, noise = keys["small"][0], []
    for row in (1, 4, 8):
        masks = mask_words("squashing", seed, 128, 4096 * row, 4096)
        own = bodies[2048 * row : 2048 * (row + 1)]
        hidden = ring_phases(own, masks, keys["squashed"], 128)
        factor, column = gadget(128, 24, 3 - row // 3), row % 3
        half = keys["squashed"][2048 * column : 2048 * (column + 1)]
        message = [-bit * s * factor for s in half] or [bit * factor] + [0] * 2047
        noise += [signed(h - m, 128) for h, m in zip(hidden, message, strict=True)]
    is_tuniform(noise, 30)
