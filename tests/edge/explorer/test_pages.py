"""The pages over the test world: complete without a script, safe with what the chain holds, honest about errors."""

from __future__ import annotations

import html.parser
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.explorer.api.reads import Sources as ApiSources
from edge.explorer.api.routes import routes as api_routes
from edge.explorer.facts import Fact, ProvenFacts
from edge.explorer.index.database import create
from edge.explorer.index.model import Block, Event
from edge.explorer.node import NodeAway, NodeView
from edge.explorer.pages.rendering import POLICY
from edge.explorer.pages.routes import PAGES
from edge.explorer.proof import ProofState, Verification, Verifier
from edge.explorer.reader import Reader
from light import LightBlock, TrustedHeader
from tests.edge.explorer.served_pages import PageClient, nobody, pages_in_a_thread
from tests.edge.explorer.world import World, block_hash, build_world
from tests.support.chain import ALICE
from tests.support.shop import APPLICATION
from wire.ids import RequestId
from wire.pb.tkms.asc.v1 import asc_pb2

HEXADECIMAL = re.compile(r"[0-9a-f]{40,64}")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One of everything, and enough requests for a second page."""
    made = build_world(tmp_path_factory.mktemp("world"), 42)
    yield made
    made.chain.close()


@pytest.fixture(scope="module")
def client(world: World) -> Iterator[PageClient]:
    """The pages, with a light client that has no node."""
    reader = world.reader()
    with pages_in_a_thread(reader, NodeView(world.rpc)) as made:
        yield made
    reader.close()


def addresses(world: World) -> dict[str, str]:
    """One address a page."""
    reader = world.reader()
    try:
        sent = reader.transactions(None, 1, sender=bytes(ALICE.address)).items[0].hash
    finally:
        reader.close()
    request = world.requests["contradicted"].hex()
    named = {
        "/block/{height}": "/block/7",
        "/transaction/{hash}": f"/transaction/{sent}",
        "/request/{id}": f"/request/{request}",
        "/part/request/{id}": f"/part/request/{request}",
        "/key/{id}": f"/key/{world.key_id.hex()}",
        "/reference-string/{id}": f"/reference-string/{world.crs_id.hex()}",
        "/application/{id}": f"/application/{APPLICATION}",
        "/handle/{id}": f"/handle/0x{world.handle.hex()}",
        "/account/{address}": f"/account/{ALICE.address.checksum}",
        "/party/{number}": "/party/3",
    }
    return {path: named.get(path, path) for path, *_ in PAGES if path != "/preprocessing/{id}"}


class Checked(html.parser.HTMLParser):
    """What a page must not have, and what it must."""

    VOID = frozenset({"meta", "link", "input", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.ids: list[str] = []
        self.headings: list[str] = []
        self.links: list[str] = []
        self.feed(text)
        self.close()
        self.faults += [f"<{tag}> is not closed" for tag in self.open]
        self.faults += [f"id {name} twice" for name in set(self.ids) if self.ids.count(name) > 1]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One element."""
        given = {name: value or "" for name, value in attrs}
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "style" or "style" in given or any(name.startswith("on") for name in given):
            self.faults.append(f"inline style or handler: {tag}")
        if tag == "script" and not given.get("src", "").startswith("/static/"):
            self.faults.append(f"script from {given}")
        for name in ("src", "href", "action"):
            if name in given and not given[name].startswith(("/", "#", "http://127.0.0.1")):
                self.faults.append(f"{name} leads to {given[name]}")
        if tag == "a":
            self.links.append(given.get("href", ""))
        if "id" in given:
            self.ids.append(given["id"])
        if tag in {"h1", "h2", "h3"}:
            self.headings.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Its end."""
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes something else")


def test_every_page_is_whole(world: World, client: PageClient) -> None:
    """Every page of the list renders, is well-formed, and has nothing inline."""
    for path, address in addresses(world).items():
        answer = client.get(address)
        assert answer.status == 200, (path, answer.text[:300])
        assert answer.headers["content-security-policy"] == POLICY
        checked = Checked(answer.text)
        assert checked.faults == [], path
        if not path.startswith("/part/"):
            assert checked.headings[0] == "h1", path
            assert checked.headings.count("h1") == 1, path
            assert '<main id="content"' in answer.text
            assert "/api/v1/" in answer.text


def test_links_lead_somewhere(world: World, client: PageClient) -> None:
    """No page links to a page that is not there."""
    links = {
        link.split("#")[0]
        for address in addresses(world).values()
        for link in Checked(client.get(address).text).links
        if not link.startswith(("http", "/api/", "#"))
    }
    # Many pages of one kind are tried once more each, not all.
    seen: dict[str, int] = {}
    for link in sorted(links):
        kind = link.split("/")[1]
        seen[kind] = seen.get(kind, 0) + 1
        if link and seen[kind] <= 6:
            assert client.get(link.replace("&amp;", "&")).status == 200, link


def test_what_the_chain_holds_stays_text(client: PageClient) -> None:
    """A title of somebody's proposal is a script; it is shown, not run."""
    text = client.get("/config").text
    assert "&lt;script&gt;alert(" in text
    assert "<script>alert" not in text


@pytest.mark.parametrize(
    "hostile",
    [
        '"><script>alert(1)</script>',
        "' OR 1=1 --",
        "{{ 7 * 7 }}",
        "\x00\x07",
        "\U0001d538" * 50,
        "%s%n",
    ],
)
def test_search_of_hostile_text(client: PageClient, hostile: str) -> None:
    """It is shown as it is."""
    answer = client.get("/search", params={"q": hostile})
    assert answer.status == 200
    assert Checked(answer.text).faults == []
    assert "<script>alert" not in answer.text
    assert "49" not in answer.text.split("</header>")[1].split("<footer>")[0]


def test_search_leads_to_the_one_thing(world: World, client: PageClient) -> None:
    """A single hit is where the reader is sent."""
    wanted = f"/request/{world.requests['pending'].hex()}"
    assert client.get("/search", params={"q": wanted[9:]}).headers["location"] == wanted
    answer = client.get("/search", params={"q": "x" * 201})
    assert (answer.status, "At most 200 characters" in answer.text) == (400, True)


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/nowhere", 404),
        ("/block/0", 404),
        ("/block/-1", 404),
        ("/block/99999999999999999999", 404),
        ("/block/%D9%A3", 404),
        ("/transaction/abc", 404),
        (f"/transaction/{'0' * 64}", 404),
        (f"/request/{'0' * 40}", 404),
        (f"/request/{'g' * 40}", 404),
        ("/application/%3Cscript%3E", 404),
        ("/party/99", 404),
        ("/preprocessing/" + "1" * 40, 404),
        ("/requests?kind=bad", 400),
        ("/requests?cursor=bad", 400),
        ("/requests?cursor=WzEsMl0", 400),
        ("/requests?key=12", 400),
        ("/transactions?sender=%00", 400),
        ("/audit?application=A%20B", 400),
        ("/charts?range=century", 400),
        ("/static/vendor/README.md", 404),
        ("/static/../routes.py", 404),
    ],
)
def test_refusals_are_pages(client: PageClient, address: str, status: int) -> None:
    """Whatever is asked for, nothing of the inside is told."""
    answer = client.get(address)
    assert answer.status == status
    assert "Traceback" not in answer.text
    if not address.startswith("/static"):
        assert Checked(answer.text).faults == []
        assert answer.headers["cache-control"] == "no-store"


def test_lists_go_on_with_their_filter(client: PageClient) -> None:
    """The second page begins where the first ends and keeps what it is narrowed to."""
    first = client.get("/requests", params={"application": APPLICATION}).text
    following = re.search(r'href="([^"]*)" rel="next"', first)
    assert following is not None
    address = following.group(1).replace("&amp;", "&")
    assert f"application={APPLICATION}" in address
    second = client.get(address).text
    ids = [set(re.findall(r"/request/([0-9a-f]{40})", text)) for text in (first, second)]
    assert len(ids[0]) == 40
    assert ids[1]
    assert not ids[0] & ids[1]
    assert ">Newest</a>" not in first
    assert f'href="/requests?application={APPLICATION}">Newest</a>' in second


def test_request_page_tells_its_story(world: World, client: PageClient) -> None:
    """Answers, contradiction, permission, value, timeline; identifiers are whole in the text."""
    request = world.requests["contradicted"].hex()
    text = client.get(f"/request/{request}").text
    assert request in text
    for words in (
        "Not verified yet",
        "Why it was allowed",
        "The handle was public",
        "Timeline",
        "Opened",
        "Decided",
        "Gave another answer",
        "two signed answers of one party",
        "Silent: party",
        '<code class="full">5</code>',
    ):
        assert words in text or words.replace("Silent", "Not heard yet") in text, words
    pending = client.get(f"/request/{world.requests['pending'].hex()}").text
    assert 'hx-trigger="newhead from:body' in pending
    assert "Waiting" in pending


def test_refused_transaction_says_why(client: PageClient) -> None:
    """The reason's name, sentence and hint are on its page."""
    listed = client.get("/transactions", params={"outcome": "refused"}).text
    link = re.search(r'href="(/transaction/[0-9a-f]{64})"', listed)
    assert link is not None
    text = client.get(link.group(1)).text
    assert "refused" in text
    assert re.search(r"<strong>[A-Z][^<]+</strong>", text)


def test_bytes_stand_beside_what_they_say(world: World, client: PageClient) -> None:
    """Decoded fields and raw bytes on one page."""
    text = client.get(addresses(world)["/transaction/{hash}"]).text
    assert 'id="messages"' in text
    assert re.search(r"00000  ([0-9a-f]{2} ){15}[0-9a-f]{2}", text)


def test_unchanged_pages_are_not_sent_again(client: PageClient) -> None:
    """ETag, as the API has it."""
    first = client.get("/block/7")
    again = client.get("/block/7", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


def test_assets_are_ours_and_kept(client: PageClient) -> None:
    """Addresses of assets carry their digest, so they may be kept for ever."""
    text = client.get("/charts").text
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', text):
        answer = client.get(address)
        assert answer.status == 200, address
        assert "immutable" in answer.headers["cache-control"]
        assert re.search(r"\?v=[0-9a-f]{12}$", address)


class AwayNode(NodeView):
    """A node that does not answer."""

    async def config(self) -> NoReturn:
        """Nothing."""
        raise NodeAway("away")

    async def balance(self, _address: bytes) -> NoReturn:
        """Nothing."""
        raise NodeAway("away")

    async def consensus(self) -> NoReturn:
        """Nothing."""
        raise NodeAway("away")


def test_before_the_first_block(world: World, tmp_path: Path) -> None:
    """An empty index has pages too, and so has a node that is away."""
    create(tmp_path / "index.db").close()
    reader = Reader(tmp_path / "index.db")
    with pages_in_a_thread(reader, AwayNode(world.rpc)) as client:
        for path, *_ in PAGES:
            names = {"number": "1", "height": "1", "address": "0x" + "11" * 20, "id": "1" * 40}
            answer = client.get(path.format_map({**names, "hash": "1" * 64}))
            assert answer.status in (200, 404), path
            assert Checked(answer.text).faults == [], path
        assert "The index is empty" in client.get("/").text
        for path in ("/config", "/consensus", "/account/" + "11" * 20):
            assert "node does not answer now" in client.get(path).text
    reader.close()


def test_pages_leave_other_addresses_alone(world: World) -> None:
    """Routes before them win: the last one answers only what nobody else does."""

    async def twin(_request: Request) -> Response:
        return Response("{}", media_type="application/json")

    reader = world.reader()
    before = (Route("/api/v1/blocks", twin),)
    with pages_in_a_thread(reader, NodeView(world.rpc), before) as client:
        assert client.get("/api/v1/blocks").text == "{}"
        assert client.get("/api/v1/other").status == 404
    reader.close()


class KnownVerifier(Verifier):
    """Says what the test wants."""

    def __init__(self, outcome: Verification) -> None:
        super().__init__(nobody)
        self.outcome = outcome

    async def verify(self, request: RequestId, patience_s: float = 0) -> Verification:
        """The outcome; a page never waits long for it."""
        assert (request, patience_s < 0.1) == (self.outcome.request_id, True)
        return self.outcome


def facts(request: bytes, closed: int) -> ProvenFacts:
    """Proven facts about a request."""
    header = TrustedHeader(21, 0, b"h" * 32, b"\xab" * 32, b"v", b"v", b"", b"", b"", b"")
    return ProvenFacts(
        request_id=RequestId(request),
        height=20,
        header=header,
        light_block=LightBlock(b"", b""),
        facts=(Fact("entry", "entry 4 of the <request> log", b"k", b"v", b"p" * 100),),
        entry=asc_pb2.LogEntry(),
        status=asc_pb2.RequestStatus(closed_height=closed),
        audit=None,
        signers=(1, 2),
    )


@pytest.mark.parametrize(
    ("state", "closed", "words", "moves"),
    [
        (ProofState.PROVEN, 60, "Verified against the app hash of height 20", False),
        (ProofState.PROVEN, 0, "in the signed header of height 21", True),
        (ProofState.CONTRADICTED, 0, "✗ The node", False),
        (ProofState.CHECKING, 0, "The proof is being checked", True),
        (ProofState.BUSY, 0, "too many others wait", True),
    ],
)
def test_request_page_says_what_is_proven(
    world: World, state: ProofState, closed: int, words: str, moves: bool
) -> None:
    """Proven, contradicted, not yet: in words; what is final is not asked for again."""
    request = world.requests["fulfilled"]
    known = facts(request, closed) if state is ProofState.PROVEN else None
    outcome = Verification(RequestId(request), state, facts=known, trusted="a pinned set")
    reader = world.reader()
    with pages_in_a_thread(reader, NodeView(world.rpc), verifier=KnownVerifier(outcome)) as client:
        text = client.get(f"/request/{request.hex()}").text
    reader.close()
    assert Checked(text).faults == []
    assert words in text
    assert f'data-proof="{state.value}"' in text
    assert ("ab" * 32 in text) == (known is not None)
    assert "<request>" not in text
    assert ("data-again" in text) == (state in (ProofState.CHECKING, ProofState.BUSY))
    # The request itself is closed in the index: only its proof can still move.
    assert ("hx-get=" in text) == moves


def test_participation_is_drawn_and_said(client: PageClient) -> None:
    """The party that is often silent is seen to be, and read out."""
    text = client.get("/party/4").text
    found = re.search(r"of (\d+) requests (\d+) answered, (\d+) in the agreed result", text)
    assert found is not None
    asked, answered, agreed = map(int, found.groups())
    assert asked == text.count("<title>silent</title>") + text.count("<title>in") + text.count(
        "<title>still open</title>"
    ) + text.count("<title>another answer or a failure</title>")
    assert 0 < agreed <= answered < asked


def test_a_node_that_joins_finds_what_to_trust(world: World, client: PageClient) -> None:
    """Height and hash of a block below the head, to be copied."""
    text = client.get("/consensus").text
    height = world.chain.height - 20
    assert f"trust_height = {height}\n" in text
    assert block_hash(height).hex().upper() in text


def test_every_page_has_its_twin(world: World) -> None:
    """The link at the bottom leads to the same thing as JSON, filters included; so do the downloads."""
    reader = world.reader()
    node = NodeView(world.rpc)
    api = tuple(api_routes(ApiSources(reader, Verifier(nobody), node)))
    with pages_in_a_thread(reader, node, api) as client:
        for path, address in addresses(world).items():
            if path.startswith("/part/"):
                continue
            text = client.get(address + ("?q=shop" if path == "/search" else "")).text
            for link in re.findall(r'href="(/api/v1/[^"]+)"', text):
                answer = client.get(link.replace("&amp;", "&"))
                assert answer.status == 200, (path, link, answer.text[:200])
        narrowed = client.get("/requests", params={"status": "pending", "kind": ""}).text
        twin = re.search(r'href="(/api/v1/requests[^"]*)">This page as JSON', narrowed)
        assert twin is not None
        found = json.loads(client.get(twin.group(1)).body)["items"]
        assert [item["status"] for item in found] == ["pending"]
    reader.close()


def test_an_index_that_cannot_be_read_is_said_so(world: World, tmp_path: Path) -> None:
    """503 as a page, without the words of the database."""
    reader = Reader(tmp_path / "nowhere.db")
    with pages_in_a_thread(reader, NodeView(world.rpc)) as client:
        answer = client.get("/blocks")
    assert answer.status == 503
    assert "The index is not readable now" in answer.text
    assert "nowhere.db" not in answer.text
    assert Checked(answer.text).faults == []


def test_a_full_block_has_a_page_of_bounded_size(world: World) -> None:
    """Its first transactions, and where the others are."""

    class FullBlocks(Reader):
        def block(self, height: int) -> Block | None:
            found = super().block(height)
            assert found is not None
            events = (Event("request_opened", {"request_id": "ab"}),) * 5000
            return replace(found, transactions=found.transactions * 5000, events=events)

    reader = FullBlocks(world.path)
    with pages_in_a_thread(reader, NodeView(world.rpc)) as client:
        answer = client.get("/block/20")
    reader.close()
    assert answer.text.count("And 4,800 more") == 2
    assert len(answer.body) < 500_000
