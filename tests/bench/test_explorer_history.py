"""The history of the explorer's benchmark is one that the explorer understands."""

from __future__ import annotations

from pathlib import Path

from bench.explorer import _indexed
from bench.explorer_history import APPLICATION, History
from edge.explorer.reader import Reader


def test_a_made_history_is_indexed_whole(tmp_path: Path) -> None:
    """Every request with its answers and its record; the last block's are open."""
    history = History(blocks=10, requests=3)
    assert len(_indexed(tmp_path / "index.db", history)) == 10
    reader = Reader(tmp_path / "index.db")
    head = reader.head()
    assert head is not None
    assert (head.height, head.requests, head.open_requests) == (10, 30, 3)
    found = reader.requests(application=APPLICATION, status="fulfilled", limit=100).items
    assert len(found) == 27
    assert {item.latency_ms for item in found} == {1000}
    request = reader.request(history.names(4)[1])
    assert request is not None
    assert request.audit_sequence == request.summary.sequence == 11
    assert [step.name for step in request.timeline] == [
        "opened",
        "answered",
        "answered",
        "decided",
        "answered",
        "answered",
        "closed",
    ]
    assert [party.answered for party in reader.parties()] == [27] * 4
    reader.close()
