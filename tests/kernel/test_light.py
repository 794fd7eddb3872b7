"""Header verification of the kernel on recorded chains: nothing altered is believed."""

from __future__ import annotations

import base64
import copy
import random
from collections.abc import Callable
from typing import Any

import pytest
import tkms_kernel as kernel

from tests.support import light_twin as twin
from tests.support.light_check import DRIFT, HOUR, encoded, genesis, just_after, load, verify

Json = dict[str, Any]
CHAINS = ["one", "four"]
HEADER_HASHES = [
    "last_commit_hash",
    "data_hash",
    "validators_hash",
    "next_validators_hash",
    "consensus_hash",
    "app_hash",
    "last_results_hash",
    "evidence_hash",
    "proposer_address",
]


@pytest.mark.parametrize("name", CHAINS)
def test_recorded_chain_is_accepted(name: str) -> None:
    """Every header of a real chain is accepted: first, next, and skipping from each to each."""
    chain_id, blocks = load(name)
    first = blocks[0]
    pinned = kernel.validators_hash(encoded(first["validators"]))
    assert genesis(
        chain_id,
        pinned,
        first["signed_header"],
        first["validators"],
        just_after(first["signed_header"]),
    )
    for start, trusted in enumerate(blocks[:-1]):
        known = blocks[start + 1]["validators"]
        for block in blocks[start + 1 :]:
            signed = block["signed_header"]
            rules = twin.Rules(chain_id, just_after(signed))
            facts = verify(rules, trusted["signed_header"], known, signed, block["validators"])
            assert facts is not None
            assert_facts(facts, signed)


def assert_facts(facts: kernel.HeaderFacts, signed: Json) -> None:
    """The facts are those of the header."""
    header = signed["header"]
    expected: Json = {
        name: bytes.fromhex(header[name])
        for name in (
            "app_hash",
            "validators_hash",
            "next_validators_hash",
            "last_results_hash",
            "data_hash",
        )
    }
    expected |= {
        "height": int(header["height"]),
        "time_ns": twin.time_ns(header["time"]),
        "hash": twin.header_hash(header),
    }
    assert facts == expected


def test_record_holds_a_changed_set_and_absent_votes() -> None:
    """The recorded chain of four exercises what it was recorded for."""
    _, blocks = load("four")
    assert len({block["signed_header"]["header"]["validators_hash"] for block in blocks}) == 2
    flags = {e["block_id_flag"] for b in blocks for e in b["signed_header"]["commit"]["signatures"]}
    assert flags >= {twin.ABSENT, twin.COMMIT}


@pytest.mark.parametrize("name", CHAINS)
def test_next_height_needs_no_list_of_known_validators(name: str) -> None:
    """For the next height the announced hash is enough; a skipping step needs the list."""
    chain_id, blocks = load(name)
    trusted, following, later = (block["signed_header"] for block in blocks[4:7])

    def call(signed: Json, validators: list[Json]) -> kernel.HeaderFacts:
        return kernel.light_verify(
            chain_id,
            encoded(trusted),
            b"",
            encoded(signed),
            encoded(validators),
            HOUR,
            DRIFT,
            just_after(signed),
        )

    assert call(following, blocks[5]["validators"])["height"] == 6
    with pytest.raises(kernel.InvalidInput):
        call(later, blocks[6]["validators"])


def flip_hex(text: str) -> str:
    """Change one bit of a hexadecimal string; an empty one becomes some hash."""
    if not text:
        return "AA" * 32
    return f"{int(text[0], 16) ^ 1:X}{text[1:]}"


def mutations(signed: Json) -> list[tuple[str, Callable[[Json], None]]]:
    """Named single changes of a signed header."""

    def header_field(name: str, value: object) -> tuple[str, Callable[[Json], None]]:
        return name, lambda s: s["header"].__setitem__(name, value)

    header = signed["header"]
    found = [header_field(name, flip_hex(header[name])) for name in HEADER_HASHES]
    found += [
        header_field("chain_id", "another-chain"),
        header_field("height", str(int(header["height"]) + 1)),
        header_field("time", twin.time_text(twin.time_ns(header["time"]) + 1)),
        header_field("version", {"block": "12"}),
        header_field("version", {"block": "11", "app": "77"}),
        (
            "last block",
            lambda s: s["header"]["last_block_id"].__setitem__(
                "hash", flip_hex(header["last_block_id"]["hash"])
            ),
        ),
        ("last parts", lambda s: s["header"]["last_block_id"]["parts"].__setitem__("total", 9)),
        (
            "commit height",
            lambda s: s["commit"].__setitem__("height", str(int(header["height"]) + 1)),
        ),
        ("round", lambda s: s["commit"].__setitem__("round", s["commit"]["round"] + 1)),
        (
            "block hash",
            lambda s: s["commit"]["block_id"].__setitem__(
                "hash", flip_hex(s["commit"]["block_id"]["hash"])
            ),
        ),
        (
            "parts hash",
            lambda s: s["commit"]["block_id"]["parts"].__setitem__(
                "hash", flip_hex(s["commit"]["block_id"]["parts"]["hash"])
            ),
        ),
        ("extra vote", lambda s: s["commit"]["signatures"].append(twin.absent_entry())),
        ("repeated vote", lambda s: s["commit"]["signatures"].append(s["commit"]["signatures"][0])),
        (
            "no votes",
            lambda s: s["commit"].__setitem__(
                "signatures", [twin.absent_entry() for _ in s["commit"]["signatures"]]
            ),
        ),
    ]
    return found


def is_refused(
    rules: twin.Rules, trusted: Json, known: list[Json], signed: Json, validators: list[Json]
) -> bool:
    """Whether the kernel refuses, as unverified or already as malformed."""
    try:
        return verify(rules, trusted, known, signed, validators) is None
    except kernel.InvalidInput:
        return True


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("distance", [1, 5])
def test_no_changed_field_is_accepted(name: str, distance: int) -> None:
    """Each single change of a header or commit is refused, in next and in skipping steps."""
    chain_id, blocks = load(name)
    trusted, block = blocks[5], blocks[5 + distance]
    known, validators = blocks[6]["validators"], block["validators"]
    rules = twin.Rules(chain_id, just_after(block["signed_header"]))
    arguments = (rules, trusted["signed_header"], known)
    for what, change in mutations(block["signed_header"]):
        signed = copy.deepcopy(block["signed_header"])
        change(signed)
        assert signed != block["signed_header"], what
        assert is_refused(*arguments, signed, validators), what
    assert not is_refused(*arguments, block["signed_header"], validators)


@pytest.mark.parametrize("name", CHAINS)
def test_every_wrong_vote_is_refused(name: str) -> None:
    """A changed signature, vote time or signer of any validator is refused, also beyond two thirds."""
    chain_id, blocks = load(name)
    trusted, block = blocks[5], blocks[6]
    rules = twin.Rules(chain_id, just_after(block["signed_header"]))
    for index in range(len(block["validators"])):
        for what in ("signature", "timestamp", "validator_address"):
            signed = copy.deepcopy(block["signed_header"])
            entry = signed["commit"]["signatures"][index]
            if what == "signature":
                raw = bytearray(base64.b64decode(entry["signature"]))
                raw[40] ^= 1
                entry["signature"] = base64.b64encode(raw).decode()
            elif what == "timestamp":
                entry["timestamp"] = twin.time_text(twin.time_ns(entry["timestamp"]) + 1)
            else:
                entry["validator_address"] = flip_hex(entry["validator_address"])
            assert (
                verify(
                    rules,
                    trusted["signed_header"],
                    blocks[6]["validators"],
                    signed,
                    block["validators"],
                )
                is None
            )


def test_changed_validator_lists_are_refused() -> None:
    """Another power, order, number or address of validators is refused."""
    chain_id, blocks = load("four")
    trusted, block = blocks[8]["signed_header"], blocks[9]
    rules = twin.Rules(chain_id, just_after(block["signed_header"]))
    good = block["validators"]
    swapped_addresses = copy.deepcopy(good)
    swapped_addresses[1]["address"], swapped_addresses[2]["address"] = (
        good[2]["address"],
        good[1]["address"],
    )
    more_power = copy.deepcopy(good)
    more_power[0]["voting_power"] = "3"
    for validators in (
        good[::-1],
        good[:1] + good[2:0:-1] + good[3:],
        good[:3],
        [*good, good[3]],
        swapped_addresses,
        more_power,
    ):
        assert verify(rules, trusted, good, block["signed_header"], validators) is None
    assert verify(rules, trusted, good, block["signed_header"], good)


def test_malformed_validator_lists_have_no_hash() -> None:
    """Only a list in canonical order, of different validators with their own addresses, is hashed."""
    maker = twin.Maker("made")
    good = maker.validators(a=3, b=2, c=2)
    assert kernel.validators_hash(encoded(good)) == twin.validators_hash(good)
    wrong_address = [good[0], good[1] | {"address": good[0]["address"]}, good[2]]
    powerless = [*good, maker.validator("d", 0)]
    for validators in (
        good[::-1],
        [good[0], good[2], good[1]],
        [*good, good[2]],
        wrong_address,
        powerless,
    ):
        with pytest.raises(kernel.VerificationFailed):
            kernel.validators_hash(encoded(validators))


def test_wrong_chain_or_pin_is_refused() -> None:
    """A block of another chain, or signed by another than the pinned set, is no start."""
    chain_id, blocks = load("four")
    signed, validators = blocks[0]["signed_header"], blocks[0]["validators"]
    pinned = twin.validators_hash(validators)
    now = just_after(signed)
    assert genesis(chain_id, pinned, signed, validators, now)
    assert genesis("another-chain", pinned, signed, validators, now) is None
    assert genesis(chain_id, bytes(32), signed, validators, now) is None
    for what, change in mutations(signed):
        forged = copy.deepcopy(signed)
        change(forged)
        try:
            assert genesis(chain_id, pinned, forged, validators, now) is None, what
        except kernel.InvalidInput:
            continue


def test_made_headers_have_the_hash_of_the_twin() -> None:
    """Header hash and vote bytes of the twin are those of the kernel, also for unusual values."""
    maker = twin.Maker("made")
    validators = maker.validators(a=2**40, b=3)
    signed = maker.block(2**32, validators)
    header = signed["header"] | {"app_hash": "", "data_hash": "", "time": "2030-01-02T03:04:05Z"}
    signed = maker.sign(header, validators)
    facts = kernel.light_genesis(
        "made",
        twin.validators_hash(validators),
        encoded(signed),
        encoded(validators),
        just_after(signed),
        DRIFT,
    )
    assert facts["hash"] == twin.header_hash(header)
    assert (facts["app_hash"], facts["data_hash"]) == (b"", b"")


@pytest.mark.parametrize(
    "text",
    [b"", b"{}", b"[]", b"null", b"[1]", b"\xff", b'{"header":{},"commit":{}}', b"[" * 100_000],
)
def test_malformed_json_is_invalid_input(text: bytes) -> None:
    """Text that no node serves is refused as such, whatever its depth."""
    chain_id, blocks = load("one")
    signed, validators = encoded(blocks[0]["signed_header"]), encoded(blocks[0]["validators"])
    with pytest.raises(kernel.InvalidInput):
        kernel.light_genesis(chain_id, bytes(32), text, validators, 0, DRIFT)
    with pytest.raises(kernel.InvalidInput):
        kernel.light_genesis(chain_id, bytes(32), signed, text, 0, DRIFT)
    with pytest.raises(kernel.InvalidInput):
        kernel.validators_hash(text)


def test_damaged_text_is_refused_or_says_the_same() -> None:
    """Random damage of the JSON never panics, and is accepted only in what no header hash covers."""
    chain_id, blocks = load("four")
    rng = random.Random(7)
    block = blocks[6]
    texts = [encoded(block["signed_header"]), encoded(block["validators"])]
    trusted, known = encoded(blocks[5]["signed_header"]), texts[1]

    def call(signed: bytes, validators: bytes) -> kernel.HeaderFacts:
        now = just_after(block["signed_header"])
        return kernel.light_verify(chain_id, trusted, known, signed, validators, HOUR, DRIFT, now)

    facts = call(*texts)
    refused = 0
    for _ in range(600):
        damaged = [bytearray(text) for text in texts]
        text = damaged[rng.randrange(2)]
        position = rng.randrange(len(text))
        if rng.random() < 0.5:
            text[position] ^= 1 << rng.randrange(8)
        else:
            text[position : position + rng.randrange(3)] = rng.choice([b"", b"=", b"0", b"A"])
        try:
            assert call(bytes(damaged[0]), bytes(damaged[1])) == facts
        except (kernel.InvalidInput, kernel.VerificationFailed):
            refused += 1
    assert refused > 400


@pytest.mark.parametrize("padding", ["==", "=", "", "A=", "AA", "===", "=A"])
def test_signature_and_key_text_is_checked(padding: str) -> None:
    """Base64 of another length or padding is malformed, for signatures and keys."""
    chain_id, blocks = load("one")
    signed = copy.deepcopy(blocks[0]["signed_header"])
    validators = copy.deepcopy(blocks[0]["validators"])
    entry, key = signed["commit"]["signatures"][0], validators[0]["pub_key"]
    entry["signature"] = entry["signature"].rstrip("=") + padding
    if padding != "==":
        with pytest.raises(kernel.InvalidInput):
            kernel.light_genesis(
                chain_id, bytes(32), encoded(signed), encoded(validators), just_after(signed), DRIFT
            )
    key["value"] = key["value"].rstrip("=") + padding
    if padding != "=":
        with pytest.raises(kernel.InvalidInput):
            kernel.validators_hash(encoded(validators))
