"""Target `kernel`: every deserialiser of the kernel that a core gives bytes from outside.

A call returns or raises a documented error: never InternalError, which says that the kernel panicked.
What it takes has one form and the promised size.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final, TypeVar

import tkms_kernel as kernel

from tests.fuzz.choices import Choices
from tests.fuzz.kernel_samples import ADDRESS, LINK, PARTIES, SIGNER, Samples, samples
from tests.fuzz.spoil import answer, bounded, spoil, spoil_json
from tests.support.kernel_world import BOOL, INFO, METADATA, UINT8

Value = TypeVar("Value")
Call = Callable[[Choices, "Samples"], None]

_TYPED: Final = (
    kernel.InvalidInput,
    kernel.VerificationFailed,
    kernel.TooManyErrors,
    kernel.OutOfRange,
)
_CLOCK_NS: Final = 1_900_000_000 * 10**9


def kernel_calls(data: bytes) -> None:
    """One call with bytes of its form that were changed."""
    choices = Choices(data)
    with_samples = samples()
    call = choices.pick(CALLS)
    with bounded():
        call(choices, with_samples)


def _refusable(call: Callable[[], Value]) -> Value | None:
    return answer(call, _TYPED)


# --- ciphertexts and keys


def _ciphertext(choices: Choices, of: Samples, *forms: int) -> tuple[bytes, int, int]:
    """Bytes, type and format, mostly one of some formats."""
    fitting = [key for key in of.ciphertexts if key[0] in forms]
    form, fhe_type = choices.pick(list(of.ciphertexts) if choices.chance(30) else fitting)
    data = spoil(of.ciphertexts[form, fhe_type], choices, of.all_ciphertexts)
    if choices.chance(20):
        fhe_type = choices.pick((*range(-1, 12), 2**31, 2**32 - 1))
    if choices.chance(20):
        form = choices.pick((*range(-1, 6), 2**31, 2**32 - 1))
    return data, fhe_type, form


def _squashed(choices: Choices, of: Samples) -> None:
    data, fhe_type, form = _ciphertext(choices, of, 2, 3)
    share, prss = of.world.shares[0], of.world.prss[0]
    info = _refusable(lambda: kernel.squashed_info(data, fhe_type, form))
    digest = _refusable(lambda: kernel.squashed_digest(data, fhe_type, form))
    partial = _refusable(lambda: share.partial_decrypt(data, fhe_type, form, prss, INFO))
    assert (info is None) == (digest is None)
    if partial is None:
        return
    assert info is not None
    assert digest is not None
    assert len(digest) == 32
    assert len(partial) == 64 * -(-info[0] // 4)


def _ordinary(choices: Choices, of: Samples) -> None:
    data, fhe_type, _ = _ciphertext(choices, of, 1)
    found = _refusable(lambda: kernel.ordinary_info(data, fhe_type))
    blocks = _refusable(lambda: kernel.ordinary_blocks(fhe_type))
    if found is not None:
        assert found[0] == blocks
        assert len(found[1]) == 32
    bits, pairs, triples = _material(blocks or 1)
    rounding = _refusable(
        lambda: kernel.Rounding(of.world.shares[0], [(data, fhe_type)], bits, pairs, triples)
    )
    if rounding is None:
        return
    assert found is not None
    assert len(rounding.message()) == rounding.message_bytes
    while not rounding.last:
        opened = spoil(bytes(rounding.message_bytes), choices)
        _refusable(lambda opened=opened: rounding.advance(opened))  # type: ignore[misc]  # binds now
        if len(opened) != rounding.message_bytes and not choices.left:
            break
    _refusable(lambda: rounding.blocks(spoil(bytes(rounding.message_bytes), choices)))
    _refusable(rounding.lifted)


@functools.cache
def _material(
    blocks: int,
) -> tuple[kernel.Shares, kernel.Shares, tuple[kernel.Shares, kernel.Shares, kernel.Shares]]:
    """Shares of zeros: the right number is all that matters here."""

    def zeros(count: int) -> kernel.Shares:
        return kernel.Shares.from_bytes(64, bytes(32 * blocks * count))

    triple = zeros(kernel.ROUNDING_TRIPLES)
    bits, pairs = zeros(kernel.ROUNDING_BITS), zeros(kernel.ROUNDING_PAIRS)
    return bits, pairs, (triple, triple, triple)


def _computed(choices: Choices, of: Samples) -> None:
    data, fhe_type, _ = _ciphertext(choices, of, 1)
    good = of.ciphertexts[1, UINT8]
    _refusable(lambda: of.world.server.squash(data, fhe_type, choices.chance(128)))
    _refusable(lambda: of.world.server.binary("add", fhe_type, good, data))


def _key_share(choices: Choices, of: Samples) -> None:
    data = spoil(of.world.shares[choices.below(4)].to_bytes(), choices)
    share = _refusable(lambda: kernel.KeyShare.from_bytes(data))
    if share is not None:
        assert share.to_bytes() == data
        assert 1 <= share.party <= share.parties <= 15


def _prss_keys(choices: Choices, of: Samples) -> None:
    data = spoil(of.world.prss[choices.below(4)].to_bytes(), choices)
    keys = _refusable(lambda: kernel.PrssKeys.from_bytes(data))
    if keys is not None:
        assert keys.to_bytes() == data
        assert len(keys.session(INFO).next(64, 0, 1)) == 32


def _vector(choices: Choices, of: Samples) -> None:
    k = choices.pick((64, 128, 0, 32, 2**31))
    data = spoil(of.shared[0], choices)
    shares = _refusable(lambda: kernel.Shares.from_bytes(k, data))
    if shares is not None:
        assert shares.to_bytes() == data


def _public_key(choices: Choices, of: Samples) -> None:
    data = spoil(of.public_key, choices, [of.crs, of.proven])
    key = _refusable(lambda: kernel.CompactPublicKey.load(data))
    if key is not None and choices.chance(40):
        _refusable(lambda: kernel.verify_list(of.proven, key, of.world.crs, METADATA))


def _server_key(choices: Choices, of: Samples) -> None:
    data = spoil(of.world.server_key_bytes, choices, [of.public_key])
    _refusable(lambda: kernel.ServerKey.load(data))


def _reference_string(choices: Choices, of: Samples) -> None:
    data = spoil(of.crs, choices, [of.public_key])
    crs = _refusable(lambda: kernel.Crs.load(data, checked=not choices.chance(16)))
    if crs is not None:
        assert crs.max_bits <= kernel.MAX_LIST_BITS


def _proven_list(choices: Choices, of: Samples) -> None:
    data = spoil(of.proven, choices, [of.crs, of.public_key, of.ciphertexts[1, UINT8]])
    metadata = spoil(METADATA, choices) if choices.chance(40) else METADATA
    world = of.world
    kinds = _refusable(lambda: kernel.verify_list(data, world.public, world.crs, metadata))
    if kinds is not None:
        assert kinds == [BOOL, UINT8]
        assert metadata == METADATA


# --- what peers send


def _contribution(choices: Choices, of: Samples) -> None:
    data = spoil(of.contribution, choices)
    number = choices.pick((0, 2, 65535)) if choices.chance(60) else 1
    state = _refusable(lambda: of.ceremony.accept(number, data))
    assert (state is not None) == (data == of.contribution and number == 1)


def _masked_shares(choices: Choices, of: Samples) -> None:
    world = of.world
    masked = [
        (choices.pick((0, 1, 5, 16)), data)
        if choices.chance(10)
        else (party, spoil(data, choices) if choices.chance(50) else data)
        for party, data in of.masked
        if not choices.chance(20)
    ]
    resharing = _refusable(
        lambda: kernel.Resharing(world.prss[0], INFO, "test", PARTIES, 1, masked)
    )
    if resharing is None:
        return
    syndromes = _refusable(lambda: resharing.syndromes(bytes(32)))
    if syndromes is None:
        return
    wide, narrow = syndromes
    outcome = _refusable(lambda: resharing.finish(spoil(wide, choices), spoil(narrow, choices)))
    if outcome is not None:
        assert outcome[0].party == 1


def _shares_of_opening(choices: Choices, of: Samples) -> None:
    k = choices.pick((64, 64, 128))
    columns = [
        (choices.pick((number, number, number, 0, 1, 9, 16)), spoil(share, choices))
        for number, share in enumerate(of.shared, start=1)
    ]
    bad = [choices.below(6) for _ in range(choices.below(3))]
    found = _refusable(lambda: kernel.online_open(k, PARTIES, 1, 1, columns, bad))
    if found is not None:
        assert len(found[0]) == len(columns[0][1])
    degree, errors = choices.below(4), choices.below(3)
    _refusable(lambda: kernel.decode_shares(k, PARTIES, degree, columns, errors))
    _refusable(lambda: kernel.extract_random(k, columns, choices.below(5)))
    data = columns[0][1]
    _refusable(lambda: kernel.polynomials_at(k, data, choices.below(4), [1, 2, 0]))
    _refusable(lambda: kernel.ring_unpack4(k, data, choices.below(70)))


def _opened(choices: Choices, of: Samples) -> None:
    """Values as they come from an opening."""
    session = of.world.prss[0].session(INFO)
    k = choices.pick((64, 128))
    size = k // 8
    data = spoil(bytes(4 * size), choices)
    if choices.chance(100):
        data = choices.some(200)
    _refusable(lambda: kernel.finish_bits(session, k, 0, data))
    _refusable(lambda: kernel.finish_triples(session, k, 0, data))
    _refusable(lambda: kernel.finish_products(session, k, 0, data))
    blocks = choices.below(10)
    _refusable(lambda: kernel.round_squashed(data, blocks, PARTIES, 1))
    fhe_type = choices.below(10)
    _refusable(lambda: kernel.plaintext_from_blocks(data[:blocks], fhe_type))
    _refusable(lambda: kernel.plaintext_from_ordinary_blocks(data[:blocks], fhe_type))
    access = (PARTIES, 1, choices.below(6))
    sets = [choices.some(40) for _ in range(choices.below(6))]
    kind = choices.pick(("bits", "triples", "products", ""))
    _refusable(lambda: kernel.expected_group_share(k, access, kind, sets, data))


# --- users and the chain


def _user_key(choices: Choices, of: Samples) -> None:
    key = spoil(of.user_keys[0], choices)
    address = spoil(ADDRESS, choices)
    _refusable(lambda: kernel.signcrypt_share(b"share", UINT8, LINK, address, key, SIGNER))


def _sealed_share(choices: Choices, of: Samples) -> None:
    data = spoil(of.sealed, choices)
    opened = _refusable(
        lambda: kernel.open_signcryption(data, LINK, ADDRESS, *of.user_keys, of.verification_key)
    )
    assert (opened is not None) == (data == of.sealed)


def _light_block(choices: Choices, of: Samples) -> None:
    first, second = of.blocks[0], of.blocks[choices.below(len(of.blocks))]
    texts = [*first.values(), *second.values()]
    names = ("signed_header", "validators")
    header, validators = (spoil_json(second[name], choices, texts) for name in names)
    _refusable(lambda: kernel.validators_hash(validators))
    pinned = kernel.validators_hash(first["validators"])
    _refusable(lambda: kernel.light_genesis(of.chain_id, pinned, header, validators, _CLOCK_NS, 10))
    trusted = first["signed_header"]
    period = choices.pick((2**31, 0, 10))
    found = _refusable(
        lambda: kernel.light_verify(
            of.chain_id, trusted, first["validators"], header, validators, period, 10, _CLOCK_NS
        )
    )
    if found is not None:
        assert found["hash"] == _hash_at(of, found["height"])


def _hash_at(of: Samples, height: int) -> bytes:
    """The one hash that the recorded chain has at a height."""
    block = of.blocks[height - 1]
    pinned = kernel.validators_hash(block["validators"])
    header, validators = block["signed_header"], block["validators"]
    return kernel.light_genesis(of.chain_id, pinned, header, validators, _CLOCK_NS, 10)["hash"]


def _proof(choices: Choices, of: Samples) -> None:
    del of
    proof, root = _proven_value()
    data = spoil(proof, choices)
    value = b"value" if not choices.chance(60) else choices.some(10)
    held = _refusable(lambda: (kernel.verify_membership(data, root, b"key 3", value), True))
    assert held is None or value == b"value"
    assert _refusable(lambda: (kernel.verify_non_membership(data, root, b"key 3"), True)) is None


@functools.cache
def _proven_value() -> tuple[bytes, bytes]:
    """A proof and the root of its tree."""
    content = {b"key %d" % number: b"value" for number in range(20)}
    root, nodes = kernel.tree_build(1, list(content.items()))
    store = {(kernel.TREE_NODE, key): value for key, value in nodes}
    store |= {(kernel.TREE_VALUE, key): value for key, value in content.items()}
    proof = kernel.tree_prove(lambda kind, key: store.get((kind, key)), 1, b"key 3")
    return proof, root


def _signatures(choices: Choices, of: Samples) -> None:
    del of
    items = [
        (spoil(bytes(32), choices), spoil(bytes(range(65)), choices))
        for _ in range(choices.below(4))
    ]
    found = kernel.recover_addresses(items)
    assert len(found) == len(items)
    assert all(address is None or len(address) == 20 for address in found)


CALLS: Final[tuple[Call, ...]] = (
    *(_squashed, _ordinary, _squashed, _ordinary, _key_share, _prss_keys, _vector, _public_key),
    *(_server_key, _reference_string, _proven_list, _contribution, _masked_shares, _computed),
    *(_shares_of_opening, _opened, _user_key, _sealed_share, _light_block, _light_block, _proof),
    _signatures,
)
