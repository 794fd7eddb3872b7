"""What the chain proves about a request: its entry, its status and the parties it was pinned to."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.message import DecodeError

from client import keys
from client.chain import Chain, Proven
from client.errors import VerificationFailed
from wire.answers import answering_epoch_id
from wire.ids import RequestId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2


@dataclass(frozen=True, slots=True)
class Evidence:
    """Records of one request, all proven under one verified header."""

    entry: asc_pb2.LogEntry
    status: asc_pb2.RequestStatus
    epoch: config_pb2.Epoch
    height: int

    def __post_init__(self) -> None:
        """Refuse records that do not belong together."""
        entry, epoch = self.entry, self.epoch
        if self.status.request_id != entry.request_id:
            raise VerificationFailed("status and entry are of different requests")
        numbers = (epoch.id, len(epoch.parties), epoch.threshold)
        if numbers != (answering_epoch_id(entry), entry.parties, entry.threshold):
            raise VerificationFailed("the epoch is not the one whose parties answer")

    @property
    def handles(self) -> list[bytes]:
        """Handles of the request, in order."""
        return [ciphertext.handle for ciphertext in self.entry.ciphertexts]

    def party(self, index: int) -> config_pb2.Party:
        """Party of the pinned epoch.

        Raises:
            VerificationFailed: there is no such party.
        """
        for party in self.epoch.parties:
            if party.index == index:
                return party
        raise VerificationFailed(f"party {index} is not in epoch {self.epoch.id}")


async def proven_request(chain: Chain, request: RequestId) -> Evidence:
    """Prove a request's records, all under one header.

    Raises:
        VerificationFailed: a proof does not hold, or the records are of another request.
        RejectedByChain: the node knows no such request.
    """
    # Unproven: only says which keys to ask about, and the proofs must agree with it.
    hint = (await chain.request(request)).entry
    proven = await chain.proven_values(
        [
            keys.status(bytes(request)),
            keys.log_entry(hint.sequence),
            keys.epoch(answering_epoch_id(hint)),
        ]
    )
    try:
        status = asc_pb2.RequestStatus.FromString(_present(proven[0]))
        entry = asc_pb2.LogEntry.FromString(_present(proven[1]))
        epoch = config_pb2.Epoch.FromString(_present(proven[2]))
    except DecodeError as error:
        raise VerificationFailed("a proven record is not of this schema") from error
    if entry.request_id != bytes(request) or entry.chain_id != chain.chain_id:
        raise VerificationFailed("the proven entry is another request's")
    return Evidence(entry, status, epoch, proven[0].height)


def _present(proven: Proven) -> bytes:
    if proven.value is None:
        raise VerificationFailed(f"the state proves that {proven.key!r} is absent")
    return proven.value
