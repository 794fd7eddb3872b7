"""Chains of linked headers with changing validator sets, and forks of them by whoever has the keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

import light
from tests.support.light_twin import SECOND, Maker, absent_entry

Json = dict[str, Any]
Powers = Mapping[str, int]


class LinkedChain:
    """Headers made on demand; `powers(height)` is the set that signs, by name."""

    def __init__(
        self, chain_id: str, powers: Callable[[int], Powers], start_ns: int = 1_700_000_000 * SECOND
    ) -> None:
        """Height h is h seconds after the start."""
        self.maker = Maker(chain_id, start_ns)
        self.powers = powers
        self.policy = light.Policy(chain_id, 10**6, 10)
        self.changes: dict[str, Any] = {}
        self.round = 0
        self.signers: Callable[[int], Collection[str] | None] = lambda _height: None
        self._parent: LinkedChain | None = None
        self._first_own = 1
        self._signed: dict[int, Json] = {}

    def fork(self, height: int, **changes: Any) -> LinkedChain:
        """A chain that is this one below `height`; its headers differ by `changes` from there on."""
        other = LinkedChain(self.maker.chain_id, self.powers, self.maker.start_ns)
        other.signers = self.signers
        other.changes = changes
        other._parent = self
        other._first_own = height
        return other

    def validators(self, height: int) -> list[Json]:
        """Set that signs a height."""
        if self._parent is not None and height < self._first_own:
            return self._parent.validators(height)
        return self.maker.validators(**self.powers(height))

    def signed(self, height: int) -> Json:
        """Signed header."""
        if self._parent is not None and height < self._first_own:
            return self._parent.signed(height)
        # From below, so that a long chain is no deep recursion.
        for number in range(self._first_own, height + 1):
            if number not in self._signed:
                self._signed[number] = self._make(number)
        return self._signed[height]

    def block(self, height: int) -> light.LightBlock:
        """What an honest node of this chain serves."""
        own, following = self.validators(height), self._following(height)
        return light.LightBlock(
            encoded(self.signed(height)),
            encoded(own),
            b"" if own == following else encoded(following),
        )

    def verified(self, height: int) -> light.VerifiedBlock:
        """A block that somebody has verified."""
        block = self.block(height)
        return light.VerifiedBlock(light.verify_own(self.policy, block, self.now_ns(height)), block)

    def now_ns(self, height: int) -> int:
        """A clock shortly after a height."""
        return self.maker.start_ns + (height + 1) * SECOND

    def hash(self, height: int) -> bytes:
        """Hash of a header."""
        return bytes.fromhex(self.signed(height)["commit"]["block_id"]["hash"])

    def _following(self, height: int) -> list[Json]:
        """Set that the header of a height announces."""
        if self._parent is not None and height < self._first_own:
            return self._parent._following(height)
        return self.maker.validators(**self.powers(height + 1))

    def _make(self, height: int) -> Json:
        own = self.validators(height)
        header = self.maker.block(height, own, self._following(height))["header"]
        if height > 1:
            before = self.signed(height - 1)["commit"]["block_id"]
            header = {**header, "last_block_id": before}
        signed = self.sign({**header, **self.changes}, own, self.round)
        allowed = self.signers(height)
        if allowed is not None:
            addresses = {
                entry["address"] for entry in self.maker.validators(**dict.fromkeys(allowed, 1))
            }
            signed["commit"]["signatures"] = [
                entry if entry["validator_address"] in addresses else absent_entry()
                for entry in signed["commit"]["signatures"]
            ]
        return signed

    def sign(self, header: Json, validators: list[Json], number: int) -> Json:
        """Commit to a header in a round."""
        return sign_in_round(self.maker, header, validators, number)


def sign_in_round(maker: Maker, header: Json, validators: list[Json], number: int) -> Json:
    """A commit of any round with the keys of all validators."""
    signed = maker.sign(header, validators)
    commit = {**signed["commit"], "round": number}
    entries = [maker.entry(commit, header, validator) for validator in validators]
    return {"header": header, "commit": {**commit, "signatures": entries}}


def encoded(value: object) -> bytes:
    """JSON bytes."""
    return json.dumps(value).encode()


def lead(walk: light.Walk[Any], source: LinkedChain, top: int = 1000) -> tuple[Any, list[int]]:
    """Run a walk against a chain; its result and the heights that it asked for."""
    asked: list[int] = []
    try:
        wanted = next(walk)
        while True:
            asked.append(wanted)
            wanted = walk.send(light.Supplied(source.block(wanted), source.now_ns(top)))
    except StopIteration as done:
        return done.value, asked
