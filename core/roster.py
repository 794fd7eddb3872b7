"""Who the peers are: parties of all proven epochs, and the one rule that says who speaks."""

from core.certificates import fingerprint, to_pem
from core.errors import PeerError
from wire.ids import PartyId
from wire.pb.tkms.config.v1 import config_pb2


class UnknownEpochError(PeerError):
    """An epoch that has not been proven to us yet; the peer may try again later."""


class Roster:
    """Proven epochs by id. Grows only; an epoch never changes."""

    __slots__ = ("_epochs",)

    def __init__(self) -> None:
        """Start without epochs: nobody is a peer."""
        self._epochs: dict[int, dict[PartyId, config_pb2.Party]] = {}

    def learn(self, epoch: config_pb2.Epoch) -> None:
        """Add a proven epoch."""
        parties = {PartyId(party.index): party for party in epoch.parties}
        self._epochs.setdefault(epoch.id, parties)

    def parties(self, epoch_id: int) -> dict[PartyId, config_pb2.Party]:
        """Parties of an epoch by index.

        Raises
        ------
        UnknownEpochError
            When it was not learned.
        """
        try:
            return self._epochs[epoch_id]
        except KeyError as error:
            raise UnknownEpochError(f"epoch {epoch_id} is not proven yet") from error

    def latest(self) -> int:
        """Highest epoch id, 0 when there is none."""
        return max(self._epochs, default=0)

    def require_sender(self, epoch_id: int, sender: int, certificate_fingerprint: bytes) -> PartyId:
        """Check that the certificate of the connection is the one of the claimed sender.

        Raises
        ------
        UnknownEpochError
            The epoch is not proven yet.
        PeerError
            Another party, or nobody in this epoch, holds this certificate.
        """
        party = self.parties(epoch_id).get(PartyId(sender))
        if party is None or fingerprint(party.tls_certificate) != certificate_fingerprint:
            raise PeerError(f"the certificate is not the one of party {sender}")
        return PartyId(sender)

    def root_certificates(self) -> bytes:
        """PEM of every known party's certificate, each once: who may connect at all."""
        known = {
            party.tls_certificate for parties in self._epochs.values() for party in parties.values()
        }
        return b"".join(to_pem(der) for der in sorted(known))
