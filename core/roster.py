"""Who the peers are: parties of all proven epochs, and the one rule that says who speaks."""

from core.certificates import fingerprint
from core.errors import PeerError
from mpc.exchange import Setting
from wire.ids import PartyId
from wire.pb.tkms.config.v1 import config_pb2


class UnknownEpochError(PeerError):
    """An epoch that has not been proven to us yet; the peer may try again later."""


class Roster:
    """Proven epochs by id. Grows only; an epoch never changes."""

    __slots__ = ("_epochs", "_fingerprints", "_thresholds")

    def __init__(self) -> None:
        """Start without epochs: nobody is a peer."""
        self._epochs: dict[int, dict[PartyId, config_pb2.Party]] = {}
        self._fingerprints: dict[tuple[int, PartyId], bytes] = {}
        self._thresholds: dict[int, int] = {}

    def learn(self, epoch: config_pb2.Epoch) -> None:
        """Add a proven epoch."""
        parties = {PartyId(party.index): party for party in epoch.parties}
        self._epochs.setdefault(epoch.id, parties)
        for index, party in parties.items():
            self._fingerprints.setdefault((epoch.id, index), fingerprint(party.tls_certificate))
        self._thresholds.setdefault(epoch.id, epoch.threshold)

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

    def setting(self, epoch_id: int, own_certificate: bytes) -> Setting:
        """How protocols of an epoch are set up at the party that holds a certificate (DER).

        Raises
        ------
        UnknownEpochError
            When the epoch was not learned, or we are no party of it.
        """
        parties = self.parties(epoch_id)
        for number, party in parties.items():
            if party.tls_certificate == own_certificate:
                return Setting(len(parties), self._thresholds[epoch_id], number)
        raise UnknownEpochError(f"we are no party of epoch {epoch_id}")

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
        known = self._fingerprints.get((epoch_id, PartyId(sender)))
        if known is None:
            self.parties(epoch_id)
        if known != certificate_fingerprint:
            raise PeerError(f"the certificate is not the one of party {sender}")
        return PartyId(sender)
