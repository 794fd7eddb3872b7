"""The API's own machinery, over a toy list: parameters, validators, CSV, refusals and bounds."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Generic, NewType, TypeVar

import aiohttp
import jsonschema
import pytest
from starlette.applications import Starlette

from edge.explorer.api.handlers import on_error, route, routes_of, unknown_path
from edge.explorer.api.openapi import document
from edge.explorer.api.operations import PAGE, Operation, Values, hexadecimal, number, one_of
from edge.explorer.api.schemas import Components, json_of
from edge.explorer.api.tables import columns_of, table
from edge.explorer.guard import MAX_ADDRESS_BYTES, MAX_AT_ONCE, Buckets, Guard, client_of
from edge.serving import ProblemError
from tests.support.edge_servers import serving

Item = TypeVar("Item")
Height = NewType("Height", int)


class Colour(StrEnum):
    """A word."""

    RED = "red"


@dataclass(frozen=True)
class Inner:
    """A record in a record."""

    colour: Colour
    note: str | None


@dataclass(frozen=True)
class Thing:
    """An item."""

    id: bytes
    height: Height
    inner: Inner
    tags: tuple[str, ...]
    pair: tuple[int, str] = (1, "a")


@dataclass(frozen=True)
class Listing(Generic[Item]):
    """A page."""

    items: tuple[Item, ...]
    next: str | None


THING: Final = Thing(b"\x01\x02", Height(7), Inner(Colour.RED, "=1+1"), ("x", "y"))


def read_thing(_context: object, values: Values) -> Thing | None:
    """One thing, or none."""
    if values["id"] == b"\xff\xff":
        raise RuntimeError("/secret/path")
    return THING if values["id"] == THING.id else None


def read_things(_context: object, values: Values) -> Listing[Thing]:
    """A page of as many things as asked for."""
    return Listing((THING,) * values["limit"], None if values["cursor"] else "abc=")


async def read_late(context: object, _values: Values) -> Inner:
    """A coroutine; what it refuses is told."""
    if context == "shut":
        raise ProblemError(503, "not now")
    return THING.inner


OPERATIONS: Final = (
    Operation(
        "thing",
        "/api/v1/thing/{id}",
        "A thing",
        Thing,
        read_thing,
        (hexadecimal("id", 2, "2 bytes"),),
        max_age_s=60,
        absent=True,
    ),
    Operation(
        "things",
        "/api/v1/things",
        "Things",
        Listing[Thing],
        read_things,
        (*PAGE, number("height", "a height"), one_of("colour", ("red",), "a colour")),
        listed=Thing,
    ),
    Operation("late", "/api/v1/late", "Late", Inner, read_late),
)


def application(context: object = None, buckets: Buckets | None = None) -> Any:
    """The toy API behind the guard."""
    app = Starlette(
        routes=[*routes_of(OPERATIONS, context), route("/api/{rest:path}", unknown_path)],
        exception_handlers={Exception: on_error},
    )
    app.add_middleware(Guard, buckets=buckets or Buckets(10_000, 10_000))
    return app


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """A client of the toy API."""
    async with serving(application()) as url, aiohttp.ClientSession(url) as session:
        yield session


async def problem(response: aiohttp.ClientResponse) -> tuple[int, str]:
    """Status and title of a refusal, which is in the one form."""
    assert response.content_type == "application/problem+json"
    body = await response.json()
    assert body["status"] == response.status
    return response.status, body["title"]


async def test_an_answer_meets_its_schema(client: aiohttp.ClientSession) -> None:
    """What the document says is what comes."""
    described = document(OPERATIONS, "1")
    async with client.get("/api/v1/things?limit=2") as response:
        body = await response.json()
        assert response.headers["Link"] == ('</api/v1/things?limit=2&cursor=abc%3D>; rel="next"')
    get = described["paths"]["/api/v1/things"]["get"]
    schema = get["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/ThingListing"}
    jsonschema.Draft202012Validator({**described, **schema}).validate(body)
    assert body["items"][0] == {
        "id": "0102",
        "height": 7,
        "inner": {"colour": "red", "note": "=1+1"},
        "tags": ["x", "y"],
        "pair": [1, "a"],
    }
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator({**described, **schema}).validate({"items": [{}]})


def test_types_without_a_json_form_are_refused() -> None:
    """At the start, not when somebody asks."""
    with pytest.raises(TypeError, match="no JSON form"):
        Components().of(complex)
    with pytest.raises(TypeError):
        json_of(1j)


async def test_what_has_not_changed_is_not_sent(client: aiohttp.ClientSession) -> None:
    """ETag, If-None-Match in all its forms, HEAD."""
    async with client.get("/api/v1/thing/0x0102") as response:
        tag = response.headers["ETag"]
        assert response.headers["Cache-Control"] == "public, max-age=60"
        size = int(response.headers["Content-Length"])
    for given in (tag, f'"other", W/{tag}', "*"):
        async with client.get("/api/v1/thing/0102", headers={"If-None-Match": given}) as response:
            assert (response.status, await response.read()) == (304, b"")
            assert response.headers["ETag"] == tag
    async with client.get("/api/v1/thing/0102", headers={"If-None-Match": '"x"'}) as response:
        assert response.status == 200
    async with client.head("/api/v1/thing/0102") as response:
        assert (response.headers["ETag"], await response.read()) == (tag, b"")
        assert int(response.headers["Content-Length"]) == size


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/api/v1/thing/010", "malformed parameter"),
        ("/api/v1/thing/0102%0A", "malformed parameter"),
        ("/api/v1/thing/0102?x=1", "unknown parameter"),
        ("/api/v1/thing/0102?id=0102", "unknown parameter"),
        ("/api/v1/things?limit=0", "malformed parameter"),
        ("/api/v1/things?limit=201", "malformed parameter"),
        ("/api/v1/things?limit=%C2%B2", "malformed parameter"),
        ("/api/v1/things?limit=-1", "malformed parameter"),
        ("/api/v1/things?limit=+1", "malformed parameter"),
        ("/api/v1/things?limit=", "malformed parameter"),
        ("/api/v1/things?limit=1&limit=1", "parameter given twice"),
        ("/api/v1/things?cursor=%00", "malformed parameter"),
        ("/api/v1/things?cursor=" + "a" * 203, "malformed parameter"),
        ("/api/v1/things?height=9223372036854775808", "malformed parameter"),
        ("/api/v1/things?colour=blue", "malformed parameter"),
        ("/api/v1/things?format=xml", "malformed parameter"),
    ],
)
async def test_malformed_requests(client: aiohttp.ClientSession, path: str, title: str) -> None:
    """Said in words, with the same form."""
    async with client.get(path) as response:
        assert await problem(response) == (400, title)


async def test_absent_things_and_addresses(client: aiohttp.ClientSession) -> None:
    """Nothing of that name; no such address; failures of ours say nothing of the inside."""
    async with client.get("/api/v1/thing/0000") as response:
        assert await problem(response) == (404, "not found")
    async with client.get("/api/v1/nothing") as response:
        assert await problem(response) == (404, "no such address")
        assert response.headers["Access-Control-Allow-Origin"] == "*"


async def test_lists_as_csv(client: aiohttp.ClientSession) -> None:
    """Asked for by parameter or header; formulas are only text."""
    columns = ["id", "height", "inner.colour", "inner.note", "tags", "pair"]
    assert columns_of(Thing) == columns
    async with client.get("/api/v1/things?limit=1&format=csv") as response:
        text = await response.text()
        assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert 'filename="things.csv"' in response.headers["Content-Disposition"]
        assert "format=csv" in response.headers["Link"]
    rows = list(csv.reader(io.StringIO(text)))
    assert rows == [columns, ["0102", "7", "red", "'=1+1", '["x","y"]', '[1,"a"]']]
    async with client.get("/api/v1/things?limit=1", headers={"Accept": "text/csv"}) as response:
        assert await response.text() == text
    async with client.get("/api/v1/thing/0102", headers={"Accept": "text/csv"}) as response:
        assert response.content_type == "application/json"


def test_cells_that_a_spreadsheet_would_compute() -> None:
    """They are quoted; numbers stay numbers."""
    made = table([{"a": "@x", "b": -1, "c": None, "d": True, "e": 'a\0"b,c'}], list("abcde"))
    assert made.decode().split("\r\n")[1] == '\'@x,-1,,true,"a""b,c"'


async def test_only_reading(client: aiohttp.ClientSession) -> None:
    """Other methods, bodies and long addresses are refused before anything looks at them."""
    for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "FOO"):
        async with client.request(method, "/api/v1/things") as response:
            assert await problem(response) == (405, "Method Not Allowed")
            assert response.headers["Allow"] == "GET, HEAD, OPTIONS"
    async with client.get("/api/v1/things", data=b"x" * 100_000) as response:
        assert await problem(response) == (413, "body not read")
    async with client.get("/api/v1/things?cursor=" + "a" * MAX_ADDRESS_BYTES) as response:
        assert await problem(response) == (414, "address too long")
    async with client.options("/api/v1/things") as response:
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
        assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_megabyte_of_address(client: aiohttp.ClientSession) -> None:
    """The server itself cuts it off, and goes on."""
    url = client._base_url
    assert url is not None
    assert url.port is not None
    with socket.create_connection((url.host, url.port), timeout=10) as peer:
        peer.settimeout(10)
        with contextlib.suppress(OSError):
            peer.sendall(b"GET /api/v1/things?cursor=" + b"a" * 1_000_000 + b" HTTP/1.1\r\n")
    async with client.get("/api/v1/things") as response:
        assert response.status == 200


async def test_failures_of_ours_say_nothing_of_the_inside() -> None:
    """A bug is a 500 in the same form."""
    async with serving(application("shut")) as url, aiohttp.ClientSession(url) as session:
        async with session.get("/api/v1/late") as response:
            assert await problem(response) == (503, "not now")
        async with session.get("/api/v1/thing/ffff") as response:
            text = await response.text()
            assert await problem(response) == (500, "internal error")
            assert "secret" not in text


async def test_a_client_that_asks_too_often() -> None:
    """It is told when to come back; others are served."""
    buckets = Buckets(rate=0.5, burst=2)
    async with (
        serving(application(buckets=buckets)) as url,
        aiohttp.ClientSession(url) as session,
    ):
        for _ in range(2):
            async with session.get("/api/v1/things") as response:
                assert response.status == 200
        async with session.get("/api/v1/things") as response:
            assert await problem(response) == (429, "too many requests")
            assert response.headers["Retry-After"] == "2"
        other = {"X-Forwarded-For": "192.0.2.1"}
        async with session.get("/api/v1/things", headers=other) as response:
            assert response.status == 200


async def test_a_person_is_refused_in_words() -> None:
    """A browser that asks for a page shows one; the API speaks to programs whoever asks."""
    browser = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
    hostile = "/<script>alert(1)</script>"
    async with (
        serving(application(buckets=Buckets(rate=0.5, burst=1))) as url,
        aiohttp.ClientSession(url, headers=browser) as session,
    ):
        async with session.get("/") as response:
            assert response.status != 429
        async with session.get(hostile) as response:
            text = await response.text()
            assert (response.status, response.content_type) == (429, "text/html")
            assert response.headers["Retry-After"] == "2"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert "<h1>Too many requests</h1>" in text
            assert "Try again in 2 s" in text
            assert "script" not in text
        async with session.get("/api/v1/things") as response:
            assert await problem(response) == (429, "too many requests")
        async with session.get("/" + "a" * MAX_ADDRESS_BYTES) as response:
            assert (response.status, response.content_type) == (414, "text/html")
            assert "Address too long" in await response.text()


def test_buckets_fill_again_and_are_bounded() -> None:
    """On the long run the rate; the oldest client is forgotten."""
    now = [0.0]
    buckets = Buckets(rate=2, burst=3, clients=2, now=lambda: now[0])
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 1]
    now[0] = 0.5
    assert [buckets.take("a") for _ in range(2)] == [0, 1]
    for client in ("b", "c"):
        buckets.take(client)
    assert list(buckets._buckets) == ["b", "c"]


def test_clients_by_their_address() -> None:
    """One subscriber of IPv6 has more addresses than there are buckets."""

    def of(host: str) -> str:
        return client_of({"client": (host, 1)})

    assert of("192.0.2.7") == "192.0.2.7"
    assert of("2001:db8::1") == of("2001:db8::ffff") == "2001:db8::/64"
    assert of("2001:db8:0:1::1") != of("2001:db8::1")
    assert client_of({"client": None}) == "unknown"


def test_the_document_is_json() -> None:
    """And has an operation for every address."""
    made = document(OPERATIONS, "1.2")
    assert json.loads(json.dumps(made))["info"]["version"] == "1.2"
    assert set(made["paths"]) == {operation.path for operation in OPERATIONS}


async def test_a_client_has_few_answers_at_once() -> None:
    """Streams that never end do not take everything."""
    gate = asyncio.Event()

    async def wait(_context: object, _values: Values) -> Inner:
        await gate.wait()
        return THING.inner

    app = Starlette(routes=routes_of((Operation("late", "/late", "Late", Inner, wait),), None))
    app.add_middleware(Guard, buckets=Buckets(10_000, 10_000))
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        serving(app) as url,
        aiohttp.ClientSession(url, connector=connector) as session,
    ):
        waiting = [asyncio.create_task(session.get("/late")) for _ in range(MAX_AT_ONCE + 5)]
        done, _ = await asyncio.wait(waiting, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        assert {task.result().status for task in done} == {429}
        gate.set()
        statuses = [(await task).status for task in waiting]
        assert statuses.count(200) == MAX_AT_ONCE
        async with session.get("/late") as response:
            assert response.status == 200
