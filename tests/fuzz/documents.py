"""Target `documents`: attestation documents, custody's papers, backup folders and vault files.

Each reader gives a value or its own typed error; what it gives is what was signed or sealed, or nothing.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from core.custody.custodian import Custodian
from core.custody.documents import (
    Answer,
    Context,
    Material,
    Request,
    Setup,
    read_context,
    read_request,
    read_setup,
    sign_context,
)
from core.custody.errors import CustodyError, DocumentError
from core.custody.recovery import Recovery, begin, open_all
from core.custody.store import Backups
from core.errors import VaultError
from core.isolation import cbor
from core.isolation.attestation import verify
from core.isolation.development import sign
from core.isolation.document import parse
from core.isolation.errors import AttestationError, ReleaseError
from core.isolation.release import PURPOSE, Holder, KeyRelease, Proof, recipient_hash
from core.isolation.sealing import SealError, SealingKey, seal
from core.vault import open_vault
from tests.core.custody.test_documents import CONTEXT, CUSTODIANS, REQUEST, SETUPS, SIGNER
from tests.core.isolation.test_attestation import (
    EXPECTED,
    INTERMEDIATE,
    LEAF,
    NOW_MS,
    POLICY,
    REAL,
    ROOT,
    claims,
    document,
)
from tests.fuzz.choices import Choices
from tests.fuzz.spoil import answer, bounded, scratch, spoil, spoil_json
from tests.support.custody import NOW_MS as BACKUP_MS
from tests.support.custody import Operator

_DEEPEST: Final = 10
_NAMES: Final = ("signing", "epochs/2")


def documents(data: bytes) -> None:
    """One document."""
    choices = Choices(data)
    with bounded():
        choices.pick(KINDS)(choices)


# --- attestation


def _attestation(choices: Choices) -> None:
    """Bytes of a document."""
    good = choices.pick((_made(), REAL))
    data = spoil(good, choices, [REAL, _made()])
    answer(lambda: parse(data), AttestationError)
    found = answer(lambda: verify(data, POLICY, EXPECTED, NOW_MS), AttestationError)
    assert (found is not None) == (data == _made())


@functools.cache
def _made() -> bytes:
    return document()


def _claims(choices: Choices) -> None:
    """Claims that an attested machine signs, with the certificates that it is free to choose."""
    changed = {}
    for _ in range(choices.below(4)):
        name = choices.pick((*claims(), "other", 7))
        changed[name] = _value(choices)
    data = sign({**claims(), **changed}, LEAF.key)
    found = answer(lambda: verify(data, POLICY, EXPECTED, NOW_MS), AttestationError)
    if found is not None:
        assert found.nonce == EXPECTED.nonce
        assert found.registers[0] in POLICY.measurements[0]


def _value(choices: Choices, depth: int = 0) -> cbor.Value:
    """Something that a claim may hold, or not."""
    ders = (LEAF.der, INTERMEDIATE.der, ROOT.der)
    action = choices.below(8 if depth < _DEEPEST else 5)
    count = choices.below(9)
    makers: tuple[Callable[[], cbor.Value], ...] = (
        lambda: spoil(choices.pick(ders), choices, ders),
        lambda: [ROOT.der, *(spoil(choices.pick(ders), choices, ders) for _ in range(count))],
        lambda: choices.pick((0, -1, 1, 2**63, 2**64 - 1, NOW_MS, NOW_MS - 1)),
        lambda: choices.pick((None, True, False, "", "SHA384", "x" * 300)),
        lambda: choices.some(60),
        lambda: [_value(choices, depth + 1) for _ in range(count % 3)],
        lambda: {choices.below(40): _value(choices, depth + 1) for _ in range(count % 4)},
        lambda: {number: bytes(48) for number in range(5 * count)},
    )
    return makers[action]()


def _cbor(choices: Choices) -> None:
    """A value has one encoding."""
    data = spoil(cbor.encode(_value(choices)), choices, [REAL])
    missing = object()
    found = answer(lambda: cbor.decode(data), cbor.CborError) if data else missing
    if found is not None and found is not missing:
        assert cbor.encode(found) == data  # type: ignore[arg-type]  # a value


def _release(choices: Choices) -> None:
    """The service that gives away keys."""
    client = bytes(32)
    decisions = scratch() / "decisions"
    holders = {"vault": Holder(client, POLICY)}
    service = KeyRelease(bytes(32), holders, decisions, lambda: NOW_MS)
    nonce = service.challenge(client, "vault")
    recipient = _key().public
    shown = spoil(recipient, choices) if choices.chance(128) else recipient
    attested = document(
        nonce=nonce,
        public_key=recipient_hash(choices.pick((shown, recipient))),
        user_data=PURPOSE + b"vault",
    )
    changed = spoil(attested, choices) if choices.chance(100) else attested
    proof = Proof(choices.pick(("vault", "vault", "other", "")), changed, shown)
    made = answer(lambda: service.create(client, proof), ReleaseError)
    assert made is None or changed == attested
    # A challenge serves once, right or wrong.
    wrapped = choices.some(80)
    assert answer(lambda: service.release(client, proof, wrapped), ReleaseError) is None


@functools.cache
def _key() -> SealingKey:
    return SealingKey(bytes(32))


def _sealed(choices: Choices) -> None:
    """Sealed for a key, and a key that seals."""
    good = _sealed_secret()
    data = spoil(good, choices)
    opened = answer(lambda: _key().open(data, b"purpose"), SealError)
    assert (opened is not None) == (data == good)
    public = spoil(_key().public, choices)
    answer(lambda: seal(public, b"secret", b"purpose"), SealError)


@functools.cache
def _sealed_secret() -> bytes:
    return seal(_key().public, b"secret", b"purpose")


# --- custody


def _papers(choices: Choices) -> None:
    """Each reader with papers of each kind."""
    papers = (SETUPS[0], _context(), REQUEST.text(), CUSTODIANS[0]._signed(_reply()))
    data = spoil_json(choices.pick(papers), choices, papers)
    readers: tuple[Callable[[bytes], object], ...] = (
        *(read_setup, read_context, read_request),
        *(kind.read for kind in (Setup, Context, Request, Answer, Material)),
    )
    found = answer(lambda: choices.pick(readers)(data), DocumentError)
    if isinstance(found, Context):
        assert data == _context()
    if isinstance(found, Setup):
        assert data in SETUPS


@functools.cache
def _context() -> bytes:
    return sign_context(CONTEXT, SIGNER)


def _reply() -> Answer:
    return Answer(bytes(32), 1, b"sealed")


def _strange_context(choices: Choices) -> None:
    """An operator that signs anything, and its custodian."""
    names = [each.name for each in dataclasses.fields(Context)]
    changed: dict[str, Any] = {}
    for _ in range(choices.below(4)):
        name = choices.pick(names)
        old = getattr(CONTEXT, name)
        if isinstance(old, bytes):
            changed[name] = spoil(old, choices)
        elif isinstance(old, str):
            changed[name] = choices.pick(("", "\ud800", "x" * 1000))
        elif isinstance(old, int):
            changed[name] = choices.pick((0, -1, 2**64, 2, 10**4200))
        else:
            changed[name] = tuple(spoil(item, choices) for item in old[: choices.below(4)])
    data = sign_context(dataclasses.replace(CONTEXT, **changed), SIGNER)
    context = answer(lambda: read_context(data), DocumentError)
    if context is None:
        return
    request = dataclasses.replace(
        REQUEST, context=context.digest(), recipient=spoil(_key().public, choices)
    )
    custodian: Custodian = choices.pick(CUSTODIANS)
    answer(
        lambda: custodian.answer(context, request, request.code(), request.made_ms), DocumentError
    )


@functools.cache
def _operator() -> Operator:
    operator = Operator(scratch() / "operator")
    operator.create()
    return operator


@functools.cache
def _attempt() -> tuple[Recovery, list[bytes], bytes, dict[str, bytes]]:
    """A recovery, right answers, the secret and what is restored."""
    operator = _operator()
    attempt = operator.begin()
    answers = operator.answers(attempt, range(1, 6))
    return attempt, answers, attempt.secret(answers), operator.contents()


def _answers(choices: Choices) -> None:
    """Answers of custodians, some of them wrong: the secret or an error."""
    attempt, answers, secret, _ = _attempt()
    given = [
        spoil_json(each, choices, answers) if choices.chance(128) else each
        for each in answers[: choices.below(6)]
    ]
    found = answer(lambda: attempt.secret(given), CustodyError)
    assert found in {None, secret}
    unchanged = sum(each in answers for each in given)
    assert found is not None or unchanged <= attempt.context.threshold


def _backup(choices: Choices) -> None:
    """One file of a backup folder is damaged."""
    _, _, secret, contents = _attempt()
    folder = _operator().folder / "backup"
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    path = choices.pick(files)
    good = path.read_bytes()
    is_json = path.suffix == ".json"
    path.write_bytes(spoil_json(good, choices, [good]) if is_json else spoil(good, choices))
    try:
        found = answer(lambda: _opened(folder, secret), CustodyError)
        assert found in (None, contents)
        answer(lambda: Backups(folder).current().rehearsed(), CustodyError)
    finally:
        path.write_bytes(good)


def _opened(folder: Path, secret: bytes) -> dict[str, bytes]:
    store = Backups(folder).current()
    attempt = begin(store, b"e" * 32, "restore", BACKUP_MS)
    return open_all(store, attempt.context, secret)


# --- vault


def _vault(choices: Choices) -> None:
    """One file of a vault is damaged."""
    operator = _operator()
    root = operator.folder / "vault"
    name = choices.pick(_NAMES)
    path = choices.pick((root / f"{name}.sealed", root / "vault.json"))
    good = path.read_bytes()
    truth = operator.vault.get(name)
    is_json = path.suffix == ".json"
    path.write_bytes(spoil_json(good, choices, [good]) if is_json else spoil(good, choices))
    try:
        key_file = operator.folder / "vault.key"
        opened = answer(lambda: open_vault(root, "keyfile", key_file), VaultError)
        found = None if opened is None else answer(lambda: opened.get(name), VaultError)
        assert found in {None, truth}
    finally:
        path.write_bytes(good)


KINDS: Final[tuple[Callable[[Choices], None], ...]] = (
    *(_attestation, _claims, _claims, _cbor, _release, _sealed, _papers, _papers),
    *(_strange_context, _answers, _backup, _vault),
)
