"""State sync: this node offers no snapshots and takes none, and says so in the protocol's words."""

from __future__ import annotations

from wire.pb.tkms.comet.v1 import abci_pb2


def list_snapshots(_request: abci_pb2.RequestListSnapshots) -> abci_pb2.ResponseListSnapshots:
    """None is offered."""
    return abci_pb2.ResponseListSnapshots()


def offer_snapshot(_request: abci_pb2.RequestOfferSnapshot) -> abci_pb2.ResponseOfferSnapshot:
    """Stop the engine's attempt: no snapshot of any peer can be restored."""
    return abci_pb2.ResponseOfferSnapshot(result=abci_pb2.OFFER_SNAPSHOT_RESULT_ABORT)


def load_chunk(
    _request: abci_pb2.RequestLoadSnapshotChunk,
) -> abci_pb2.ResponseLoadSnapshotChunk:
    """There is no such chunk: an empty one."""
    return abci_pb2.ResponseLoadSnapshotChunk()


def apply_chunk(
    _request: abci_pb2.RequestApplySnapshotChunk,
) -> abci_pb2.ResponseApplySnapshotChunk:
    """Stop the engine's attempt: no snapshot was accepted."""
    return abci_pb2.ResponseApplySnapshotChunk(result=abci_pb2.APPLY_SNAPSHOT_CHUNK_RESULT_ABORT)
