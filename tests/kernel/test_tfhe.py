"""Keys, proven lists, computation and squashing of the kernel."""

from __future__ import annotations

import itertools
import operator
import random
from collections.abc import Callable

import pytest
import tkms_kernel as kernel

from tests.support.kernel_world import (
    BITS,
    BOOL,
    COMPRESSED,
    EXPANDED,
    METADATA,
    ORDINARY,
    UINT4,
    UINT8,
    UINT16,
    UINT64,
    UINT128,
    UINT160,
    World,
    toy_world,
    value_of,
)

OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
COMPARISONS = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})
BOOLEAN_OPERATIONS = frozenset({"and", "or", "xor", "eq", "ne"})


@pytest.fixture(name="world", scope="module")
def fixture_world() -> World:
    """Key set of the toy parameters."""
    return toy_world()


@pytest.fixture(name="proven", scope="module")
def fixture_proven(world: World) -> bytes:
    """Proven list of a bool and a byte."""
    return world.public.encrypt_list([(BOOL, 1), (UINT8, 200)], world.crs, METADATA)


def test_parameter_sets() -> None:
    """The sets have stable names, and only the toy set is insecure."""
    assert kernel.parameter_sets() == ["production", "production-64", "test"]
    infos = {name: kernel.parameter_info(name) for name in kernel.parameter_sets()}
    assert {name: info["secure"] for name, info in infos.items()} == {
        "production": 1,
        "production-64": 1,
        "test": 0,
    }
    production = infos["production"]
    assert production["lwe_dimension"] == 918
    assert production["big_dimension"] == 2048
    assert production["squashed_dimension"] == 4096
    assert production["compressed_squashed_dimension"] == 6144
    assert infos["production-64"] == {
        **production,
        "squashed_dimension": 0,
        "compressed_squashed_dimension": 0,
    }
    with pytest.raises(kernel.InvalidInput):
        kernel.parameter_info("prod")


def test_seed_makes_secret_keys_reproducible() -> None:
    """One seed gives one key, another seed or set another key; short seeds are refused."""
    seed = b"s" * 16
    first = kernel.ClientKey.generate("test", seed)
    again = kernel.ClientKey.generate("test", seed)
    other = kernel.ClientKey.generate("test", b"t" * 16)
    ciphertext = first.encrypt(UINT64, value_of(UINT64))
    assert again.decrypt(ciphertext, UINT64, ORDINARY) == value_of(UINT64)
    assert other.decrypt(ciphertext, UINT64, ORDINARY) != value_of(UINT64)
    for wrong in (b"", b"s" * 15, b"s" * 65):
        with pytest.raises(kernel.InvalidInput):
            kernel.ClientKey.generate("test", wrong)


def test_repr_shows_no_secret(world: World) -> None:
    """The representation of every object is made of public numbers."""
    assert repr(world.client) == 'ClientKey(parameters="test")'
    assert repr(world.server) == 'ServerKey(parameters="test")'
    assert repr(world.public) == 'CompactPublicKey(parameters="test")'
    assert repr(world.crs) == "Crs(max_bits=64)"
    expected = 'KeyShare(parameters="test", parties=4, threshold=1, party=2)'
    assert repr(world.shares[1]) == expected


@pytest.mark.parametrize("fhe_type", range(9))
def test_encrypt_decrypt(world: World, fhe_type: int) -> None:
    """Ordinary ciphertexts of all types decrypt; values that do not fit are refused."""
    top = (1 << BITS[fhe_type]) - 1
    for value in (0, 1, value_of(fhe_type), top):
        ciphertext = world.client.encrypt(fhe_type, value)
        assert world.client.decrypt(ciphertext, fhe_type, ORDINARY) == value
    for value in (-1, top + 1, 1 << 256):
        with pytest.raises(kernel.InvalidInput):
            world.client.encrypt(fhe_type, value)


def test_unknown_types_and_formats(world: World) -> None:
    """Numbers that name no type, and formats that are not read, are refused."""
    ciphertext = world.squash(UINT8, 5, COMPRESSED)
    for fhe_type in (-1, 9, 1 << 40):
        with pytest.raises(kernel.InvalidInput):
            world.client.encrypt(fhe_type, 1)
        with pytest.raises(kernel.InvalidInput):
            kernel.squashed_info(ciphertext, fhe_type, COMPRESSED)
    for form in (-1, 0, ORDINARY, 4):
        with pytest.raises(kernel.InvalidInput):
            kernel.squashed_info(ciphertext, UINT8, form)
    with pytest.raises(kernel.InvalidInput):
        world.client.decrypt(ciphertext, UINT8, 0)


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_binary_on_integers(world: World, operation: str) -> None:
    """Every operation agrees with Python's integers mod 2^bits."""
    generator = random.Random(operation)
    for fhe_type in (UINT4, UINT8, UINT16):
        top = (1 << BITS[fhe_type]) - 1
        pairs = [(generator.randint(0, top), generator.randint(0, top)) for _ in range(2)]
        for left, right in [*pairs, (top, top), (0, top)]:
            kind, result = world.server.binary(
                operation,
                fhe_type,
                world.client.encrypt(fhe_type, left),
                world.client.encrypt(fhe_type, right),
            )
            assert kind == (BOOL if operation in COMPARISONS else fhe_type)
            expected = OPERATIONS[operation](left, right) & top
            assert world.client.decrypt(result, kind, ORDINARY) == expected


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_binary_on_truth_values(world: World, operation: str) -> None:
    """Truth values know five operations; the others are refused."""
    for left, right in itertools.product((0, 1), repeat=2):
        sides = [world.client.encrypt(BOOL, side) for side in (left, right)]
        if operation not in BOOLEAN_OPERATIONS:
            with pytest.raises(kernel.InvalidInput):
                world.server.binary(operation, BOOL, *sides)
            continue
        kind, result = world.server.binary(operation, BOOL, *sides)
        assert kind == BOOL
        assert world.client.decrypt(result, BOOL, ORDINARY) == OPERATIONS[operation](left, right)


def test_unknown_operation(world: World) -> None:
    """An operation that does not exist is refused."""
    side = world.client.encrypt(UINT4, 1)
    with pytest.raises(kernel.InvalidInput):
        world.server.binary("pow", UINT4, side, side)


@pytest.mark.parametrize("fhe_type", [BOOL, UINT4, UINT8, UINT64, UINT160])
def test_select(world: World, fhe_type: int) -> None:
    """The condition picks the left value, its absence the right one."""
    left, right = world.client.encrypt(fhe_type, 1), world.client.encrypt(fhe_type, 0)
    for condition in (0, 1):
        chosen = world.server.select(world.client.encrypt(BOOL, condition), fhe_type, left, right)
        assert world.client.decrypt(chosen, fhe_type, ORDINARY) == condition


def test_server_refuses_other_types(world: World) -> None:
    """A ciphertext of another type, or a squashed one, is no operand."""
    byte, word = world.client.encrypt(UINT8, 1), world.client.encrypt(UINT16, 1)
    for wrong in (word, world.client.encrypt(BOOL, 1), world.squash(UINT8, 1, EXPANDED), b""):
        with pytest.raises(kernel.InvalidInput):
            world.server.binary("add", UINT8, byte, wrong)
        with pytest.raises(kernel.InvalidInput):
            world.server.squash(wrong, UINT8, compressed=True)
        with pytest.raises(kernel.InvalidInput):
            world.server.select(wrong, UINT8, byte, word)


def test_list_with_proof(world: World) -> None:
    """A proven list verifies, expands to its values, and computes further."""
    values = [(UINT16, 40_000), (BOOL, 1), (UINT4, 9), (BOOL, 0), (UINT8, 255)]
    proven_list = world.public.encrypt_list(values, world.crs, METADATA)
    types = kernel.verify_list(proven_list, world.public, world.crs, METADATA)
    assert types == [fhe_type for fhe_type, _ in values]
    items = world.server.expand(proven_list, world.public, world.crs, METADATA)
    decrypted = [(kind, world.client.decrypt(item, kind, ORDINARY)) for kind, item in items]
    assert decrypted == values
    _, total = world.server.binary("add", UINT16, items[0][1], world.client.encrypt(UINT16, 2))
    assert world.client.decrypt(total, UINT16, ORDINARY) == 40_002


def test_other_metadata_is_refused(world: World, proven: bytes) -> None:
    """A list proven for one sender is worthless for another."""
    for metadata in (b"", METADATA + b"!", METADATA[:-1]):
        with pytest.raises(kernel.VerificationFailed):
            kernel.verify_list(proven, world.public, world.crs, metadata)
        with pytest.raises(kernel.VerificationFailed):
            world.server.expand(proven, world.public, world.crs, metadata)


def test_tampered_list_is_refused(world: World, proven: bytes) -> None:
    """Neither the ciphertext nor the proof can be changed."""
    for position in (300, len(proven) // 2, len(proven) - 60):
        changed = bytearray(proven)
        changed[position] ^= 1
        with pytest.raises((kernel.VerificationFailed, kernel.InvalidInput)):
            kernel.verify_list(bytes(changed), world.public, world.crs, METADATA)


def test_list_under_other_key_is_refused(world: World, proven: bytes) -> None:
    """The proof is about one public key."""
    other = kernel.ClientKey.generate("test").compact_public_key()
    with pytest.raises(kernel.VerificationFailed):
        kernel.verify_list(proven, kernel.CompactPublicKey.load(other), world.crs, METADATA)


def test_limits_of_lists(world: World) -> None:
    """Empty lists, values out of range and lists beyond the reference string are refused."""
    wrong = [[], [(UINT8, 256)], [(BOOL, 2)], [(UINT8, -1)], [(9, 0)], [(UINT128, 0)]]
    wrong.append([(UINT64, 0), (BOOL, 0)])
    for values in wrong:
        with pytest.raises(kernel.InvalidInput):
            world.public.encrypt_list(values, world.crs, METADATA)
    with pytest.raises(kernel.InvalidInput):
        world.public.encrypt_list([(BOOL, 1)], world.crs, bytes(kernel.MAX_METADATA + 1))
    for bits in (0, kernel.MAX_LIST_BITS + 1):
        with pytest.raises(kernel.InvalidInput):
            kernel.Crs.generate("test", bits)


def test_reference_string_round_trip(world: World, proven: bytes) -> None:
    """A stored reference string verifies the same lists, checked or known to be checked."""
    stored = world.crs.to_bytes()
    for known in (False, True):
        loaded = kernel.Crs.load(stored, checked=known)
        assert loaded.max_bits == 64
        assert loaded.to_bytes() == stored
        assert kernel.verify_list(proven, world.public, loaded, METADATA) == [BOOL, UINT8]
    with pytest.raises(kernel.InvalidInput):
        kernel.Crs.load(stored[:-1])
    with pytest.raises(kernel.InvalidInput):
        kernel.Crs.load(stored + b"\0")


def test_keys_of_other_kinds_are_refused(world: World) -> None:
    """Each loader takes its own kind of object only."""
    public = world.client.compact_public_key()
    for load in (kernel.ServerKey.load, kernel.Crs.load, kernel.KeyShare.from_bytes):
        with pytest.raises(kernel.InvalidInput):
            load(public)
    with pytest.raises(kernel.InvalidInput):
        kernel.CompactPublicKey.load(world.server_key_bytes)
    renamed = public[:-4] + b"prod"
    with pytest.raises(kernel.InvalidInput):
        kernel.CompactPublicKey.load(renamed)
