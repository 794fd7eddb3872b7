"""Slices of the parties' pool of preprocessing: given by the chain, each block once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.asc.world import APPLICATION, OWNER, REQUESTER, World, ciphertext, ready_world
from wire.fhe import FheType, Format, pool_blocks
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.reasons import Reason


def _register(world: World, name: str, fhe_type: FheType, form: Format) -> isc_pb2.Ciphertext:
    record = ciphertext(name, world.key_id, fhe_type)
    record.format = form
    application = APPLICATION
    world.send(OWNER, isc_pb2.RegisterCiphertexts(application=application, ciphertexts=[record]))
    public = isc_pb2.SetPublic(application=application, handle=record.handle, allowed=True)
    world.send(OWNER, public)
    return record


@pytest.mark.parametrize(
    ("fhe_type", "blocks"),
    [(FheType.EBOOL, 1), (FheType.EUINT4, 2), (FheType.EUINT64, 32), (FheType.EUINT256, 128)],
)
def test_a_block_holds_two_bits(fhe_type: FheType, blocks: int) -> None:
    """Only ordinary ciphertexts take blocks."""
    assert pool_blocks(fhe_type, Format.SMALL_EXPANDED) == blocks
    assert pool_blocks(fhe_type, Format.SMALL_COMPRESSED) == blocks
    assert pool_blocks(fhe_type, Format.BIG_EXPANDED) == 0
    assert pool_blocks(fhe_type, Format.BIG_COMPRESSED) == 0


_SHAPES = st.lists(
    st.lists(st.tuples(st.sampled_from(FheType), st.sampled_from(Format)), min_size=1, max_size=3),
    min_size=1,
    max_size=6,
)


@given(_SHAPES)
def test_slices_are_adjacent_and_never_overlap(
    requests: list[list[tuple[FheType, Format]]],
) -> None:
    """Every request begins where the last one ended, whatever the batches look like."""
    world = ready_world()
    taken = 0
    for number, shape in enumerate(requests):
        records = [
            _register(world, f"{number}/{index}", fhe_type, form)
            for index, (fhe_type, form) in enumerate(shape)
        ]
        request_id = world.open_public(*records)
        entry = world.entry(request_id)
        assert entry.first_block == taken
        taken += sum(pool_blocks(fhe_type, form) for fhe_type, form in shape)


def test_a_refused_request_takes_no_blocks() -> None:
    """Neither does a squashed ciphertext, and a generation has no slice."""
    world = ready_world()
    first = _register(world, "first", FheType.EUINT8, Format.SMALL_EXPANDED)
    squashed = _register(world, "squashed", FheType.EUINT64, Format.BIG_EXPANDED)
    assert world.refuse(REQUESTER, world.public_request(first), max_fee=0) in {
        Reason.MAX_FEE_EXCEEDED,
        Reason.INSUFFICIENT_FUNDS,
    }
    assert world.entry(world.open_public(squashed)).first_block == 0
    assert world.entry(world.open_public(first)).first_block == 0
    again = world.entry(world.open_public(first))
    assert (again.first_block, again.kind) == (4, asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION)
