"""The encryption part of the kernel: keys, proven lists, computation, squashing, threshold decryption."""

from __future__ import annotations

import hashlib
import itertools
import operator
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from resource import RUSAGE_SELF, getrusage

import pytest
import tkms_kernel as kernel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

BOOL, UINT4, UINT8, UINT16, UINT32, UINT64, UINT128, UINT160, UINT256 = range(9)
BITS = (1, 4, 8, 16, 32, 64, 128, 160, 256)
ORDINARY, COMPRESSED, EXPANDED = 1, 2, 3
SQUASHED_FORMATS = (COMPRESSED, EXPANDED)
METADATA = b"user 1 to contract 2"
INFO = b"key 1, epoch 1, request 1"
PARTIES, THRESHOLD = 4, 1

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

FUZZ = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SLOW_FUZZ = settings(FUZZ, max_examples=15)


@dataclass(frozen=True, slots=True)
class World:
    """One key set with all that is made from it."""

    client: kernel.ClientKey
    server_key_bytes: bytes
    server: kernel.ServerKey
    public: kernel.CompactPublicKey
    crs: kernel.Crs
    shares: list[kernel.KeyShare]
    prss: list[kernel.PrssKeys]

    def squash(self, fhe_type: int, value: int, form: int) -> bytes:
        """Squashed ciphertext of a value."""
        ciphertext = self.client.encrypt(fhe_type, value)
        return self.server.squash(ciphertext, fhe_type, form == COMPRESSED)

    def partials(
        self, ciphertext: bytes, fhe_type: int, form: int, info: bytes = INFO
    ) -> list[tuple[int, bytes]]:
        """Partial decryptions of all parties."""
        pairs = zip(self.shares, self.prss, strict=True)
        return [
            (share.party, share.partial_decrypt(ciphertext, fhe_type, form, prss, info))
            for share, prss in pairs
        ]


def make_world(parameters: str, max_bits: int, crs: kernel.Crs | None = None) -> World:
    """Key set of the given parameters, dealt to four parties."""
    client = kernel.ClientKey.generate(parameters, bytes(range(32)))
    server_key_bytes = client.server_key()
    return World(
        client=client,
        server_key_bytes=server_key_bytes,
        server=kernel.ServerKey.load(server_key_bytes),
        public=kernel.CompactPublicKey.load(client.compact_public_key()),
        crs=crs or kernel.Crs.generate(parameters, max_bits),
        shares=client.deal(PARTIES, THRESHOLD),
        prss=kernel.PrssKeys.deal(PARTIES, THRESHOLD, b"p" * 32),
    )


@pytest.fixture(scope="module")
def crs() -> kernel.Crs:
    """Reference string of the toy parameters; its size is what makes proofs slow."""
    return kernel.Crs.generate("test", 64)


@pytest.fixture(scope="module")
def world(crs: kernel.Crs) -> World:
    """Key set of the toy parameters."""
    return make_world("test", 64, crs)


@pytest.fixture(scope="module")
def proven(world: World) -> bytes:
    """Proven list of a bool and a byte."""
    return world.public.encrypt_list([(BOOL, 1), (UINT8, 200)], world.crs, METADATA)


def value_of(fhe_type: int) -> int:
    """Value with a mixed pattern that fills the type."""
    pattern = int.from_bytes(hashlib.sha256(bytes([fhe_type])).digest(), "big")
    return (pattern | 1 << (BITS[fhe_type] - 1)) & ((1 << BITS[fhe_type]) - 1)


def opened(shares: list[tuple[int, bytes]], fhe_type: int) -> int:
    """Plaintext from partial decryptions, through the ring."""
    result = kernel.online_open(128, PARTIES, THRESHOLD, THRESHOLD, shares, [])
    assert result is not None
    elements, bad = result
    assert bad == []
    blocks = kernel.round_squashed(elements, -(-BITS[fhe_type] // 4), PARTIES, THRESHOLD)
    return kernel.plaintext_from_blocks(blocks, fhe_type)


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
        chosen = world.server.select(
            world.client.encrypt(BOOL, condition), fhe_type, left, right
        )
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


@pytest.mark.parametrize("form", SQUASHED_FORMATS)
@pytest.mark.parametrize("fhe_type", range(9))
def test_threshold_decryption(world: World, fhe_type: int, form: int) -> None:
    """All parties, and any three of four, open every type in both formats."""
    value = value_of(fhe_type)
    ciphertext = world.squash(fhe_type, value, form)
    dimension = 512 if form == COMPRESSED else 256
    blocks = -(-BITS[fhe_type] // 4)
    assert kernel.squashed_info(ciphertext, fhe_type, form) == (blocks, dimension)
    assert world.client.decrypt(ciphertext, fhe_type, form) == value
    shares = world.partials(ciphertext, fhe_type, form)
    assert {len(share) for _, share in shares} == {64 * -(-blocks // 4)}
    assert opened(shares, fhe_type) == value
    for three in itertools.combinations(shares, 3):
        assert opened(list(three), fhe_type) == value


def test_one_wrong_share_is_named(world: World) -> None:
    """A lying party changes nothing and is found."""
    ciphertext = world.squash(UINT64, 77, COMPRESSED)
    shares = world.partials(ciphertext, UINT64, COMPRESSED)
    shares[2] = (3, bytes(64) + shares[2][1][64:])
    result = kernel.online_open(128, PARTIES, THRESHOLD, THRESHOLD, shares, [])
    assert result is not None
    elements, bad = result
    assert bad == [3]
    blocks = kernel.round_squashed(elements, 16, PARTIES, THRESHOLD)
    assert kernel.plaintext_from_blocks(blocks, UINT64) == 77


def test_user_share_layout(world: World) -> None:
    """Clients read block value m as m << 123 from the opened packed elements, lowest block first."""
    assert kernel.USER_SHARE_PACKING_FACTOR == 2
    ciphertext = world.squash(UINT32, 0x89AB_CDEF, COMPRESSED)
    shares = world.partials(ciphertext, UINT32, COMPRESSED)
    result = kernel.online_open(128, PARTIES, THRESHOLD, THRESHOLD, shares, [])
    assert result is not None
    words = [result[0][i : i + 16] for i in range(0, len(result[0]), 16)]
    rounded = [(int.from_bytes(word, "little") + (1 << 122) >> 123) & 15 for word in words]
    assert rounded == [0xF, 0xE, 0xD, 0xC, 0xB, 0xA, 0x9, 0x8]


def test_mask_is_bound_to_request_and_ciphertext(world: World) -> None:
    """The same question gives the same answer; another info or ciphertext gives another mask."""
    first, second = (world.squash(UINT8, 5, COMPRESSED) for _ in range(2))
    answer = world.partials(first, UINT8, COMPRESSED)
    assert world.partials(first, UINT8, COMPRESSED) == answer
    assert world.partials(first, UINT8, COMPRESSED, b"other") != answer
    digests = [kernel.squashed_digest(item, UINT8, COMPRESSED) for item in (first, second)]
    assert digests[0] != digests[1]
    # Shares of two ciphertexts under one info differ by noise AND masks: far above the noise bound.
    results = []
    for ciphertext in (first, second):
        shares = world.partials(ciphertext, UINT8, COMPRESSED)
        result = kernel.online_open(128, PARTIES, THRESHOLD, THRESHOLD, shares, [])
        assert result is not None
        results.append(int.from_bytes(result[0][:16], "little"))
    difference = (results[0] - results[1]) % (1 << 128)
    assert min(difference, (1 << 128) - difference) > 1 << 90


def test_shares_of_two_infos_do_not_open(world: World) -> None:
    """Shares masked for different requests are no shares of anything."""
    ciphertext = world.squash(UINT8, 5, COMPRESSED)
    mine = world.partials(ciphertext, UINT8, COMPRESSED)
    other = world.partials(ciphertext, UINT8, COMPRESSED, b"other request")
    mixed = [*mine[:2], *other[2:]]
    with pytest.raises(kernel.TooManyErrors):
        kernel.online_open(128, PARTIES, THRESHOLD, THRESHOLD, mixed, [])


def test_partial_decryption_refuses(world: World) -> None:
    """Wrong type, format, parameters or PRSS keys are typed refusals."""
    ciphertext = world.squash(UINT8, 5, COMPRESSED)
    share, prss = world.shares[0], world.prss[0]
    for fhe_type, form in [
        (UINT16, COMPRESSED),
        (UINT4, COMPRESSED),
        (UINT8, EXPANDED),
        (UINT8, ORDINARY),
        (UINT8, 0),
    ]:
        with pytest.raises(kernel.InvalidInput):
            share.partial_decrypt(ciphertext, fhe_type, form, prss, INFO)
    with pytest.raises(kernel.InvalidInput):
        share.partial_decrypt(world.squash(BOOL, 1, EXPANDED), UINT4, EXPANDED, prss, INFO)
    with pytest.raises(kernel.InvalidInput):
        share.partial_decrypt(world.squash(BOOL, 1, COMPRESSED), UINT4, COMPRESSED, prss, INFO)
    with pytest.raises(kernel.InvalidInput):
        share.partial_decrypt(ciphertext, UINT8, COMPRESSED, world.prss[1], INFO)
    seven = kernel.PrssKeys.deal(7, 2, b"q" * 32)[0]
    with pytest.raises(kernel.InvalidInput):
        share.partial_decrypt(ciphertext, UINT8, COMPRESSED, seven, INFO)


def test_every_truncation_is_refused(world: World) -> None:
    """No prefix of a squashed ciphertext is one, and nothing may follow it."""
    for form in SQUASHED_FORMATS:
        ciphertext = world.squash(BOOL, 1, form)
        for length in (*range(0, 400), len(ciphertext) - 1):
            with pytest.raises(kernel.InvalidInput):
                kernel.squashed_info(ciphertext[:length], BOOL, form)
        with pytest.raises(kernel.InvalidInput):
            kernel.squashed_info(ciphertext + b"\0", BOOL, form)


def test_key_share_encoding(world: World) -> None:
    """A stored share gives the same answers; any other length or header is refused."""
    share, prss = world.shares[2], world.prss[2]
    stored = share.to_bytes()
    assert len(stored) == 14 + 6 + (256 + 512) * 64 + 256 * 32
    loaded = kernel.KeyShare.from_bytes(stored)
    assert (loaded.parameters, loaded.parties, loaded.threshold, loaded.party) == ("test", 4, 1, 3)
    assert loaded.to_bytes() == stored
    ciphertext = world.squash(UINT8, 5, EXPANDED)
    answers = [
        item.partial_decrypt(ciphertext, UINT8, EXPANDED, prss, INFO) for item in (share, loaded)
    ]
    assert answers[0] == answers[1]
    wrong = [b"", stored[:19], stored[:-1], stored + b"\0", b"T" + stored[1:]]
    for position, value in [(14, 2), (16, 0), (16, 9), (17, 3), (18, 0), (18, 2), (19, 0), (19, 5)]:
        wrong.append(stored[:position] + bytes([value]) + stored[position + 1 :])
    for data in wrong:
        with pytest.raises(kernel.InvalidInput):
            kernel.KeyShare.from_bytes(data)


@pytest.mark.parametrize(("parties", "threshold"), [(4, 0), (4, 2), (3, 1), (16, 5), (0, 0)])
def test_deal_refuses(world: World, parties: int, threshold: int) -> None:
    """Access structures without an honest supermajority are refused."""
    with pytest.raises(kernel.InvalidInput):
        world.client.deal(parties, threshold)


def test_one_share_alone_is_uniform_enough(world: World) -> None:
    """A share does not show the binary key: its words are neither small nor repeated."""
    body = world.shares[0].to_bytes()[20:]
    words = [body[i : i + 16] for i in range(0, 768 * 64, 16)]
    assert len(set(words)) == len(words)
    ones = sum(word.bit_count() for word in map(lambda w: int.from_bytes(w, "little"), words))
    assert abs(ones - len(words) * 64) < 6 * (len(words) * 32) ** 0.5


def test_plaintext_from_blocks() -> None:
    """Blocks recompose from the lowest up; what does not fit the type is refused."""
    assert kernel.plaintext_from_blocks(b"\x0f\x0e", UINT8) == 0xEF
    assert kernel.plaintext_from_blocks(b"\x01", BOOL) == 1
    assert kernel.plaintext_from_blocks(bytes(39) + b"\x0a", UINT160) == 0xA << 156
    for blocks, fhe_type in [(b"", BOOL), (b"\x01", UINT8), (bytes(3), UINT8), (bytes(41), UINT160)]:
        with pytest.raises(kernel.InvalidInput):
            kernel.plaintext_from_blocks(blocks, fhe_type)
    for blocks, fhe_type in [(b"\x02", BOOL), (b"\x10", UINT4), (b"\xff\x00", UINT8)]:
        with pytest.raises(kernel.OutOfRange):
            kernel.plaintext_from_blocks(blocks, fhe_type)


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


def test_production_64_has_no_squashing() -> None:
    """The set without squashing deals the ordinary key only and reads no squashed ciphertext."""
    client = kernel.ClientKey.generate("production-64")
    assert client.decrypt(client.encrypt(UINT64, 99), UINT64, ORDINARY) == 99
    share = client.deal(PARTIES, THRESHOLD)[0]
    assert len(share.to_bytes()) == 20 + 2048 * 32
    prss = kernel.PrssKeys.deal(PARTIES, THRESHOLD, b"p" * 32)[0]
    with pytest.raises(kernel.InvalidInput):
        share.partial_decrypt(b"whatever", UINT64, COMPRESSED, prss, INFO)


@pytest.mark.slow
def test_production_end_to_end() -> None:
    """Production parameters from the proven list to the opened plaintext; minutes, 3.5 GB."""
    world = make_world("production", 256)
    proven_list = world.public.encrypt_list([(UINT8, 200), (BOOL, 1)], world.crs, METADATA)
    items = world.server.expand(proven_list, world.public, world.crs, METADATA)
    _, total = world.server.binary("add", UINT8, items[0][1], world.client.encrypt(UINT8, 100))
    for form in SQUASHED_FORMATS:
        squashed = world.server.squash(total, UINT8, form == COMPRESSED)
        expected = (2, 6144 if form == COMPRESSED else 4096)
        assert kernel.squashed_info(squashed, UINT8, form) == expected
        assert opened(world.partials(squashed, UINT8, form), UINT8) == 44
    truth = world.server.squash(items[1][1], BOOL, compressed=True)
    assert opened(world.partials(truth, BOOL, COMPRESSED), BOOL) == 1
