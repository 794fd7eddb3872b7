"""Between envelopes of the wire and messages of the protocols."""

from core.authorize import Permission
from core.circles import Address
from core.keystore import deal_from_message, deal_to_message
from mpc.dealing import Deal
from mpc.machine import RoundMessage
from mpc.session import MaskedShare, MaskedShares
from wire.pb.tkms.peer.v1 import peer_pb2


def envelope_of(permission: Permission, message: MaskedShares | Deal) -> peer_pb2.Envelope:
    """First-round envelope of a session's message."""
    envelope = peer_pb2.Envelope(
        epoch_id=permission.record.epoch_id,
        request_id=permission.request_id.value,
        sender=permission.party,
    )
    if isinstance(message, Deal):
        envelope.deal.CopyFrom(deal_to_message(message))
    else:
        envelope.masked_shares.shares.extend(
            peer_pb2.MaskedShare(ciphertext_digest=share.ciphertext_digest, elements=share.elements)
            for share in message.shares
        )
    return envelope


def payload_of(envelope: peer_pb2.Envelope) -> MaskedShares | Deal | None:
    """What an envelope carries, None when nothing known."""
    kind = envelope.WhichOneof("payload")
    if kind == "deal":
        return deal_from_message(envelope.deal)
    if kind == "masked_shares":
        shares = envelope.masked_shares.shares
        return MaskedShares(
            tuple(MaskedShare(share.ciphertext_digest, share.elements) for share in shares)
        )
    return None


def round_envelope(
    own: Address, session: bytes, message: RoundMessage, *, repeated: bool = False
) -> peer_pb2.Envelope:
    """Envelope of one round of a run, from us under an address of ours."""
    content = peer_pb2.RoundMessage(
        session_id=session, round=message.round, payload=message.payload, repeated=repeated
    )
    return peer_pb2.Envelope(epoch_id=own.epoch_id, sender=own.party, round_message=content)


def again_envelope(own: Address, session: bytes) -> peer_pb2.Envelope:
    """Ask for everything that we were sent in a run."""
    content = peer_pb2.RoundMessage(session_id=session, again=True)
    return peer_pb2.Envelope(epoch_id=own.epoch_id, sender=own.party, round_message=content)
