"""A dealer's copy of everybody's shares: erased when all have shown theirs, never dealt anew."""

import random
from pathlib import Path

import pytest

from core.dealer import Dealer
from core.vault import Vault, open_vault
from mpc.exchange import Setting
from mpc.public_decryption import PublicDecryption
from mpc.session import MaskedShare, MaskedShares
from tests.simulation.opening import changed, problem
from wire.ids import KeyId, PartyId, RequestId
from wire.pb.tkms.peer.v1 import peer_pb2

KEY = KeyId(bytes(range(20)))
REQUEST = RequestId(KEY.value)
NAME = f"deals/{REQUEST.hex}"


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A vault with the deals of one key for two parties."""
    vault = open_vault(tmp_path / "vault", "clear", None)
    stored = b""
    for party in (1, 2):
        message = peer_pb2.Envelope(deal=peer_pb2.Deal(key_share=b"%d" % party)).SerializeToString()
        stored += bytes([party]) + len(message).to_bytes(4, "big") + message
    vault.put(NAME, stored)
    return vault


def test_forgotten_shares_are_gone_and_the_mark_stays(vault: Vault) -> None:
    """Nobody is dealt that key again; forgetting twice, or an unknown key, changes nothing."""
    dealer = Dealer(vault, None)
    envelope = dealer.stored(REQUEST, PartyId(2))
    assert envelope is not None
    assert envelope.deal.key_share == b"2"
    for _ in range(2):
        dealer.forget(KEY)
        assert dealer.stored(REQUEST, PartyId(2)) is None
        assert vault.get(NAME) == b""
    dealer.forget(KeyId(bytes(20)))
    assert vault.names("deals") == [NAME]
    dealer.close()


@pytest.mark.parametrize("liar", [None, 3, 4])
def test_unanimous_means_all_and_right(liar: int | None) -> None:
    """Not before the last share, and not when any was wrong, early or late."""
    given = problem(random.Random(2), 4, 1, [(2, 2, 200)])
    own = PartyId(1)
    opening = PublicDecryption(Setting(4, 1, own), given.items, given.shares[own])
    opening.start()
    for party in (PartyId(2), PartyId(3), PartyId(4)):
        assert not opening.unanimous
        pairs = zip(given.items, given.shares[party], strict=True)
        message = MaskedShares(tuple(MaskedShare(item.digest, share) for item, share in pairs))
        if party == liar:
            message = changed(message, lambda data: bytes(byte ^ 1 for byte in data))
        opening.feed(party, message)
    assert opening.complete
    assert opening.unanimous == (liar is None)
