"""Attestation documents: a real one, made ones, and every way in which they must prove nothing."""

import base64
import dataclasses
import datetime as dt
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from core.isolation import cbor, development
from core.isolation.attestation import AWS_NITRO_ROOT, Expected, Policy, verify
from core.isolation.development import Authority, Device, issue, make_root, registers_of, sign
from core.isolation.document import protected_header, signed_bytes
from core.isolation.errors import AttestationError, Denial

VECTOR = Path(__file__).parents[2] / "vectors" / "isolation" / "nitro-document.base64"
REAL = base64.b64decode(VECTOR.read_text())
REAL_TIME_MS = 1743516970144
REAL_IMAGE = bytes.fromhex(
    "517a9ec66c4c8e8f3b309c4a4598e2383dff4ec07dfa48617c2d7ec9b1fbf86a597b4376b18114914a31af2ea12a2db6"
)

NOW = dt.datetime(2026, 11, 20, 12, 0, 0, tzinfo=dt.UTC)
NOW_MS = int(NOW.timestamp() * 1000)
HOUR_MS = 3600 * 1000
REGISTERS = registers_of(b"image")
ROOT = make_root(NOW)
INTERMEDIATE = issue("intermediate", ROOT, NOW, authority=True)
LEAF = issue("leaf", INTERMEDIATE, NOW)
EXPECTED = Expected(nonce=b"question", public_key=b"key", user_data=b"data")
POLICY = Policy(
    frozenset([hashlib.sha256(ROOT.der).digest()]), {0: frozenset([REGISTERS[0]])}, max_age_s=300
)


def claims(**changed: cbor.Value) -> dict[int | str, cbor.Value]:
    """Claims of a good document, some of them changed."""
    return {
        "module_id": "i-1",
        "digest": "SHA384",
        "timestamp": NOW_MS,
        "pcrs": dict(REGISTERS),
        "certificate": LEAF.der,
        "cabundle": [ROOT.der, INTERMEDIATE.der],
        "public_key": b"key",
        "user_data": b"data",
        "nonce": b"question",
        **changed,
    }


def document(key: ec.EllipticCurvePrivateKey | None = None, **changed: cbor.Value) -> bytes:
    """A document that is signed well, with some claims changed."""
    return sign(claims(**changed), key or LEAF.key)


def denial(data: bytes, policy: Policy = POLICY, *, now_ms: int = NOW_MS) -> Denial:
    """Why a document is refused."""
    with pytest.raises(AttestationError) as caught:
        verify(data, policy, EXPECTED, now_ms)
    return caught.value.denial


def real_policy(**changed: object) -> Policy:
    """A policy for the real document."""
    policy = Policy(frozenset([AWS_NITRO_ROOT]), {0: frozenset([REAL_IMAGE])})
    return dataclasses.replace(policy, **changed)


def test_a_real_document_passes_at_its_time_only() -> None:
    """A production enclave's document proves its image against the root that AWS publishes."""
    found = verify(REAL, real_policy(), Expected(), REAL_TIME_MS + 1000)
    assert found.registers[0] == REAL_IMAGE
    assert found.module == "i-0ffff615a409a72d7-enc0195f17eaba9b385"
    assert len(found.public_key) == 32
    old = real_policy(max_age_s=10 * 365 * 86400)
    assert denial(REAL, real_policy(), now_ms=REAL_TIME_MS + 301_000) is Denial.STALE
    assert denial(REAL, old, now_ms=REAL_TIME_MS + 6 * HOUR_MS) is Denial.CHAIN
    assert denial(REAL, POLICY, now_ms=REAL_TIME_MS) is Denial.ROOT
    assert denial(REAL, real_policy(), now_ms=REAL_TIME_MS) is Denial.NONCE


def test_every_changed_byte_of_a_real_document_is_noticed() -> None:
    """A sample over all parts of it, in steps that hit every field."""
    for position in range(0, len(REAL), 61):
        altered = bytearray(REAL)
        altered[position] ^= 1
        with pytest.raises(AttestationError):
            verify(bytes(altered), real_policy(), Expected(), REAL_TIME_MS)


def test_a_made_document_passes_where_its_root_is_pinned() -> None:
    """The development device makes what the same verifier accepts, and only by the policy's fingerprint."""
    device = Device(ROOT, REGISTERS, lambda: NOW)
    made = device.attest(public_key=b"key", user_data=b"data", nonce=b"question")
    assert verify(made, POLICY, EXPECTED, NOW_MS).registers == REGISTERS
    aws = dataclasses.replace(POLICY, roots=frozenset([AWS_NITRO_ROOT]))
    assert denial(made, aws) is Denial.ROOT


@pytest.mark.parametrize(
    ("expected", "reason"),
    [
        (Expected(nonce=b"other"), Denial.NONCE),
        (Expected(public_key=b"other"), Denial.PUBLIC_KEY),
        (Expected(user_data=b"other"), Denial.USER_DATA),
        (Expected(nonce=b""), Denial.NONCE),
    ],
)
def test_a_document_for_another_question(expected: Expected, reason: Denial) -> None:
    """Replay under another nonce, key or binding."""
    with pytest.raises(AttestationError) as caught:
        verify(document(), POLICY, expected, NOW_MS)
    assert caught.value.denial is reason


@pytest.mark.parametrize(
    ("number", "measurement", "reason"),
    [
        (0, b"\1" * 48, Denial.MEASUREMENT),
        (0, bytes(48), Denial.DEBUG),
        (1, bytes(48), Denial.DEBUG),
        (2, bytes(48), Denial.DEBUG),
    ],
)
def test_another_image_and_debug_mode(number: int, measurement: bytes, reason: Denial) -> None:
    """A wrong measurement, and the zeros of an enclave that anybody can look into."""
    assert denial(document(pcrs={**REGISTERS, number: measurement})) is reason


def test_further_registers_of_a_policy_count() -> None:
    """The right image under another principal (register 3), and a register that is missing."""
    strict = dataclasses.replace(POLICY, measurements={**POLICY.measurements, 3: {b"\7" * 48}})
    good = document(pcrs={**REGISTERS, 3: b"\7" * 48})
    assert verify(good, strict, EXPECTED, NOW_MS)
    assert denial(document(), strict) is Denial.MEASUREMENT
    registers = {n: m for n, m in REGISTERS.items() if n != 3}
    assert denial(document(pcrs=registers), strict) is Denial.MEASUREMENT
    assert denial(document(pcrs={0: REGISTERS[0]})) is Denial.DEBUG


def test_age_in_both_directions() -> None:
    """Old and from the future; chains are judged at our time, not at the document's."""
    assert denial(document(), now_ms=NOW_MS + 301_000) is Denial.STALE
    assert denial(document(timestamp=NOW_MS + 61_000)) is Denial.STALE
    assert denial(document(), now_ms=NOW_MS + 4 * HOUR_MS) is Denial.CHAIN
    assert denial(document(timestamp=NOW_MS - HOUR_MS), now_ms=NOW_MS - HOUR_MS) is Denial.CHAIN


def _self_made() -> tuple[Authority, list[bytes]]:
    other = make_root(NOW)
    return issue("leaf", other, NOW), [ROOT.der]


def _own_root_behind_the_pinned_one() -> tuple[Authority, list[bytes]]:
    other = make_root(NOW)
    return issue("leaf", other, NOW), [ROOT.der, other.der]


def _leaf_as_authority() -> tuple[Authority, list[bytes]]:
    return issue("leaf", LEAF, NOW), [ROOT.der, INTERMEDIATE.der, LEAF.der]


def _authority_as_leaf() -> tuple[Authority, list[bytes]]:
    return INTERMEDIATE, [ROOT.der]


def _missing_link() -> tuple[Authority, list[bytes]]:
    return LEAF, [ROOT.der]


def _expired_link() -> tuple[Authority, list[bytes]]:
    past = NOW - dt.timedelta(days=1)
    old = issue("old", ROOT, past, authority=True)
    return issue("leaf", old, NOW), [ROOT.der, old.der]


def _longer_than_allowed() -> tuple[Authority, list[bytes]]:
    last = issue("last", ROOT, NOW, authority=True, path_length=0)
    further = issue("further", last, NOW, authority=True)
    return issue("leaf", further, NOW), [ROOT.der, last.der, further.der]


def _not_a_certificate() -> tuple[Authority, list[bytes]]:
    return LEAF, [ROOT.der, b"\x30\x03\x02\x01\x01"]


@pytest.mark.parametrize(
    "make",
    [
        _self_made,
        _own_root_behind_the_pinned_one,
        _leaf_as_authority,
        _authority_as_leaf,
        _missing_link,
        _expired_link,
        _longer_than_allowed,
        _not_a_certificate,
    ],
)
def test_chains_that_do_not_lead_to_the_root(
    make: Callable[[], tuple[Authority, list[bytes]]],
) -> None:
    """The pinned root in front does not help when the leaf does not hang on it."""
    leaf, bundle = make()
    assert denial(document(leaf.key, certificate=leaf.der, cabundle=bundle)) is Denial.CHAIN


def test_another_root_in_front() -> None:
    """A complete chain of an attacker."""
    root = make_root(NOW)
    leaf = issue("leaf", root, NOW)
    made = document(leaf.key, certificate=leaf.der, cabundle=[root.der])
    assert denial(made) is Denial.ROOT


def test_signatures() -> None:
    """Another key, zeros, out of range, and a valid one under changed bytes."""
    assert denial(document(INTERMEDIATE.key)) is Denial.SIGNATURE
    protected, headers, payload, signature = cbor.decode(document())
    for bad in (bytes(96), b"\xff" * 96, signature[48:] + signature[:48]):
        assert denial(cbor.encode([protected, headers, payload, bad])) is Denial.SIGNATURE
    other = cbor.encode(claims(user_data=b"datb"))
    assert denial(cbor.encode([protected, headers, other, signature])) is Denial.SIGNATURE
    # What COSE signs is the structure, not the payload alone.
    assert signed_bytes(protected_header(), payload).endswith(payload)


def test_a_leaf_on_another_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    """ES384 with a P-256 key is no ES384."""
    monkeypatch.setattr(development, "_CURVE", ec.SECP256R1)
    leaf = issue("leaf", INTERMEDIATE, NOW)
    assert denial(document(certificate=leaf.der)) is Denial.ALGORITHM


@pytest.mark.parametrize(
    "changed",
    [
        {"module_id": 1},
        {"module_id": ""},
        {"timestamp": -1},
        {"timestamp": True},
        {"timestamp": "now"},
        {"pcrs": {}},
        {"pcrs": {32: bytes(48)}},
        {"pcrs": {-1: bytes(48)}},
        {"pcrs": {"0": bytes(48)}},
        {"pcrs": {0: bytes(32)}},
        {"pcrs": {0: None}},
        {"pcrs": []},
        {"certificate": b""},
        {"certificate": None},
        {"certificate": bytes(1025)},
        {"cabundle": []},
        {"cabundle": [b""]},
        {"cabundle": [ROOT.der] * 9},
        {"cabundle": {0: ROOT.der}},
        {"public_key": bytes(1025)},
        {"public_key": "key"},
        {"user_data": bytes(513)},
        {"nonce": bytes(513)},
        {"nonce": 5},
        {"further": b""},
    ],
)
def test_malformed_claims(changed: dict[str, cbor.Value]) -> None:
    """Every claim of a wrong type or size, though well signed."""
    assert denial(document(**changed)) is Denial.MALFORMED


def test_malformed_envelopes() -> None:
    """Missing claims, other algorithms, other headers, other shapes, too long."""
    for name in ("module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle"):
        without = {key: value for key, value in claims().items() if key != name}
        assert denial(sign(without, LEAF.key)) is Denial.MALFORMED
    assert denial(document(digest="SHA256")) is Denial.ALGORITHM
    protected, headers, payload, signature = cbor.decode(document())
    for header in ({1: -7}, {1: -36}, {}, {1: -35, 4: b"kid"}):
        altered = cbor.encode([cbor.encode(header), headers, payload, signature])
        assert denial(altered) is Denial.ALGORITHM
    for parts in (
        [protected, {4: b"kid"}, payload, signature],
        [protected, headers, payload],
        [protected, headers, payload, signature, b""],
        [protected, headers, payload, signature[:95]],
        [protected, headers, None, signature],
        {0: protected},
    ):
        assert denial(cbor.encode(parts)) is Denial.MALFORMED
    assert denial(bytes(16 * 1024 + 1)) is Denial.MALFORMED
    # The tagged form of COSE_Sign1 is another encoding of the same: there is only one.
    assert denial(b"\xd2" + document()) is Denial.MALFORMED


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_no_alteration_passes_or_crashes(data: st.DataObject) -> None:
    """Cuts, insertions and changed bytes anywhere are refused as AttestationError."""
    good = document()
    position = data.draw(st.integers(0, len(good) - 1))
    cut = data.draw(st.integers(0, 3))
    inserted = data.draw(st.binary(max_size=4))
    altered = good[:position] + inserted + good[position + cut :]
    if altered == good:
        return
    with pytest.raises(AttestationError):
        verify(altered, POLICY, EXPECTED, NOW_MS)


@pytest.mark.parametrize(
    "changed",
    [
        {"roots": frozenset()},
        {"roots": frozenset([b"short"])},
        {"measurements": {}},
        {"measurements": {1: frozenset([b"\1" * 48])}},
        {"measurements": {0: frozenset()}},
        {"measurements": {0: frozenset([bytes(48)])}},
        {"max_age_s": 0},
    ],
)
def test_a_policy_that_lets_anything_pass_cannot_be_made(changed: dict[str, object]) -> None:
    """No root, no image, debug images, no age."""
    with pytest.raises(ValueError, match=r"policy|zeros|max_age_s"):
        dataclasses.replace(POLICY, **changed)
