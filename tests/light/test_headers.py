"""Walks of the light client over recorded and made chains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import light
from tests.support import light_twin as twin

VECTORS = Path(__file__).parents[1] / "vectors" / "light"
Json = dict[str, Any]


def encoded(value: object) -> bytes:
    """JSON bytes."""
    return json.dumps(value).encode()


def light_block(
    signed: Json, validators: list[Json], following: list[Json] | None = None
) -> light.LightBlock:
    """A block as a caller hands it in."""
    return light.LightBlock(
        encoded(signed), encoded(validators), encoded(following) if following else b""
    )


def recorded(name: str) -> tuple[light.Policy, list[Json]]:
    """Policy and blocks of a recorded chain."""
    chain = json.loads((VECTORS / f"{name}.json").read_text())
    return light.Policy(chain["chain_id"], 3600, 10), chain["blocks"]


def clock(signed: Json) -> int:
    """One second after a block."""
    return twin.time_ns(signed["header"]["time"]) + twin.SECOND


def start(policy: light.Policy, block: Json) -> light.TrustedHeader:
    """Trust the first block."""
    pinned = twin.validators_hash(block["validators"])
    signed = block["signed_header"]
    return light.verify_genesis(
        policy, pinned, light_block(signed, block["validators"]), clock(signed)
    )


@pytest.mark.parametrize("name", ["one", "four"])
def test_walk_over_a_recorded_chain(name: str) -> None:
    """Next steps lead from the first to the last header, over a change of the validators."""
    policy, blocks = recorded(name)
    trusted = start(policy, blocks[0])
    for block in blocks[1:]:
        signed = block["signed_header"]
        trusted = light.verify_next(
            policy, trusted, light_block(signed, block["validators"]), clock(signed)
        )
        assert trusted.height == int(signed["header"]["height"])
        assert trusted.app_hash.hex().upper() == signed["header"]["app_hash"]
        assert trusted.signed_header == encoded(signed)
    assert trusted.height == 12
    assert trusted.hash.hex().upper() == blocks[-1]["signed_header"]["commit"]["block_id"]["hash"]


def test_skip_over_a_recorded_chain() -> None:
    """One skipping step leads from the first to the last header."""
    policy, blocks = recorded("four")
    last = blocks[-1]
    block = light_block(last["signed_header"], last["validators"])
    trusted = light.verify_next(
        policy, start(policy, blocks[0]), block, clock(last["signed_header"])
    )
    assert trusted.height == 12
    assert trusted.next_validators == encoded(last["validators"])


def test_next_validators_are_kept_only_if_announced() -> None:
    """Where the set changes, the list of the next height is checked against the header."""
    maker = twin.Maker("made")
    old, new = maker.validators(a=1, b=1), maker.validators(c=1, d=1)
    policy = light.Policy("made", 3600, 10)
    signed = maker.block(1, old, new)
    pinned, now = twin.validators_hash(old), clock(maker.block(9, new))
    without = light.verify_genesis(policy, pinned, light_block(signed, old), now)
    given = light.verify_genesis(policy, pinned, light_block(signed, old, new), now)
    assert (without.next_validators, given.next_validators) == (b"", encoded(new))
    with pytest.raises(light.Unverified, match="announces"):
        light.verify_genesis(policy, pinned, light_block(signed, old, old), now)
    following, later = light_block(maker.block(2, new), new), light_block(maker.block(9, new), new)
    assert light.verify_next(policy, without, following, now).height == 2
    assert light.verify_next(policy, given, later, now).height == 9
    with pytest.raises(light.Malformed):
        light.verify_next(policy, without, later, now)


def test_not_enough_trust_is_overcome_by_a_header_between() -> None:
    """A step over too large a change fails by its own error, two smaller steps succeed."""
    maker = twin.Maker("made")
    sets = [
        maker.validators(a=1, b=1, c=1),
        maker.validators(b=1, c=1, d=1),
        maker.validators(d=1, e=1, f=1),
    ]
    sets.insert(2, maker.validators(c=1, d=1, e=1))
    policy = light.Policy("made", 3600, 10)
    signed = [maker.block(10 * n + 1, validators) for n, validators in enumerate(sets)]
    blocks = [light_block(*pair) for pair in zip(signed, sets, strict=True)]
    now = clock(signed[-1])
    trusted = light.verify_genesis(policy, twin.validators_hash(sets[0]), blocks[0], now)
    with pytest.raises(light.NotEnoughTrust):
        light.verify_next(policy, trusted, blocks[3], now)
    for block in blocks[1:]:
        trusted = light.verify_next(policy, trusted, block, now)
    assert trusted.height == 31


def test_refusals_have_their_own_types() -> None:
    """Malformed bytes and unproved headers are told apart; both are light errors."""
    policy, blocks = recorded("one")
    trusted = start(policy, blocks[0])
    block = light_block(blocks[1]["signed_header"], blocks[1]["validators"])
    now = clock(blocks[1]["signed_header"])
    with pytest.raises(light.Malformed):
        light.verify_next(policy, trusted, light.LightBlock(b"{}", block.validators), now)
    with pytest.raises(light.Unverified) as caught:
        light.verify_next(light.Policy("other", 3600, 10), trusted, block, now)
    assert isinstance(caught.value, light.LightError)
    assert not isinstance(caught.value, light.NotEnoughTrust)
    with pytest.raises(light.Unverified, match="trusting period"):
        light.verify_next(policy, trusted, block, now + 3600 * twin.SECOND)
