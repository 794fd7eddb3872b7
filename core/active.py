"""One running request: what came for it, and what is known so far."""

import asyncio
from dataclasses import dataclass, field

from core.authorize import Permission
from wire.ids import PartyId
from wire.pb.tkms.peer.v1 import peer_pb2

_MAX_QUEUED = 256


@dataclass(slots=True)
class Active:
    """One running request."""

    permission: Permission
    blobs: dict[bytes, bytes]
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    queue: asyncio.Queue[tuple[PartyId, peer_pb2.Envelope]] = field(
        default_factory=lambda: asyncio.Queue(_MAX_QUEUED)
    )
    # Plaintexts of ordinary ciphertexts by their place in the request.
    known: dict[int, int] = field(default_factory=dict)
    heard: set[PartyId] = field(default_factory=set)
    message: peer_pb2.Envelope | None = None
    sent_at: float = 0.0
    task: asyncio.Task[None] | None = None

    @property
    def is_long(self) -> bool:
        """Whether it takes longer than a decryption, so that its end elsewhere is worth being told."""
        return not self.permission.entry.ciphertexts

    async def all_here(self) -> None:
        """Wait until the bytes of all ciphertexts have come."""
        wanted = {ciphertext.digest for ciphertext in self.permission.entry.ciphertexts}
        while wanted - set(self.blobs):
            self.arrived.clear()
            await self.arrived.wait()
