"""The same storage over S3: a real S3 protocol server on loopback is the bucket."""

from collections.abc import Iterator

import moto.server as moto_server
import pytest

from client.storage import StorageClient
from tests.support.edge_servers import storage_server
from wire.digests import sha3_256

BODY = bytes(range(256)) * 64


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty bucket; credentials and endpoint are in the environment as operators set them."""
    import boto3  # comes with moto

    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    values = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3", endpoint_url=endpoint)
    client.create_bucket(Bucket="tkms")
    client.close()
    yield "s3://tkms"
    server.stop()


@pytest.mark.filterwarnings("default")  # the peer's own warnings are not ours
async def test_bodies_live_in_a_bucket(tmp_path: object, bucket: str) -> None:
    """Put, put again, get and a start with an empty sidecar work over S3."""
    first, second = tmp_path / "first", tmp_path / "second"  # type: ignore[operator]  # a path
    async with storage_server(first, bucket) as served, StorageClient(served.url) as client:
        digest = await client.put(BODY, "ciphertext")
        assert await client.put(BODY, "ciphertext") == digest == sha3_256(BODY)
        assert await client.get(digest) == BODY
        assert not (first / "bodies").exists()
    async with storage_server(second, bucket) as served, StorageClient(served.url) as client:
        assert await client.get(digest) == BODY
