"""State sync: offering this node's snapshots, and becoming what a peer's snapshot describes.

A restore trusts one thing, the app hash that the engine's light client verified. Everything else comes from
peers and is bounded before it is used:

    offered metadata contradict themselves or lie beyond bounds    REJECT_SENDER
    another format                                                 REJECT_FORMAT
    another chain, height or a version this program does not know  REJECT
    this node has executed blocks already                          ABORT
    a chunk that is not the one of the metadata                    RETRY, that chunk again, its sender banned
    chunks that are no state, or a state with another root         REJECT_SNAPSHOT
    a chunk nobody asked for                                       ABORT

The state is built beside the store and takes its place at once, after its root has been compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import structlog

from abci_app.history.snapshots import SnapshotFolder
from ledger import migrations, snapshots
from ledger.errors import SnapshotError
from ledger.restore import StateBuilder
from ledger.state import State
from ledger.store import Store
from wire.pb.tkms.comet.v1 import abci_pb2
from wire.pb.tkms.state.v1 import state_pb2

_LOG: Final = structlog.get_logger(__name__)
_APP_HASH_BYTES: Final = 32

Derivations = Iterable[Callable[[State], None]]


@dataclass(slots=True)
class _Restore:
    """The snapshot that is being restored."""

    metadata: state_pb2.SnapshotMetadata
    app_hash: bytes
    builder: StateBuilder
    next_chunk: int = 0


class StateSync:
    """Both sides of state sync; one call at a time."""

    def __init__(
        self,
        store: Store,
        chain_id: str,
        folder: SnapshotFolder,
        derivations: Derivations,
        known: migrations.Migrations,
    ) -> None:
        """Offer what is in the folder; restore into the store."""
        self._store = store
        self._chain_id = chain_id
        self._folder = folder
        self._derivations = tuple(derivations)
        self._known = known
        self._restore: _Restore | None = None

    def list_snapshots(
        self, _request: abci_pb2.RequestListSnapshots
    ) -> abci_pb2.ResponseListSnapshots:
        """What is there."""
        return abci_pb2.ResponseListSnapshots(snapshots=self._folder.offered())

    def load_chunk(
        self, request: abci_pb2.RequestLoadSnapshotChunk
    ) -> abci_pb2.ResponseLoadSnapshotChunk:
        """A chunk of ours; empty when it is not there any more."""
        if request.format != snapshots.FORMAT:
            return abci_pb2.ResponseLoadSnapshotChunk()
        chunk = self._folder.chunk(request.height, request.chunk)
        return abci_pb2.ResponseLoadSnapshotChunk(chunk=chunk)

    def offer_snapshot(
        self, request: abci_pb2.RequestOfferSnapshot
    ) -> abci_pb2.ResponseOfferSnapshot:
        """Judge a snapshot by its metadata; an accepted one replaces what was being restored."""
        result, why = self._judge(request)
        accepted = result == abci_pb2.OFFER_SNAPSHOT_RESULT_ACCEPT
        _LOG.info(
            "snapshot offered", height=request.snapshot.height, accepted=accepted, why=why or None
        )
        if accepted:
            self._begin(request)
        return abci_pb2.ResponseOfferSnapshot(result=result)

    def apply_chunk(
        self, request: abci_pb2.RequestApplySnapshotChunk
    ) -> abci_pb2.ResponseApplySnapshotChunk:
        """Take the next chunk; the last one ends with the finished state in the store."""
        restore = self._restore
        if restore is None or request.index != restore.next_chunk:
            return abci_pb2.ResponseApplySnapshotChunk(
                result=abci_pb2.APPLY_SNAPSHOT_CHUNK_RESULT_ABORT
            )
        if snapshots.digest(request.chunk) != restore.metadata.chunk_hashes[request.index]:
            _LOG.warning("bad snapshot chunk", index=request.index, sender=request.sender)
            return abci_pb2.ResponseApplySnapshotChunk(
                result=abci_pb2.APPLY_SNAPSHOT_CHUNK_RESULT_RETRY,
                refetch_chunks=[request.index],
                reject_senders=[request.sender] if request.sender else [],
            )
        try:
            self._apply(restore, request.chunk)
        except SnapshotError as error:
            _LOG.warning("snapshot refused", height=restore.metadata.height, why=str(error))
            self._give_up()
            return abci_pb2.ResponseApplySnapshotChunk(
                result=abci_pb2.APPLY_SNAPSHOT_CHUNK_RESULT_REJECT_SNAPSHOT
            )
        return abci_pb2.ResponseApplySnapshotChunk(
            result=abci_pb2.APPLY_SNAPSHOT_CHUNK_RESULT_ACCEPT
        )

    def _judge(
        self, request: abci_pb2.RequestOfferSnapshot
    ) -> tuple[abci_pb2.OfferSnapshotResult, str]:
        if not self._store.is_replaceable:
            return abci_pb2.OFFER_SNAPSHOT_RESULT_ABORT, "this node has executed blocks"
        if request.snapshot.format != snapshots.FORMAT:
            return abci_pb2.OFFER_SNAPSHOT_RESULT_REJECT_FORMAT, "its format is not known"
        try:
            metadata = _metadata(request.snapshot)
        except SnapshotError as error:
            return abci_pb2.OFFER_SNAPSHOT_RESULT_REJECT_SENDER, str(error)
        why = self._unusable(metadata, request.app_hash)
        if why:
            return abci_pb2.OFFER_SNAPSHOT_RESULT_REJECT, why
        return abci_pb2.OFFER_SNAPSHOT_RESULT_ACCEPT, ""

    def _unusable(self, metadata: state_pb2.SnapshotMetadata, app_hash: bytes) -> str:
        """Why an honest peer's snapshot is of no use here, or nothing."""
        if metadata.chain_id != self._chain_id:
            return "it is of another chain"
        if metadata.app_version > migrations.newest(self._known):
            return f"it follows app version {metadata.app_version}"
        if len(app_hash) != _APP_HASH_BYTES:
            return "the engine names no app hash"
        return ""

    def _begin(self, request: abci_pb2.RequestOfferSnapshot) -> None:
        self._give_up()
        metadata = snapshots.parse_metadata(request.snapshot.metadata)
        builder = StateBuilder(self._store.restoring_path, metadata.height)
        self._restore = _Restore(metadata, request.app_hash, builder)

    def _give_up(self) -> None:
        if self._restore is not None:
            self._restore.builder.discard()
            self._restore = None

    def _apply(self, restore: _Restore, chunk: bytes) -> None:
        builder, metadata = restore.builder, restore.metadata
        builder.add(snapshots.parse_chunk(chunk, builder.last_key))
        restore.next_chunk += 1
        if builder.entries > metadata.entries:
            raise SnapshotError("it has more entries than its metadata say")
        if restore.next_chunk < len(metadata.chunk_hashes):
            return
        if builder.entries != metadata.entries:
            raise SnapshotError("it has fewer entries than its metadata say")
        if migrations.version(builder.view()) != metadata.app_version:
            raise SnapshotError("its state has another app version than its metadata say")
        root = builder.root()
        if root != restore.app_hash:
            raise SnapshotError(
                f"its root is {root.hex()}, the chain's is {restore.app_hash.hex()}"
            )
        builder.finish(metadata.chain_id, self._derivations)
        self._store.replace()
        self._restore = None
        _LOG.info("state restored", height=metadata.height, app_hash=root.hex())


def _metadata(offered: abci_pb2.Snapshot) -> state_pb2.SnapshotMetadata:
    """Metadata that say the same as the snapshot around them; SnapshotError otherwise."""
    metadata = snapshots.parse_metadata(offered.metadata)
    told = (offered.hash, offered.chunks, offered.height)
    digest = snapshots.digest(offered.metadata)
    if told != (digest, len(metadata.chunk_hashes), metadata.height):
        raise SnapshotError("the snapshot contradicts its metadata")
    return metadata
