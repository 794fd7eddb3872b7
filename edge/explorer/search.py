"""The one search box: reads what was typed, asks the index for everything that it may be.

A text can be several things at once: forty hexadecimal digits name an account, a request, a key, a
reference string or a preprocessing; sixty-four a block, a transaction or a handle; a number a block or an
application. All that exist are hits. Nothing that was typed is believed to be harmless: it is compared, as a
parameter of prepared statements, with what the chain itself named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from edge.explorer.index import model
from edge.explorer.reader import Reader
from wire.ids import Address, Digest32, RequestId

MAX_QUERY_CHARACTERS: Final = 200
_MAX_HEIGHT: Final = 2**63 - 1
# As the chain lets applications be named.
_APPLICATION: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_DIGITS: Final = re.compile(r"[0-9]{1,19}")
_HEXADECIMAL: Final = re.compile(r"(?:0[xX])?([0-9a-fA-F]+)")
# What copying from pages and messages leaves around a word.
_AROUND: Final = " \t\r\n\f\v\u00a0\u200b\u200e\u200f\ufeff\"'`<>()[]{},;"


class SearchRefused(ValueError):  # noqa: N818 - a refusal with words for people
    """A text that nothing on the chain is named like, because of its length."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """What a text may name; None where it cannot."""

    text: str
    height: int | None = None
    # 32 bytes: block, transaction, handle.
    digest: bytes | None = None
    # 20 bytes: account, request, key, reference string, preprocessing.
    identifier: bytes | None = None
    application: str | None = None
    # For people: why nothing may be found.
    note: str = ""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to look for."""
        named = (self.height, self.digest, self.identifier, self.application)
        return all(item is None for item in named)


def parse(text: str) -> Candidates:
    """Everything that a text may name.

    Raises:
        SearchRefused: longer than any name.
    """
    if len(text) > MAX_QUERY_CHARACTERS:
        raise SearchRefused(f"at most {MAX_QUERY_CHARACTERS} characters")
    word = text.strip(_AROUND)
    digest = identifier = None
    note = ""
    found = _HEXADECIMAL.fullmatch(word)
    digits = found.group(1) if found is not None else ""
    if len(digits) == 2 * Digest32.LENGTH:
        digest = bytes.fromhex(digits)
    elif len(digits) == 2 * RequestId.LENGTH:
        identifier = bytes.fromhex(digits)
        note = _checksum_note(word)
    application = word.lower() if _APPLICATION.fullmatch(word.lower()) else None
    candidates = Candidates(word, _height(word), digest, identifier, application, note)
    if candidates.empty and word:
        return Candidates(word, note="Nothing on the chain is named like this.")
    return candidates


def _height(word: str) -> int | None:
    """Number of a block, also as people write it: #1,234,567."""
    plain = word.removeprefix("#").replace(",", "").replace("_", "").replace(" ", "")
    # The digits of other scripts are digits for Python, not for the chain.
    if not plain.isascii() or _DIGITS.fullmatch(plain) is None:
        return None
    number = int(plain)
    return number if number <= _MAX_HEIGHT else None


def _checksum_note(word: str) -> str:
    try:
        Address.parse(word.replace("0X", "0x", 1))
    except ValueError:
        return "As an address its checksum is wrong (EIP-55): was it mistyped?"
    return ""


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that exists; `path` is the page's, below /api/v1 the twin's."""

    kind: str
    id: str
    path: str
    summary: str


@dataclass(frozen=True, slots=True)
class Found:
    """All hits of a text; a note for people where something is to be said."""

    query: str
    hits: tuple[Hit, ...]
    note: str


def find(reader: Reader, text: str) -> Found:
    """Everything in the index that a text names.

    Raises:
        SearchRefused: longer than any name.
    """
    named = parse(text)
    hits = [
        *_blocks(reader, named),
        *_by_digest(reader, named),
        *_by_identifier(reader, named),
        *_by_name(reader, named),
    ]
    note = named.note if not hits or named.identifier is not None else ""
    if not hits and not note and named.text:
        note = "Nothing of this name is in the index."
    return Found(named.text, tuple(hits), note)


def _blocks(reader: Reader, named: Candidates) -> Iterator[Hit]:
    if named.height is None:
        return
    block = reader.block(named.height)
    if block is not None:
        yield _block_hit(block)


def _block_hit(block: model.Block) -> Hit:
    height = str(block.summary.height)
    summary = f"{block.summary.transactions} transactions"
    return Hit("block", height, f"/block/{height}", summary)


def _by_digest(reader: Reader, named: Candidates) -> Iterator[Hit]:
    digest = named.digest
    if digest is None:
        return
    block = reader.block_by_hash(digest)
    if block is not None:
        yield _block_hit(block)
    transaction = reader.transaction(digest)
    if transaction is not None:
        kinds = ", ".join(transaction.summary.kinds)
        yield Hit("transaction", digest.hex(), f"/transaction/{digest.hex()}", kinds)
    registered = reader.handle(digest)
    if registered:
        names = ", ".join(item.application for item in registered)
        handle = "0x" + digest.hex()
        yield Hit("handle", handle, f"/handle/{handle}", f"registered by {names}")


def _by_identifier(reader: Reader, named: Candidates) -> Iterator[Hit]:
    identifier = named.identifier
    if identifier is None:
        return
    text = identifier.hex()
    request = reader.request(identifier)
    if request is not None:
        summary = f"{request.summary.kind}, {request.summary.status}"
        yield Hit("request", text, f"/request/{text}", summary)
    for kind, material in (
        ("key", reader.key(identifier)),
        ("reference-string", reader.reference_string(identifier)),
        ("preprocessing", reader.preprocessing(identifier)),
    ):
        if material is not None:
            summary = f"{material.summary.parameters}, {material.summary.status}"
            yield Hit(kind, text, f"/{kind}/{text}", summary)
    account = reader.account(identifier)
    if account.transactions or account.requests or account.names:
        summary = ", ".join(account.names) or f"{account.transactions} transactions"
        yield Hit("account", account.address, f"/account/{account.address}", summary)


def _by_name(reader: Reader, named: Candidates) -> Iterator[Hit]:
    if named.application is None:
        return
    application = reader.application(named.application)
    if application is not None:
        summary = f"{application.summary.requests} requests"
        name = application.summary.id
        yield Hit("application", name, f"/application/{name}", summary)
    for number in reader.party_numbers(named.application):
        yield Hit("party", str(number), f"/party/{number}", named.text)
