"""Hostile bytes: whatever arrives, the kernel answers or refuses, and stays small."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from resource import RUSAGE_SELF, getrusage

import pytest
import tkms_kernel as kernel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.kernel_world import (
    BOOL,
    INFO,
    METADATA,
    ORDINARY,
    SQUASHED_FORMATS,
    UINT8,
    World,
    toy_world,
)

FUZZ = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SLOW_FUZZ = settings(FUZZ, max_examples=15)


@pytest.fixture(name="world", scope="module")
def fixture_world() -> World:
    """Key set of the toy parameters."""
    return toy_world()


@pytest.fixture(name="proven", scope="module")
def fixture_proven(world: World) -> bytes:
    """Proven list of a bool and a byte."""
    return world.public.encrypt_list([(BOOL, 1), (UINT8, 200)], world.crs, METADATA)


def mutations(data: bytes) -> Iterator[bytes]:
    """Announced lengths beyond all memory, in each of the first places where one may stand."""
    for position in range(0, min(len(data), 420), 4):
        for huge in (b"\xff" * 8, (1 << 40).to_bytes(8, "little"), (1 << 31).to_bytes(8, "little")):
            yield data[:position] + huge + data[position + 8 :]


def spoiled(data: bytes, draw: st.DataObject) -> bytes:
    """Bytes with bits flipped, cut off, lengthened or replaced."""
    kind = draw.draw(st.sampled_from(["flip", "head", "cut", "extend", "replace", "random"]))
    if kind in {"flip", "head"}:
        end = len(data) if kind == "flip" else min(len(data), 400)
        spots = draw.draw(st.lists(st.integers(0, 8 * end - 1), min_size=1, max_size=4))
        changed = bytearray(data)
        for spot in spots:
            changed[spot // 8] ^= 1 << spot % 8
        return bytes(changed)
    if kind == "cut":
        return data[: draw.draw(st.integers(0, len(data) - 1))]
    if kind == "extend":
        return data + draw.draw(st.binary(min_size=1, max_size=32))
    if kind == "replace":
        start = draw.draw(st.integers(0, min(len(data), 600)))
        block = draw.draw(st.binary(min_size=1, max_size=16))
        return data[:start] + block + data[start + len(block) :]
    return draw.draw(st.binary(max_size=300))


def survives(call: Callable[[], object]) -> bool:
    """Whether a call worked; it may refuse, but never fail inside."""
    try:
        call()
    except kernel.InternalError:
        raise
    except kernel.KernelError:
        return False
    return True


def test_every_truncation_is_refused(world: World) -> None:
    """No prefix of a squashed ciphertext is one, and nothing may follow it."""
    for form in SQUASHED_FORMATS:
        ciphertext = world.squash(BOOL, 1, form)
        for length in (*range(400), len(ciphertext) - 1):
            with pytest.raises(kernel.InvalidInput):
                kernel.squashed_info(ciphertext[:length], BOOL, form)
        with pytest.raises(kernel.InvalidInput):
            kernel.squashed_info(ciphertext + b"\0", BOOL, form)


@pytest.mark.parametrize("form", SQUASHED_FORMATS)
def test_huge_announced_lengths(world: World, form: int) -> None:
    """Lengths beyond all memory are refused without being believed."""
    ciphertext = world.squash(UINT8, 5, form)
    before = getrusage(RUSAGE_SELF).ru_maxrss
    share, prss = world.shares[0], world.prss[0]
    for data in mutations(ciphertext):
        survives(lambda data=data: share.partial_decrypt(data, UINT8, form, prss, INFO))
    ordinary = world.client.encrypt(UINT8, 5)
    for data in mutations(ordinary):
        survives(lambda data=data: world.server.squash(data, UINT8, compressed=True))
    assert getrusage(RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # kilobytes


@pytest.mark.parametrize("form", SQUASHED_FORMATS)
@FUZZ
@given(draw=st.data())
def test_fuzz_squashed(world: World, form: int, draw: st.DataObject) -> None:
    """A spoiled squashed ciphertext gives a share of the right length or a refusal."""
    data = spoiled(squashed_byte(world, form), draw)
    share, prss = world.shares[0], world.prss[0]
    try:
        answer = share.partial_decrypt(data, UINT8, form, prss, INFO)
    except kernel.InternalError:
        raise
    except kernel.KernelError:
        return
    assert len(answer) == 64


SQUASHED_BYTES: dict[int, bytes] = {}


def squashed_byte(world: World, form: int) -> bytes:
    """Squashed ciphertext of a byte, made once a format."""
    if form not in SQUASHED_BYTES:
        SQUASHED_BYTES[form] = world.squash(UINT8, 5, form)
    return SQUASHED_BYTES[form]


@FUZZ
@given(draw=st.data())
def test_fuzz_oracle(world: World, draw: st.DataObject) -> None:
    """The test oracle survives the same."""
    form = draw.draw(st.sampled_from(SQUASHED_FORMATS))
    data = spoiled(squashed_byte(world, form), draw)
    survives(lambda: world.client.decrypt(data, UINT8, form))


@FUZZ
@given(draw=st.data())
def test_fuzz_ordinary(world: World, draw: st.DataObject) -> None:
    """A spoiled ordinary ciphertext computes to something or is refused."""
    good = world.client.encrypt(UINT8, 5)
    data = spoiled(good, draw)
    survives(lambda: world.server.binary("add", UINT8, good, data))
    survives(lambda: world.server.squash(data, UINT8, compressed=True))
    survives(lambda: world.client.decrypt(data, UINT8, ORDINARY))
    survives(lambda: world.server.binary("and", BOOL, data, data))


@SLOW_FUZZ
@given(draw=st.data())
def test_fuzz_proven_list(world: World, proven: bytes, draw: st.DataObject) -> None:
    """A spoiled proven list is never accepted with other bytes of ciphertext or proof."""
    data = spoiled(proven, draw)
    survives(lambda: kernel.verify_list(data, world.public, world.crs, METADATA))


@SLOW_FUZZ
@given(draw=st.data())
def test_fuzz_keys(world: World, draw: st.DataObject) -> None:
    """Spoiled keys are refused or load; they never bring the process down."""
    public = spoiled(world.client.compact_public_key(), draw)
    survives(lambda: kernel.CompactPublicKey.load(public))
    server = spoiled(world.server_key_bytes, draw)
    survives(lambda: kernel.ServerKey.load(server))
    share = spoiled(world.shares[0].to_bytes(), draw)
    survives(lambda: kernel.KeyShare.from_bytes(share))
    reference = spoiled(world.crs.to_bytes(), draw)
    survives(lambda: kernel.Crs.load(reference, checked=True))
