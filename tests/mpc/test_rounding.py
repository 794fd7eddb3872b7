"""Decryption of ordinary ciphertexts: right values, any t faults, the same bytes again."""

import random
from collections import Counter
from collections.abc import Callable, Sequence

import pytest
import tkms_kernel as kernel
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc.errors import UsageError
from mpc.exchange import Exchange, Setting, Steps
from mpc.rounding import OrdinaryCiphertext, blocks_of, decrypt_for_user, decrypt_publicly
from mpc.session import AbortReason
from tests.mpc.network import LIARS, Envelope, Network, in_rounds, noise
from tests.mpc.rounding_world import SETTINGS, client_key, key_shares, materials
from tests.support.kernel_world import (
    BOOL,
    UINT4,
    UINT8,
    UINT64,
    UINT256,
    toy_world,
    value_of,
)
from wire.ids import PartyId

REQUEST = ((BOOL, 1), (UINT8, 0xA7), (UINT4, 6))


def ciphertexts(request: tuple[tuple[int, int], ...] = REQUEST) -> list[OrdinaryCiphertext]:
    """Encryptions of typed values."""
    return [
        OrdinaryCiphertext(client_key().encrypt(fhe_type, value), fhe_type)
        for fhe_type, value in request
    ]


def decrypting(
    parties: int, threshold: int, items: list[OrdinaryCiphertext]
) -> Callable[[Setting], Steps[tuple[int, ...]]]:
    """Protocol of a public decryption with fresh material."""
    blocks = blocks_of([item.fhe_type for item in items])
    ready = materials(parties, threshold, blocks)
    keys = key_shares(parties, threshold)

    def protocol(setting: Setting) -> Steps[tuple[int, ...]]:
        own = setting.party - 1
        return decrypt_publicly(setting, keys[own], items, ready[own])

    return protocol


@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
@pytest.mark.parametrize("name", ["none", *LIARS])
def test_values_are_right_with_t_faults(parties: int, threshold: int, name: str) -> None:
    """Every honest party ends with the values, in eight rounds, without a timer, and can be replayed."""
    liars = {PartyId(p): LIARS[name] for p in range(1, threshold + 1)} if name != "none" else {}
    protocol = decrypting(parties, threshold, ciphertexts())
    network = Network(parties, threshold, protocol, 3, liars).run()
    expected = tuple(value for _, value in REQUEST)
    assert network.values() == [expected] * (parties - len(liars))
    assert network.timeouts == 0
    for party in network.honest:
        assert network.outcomes[party].round == 1 + kernel.ROUNDING_OPENINGS
        assert network.outcomes[party].blamed <= set(liars)
    network.replay(network.honest[0])


def test_all_types_and_sums_of_ciphertexts() -> None:
    """Full-width values of each type, and a ciphertext that was computed."""
    world = toy_world()
    for fhe_type in (BOOL, UINT4, UINT64, UINT256):
        value = value_of(fhe_type)
        items = [OrdinaryCiphertext(world.client.encrypt(fhe_type, value), fhe_type)]
        network = Network(4, 1, decrypting_with(world.shares, items)).run()
        assert network.values() == [(value,)] * 4
    left, right = (world.client.encrypt(UINT8, value) for value in (200, 99))
    kind, total = world.server.binary("add", UINT8, left, right)
    network = Network(4, 1, decrypting_with(world.shares, [OrdinaryCiphertext(total, kind)])).run()
    assert network.values() == [(43,)] * 4


def decrypting_with(
    keys: Sequence[kernel.KeyShare], items: Sequence[OrdinaryCiphertext]
) -> Callable[[Setting], Steps[tuple[int, ...]]]:
    """Public decryption under other keys than the usual ones."""
    ready = materials(4, 1, blocks_of([item.fhe_type for item in items]))
    return lambda setting: decrypt_publicly(
        setting, keys[setting.party - 1], items, ready[setting.party - 1]
    )


def answering(
    parties: int, threshold: int, items: Sequence[OrdinaryCiphertext]
) -> Callable[[Setting], Steps[tuple[bytes, ...]]]:
    """Protocol of a user decryption."""
    ready = materials(parties, threshold, blocks_of([item.fhe_type for item in items]))
    keys = key_shares(parties, threshold)
    return lambda setting: decrypt_for_user(
        setting, keys[setting.party - 1], items, ready[setting.party - 1]
    )


@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
def test_a13_user_shares_open_as_those_of_squashed_ciphertexts(
    parties: int, threshold: int
) -> None:
    """Block value m as m << 123, two bits a block; every number of answers and of wrong ones.

    From m answers with e wrong ones, a value comes only if 2t + 1 agree; with all answers and at most
    t + 1 wrong ones never a wrong value.
    """
    request = ((UINT8, 0xA7), (UINT4, 6))
    network = Network(parties, threshold, answering(parties, threshold, ciphertexts(request))).run()
    answers = [answer for answer in network.values() if answer is not None]
    for place, (fhe_type, value) in enumerate(request):
        shares = [(party, answer[place]) for party, answer in enumerate(answers, start=1)]
        expected = [value >> 2 * i & 3 for i in range(kernel.ordinary_blocks(fhe_type))]
        for received in range(threshold + 1, parties + 1):
            for wrong in range(threshold + 2):
                taken = shares[:received]
                for index in range(min(wrong, received)):
                    party, share = taken[index]
                    taken[index] = (party, bytes([share[0] ^ 1, *share[1:-1], share[-1] ^ 8]))
                opened = open_answers(parties, threshold, taken)
                agree = received - min(wrong, received)
                if opened is not None:
                    assert agree >= 2 * threshold + 1 or received < parties
                    assert opened == lifted(expected)
                elif wrong == 0:
                    assert received < 2 * threshold + 1


def open_answers(parties: int, threshold: int, shares: list[tuple[int, bytes]]) -> bytes | None:
    """What a client does with the answers it has."""
    try:
        opened = kernel.online_open(128, parties, threshold, threshold, shares, [])
    except kernel.TooManyErrors:
        return None
    return None if opened is None else opened[0]


def lifted(blocks: Sequence[int]) -> bytes:
    """Packed elements of block values as clients read them."""
    padded = [*blocks, *[0] * (-len(blocks) % 4)]
    return b"".join((m << 123).to_bytes(16, "little") for m in padded)


@pytest.mark.parametrize("split", [1, 2, 3])
def test_a8_parties_with_different_ciphertexts_send_nothing_of_their_keys(split: int) -> None:
    """Some honest parties are shown another ciphertext for one slice of the pool: at most one side speaks.

    With three on a side those three end with their value; the others, and everybody when the sides
    are two and two, send a digest and nothing else.
    """
    ready, keys = materials(4, 1, 4), key_shares(4, 1)
    two = [ciphertexts(((UINT8, value),)) for value in (1, 2)]

    def protocol(setting: Setting) -> Steps[tuple[int, ...]]:
        own = setting.party - 1
        return decrypt_publicly(setting, keys[own], two[own >= split], ready[own])

    network = Network(4, 1, protocol).run()
    sides = {1: (range(2, 5), (1,)), 2: ((), (1, 2, 3, 4)), 3: (range(1, 4), (4,))}
    speaking, mute = sides[split]
    for party, outcome in network.outcomes.items():
        if party in mute:
            assert not outcome.done
            assert outcome.aborted is not None
            assert outcome.aborted.reason is AbortReason.DIFFERENT_CIPHERTEXTS
            assert network.sent_bytes[party] == 3 * 32
        else:
            assert party in speaking
            assert outcome.value == ((2,) if split == 1 else (1,))
            assert outcome.blamed <= set(mute)


def test_a8_a_liar_cannot_make_both_sides_speak() -> None:
    """Two honest parties here, one there, the corrupt one tells each what it wants to hear."""
    ready, keys = materials(4, 1, 4), key_shares(4, 1)
    two = [ciphertexts(((UINT8, value),)) for value in (1, 2)]

    def protocol(setting: Setting) -> Steps[tuple[int, ...]]:
        own = setting.party - 1
        return decrypt_publicly(setting, keys[own], two[own == 2], ready[own])

    digests = {}
    for party in (1, 3):
        exchange = next(protocol(Setting(4, 1, PartyId(party))))
        assert isinstance(exchange, Exchange)
        digests[party] = exchange.sends[PartyId(2)]
    assert len(digests[1]) == len(digests[3]) == 32
    assert digests[1] != digests[3]

    def liar(_: random.Random, envelope: Envelope) -> bytes:
        if envelope.round == 0:
            return digests[3 if envelope.recipient == 3 else 1]
        return envelope.payload

    network = Network(4, 1, protocol, liars={PartyId(4): liar}).run()
    assert network.outcomes[PartyId(3)].aborted is not None
    assert network.sent_bytes[PartyId(3)] == 3 * 32
    assert network.outcomes[PartyId(1)].value == network.outcomes[PartyId(2)].value == (1,)


@pytest.mark.parametrize("number", range(1, 1 + kernel.ROUNDING_OPENINGS))
@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
def test_liars_in_one_opening_are_named_and_not_heard_again(
    parties: int, threshold: int, number: int
) -> None:
    """T parties send noise in one opening: named by all who saw it, and the values are right."""
    liars = {PartyId(p): in_rounds(noise, number) for p in range(1, threshold + 1)}
    protocol = decrypting(parties, threshold, ciphertexts())
    network = Network(parties, threshold, protocol, number, liars).run()
    assert network.values() == [tuple(value for _, value in REQUEST)] * (parties - threshold)
    assert all(network.outcomes[party].blamed <= set(liars) for party in network.honest)


def test_too_many_liars_give_no_value() -> None:
    """Two of four send noise: outside the model, and said so instead of a value."""
    liars = {PartyId(p): noise for p in (1, 2)}
    network = Network(4, 1, decrypting(4, 1, ciphertexts()), liars=liars).run()
    for party in network.honest:
        outcome = network.outcomes[party]
        assert not outcome.done
        assert outcome.aborted is not None


def words_at(ciphertext: bytes) -> tuple[int, int]:
    """Place and number of the words (mask, then body) of the only block of a boolean ciphertext."""
    length = kernel.parameter_info("test")["big_dimension"] + 1
    place = ciphertext.index(length.to_bytes(8, "little")) + 8
    return place, length


def with_words(ciphertext: bytes, words: list[int]) -> bytes:
    """The ciphertext with other words."""
    place, length = words_at(ciphertext)
    assert len(words) == length
    data = b"".join((word % 2**64).to_bytes(8, "little") for word in words)
    return ciphertext[:place] + data + ciphertext[place + len(data) :]


def decrypted(ciphertext: bytes, fhe_type: int = BOOL) -> tuple[int, ...] | AbortReason:
    """What the parties get from one ciphertext."""
    items = [OrdinaryCiphertext(ciphertext, fhe_type)]
    network = Network(4, 1, decrypting(4, 1, items)).run()
    outcomes = list(network.outcomes.values())
    first = outcomes[0]
    assert all(outcome.value == first.value for outcome in outcomes)
    if first.aborted is not None:
        return first.aborted.reason
    assert first.value is not None
    return first.value


def test_a12_a_made_up_ciphertext_shows_the_secret_key() -> None:
    """Mask -Delta at one place, body 0: the plaintext is a bit of the key. Why provenance is checked."""
    genuine = client_key().encrypt(BOOL, 1)
    _, length = words_at(genuine)
    shown = []
    for place in range(24):
        query = with_words(genuine, [-(2**59) * (i == place) for i in range(length)])
        bit = decrypted(query)
        assert bit == (client_key().decrypt(query, BOOL, 1),)
        shown += bit
    assert set(shown) == {0, 1}


def test_a10_a_phase_beyond_the_message_gives_no_value() -> None:
    """Carry bits, the padding bit, a negative message: a malformed ciphertext, never a plaintext."""
    genuine = client_key().encrypt(BOOL, 1)
    _, length = words_at(genuine)
    for phase in (2 << 59, 4 << 59, 15 << 59, 16 << 59, -(2**59), (1 << 59) + (1 << 58)):
        body = with_words(genuine, [0] * (length - 1) + [phase])
        assert decrypted(body) is AbortReason.PLAINTEXT_OUT_OF_RANGE
    for phase, value in ((0, 0), ((1 << 59) + (1 << 58) - 1, 1), (-(2**58), 0)):
        assert decrypted(with_words(genuine, [0] * (length - 1) + [phase])) == (value,)


def test_a11_ciphertexts_that_do_not_fit_are_refused_before_anything_is_sent() -> None:
    """Other types, formats, parameters, lengths; unclean carries; material for other blocks."""
    ready, key = materials(4, 1, 4)[0], key_shares(4, 1)[0]
    genuine = client_key().encrypt(UINT8, 77)
    setting = Setting(4, 1, PartyId(1))
    foreign = kernel.ClientKey.generate("production-64", bytes(32)).encrypt(UINT8, 1)
    squashed = toy_world().squash(UINT8, 77, 3)
    degree = (3).to_bytes(8, "little")
    unclean = genuine.replace(degree, (5).to_bytes(8, "little"))
    assert unclean != genuine
    bad = (
        [(data, UINT8) for data in (b"", foreign, squashed, unclean, genuine[:-1], genuine + b"\0")]
        + [(genuine, UINT4), (genuine, UINT64), (genuine, 9), (genuine, -1)]
        + [(genuine[: len(genuine) // 2], UINT8)]
    )
    for data, fhe_type in bad:
        with pytest.raises((UsageError, kernel.InvalidInput)):
            next(decrypt_publicly(setting, key, [OrdinaryCiphertext(data, fhe_type)], ready))
    with pytest.raises(UsageError):
        next(decrypt_publicly(setting, key, [], ready))
    with pytest.raises(UsageError, match="material"):
        next(decrypt_publicly(setting, key, ciphertexts(((UINT4, 1),)), ready))


@settings(max_examples=150)
@given(st.lists(st.tuples(st.integers(0, 2**20), st.integers(1, 255)), min_size=1, max_size=4))
def test_a11_flipped_bytes_never_crash(changes: list[tuple[int, int]]) -> None:
    """Any bytes changed anywhere: a rounding begins or a typed error comes."""
    data = bytearray(client_key().encrypt(UINT8, 77))
    for place, change in changes:
        # Half of the changes hit the first bytes, where the structure is.
        data[place % (400 if place % 2 else len(data))] ^= change
    material = materials(4, 1, 4)[0]
    try:
        kernel.Rounding(
            key_shares(4, 1)[0],
            [(bytes(data), UINT8)],
            material.bits,
            material.pairs,
            material.triples,
        )
    except kernel.InvalidInput:
        return


def test_what_is_opened_first_is_uniform_and_independent_of_the_key() -> None:
    """C = p + r of many blocks: the top bits, the low bits and the sign of the noise are fair."""
    blocks = 512
    values = [(UINT256, 0)] * (blocks // 128)
    items = ciphertexts(tuple(values))
    ready, keys = materials(4, 1, blocks), key_shares(4, 1)
    typed = [(item.data, item.fhe_type) for item in items]
    messages = []
    for party in range(4):
        own = ready[party]
        rounding = kernel.Rounding(keys[party], typed, own.bits, own.pairs, own.triples)
        messages.append((party + 1, rounding.message()))
    opened, _ = kernel.decode_shares(64, 4, 1, messages, 0)
    words = [int.from_bytes(opened[i : i + 8], "little") for i in range(0, len(opened), 8)]
    assert len(set(words)) == blocks
    for shift in range(0, 64, 8):
        counts = Counter(word >> shift & 15 for word in words)
        # Chi-squared with 15 degrees of freedom: 65 is a chance of 3 in 100 million.
        assert sum((counts[i] - blocks / 16) ** 2 / (blocks / 16) for i in range(16)) < 65


def test_the_rounding_refuses_calls_out_of_order() -> None:
    """Too early, too late, other lengths, padding that is not zero."""
    material, key = materials(4, 1, 4)[0], key_shares(4, 1)[0]
    data = client_key().encrypt(UINT8, 1)

    def begin() -> kernel.Rounding:
        columns = (material.bits, material.pairs, material.triples)
        return kernel.Rounding(key, [(data, UINT8)], *columns)

    rounding = begin()
    for call in (rounding.lifted, lambda: rounding.blocks(bytes(32))):
        with pytest.raises(kernel.InvalidInput):
            call()
    with pytest.raises(kernel.InvalidInput):
        rounding.advance(bytes(64))
    assert rounding.message_bytes == len(rounding.message()) == 32
    while not rounding.last:
        rounding.advance(bytes(rounding.message_bytes))
    with pytest.raises(kernel.InvalidInput):
        rounding.advance(bytes(32))
    with pytest.raises(kernel.VerificationFailed):
        rounding.blocks(b"\1" + bytes(31))
    assert rounding.blocks(bytes(32)) == [bytes(4)]
    assert "1" in repr(begin())
    columns = (material.bits.part(0, 255), material.pairs, material.triples)
    with pytest.raises(kernel.InvalidInput):
        kernel.Rounding(key, [(data, UINT8)], *columns)
    with pytest.raises(kernel.InvalidInput):
        kernel.Rounding(key, [], *columns)
