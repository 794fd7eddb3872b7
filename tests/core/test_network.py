"""Whole cores: submit, open, sign; with liars and silent parties; alone."""

from pathlib import Path

import pytest
import tkms_kernel as kernel

from core import keystore
from core.settings import FaultMode
from core.vault import from_settings
from tests.support.core_network import Client, MemoryStorage, Network, describe, signing_secret
from tests.support.made_chain import DOMAIN
from tests.support.reconstruct import combine, open_answer
from wire import eip712
from wire.digests import sha3_256
from wire.ids import KeyId
from wire.payload import wrap_user_key
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.core.v1 import core_pb2
from wire.signing import Secp256k1Signer, recover_address

PUBLIC = asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION
USER = asc_pb2.REQUEST_KIND_USER_DECRYPTION
KEYGEN = asc_pb2.REQUEST_KIND_KEY_GENERATION
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


@pytest.mark.parametrize("liar", [None, 4])
async def test_user_decryption(tmp_path: Path, liar: int | None) -> None:
    """A user opens four sealed answers and combines them; one wrong share is found."""
    network = Network(tmp_path, 4)
    if liar:
        network.misbehave(liar, FaultMode.WRONG_SHARES)
    key = network.deal()
    pairs = [key.ciphertext(*pair) for pair in VALUES]
    public, secret = kernel.mlkem512_generate(bytes(64))
    user = bytes(range(20, 40))
    entry, submission = network.request(
        USER, pairs, user=user, user_public_key=wrap_user_key(public)
    )
    shares: list[dict[int, bytes]] = [{} for _ in VALUES]
    async with network.running() as clients:
        for client in clients.values():
            assert await client.submit(submission) == ACCEPTED
        for party, client in clients.items():
            (result,) = await client.results(1)
            answer = result.fulfil.user_decryption
            payload = answer.payload or result.uploads[0].data
            assert sha3_256(payload) == answer.payload_digest
            assert len(payload) == answer.payload_size
            for found, share in zip(
                shares, open_answer(entry, result.fulfil, payload, secret), strict=True
            ):
                found[party] = share
    for (fhe_type, value), found in zip(VALUES, shares, strict=True):
        assert combine(4, 1, fhe_type, found, 1) == (value, [liar] if liar else [])


async def test_dealt_key_then_decryption(tmp_path: Path) -> None:
    """Party 1 deals a key and a reference string; all sign the same digests; the key decrypts."""
    network = Network(tmp_path, 4)
    async with MemoryStorage().serve() as storage:
        for number in network.settings:
            network.change(number, storage_url=storage.url)
        entry, submission = network.request(KEYGEN, parameters="test", dealer=True)
        key_id = KeyId(entry.request_id)
        async with network.running() as clients:
            for client in reversed(clients.values()):
                assert await client.submit(submission) == ACCEPTED
            answers = [(await client.results(1))[0].fulfil for client in clients.values()]
            digests = list(answers[0].generation.digests)
            assert [digest.kind for digest in digests] == ["public-key", "server-key"]
            message = eip712.keygen_digest(
                eip712.chain_domain(entry.chain_id),
                entry.request_id,
                [(digest.kind, digest.digest) for digest in digests],
            )
            for party, fulfil in zip(clients, answers, strict=True):
                assert list(fulfil.generation.digests) == digests
                signer = Secp256k1Signer(signing_secret(party))
                assert recover_address(message, fulfil.signature) == signer.address
            public, server = (storage.blobs[digest.digest.hex()] for digest in digests)
            assert (len(public), len(server)) == (digests[0].size, digests[1].size)
            network.activate(key_id)
            crs = await _reference_string(network, clients, key_id, storage)
            await _decrypt_inputs(network, clients, key_id, (public, server, crs))
            status = await clients[3].status()
            assert list(status.key_ids) == [key_id.value]
            assert (status.accepted, status.answered, status.developer_mode) == (3, 3, True)
            assert [(peer.party, peer.connected) for peer in status.peers] == [
                (1, True),
                (2, True),
                (4, True),
            ]


async def _reference_string(
    network: Network, clients: dict[int, Client], key_id: KeyId, storage: MemoryStorage
) -> bytes:
    """Have a reference string dealt; its bytes from storage."""
    entry, submission = network.request(
        asc_pb2.REQUEST_KIND_CRS_GENERATION, key_id=key_id.value, max_bits=64, dealer=True
    )
    found = set()
    for client in clients.values():
        await client.submit(submission)
    for party, client in clients.items():
        fulfil = (await client.results(1, after=1))[0].fulfil
        (digest,) = fulfil.generation.digests
        message = eip712.crs_digest(
            eip712.chain_domain(entry.chain_id), entry.request_id, 64, digest.digest
        )
        signer = Secp256k1Signer(signing_secret(party))
        assert recover_address(message, fulfil.signature) == signer.address
        found.add(digest.digest)
    return storage.blobs[found.pop().hex()]


async def _decrypt_inputs(
    network: Network,
    clients: dict[int, Client],
    key_id: KeyId,
    material: tuple[bytes, bytes, bytes],
) -> None:
    """Encrypt under the published key with a proof, expand, squash, decrypt."""
    public, server_key, crs = material
    compact = kernel.CompactPublicKey.load(public)
    reference = kernel.Crs.load(crs)
    server = kernel.ServerKey.load(server_key)
    proven = compact.encrypt_list([(2, 200)], reference, b"who")
    ((fhe_type, data),) = server.expand(proven, compact, reference, b"who")
    squashed = server.squash(data, fhe_type, False)
    ciphertext = describe(key_id, squashed, fhe_type, 3)
    entry, submission = network.request(PUBLIC, [(ciphertext, squashed)])
    for client in clients.values():
        await client.submit(submission)
    for party, client in clients.items():
        (result,) = await client.results(1, after=2)
        require_public_answer(result, entry, party, [(2, 200)])


async def test_dealing_needs_the_chains_word(tmp_path: Path) -> None:
    """Without `dealer` in the proven entry nobody makes a key."""
    network = Network(tmp_path, 4)
    _, submission = network.request(KEYGEN, parameters="test")
    async with network.running() as clients:
        await clients[1].submit(submission)
        (result,) = await clients[1].results(1)
        assert result.failure.code == asc_pb2.FAILURE_CODE_INTERNAL
        assert list((await clients[1].status()).key_ids) == []


@pytest.mark.parametrize("squash", [True, False])
async def test_one_core_alone_squashes_where_allowed(tmp_path: Path, squash: bool) -> None:
    """Rounding takes several parties: format 1 decrypts alone only with `squash`."""
    network = Network(tmp_path, 1)
    async with MemoryStorage().serve() as storage:
        network.change(1, storage_url=storage.url, squash=squash)
        key = network.deal()
        storage.blobs[sha3_256(key.public["server-key"]).hex()] = key.public["server-key"]
        entry, submission = network.request(PUBLIC, [key.ordinary(3, 54321)])
        async with network.running() as clients:
            await clients[1].submit(submission)
            (result,) = await clients[1].results(1)
            if squash:
                require_public_answer(result, entry, 1, [(3, 54321)])
            else:
                assert result.failure.code == asc_pb2.FAILURE_CODE_CIPHERTEXT_MALFORMED


async def test_bad_ciphertexts_end_in_typed_failures(tmp_path: Path) -> None:
    """Garbage, a truncated ciphertext, and a key that nobody has."""
    network = Network(tmp_path, 4)
    key = network.deal()
    _, good = key.ciphertext(2, 1)
    bad = [b"garbage", good[:-1], good[:100]]
    network.activate(KeyId(bytes(20)))
    cases = [(key.key_id, data, asc_pb2.FAILURE_CODE_CIPHERTEXT_MALFORMED) for data in bad]
    cases.append((KeyId(bytes(20)), good, asc_pb2.FAILURE_CODE_UNKNOWN_KEY))
    async with network.running(1) as clients:
        for cursor, (key_id, data, code) in enumerate(cases):
            _, submission = network.request(PUBLIC, [(describe(key_id, data, 2, 2), data)])
            assert await clients[1].submit(submission) == ACCEPTED
            (result,) = await clients[1].results(1, after=cursor)
            assert result.failure.code == code
            assert await clients[1].submit(submission) == core_pb2.WORK_STATE_FAILED


async def test_bytes_may_come_later(tmp_path: Path) -> None:
    """A submission without ciphertexts waits for the one that brings them."""
    network = Network(tmp_path, 4)
    key = network.deal()
    pairs = [key.ciphertext(*pair) for pair in VALUES[:2]]
    entry, submission = network.request(PUBLIC, pairs)
    partial = network.chain.submission(entry, [pairs[1][1]])
    async with network.running() as clients:
        for client in clients.values():
            assert await client.submit(partial) == ACCEPTED
            assert await client.submit(submission) == ACCEPTED
        for party, client in clients.items():
            (result,) = await client.results(1)
            require_public_answer(result, entry, party, VALUES[:2])


async def test_deadline_by_trusted_height(tmp_path: Path) -> None:
    """A request that nobody helps with ends when a later header reaches its deadline."""
    network = Network(tmp_path, 4)
    key = network.deal()
    entry, submission = network.request(PUBLIC, [key.ciphertext(2, 3)])
    async with network.running(1) as clients:
        assert await clients[1].submit(submission) == ACCEPTED
        network.chain.advance(entry.deadline_height - 1)
        late = network.chain.submission(entry)
        assert await clients[1].submit(late) == core_pb2.WORK_STATE_EXPIRED
        assert await clients[1].submit(submission) == core_pb2.WORK_STATE_EXPIRED
        status = await clients[1].status()
        assert (status.accepted, status.answered) == (1, 0)
        assert status.trusted_height == entry.deadline_height


async def test_a_core_that_starts_over_gets_what_it_missed(tmp_path: Path) -> None:
    """Three answer while the fourth is down; it answers later from their repeated messages."""
    network = Network(tmp_path, 4)
    key = network.deal()
    entry, submission = network.request(PUBLIC, [key.ciphertext(2, 99)])
    async with network.running(1, 2, 3) as clients:
        for client in clients.values():
            await client.submit(submission)
        for client in clients.values():
            await client.results(1)
    # All memory is gone now: what was queued for party 4, and the sessions of the others.
    async with network.running() as clients:
        assert await clients[4].submit(submission) == ACCEPTED
        (result,) = await clients[4].results(1)
        require_public_answer(result, entry, 4, [(2, 99)])
        for party in (1, 2, 3):
            (result,) = await clients[party].results(1)
            require_public_answer(result, entry, party, [(2, 99)])


async def test_one_vault_decrypts_nothing_and_two_do(tmp_path: Path) -> None:
    """What one operator holds opens no ciphertext; two together do (t + 1, the control)."""
    network = Network(tmp_path, 4)
    key = network.deal()
    ciphertext, data = key.ciphertext(5, 2**40 + 3)
    shares = {}
    for number in (1, 2):
        held = keystore.load(from_settings(network.settings[number]), key.key_id, 1)
        shares[number] = held.share.partial_decrypt(
            data, ciphertext.fhe_type, ciphertext.format, held.mask_keys, b"info"
        )
    assert combine(4, 1, 5, shares, 0) == (2**40 + 3, [])
    for number, share in shares.items():
        # A single share fits every value: the best guess is the share as if it were the value.
        with pytest.raises(kernel.KernelError):
            combine(4, 1, 5, {number: share}, 0)
        with pytest.raises(kernel.KernelError):
            kernel.round_squashed(share, 16, 4, 1)
