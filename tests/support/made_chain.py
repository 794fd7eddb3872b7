"""A chain that never ran, with real headers, real state tree and real proofs, for cores to verify."""

import json
import time
from typing import Any

import tkms_kernel as kernel

from tests.support.light_twin import SECOND, Maker, validators_hash
from wire.digests import sha256
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.core.v1 import core_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2

DOMAIN = isc_pb2.Domain(
    name="Decryption", version="1", chain_id=8006, verifying_contract=bytes(range(20))
)


class MadeChain:
    """State by key; every commit is one block, proofs are about the newest state."""

    def __init__(self, chain_id: str = "made-1", age_s: int = 50_000) -> None:
        """Start `age_s` seconds ago, one second a height, with four validators."""
        self.chain_id = chain_id
        self.maker = Maker(chain_id, start_ns=time.time_ns() - age_s * SECOND)
        self.validators = self.maker.validators(a=10, b=10, c=10, d=10)
        # Height from which a set signs, ascending; see `change_validators`.
        self._changes: list[tuple[int, list[dict[str, Any]]]] = []
        self.pinned = validators_hash(self.validators)
        self.height = 0
        self.sequence = 0
        self.values: dict[bytes, bytes] = {}
        self._nodes: dict[bytes, bytes] = {}
        self._roots: list[bytes] = []
        self._pending: dict[bytes, bytes] = {b"config/chain": chain_id.encode()}
        self._version()

    def put(self, key: bytes, value: bytes) -> None:
        """Change the state with the next commit."""
        self._pending[key] = value

    def commit(self) -> int:
        """Make one block; returns its height."""
        self.height += 1
        self._version()
        return self.height

    def advance(self, height: int) -> None:
        """Make empty blocks up to a height."""
        while self.height < height:
            self.commit()

    def change_validators(self, height: int, **powers: int) -> None:
        """Let another set sign from `height` on; the header before announces it."""
        self._changes.append((height, self.maker.validators(**powers)))

    def validators_at(self, height: int) -> list[dict[str, Any]]:
        """Set that signs a height."""
        sets = [validators for start, validators in self._changes if start <= height]
        return sets[-1] if sets else self.validators

    def light_block(self, height: int, **changes: str) -> core_pb2.LightBlock:
        """Signed header of a height up to the newest + 1; `changes` replace header fields."""
        own, following = self.validators_at(height), self.validators_at(height + 1)
        signed: dict[str, Any] = self.maker.block(height, own, following)
        header = {**signed["header"], "app_hash": self._roots[height - 1].hex().upper(), **changes}
        signed = self.maker.sign(header, own)
        return core_pb2.LightBlock(
            height=height,
            signed_header=json.dumps(signed).encode(),
            validators=json.dumps(own).encode(),
            next_validators=b"" if own == following else json.dumps(following).encode(),
        )

    def proven(self, key: bytes) -> state_pb2.ProvenValue:
        """A value of the newest state with its proof."""
        proof = kernel.tree_prove(self._read, self.height, key)
        return state_pb2.ProvenValue(
            key=key, value=self.values[key], proof=proof, height=self.height
        )

    def set_epoch(self, epoch: config_pb2.Epoch) -> None:
        """Put an epoch record."""
        self.put(b"config/epoch/" + epoch.id.to_bytes(8, "big"), epoch.SerializeToString())

    def set_key(self, record: asc_pb2.MaterialRecord) -> None:
        """Put a key record."""
        self.put(b"asc/key/" + record.id, record.SerializeToString())

    def entry(
        self, kind: asc_pb2.RequestKind, epoch: config_pb2.Epoch, **fields: Any
    ) -> asc_pb2.LogEntry:
        """The next log entry, not yet in the state."""
        self.sequence += 1
        values = {
            "sequence": self.sequence,
            "request_id": sha256(f"{self.chain_id} {self.sequence}".encode())[:20],
            "kind": kind,
            "chain_id": self.chain_id,
            "height": self.height + 1,
            "epoch_id": epoch.id,
            "parties": len(epoch.parties),
            "threshold": epoch.threshold,
            "thresholds": epoch.thresholds,
            "deadline_height": self.height + 1000,
            "application": "shop",
            "domain": DOMAIN,
        }
        return asc_pb2.LogEntry(**{**values, **fields})

    def log(self, entry: asc_pb2.LogEntry) -> None:
        """Put an entry into the request log."""
        key = b"asc/log/" + entry.sequence.to_bytes(8, "big")
        self.put(key, entry.SerializeToString())

    def inform(self, values: dict[bytes, bytes], *, done: bool = False) -> core_pb2.InformRequest:
        """Put values into the state; what a connector tells of them."""
        for key, value in values.items():
            self.put(key, value)
        self.commit()
        return core_pb2.InformRequest(
            headers=[self.light_block(self.height + 1)],
            facts=[self.proven(key) for key in values],
            old_epochs_done=done,
        )

    def submission(
        self, entry: asc_pb2.LogEntry, blobs: list[bytes] | None = None
    ) -> core_pb2.SubmitRequest:
        """What a connector hands in for an entry that is in the state."""
        request = core_pb2.SubmitRequest(
            headers=[self.light_block(self.height + 1)],
            entry=self.proven(b"asc/log/" + entry.sequence.to_bytes(8, "big")),
            epoch=self.proven(b"config/epoch/" + entry.epoch_id.to_bytes(8, "big")),
            ciphertexts=[
                core_pb2.Blob(digest=kernel.sha3_256(blob), data=blob) for blob in blobs or []
            ],
        )
        if entry.key_id:
            request.key.CopyFrom(self.proven(b"asc/key/" + entry.key_id))
        more = [b"asc/key/" + key_id for key_id in entry.key_ids]
        if entry.next_epoch_id:
            more.append(b"config/epoch/" + entry.next_epoch_id.to_bytes(8, "big"))
        if entry.preprocessing_id:
            more.append(b"asc/preprocessing/" + entry.preprocessing_id)
        request.more.extend(map(self.proven, more))
        return request

    def _version(self) -> None:
        """Write the pending changes as the state after `height`."""
        root, nodes, _ = kernel.tree_update(self._read, self.height, list(self._pending.items()))
        self._nodes.update(nodes)
        self.values.update(self._pending)
        self._pending = {}
        self._roots.append(root)

    def _read(self, kind: int, key: bytes) -> bytes | None:
        """Answer a read of the kernel's tree."""
        if kind == kernel.TREE_NODE:
            return self._nodes.get(key)
        if kind == kernel.TREE_VALUE:
            return self.values.get(key)
        return next((name for name in self.values if sha256(name) == key), None)
