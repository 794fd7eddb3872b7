"""Marks of included bodies: the derived ones are a function of the proven ones."""

from __future__ import annotations

import os
from pathlib import Path

from abci_app import replay
from ledger.state import State, is_derived
from tests.support.chain import ALICE, BOB, STRANGER, Chain, message
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.reasons import Reason

PAY = message(transfer=bank_pb2.Transfer(recipient=bytes(STRANGER.address), amount=1))


class Proven:
    """What a snapshot carries: the state without derived keys."""

    def __init__(self, content: dict[bytes, bytes]) -> None:
        self.content = {key: value for key, value in content.items() if not is_derived(key)}

    def get(self, key: bytes) -> bytes | None:
        """Value."""
        return self.content.get(key)

    def iterate(self, prefix: bytes):  # noqa: ANN201 - an iterator of pairs
        """Sorted items."""
        return iter(sorted(i for i in self.content.items() if i[0].startswith(prefix)))


def test_marks_can_be_computed_again(tmp_path: Path) -> None:
    """After transactions of several expiry heights in several blocks, some of them expired."""
    chain = Chain.start(tmp_path)
    for round_ in range(6):
        raws = [chain.build(who, PAY, ttl=ttl) for who in (ALICE, BOB) for ttl in (1, 3, 3, 50)]
        chain.block(*raws)
        content = dict(chain.store.iterate(b""))
        state = State(Proven(content))
        replay.derive(state)
        derived = {key: value for key, value in content.items() if is_derived(key)}
        marks = {key: value for key, value in derived.items() if key.startswith(b"~ante/seen/")}
        assert dict(state.changes()) == marks
        # Two senders; ttl 1 expires with its own block's height, which the next block forgets.
        assert len(marks) == 2 + 4 * min(round_ + 1, 3) + 2 * (round_ + 1)
    chain.close()


def test_one_proven_key_a_block_and_expiry(tmp_path: Path) -> None:
    """However many transactions: the tree has one key more, holding all digests in order."""
    chain = Chain.start(tmp_path)
    raws = [chain.build(ALICE, PAY, ttl=10, nonce=os.urandom(16)) for _ in range(20)]
    chain.block(*raws)
    keys = [key for key, _ in chain.store.iterate(b"ante/")]
    assert keys == [replay.included_key(10, 1)]
    assert len(chain.store.get(keys[0]) or b"") == 20 * 32
    assert all(chain.check(raw).reason is Reason.REPLAYED for raw in raws)
    chain.skip(10)
    assert list(chain.store.iterate(b"ante/")) == []
    assert list(chain.store.iterate(b"~ante/")) == []
    chain.close()
