"""The in-process benchmark runs: right values with and without faults, bytes as the protocol says."""

import pytest

from bench.engine_inprocess import FAULTS, VALUES, Cluster, ordinary_key
from mpc.preprocessing import Batch, BatchKind


@pytest.mark.parametrize("fault", FAULTS)
def test_values_and_bytes(fault: str) -> None:
    """One ordinary u8, and bits, with four parties."""
    cluster = Cluster(4, 1, squashed=False)
    kind, value = VALUES["u8"]
    run = cluster.decrypt_ordinary(ordinary_key().encrypt(kind, value), kind, FAULTS[fault])
    assert run.finish() == (value,)
    # The digest and seven openings of four blocks, to three peers.
    assert run.sent_bytes == 3 * (32 + 32 + 1856 + 832 + 448 + 192 + 64 + 32)
    made = cluster.make(Batch(BatchKind.BITS, 64, 1024), b"test", FAULTS[fault])
    assert len(made.finish().opened[0]) == 8 * 1024
    assert 24 * 1024 < made.sent_bytes < (75 if fault == ".one_liar" else 27) * 1024
