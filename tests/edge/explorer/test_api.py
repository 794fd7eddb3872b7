"""The API over a real index: every operation answers as its document says, in all its forms."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import jsonschema
import pytest

from edge.explorer.api.openapi import document
from edge.explorer.api.operations import Operation
from edge.explorer.api.routes import OPERATIONS, PREFIX, VERSION
from tests.edge.explorer.served import api_in_a_thread
from tests.edge.explorer.world import World, block_hash, build_world
from tests.support.chain import ALICE

DOCUMENT = document(OPERATIONS, VERSION)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One of everything."""
    made = build_world(tmp_path_factory.mktemp("world"), more_requests=8)
    yield made
    made.chain.close()


@pytest.fixture(scope="module")
def url(world: World) -> Iterator[str]:
    """Address of the served API."""
    with api_in_a_thread(world) as served:
        yield served


@pytest.fixture
async def client(url: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of the served API."""
    async with aiohttp.ClientSession(url) as session:
        yield session


def name_in(world: World, operation: Operation) -> str:
    """Address of the operation with something that exists."""
    transaction = world.reader().transactions(failed=False).items[0].hash
    names = {
        "height": "6",
        "hash": transaction,
        "address": ALICE.address.checksum,
        "number": "3",
    }
    subject = operation.path.removeprefix(PREFIX).split("/")[1]
    names["id"] = {
        "request": world.requests["fulfilled"].hex(),
        "key": world.key_id.hex(),
        "reference-string": world.crs_id.hex(),
        "handle": "0x" + world.handle.hex(),
        "application": "shop",
    }.get(subject, bytes(20).hex())
    return operation.path.format(**names)


def schema_of(path: str) -> dict[str, Any]:
    """Schema of the answer, with the document's components."""
    answer = DOCUMENT["paths"][path]["get"]["responses"]["200"]
    return {**DOCUMENT, **answer["content"]["application/json"]["schema"]}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_every_operation_answers_as_described(
    world: World, client: aiohttp.ClientSession, operation: Operation
) -> None:
    """With something that exists; lists as CSV too, with a row an item."""
    path = name_in(world, operation)
    query = {"q": "shop"} if operation.name == "search" else {}
    async with client.get(path, params=query) as response:
        if operation.name == "preprocessing":
            # Nothing was prepared.
            assert response.status == 404
            return
        assert response.status == 200, await response.text()
        body = await response.json()
    jsonschema.Draft202012Validator(schema_of(operation.path)).validate(body)
    if operation.listed is None:
        return
    async with client.get(path, params={"format": "csv"}) as response:
        rows = list(csv.reader(io.StringIO(await response.text())))
    assert len(rows) == len(body["items"]) + 1
    assert all(len(row) == len(rows[0]) for row in rows)


async def test_lists_are_walked_by_links(world: World, client: aiohttp.ClientSession) -> None:
    """Each item once; filters go with the cursor."""
    seen: list[str] = []
    path = f"{PREFIX}/requests?limit=3&kind=public-decryption&status=fulfilled"
    while path:
        async with client.get(path) as response:
            body = await response.json()
            link = response.links.get("next")
        seen += [item["id"] for item in body["items"]]
        assert (link is None) == (body["next"] is None)
        path = "" if link is None else str(link["url"].relative())
    assert len(seen) == len(set(seen)) == 10


async def test_a_cursor_of_another_list(world: World, client: aiohttp.ClientSession) -> None:
    """Is the peer's mistake."""
    async with client.get(f"{PREFIX}/blocks?limit=1") as response:
        cursor = (await response.json())["next"]
    async with client.get(f"{PREFIX}/transactions", params={"cursor": cursor}) as response:
        assert response.status == 400
        assert "cursor" in (await response.json())["detail"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_absent_things(
    world: World, client: aiohttp.ClientSession, operation: Operation
) -> None:
    """404 where the document says so."""
    if not operation.absent or operation.name in {"account", "request-proof"}:
        return
    names = {
        "height": "999999999",
        "hash": "0" * 64,
        "number": "99",
        "id": ("0" * 64 if operation.name == "handle" else "0" * 40),
    }
    async with client.get(operation.path.format(**names)) as response:
        assert response.status == 404
        assert (await response.json())["title"] == "not found"


async def found(client: aiohttp.ClientSession, text: str) -> dict[str, Any]:
    """Answer of a search."""
    async with client.get(f"{PREFIX}/search", params={"q": text}) as response:
        assert response.status == 200, await response.text()
        body: dict[str, Any] = await response.json()
        return body


async def test_search_finds_everything(world: World, client: aiohttp.ClientSession) -> None:
    """Height, hashes, address, ids, handle, application, party; keys are requests too."""
    transaction = world.reader().transactions(failed=False).items[0].hash
    for text, expected in (
        ("6", ["block"]),
        (block_hash(6).hex(), ["block"]),
        ("0x" + block_hash(6).hex().upper(), ["block"]),
        (transaction, ["transaction"]),
        (ALICE.address.checksum, ["account"]),
        (bytes(ALICE.address).hex(), ["account"]),
        (world.requests["pending"].hex(), ["request"]),
        (world.key_id.hex(), ["request", "key"]),
        (world.crs_id.hex(), ["request", "reference-string"]),
        (world.handle.hex(), ["handle"]),
        ("SHOP", ["application"]),
        ("operator-2", ["party"]),
        ("nothing-of-this-name", []),
        ("", []),
    ):
        body = await found(client, text)
        assert [hit["kind"] for hit in body["hits"]] == expected, text
        for hit in body["hits"]:
            async with client.get(PREFIX + hit["path"]) as response:
                assert response.status == 200, hit


@pytest.mark.parametrize(
    "text",
    [
        "'; DROP TABLE blocks; --",
        '" OR 1=1 --',
        "<script>alert(1)</script>",
        "%' UNION SELECT raw FROM transactions --",
        "\x00",
        "\u202e",
        "../../../etc/passwd",
        "${jndi:ldap://x}",
    ],
)
async def test_hostile_searches(client: aiohttp.ClientSession, text: str) -> None:
    """Nothing is found, and nothing else happens."""
    body = await found(client, text)
    assert body["hits"] == []
    assert body["note"]


async def test_a_long_search_is_refused(client: aiohttp.ClientSession) -> None:
    """By the guard or by the search itself."""
    for size, status in ((201, 400), (5_000, 414)):
        async with client.get(f"{PREFIX}/search", params={"q": "a" * size}) as response:
            assert response.status == status


async def test_deep_pages_cost_what_first_ones_do(
    world: World, client: aiohttp.ClientSession
) -> None:
    """A cursor is a key: the database looks it up."""
    reader = world.reader()
    plans = reader._connection.execute(
        "EXPLAIN QUERY PLAN SELECT * FROM requests WHERE (sequence) < (?) ORDER BY sequence DESC LIMIT 3",
        (5,),
    ).fetchall()
    assert all("SCAN" not in row["detail"] for row in plans)
    reader.close()


async def test_the_document_is_served(client: aiohttp.ClientSession) -> None:
    """As it is made here."""
    async with client.get(f"{PREFIX}/openapi.json") as response:
        assert await response.json() == DOCUMENT
        tag = response.headers["ETag"]
    async with client.get(f"{PREFIX}/openapi.json", headers={"If-None-Match": tag}) as response:
        assert response.status == 304


async def test_a_node_that_is_away(world: World, client: aiohttp.ClientSession) -> None:
    """The proof says that it cannot be checked now; what is indexed is told all the same."""
    name = world.requests["fulfilled"].hex()
    async with client.get(f"{PREFIX}/request/{name}/proof") as response:
        body = await response.json()
    assert (body["state"], body["facts"], body["header"]) == ("unavailable", [], None)
    async with client.get(f"{PREFIX}/request/{name}") as response:
        assert response.status == 200
