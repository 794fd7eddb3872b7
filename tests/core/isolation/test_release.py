"""Who gets a data key: only the pinned client with a fresh document of the right image."""

import dataclasses
import datetime as dt
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import SettingsError
from core.isolation.attestation import Policy
from core.isolation.development import Device, make_root, registers_of
from core.isolation.errors import ReleaseError
from core.isolation.release import PURPOSE, Holder, KeyRelease, Proof, recipient_hash
from core.isolation.release_settings import load
from core.isolation.sealing import SealingKey

START = dt.datetime(2026, 11, 20, 12, 0, 0, tzinfo=dt.UTC)
ROOT = make_root(START)
IMAGE = registers_of(b"image")
CLIENT, OTHER_CLIENT = b"c" * 32, b"d" * 32
RECIPIENT = SealingKey(b"r" * 32)


class Bench:
    """A service, a device, and a clock that both read."""

    def __init__(self, folder: Path) -> None:
        """Two vaults of two clients."""
        self.now = START
        pinned = frozenset([hashlib.sha256(ROOT.der).digest()])
        policy = Policy(pinned, {0: frozenset([IMAGE[0]])})
        holders = {"one": Holder(CLIENT, policy), "two": Holder(OTHER_CLIENT, policy)}
        self.log = folder / "decisions.log"
        self.service = KeyRelease(b"m" * 32, holders, self.log, self.now_ms)
        self.device = Device(ROOT, IMAGE, lambda: self.now)

    def now_ms(self) -> int:
        """Milliseconds of the clock."""
        return int(self.now.timestamp() * 1000)

    def proof(self, nonce: bytes | None = None, **changed: object) -> Proof:
        """A good proof for vault one, some of it changed."""
        document = self.device.attest(
            public_key=recipient_hash(RECIPIENT.public),
            user_data=PURPOSE + b"one",
            nonce=self.service.challenge(CLIENT, "one") if nonce is None else nonce,
        )
        return dataclasses.replace(Proof("one", document, RECIPIENT.public), **changed)

    def refused(self, client: bytes, proof: Proof, match: str) -> None:
        """Neither call gives anything away."""
        with pytest.raises(ReleaseError, match=match):
            self.service.create(client, proof)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A service."""
    return Bench(tmp_path)


def test_the_key_comes_back_to_the_same_vault(bench: Bench) -> None:
    """Create, then release any number of times; each decision is in the log, no key is."""
    created = bench.service.create(CLIENT, bench.proof())
    key = RECIPIENT.open(created.sealed, PURPOSE + b"one")
    for _ in range(2):
        again = bench.service.release(CLIENT, bench.proof(), created.wrapped)
        assert RECIPIENT.open(again.sealed, PURPOSE + b"one") == key
    lines = [json.loads(line) for line in bench.log.read_text().splitlines()]
    assert [(line["what"], line["granted"]) for line in lines] == [
        ("create", True),
        ("release", True),
        ("release", True),
    ]
    assert key.hex() not in bench.log.read_text()
    assert bench.log.stat().st_mode & 0o777 == 0o600


def test_a_wrapped_key_belongs_to_its_vault(bench: Bench) -> None:
    """The other vault's holder, and altered bytes."""
    wrapped = bench.service.create(CLIENT, bench.proof()).wrapped
    nonce = bench.service.challenge(OTHER_CLIENT, "two")
    document = bench.device.attest(
        public_key=recipient_hash(RECIPIENT.public), user_data=PURPOSE + b"two", nonce=nonce
    )
    with pytest.raises(ReleaseError, match="not one of this vault"):
        bench.service.release(OTHER_CLIENT, Proof("two", document, RECIPIENT.public), wrapped)
    for bad in (b"", wrapped[:12], wrapped[:-1] + bytes([wrapped[-1] ^ 1])):
        with pytest.raises(ReleaseError, match="not one of this vault"):
            bench.service.release(CLIENT, bench.proof(), bad)


def test_clients(bench: Bench) -> None:
    """Another client gets neither challenge nor key, whatever it proves."""
    with pytest.raises(ReleaseError, match="no such vault"):
        bench.service.challenge(OTHER_CLIENT, "one")
    with pytest.raises(ReleaseError, match="no such vault"):
        bench.service.challenge(CLIENT, "three")
    bench.refused(OTHER_CLIENT, bench.proof(), "no such vault")
    bench.refused(CLIENT, bench.proof(vault="two"), "no such vault")


def test_challenges_are_good_once_and_for_a_minute(bench: Bench) -> None:
    """Replays, old ones, made-up ones; a refused attempt uses its challenge up too."""
    proof = bench.proof()
    bench.service.create(CLIENT, proof)
    bench.refused(CLIENT, proof, "no open challenge")
    late = bench.proof()
    bench.now += dt.timedelta(seconds=61)
    bench.refused(CLIENT, late, "no open challenge")
    bench.refused(CLIENT, bench.proof(nonce=b"made up"), "no open challenge")
    other = SealingKey(b"o" * 32).public
    spent = bench.proof()
    bench.refused(CLIENT, dataclasses.replace(spent, recipient=other), "public-key")
    bench.refused(CLIENT, spent, "no open challenge")


def _other_image(bench: Bench) -> None:
    bench.device = dataclasses.replace(bench.device, registers=registers_of(b"other image"))


def _debug_mode(bench: Bench) -> None:
    bench.device = dataclasses.replace(bench.device, registers=dict.fromkeys(range(16), bytes(48)))


def _other_root(bench: Bench) -> None:
    bench.device = dataclasses.replace(bench.device, root=make_root(START))


def _clock_behind(bench: Bench) -> None:
    bench.device = dataclasses.replace(bench.device, now=lambda: START - dt.timedelta(hours=1))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_other_image, "measurement"),
        (_debug_mode, "debug"),
        (_other_root, "root"),
        (_clock_behind, "stale"),
    ],
)
def test_documents_that_prove_nothing(
    bench: Bench, change: Callable[[Bench], None], reason: str
) -> None:
    """Each with its reason in the answer and in the log."""
    change(bench)
    bench.refused(CLIENT, bench.proof(), reason)
    assert json.loads(bench.log.read_text())["reason"].startswith(reason)


def test_a_document_for_another_purpose_is_no_proof(bench: Bench) -> None:
    """One that the core made for anybody else; and nonsense."""
    nonce = bench.service.challenge(CLIENT, "one")
    document = bench.device.attest(
        public_key=recipient_hash(RECIPIENT.public), user_data=b"hello", nonce=nonce
    )
    bench.refused(CLIENT, Proof("one", document, RECIPIENT.public), "user-data")
    bench.refused(CLIENT, Proof("one", b"nonsense", RECIPIENT.public), "malformed")


def test_no_key_leaves_when_the_decision_cannot_be_written(bench: Bench) -> None:
    """A full disk must not make keys leave without a trace."""
    proof = bench.proof()
    bench.log.mkdir()
    with pytest.raises(OSError, match="directory"):
        bench.service.create(CLIENT, proof)


def test_a_flood_of_challenges_stays_small(bench: Bench) -> None:
    """The oldest go."""
    first = bench.proof()
    for _ in range(1024):
        bench.service.challenge(CLIENT, "one")
    bench.refused(CLIENT, first, "no open challenge")
    assert bench.service.create(CLIENT, bench.proof())


GOOD = """
listen = "127.0.0.1:1"
[vaults.one]
client_certificate = "one.pem"
roots = ["aws-nitro"]
measurements = { 0 = ["%s"] }
""" % ("ab" * 48)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("listen", "listens", "unknown keys: listens"),
        ('"aws-nitro"', "", "at least one root"),
        ('"aws-nitro"', '"ab"', "32-byte fingerprint"),
        ('"aws-nitro"', "1", "vaults.one"),
        ("0 = ", "1 = ", "names the image"),
        ("0 = ", "x = ", "vaults.one"),
        ("ab" * 48, "00" * 48, "zeros"),
        ('"one.pem"', '"two.pem"', "client_certificate"),
        ("measurements", "measurement", "known are"),
        ("[vaults.one]", "max_age_s = 1", "unknown keys"),
    ],
)
def test_wrong_settings_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    """Each with words that name the key; nothing lets everything pass."""
    from core.certificates import generate

    (tmp_path / "one.pem").write_bytes(generate("one")[1])
    (tmp_path / "release.toml").write_text(GOOD)
    assert load(tmp_path).foreign_roots == []
    (tmp_path / "release.toml").write_text(GOOD.replace(old, new, 1))
    with pytest.raises(SettingsError, match=message):
        load(tmp_path)
