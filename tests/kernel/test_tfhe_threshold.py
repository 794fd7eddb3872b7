"""Threshold decryption of the kernel: shares, partial decryptions, opening."""

from __future__ import annotations

import itertools

import pytest
import tkms_kernel as kernel

from tests.support.kernel_world import (
    BITS,
    BOOL,
    COMPRESSED,
    EXPANDED,
    INFO,
    METADATA,
    ORDINARY,
    PARTIES,
    SQUASHED_FORMATS,
    THRESHOLD,
    UINT4,
    UINT8,
    UINT16,
    UINT32,
    UINT64,
    UINT160,
    World,
    make_world,
    opened,
    toy_world,
    value_of,
)


@pytest.fixture(name="world", scope="module")
def fixture_world() -> World:
    """Key set of the toy parameters."""
    return toy_world()


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
    ones = sum(int.from_bytes(word, "little").bit_count() for word in words)
    assert abs(ones - len(words) * 64) < 6 * (len(words) * 32) ** 0.5


def test_plaintext_from_blocks() -> None:
    """Blocks recompose from the lowest up; what does not fit the type is refused."""
    assert kernel.plaintext_from_blocks(b"\x0f\x0e", UINT8) == 0xEF
    assert kernel.plaintext_from_blocks(b"\x01", BOOL) == 1
    assert kernel.plaintext_from_blocks(bytes(39) + b"\x0a", UINT160) == 0xA << 156
    for blocks, fhe_type in [
        (b"", BOOL),
        (b"\x01", UINT8),
        (bytes(3), UINT8),
        (bytes(41), UINT160),
    ]:
        with pytest.raises(kernel.InvalidInput):
            kernel.plaintext_from_blocks(blocks, fhe_type)
    for blocks, fhe_type in [(b"\x02", BOOL), (b"\x10", UINT4), (b"\xff\x00", UINT8)]:
        with pytest.raises(kernel.OutOfRange):
            kernel.plaintext_from_blocks(blocks, fhe_type)


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
