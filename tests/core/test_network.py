"""Whole cores: submit, open, sign; with liars and silent parties; alone."""

from pathlib import Path

import pytest

from core.settings import FaultMode
from tests.support.core_network import Network
from tests.support.made_chain import DOMAIN
from wire import eip712
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.core.v1 import core_pb2
from wire.signing import Secp256k1Signer, recover_address
from tests.support.core_network import signing_secret

PUBLIC = asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION
ACCEPTED = core_pb2.WORK_STATE_ACCEPTED
VALUES = [(0, 1), (5, 2**63 + 12345), (8, 2**255 + 7)]


def require_public_answer(
    result: core_pb2.Result, entry: asc_pb2.LogEntry, party: int, values: list[tuple[int, int]]
) -> None:
    """Check plaintexts and signature of an answer."""
    assert result.WhichOneof("answer") == "fulfil"
    fulfil = result.fulfil
    assert (fulfil.request_id, fulfil.party) == (entry.request_id, party)
    encoded = fulfil.public_decryption.decrypted_result
    assert encoded == eip712.encode_plaintexts(values)
    handles = [ciphertext.handle for ciphertext in entry.ciphertexts]
    digest = eip712.public_decryption_digest(DOMAIN, handles, encoded)
    signer = Secp256k1Signer(signing_secret(party))
    assert recover_address(digest, fulfil.signature) == signer.address
    assert result.deadline_height == entry.deadline_height


@pytest.mark.parametrize("parties", [1, 4])
async def test_public_decryption(tmp_path: Path, parties: int) -> None:
    """Every core answers with the same signed plaintexts; one core alone runs the same code."""
    network = Network(tmp_path, parties)
    key = network.deal()
    pairs = [key.ciphertext(*pair) for pair in VALUES]
    entry, submission = network.request(PUBLIC, pairs)
    async with network.running() as clients:
        for client in clients.values():
            assert await client.submit(submission) == ACCEPTED
        for party, client in clients.items():
            (result,) = await client.results(1)
            require_public_answer(result, entry, party, VALUES)
            assert await client.submit(submission) == core_pb2.WORK_STATE_DONE


async def test_one_lies(tmp_path: Path) -> None:
    """The others answer rightly and name the liar once."""
    network = Network(tmp_path, 4)
    network.misbehave(2, FaultMode.WRONG_SHARES)
    key = network.deal()
    pairs = [key.ciphertext(*pair) for pair in VALUES]
    entry, submission = network.request(PUBLIC, pairs)
    async with network.running() as clients:
        for client in clients.values():
            await client.submit(submission)
        for party in (1, 3, 4):
            results = await clients[party].results(2)
            by_kind = {result.WhichOneof("answer"): result for result in results}
            require_public_answer(by_kind["fulfil"], entry, party, VALUES)
            assert list(by_kind["accusation"].accusation.accused) == [2]


async def test_one_is_silent(tmp_path: Path) -> None:
    """Three of four suffice."""
    network = Network(tmp_path, 4)
    network.misbehave(3, FaultMode.SILENT)
    key = network.deal()
    entry, submission = network.request(PUBLIC, [key.ciphertext(*VALUES[1])])
    async with network.running() as clients:
        for client in clients.values():
            assert await client.submit(submission) == ACCEPTED
        for party in (1, 2, 4):
            (result,) = await clients[party].results(1)
            require_public_answer(result, entry, party, VALUES[1:2])
