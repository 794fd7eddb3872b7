"""Storage over HTTP: bytes are what their digest says, bounded, written once, kept long enough."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from client.errors import StorageError, Unreachable, VerificationFailed
from client.rpc import QueryAnswer
from client.storage import StorageClient
from edge.serving import BoundedProtocol, ProblemError
from edge.storage import bodies as bodies_module
from edge.storage.bodies import Bodies, Upload
from edge.storage.records import Record, Records
from edge.storage.sweeper import Sweeper
from tests.support.edge_servers import TOKEN, Served, storage_server
from wire.digests import sha3_256, storage_path
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.state.v1 import state_pb2

BODY = bytes(range(256)) * 100


def _file(served: Served, digest: bytes) -> Path:
    name = digest.hex()
    return served.folder / "blobs" / name[:2] / name


async def test_put_then_get_and_head_give_the_same_bytes(storage: Served) -> None:
    """A body comes back under its digest, with its size and an immutable cache rule."""
    async with StorageClient(storage.url) as client, aiohttp.ClientSession() as session:
        digest = await client.put(BODY, "ciphertext", "ab" * 20)
        assert digest == sha3_256(BODY)
        assert await client.get(digest) == BODY
        async with session.head(storage.url + storage_path(digest)) as response:
            assert response.status == 200
            assert response.headers["Content-Length"] == str(len(BODY))
            assert "immutable" in response.headers["Cache-Control"]


async def test_put_is_once(storage: Served) -> None:
    """The second put of the same body answers 200 and does not write the file again."""
    async with aiohttp.ClientSession() as session:
        url = storage.url + storage_path(sha3_256(BODY)) + "?class=answer"
        async with session.put(url, data=BODY) as response:
            assert response.status == 201
        before = _file(storage, sha3_256(BODY)).stat().st_mtime_ns
        async with session.put(url, data=b"other bytes") as response:
            assert response.status == 200
        assert _file(storage, sha3_256(BODY)).stat().st_mtime_ns == before
        assert _file(storage, sha3_256(BODY)).read_bytes() == BODY


async def test_wrong_digest_leaves_nothing_behind(storage: Served) -> None:
    """A body under another digest is refused as problem+json and neither stored nor staged."""
    digest = sha3_256(b"something else")
    async with aiohttp.ClientSession() as session:
        url = storage.url + storage_path(digest) + "?class=ciphertext"
        async with session.put(url, data=BODY) as response:
            assert response.status == 400
            assert response.content_type == "application/problem+json"
            assert (await response.json(content_type=None))["title"] == "digest mismatch"
        async with session.get(storage.url + storage_path(digest)) as response:
            assert response.status == 404
    assert list((storage.home / "staging").iterdir()) == []


@pytest.mark.parametrize("announced", [True, False])
async def test_oversized_bodies_are_refused(storage: Served, announced: bool) -> None:
    """More than max_bytes is 413, whether Content-Length says so or chunks just keep coming."""
    large = bytes(1_000_001)

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(large), 100_000):
            yield large[start : start + 100_000]

    async with aiohttp.ClientSession() as session:
        url = storage.url + storage_path(sha3_256(large)) + "?class=ciphertext"
        data = large if announced else chunks()
        async with session.put(url, data=data) as response:
            assert response.status == 413
    assert not _file(storage, sha3_256(large)).exists()


async def test_public_material_needs_the_token(storage: Served) -> None:
    """Without, or with another, token class public is 401; with it the body is kept for ever."""
    for token in ("", "wrong-token-wrong-token"):
        async with StorageClient(storage.url, token) as client:
            with pytest.raises(StorageError) as refusal:
                await client.put(BODY, "public")
            assert refusal.value.status == 401
    async with StorageClient(storage.url, TOKEN) as client:
        digest = await client.put(BODY, "public")
    records = Records(storage.home / "records.db")
    record = records.get(digest)
    records.close()
    assert record == Record(digest, len(BODY), "public", None)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/blobs/zz?class=answer", 400),
        (f"/v1/blobs/{'AB' * 32}?class=answer", 400),
        (f"/v1/blobs/{'ab' * 32}?class=other", 400),
        (f"/v1/blobs/{'ab' * 32}", 400),
        (f"/v1/blobs/{'ab' * 32}?class=answer&request=12", 400),
        ("/v1/blobs", 404),
        ("/v1/blobs/../../records.db?class=answer", 404),
    ],
)
async def test_malformed_addresses(storage: Served, path: str, status: int) -> None:
    """Each malformed address is refused as problem+json; there is no listing."""
    async with (
        aiohttp.ClientSession() as session,
        session.put(storage.url + path, data=b"x") as response,
    ):
        assert response.status == status
        assert response.content_type == "application/problem+json"


async def test_tampered_body_is_noticed_by_the_client_and_a_replica_used(tmp_path: Path) -> None:
    """A server that serves other bytes is caught by the digest; the next replica serves them."""
    async with storage_server(tmp_path / "one") as one, storage_server(tmp_path / "two") as two:
        async with StorageClient(one.url) as first, StorageClient(two.url) as second:
            digest = await first.put(BODY, "ciphertext")
            await second.put(BODY, "ciphertext")
            _file(one, digest).write_bytes(BODY[:-1] + b"\x00")
            with pytest.raises(VerificationFailed):
                await first.get(digest)
        async with StorageClient([one.url, two.url]) as both:
            assert await both.get(digest) == BODY
        async with StorageClient(["http://127.0.0.1:1", two.url]) as both:
            assert await both.get(digest) == BODY


async def test_missing_and_unreachable_are_told_apart(storage: Served) -> None:
    """404 is a StorageError with its status, silence is Unreachable."""
    async with StorageClient(storage.url) as client:
        with pytest.raises(StorageError) as refusal:
            await client.get(bytes(32))
        assert refusal.value.status == 404
    async with StorageClient("http://127.0.0.1:1") as client:
        with pytest.raises(Unreachable):
            await client.get(bytes(32))


async def test_peer_that_sends_no_header_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that drips header bytes is closed when the header time is over."""
    monkeypatch.setattr(BoundedProtocol, "header_seconds", 0.2)
    async with storage_server(tmp_path) as served:
        host, port = served.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()


async def test_body_that_stops_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body without progress is 408 and leaves no staged file."""
    monkeypatch.setattr(bodies_module, "CHUNK_SECONDS", 0.2)
    async with storage_server(tmp_path) as served:
        host, port = served.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        path = storage_path(sha3_256(BODY))
        writer.write(
            f"PUT {path}?class=answer HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc".encode()
        )
        status_line = await asyncio.wait_for(reader.readline(), 30)
        assert b" 408 " in status_line
        writer.close()
        assert list((served.home / "staging").iterdir()) == []


class _Requests:
    """Answers /asc/request as a node does."""

    def __init__(self, status: asc_pb2.RequestStatus) -> None:
        self.status = status

    async def abci_query(self, path: str, _data: bytes = b"") -> QueryAnswer:
        """One request with the given status."""
        assert path == "/asc/request"
        view = state_pb2.RequestView(status=self.status)
        return QueryAnswer(0, "", b"", view.SerializeToString(), b"", 1)


async def _stored(
    tmp_path: Path, retain_until: int, request: bytes = b""
) -> tuple[Records, Bodies, bytes]:
    records = Records(tmp_path / "records.db")
    bodies = Bodies(f"file://{tmp_path / 'bodies'}", tmp_path / "staging", records, 10**6)

    async def stream() -> AsyncIterator[bytes]:
        yield BODY

    digest = sha3_256(BODY)
    assert await bodies.put(Upload(digest, "answer", request, retain_until), stream())
    return records, bodies, digest


async def test_sweeper_deletes_what_has_expired_and_only_that(tmp_path: Path) -> None:
    """Before its time a body stays, after it body and record are gone."""
    records, bodies, digest = await _stored(tmp_path, 1000)
    early = Sweeper(bodies, records, None, 1, now=lambda: 999.0)
    late = Sweeper(bodies, records, None, 1, now=lambda: 1001.5)
    assert await early.sweep() == 0
    assert await bodies.size(digest) == len(BODY)
    assert await late.sweep() == 1
    assert await bodies.size(digest) is None
    assert records.get(digest) is None
    records.close()


async def test_open_request_keeps_its_body(tmp_path: Path) -> None:
    """While the request that named it is open a body is kept; once closed it goes."""
    records, bodies, digest = await _stored(tmp_path, 1000, bytes(20))
    opened = asc_pb2.RequestStatus(status=asc_pb2.STATUS_PENDING, opened_height=5)
    closed = asc_pb2.RequestStatus(
        status=asc_pb2.STATUS_FULFILLED, opened_height=5, closed_height=9
    )
    assert await Sweeper(bodies, records, _Requests(opened), 1, now=lambda: 2000.0).sweep() == 0
    assert records.get(digest).retain_until == 2000 + 3600
    assert await Sweeper(bodies, records, _Requests(closed), 1, now=lambda: 9000.0).sweep() == 1
    records.close()


def test_retention_only_grows(tmp_path: Path) -> None:
    """A shorter retention does not shorten, and a public body stays public for ever."""
    records = Records(tmp_path / "records.db")
    digest = bytes(32)
    records.keep(Record(digest, 1, "ciphertext", 500))
    records.keep(Record(digest, 1, "ciphertext", 100))
    assert records.get(digest) == Record(digest, 1, "ciphertext", 500)
    records.keep(Record(digest, 1, "public", None))
    records.keep(Record(digest, 1, "answer", 900))
    assert records.get(digest) == Record(digest, 1, "public", None)
    records.close()


async def test_body_extended_while_being_swept_survives(tmp_path: Path) -> None:
    """A record that changed between the look and the deletion keeps its body."""
    records, bodies, digest = await _stored(tmp_path, 1000)
    stale = records.get(digest)
    records.extend(digest, 5000)
    assert not await bodies.delete(stale)
    assert await bodies.size(digest) == len(BODY)
    records.close()


async def test_unfinished_upload_of_a_killed_server_is_removed(tmp_path: Path) -> None:
    """Staged bytes of a previous process are gone after a start, stored bodies are not."""
    records, _bodies, digest = await _stored(tmp_path, 1000)
    (tmp_path / "staging" / "left").write_bytes(os.urandom(10))
    again = Bodies(f"file://{tmp_path / 'bodies'}", tmp_path / "staging", records, 10**6)
    assert list((tmp_path / "staging").iterdir()) == []
    assert await again.size(digest) == len(BODY)
    records.close()


async def test_body_swept_while_it_is_sent_again_is_not_acknowledged(tmp_path: Path) -> None:
    """The sender hears that it is gone and sends it once more; no record without a body is left."""
    records, bodies, digest = await _stored(tmp_path, 1000)
    sweeper = Sweeper(bodies, records, None, 1, now=lambda: 1001.5)
    swept = []

    async def slow() -> AsyncIterator[bytes]:
        yield BODY[:100]
        swept.append(await sweeper.sweep())
        yield BODY[100:]

    upload = Upload(digest, "answer", bytes(20), 5000)
    with pytest.raises(ProblemError) as refusal:
        await bodies.put(upload, slow())
    assert (refusal.value.status, refusal.value.title) == (503, "body swept")
    assert swept == [1]
    assert records.get(digest) is None
    assert records.references(digest) == []
    assert await bodies.put(upload, slow())
    assert await bodies.size(digest) == len(BODY)
    assert records.get(digest) == Record(digest, len(BODY), "answer", 5000)
    # One that is there and not expired is kept on, however slowly it is sent again.
    assert not await bodies.put(upload, slow())
    assert swept == [1, 0, 0]
    records.close()
