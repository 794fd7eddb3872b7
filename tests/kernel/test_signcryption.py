"""Signcryption of the kernel against the plain Python twin, and its refusals."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, replace

import pytest
import tkms_kernel as kernel

from tests.support import signcryption_twin as twin

SHARE = bytes(range(200))
UINT64 = 5


@dataclass(frozen=True)
class Parties:
    """A receiver, a signer and a request."""

    envelope: twin.Envelope
    secret: bytes
    signing_key: bytes

    @property
    def verification_key(self) -> bytes:
        """Public key of the signer."""
        return twin.public_bytes(self.signing_key)

    def seal(self, share: bytes = SHARE, fhe_type: int = UINT64) -> bytes:
        """Signcrypt by the kernel."""
        envelope = self.envelope
        return kernel.signcrypt_share(
            share, fhe_type, envelope.link, envelope.address, envelope.public_key, self.signing_key
        )

    def open(self, ciphertext: bytes) -> tuple[bytes, int]:
        """Open by the kernel."""
        envelope = self.envelope
        return kernel.open_signcryption(
            ciphertext,
            envelope.link,
            envelope.address,
            envelope.public_key,
            self.secret,
            self.verification_key,
        )

    def twin_open(self, ciphertext: bytes) -> tuple[bytes, int] | None:
        """Open by the twin."""
        return twin.unsigncrypt(ciphertext, self.envelope, self.secret, self.verification_key)


def parties(name: bytes = b"receiver") -> Parties:
    """Parties whose keys are derived from a name."""
    public, secret = kernel.mlkem512_generate(hashlib.sha512(name).digest())
    envelope = twin.Envelope(hashlib.sha256(b"link").digest(), b"\x11" * 20, public)
    return Parties(envelope, secret, hashlib.sha256(b"signer").digest())


@pytest.mark.parametrize("name", [b"a", b"b", b"c"])
def test_keys_are_those_of_the_standard(name: bytes) -> None:
    """Key generation from a seed gives the keys of FIPS 203 as the twin computes them."""
    seed = hashlib.sha512(name).digest()
    assert kernel.mlkem512_generate(seed) == twin.generate(seed)


def test_fresh_keys_differ() -> None:
    """Without a seed every key is new and works."""
    public, secret = kernel.mlkem512_generate()
    assert (len(public), len(secret)) == (800, 1632)
    assert kernel.mlkem512_generate()[0] != public
    own = replace(parties(), envelope=replace(parties().envelope, public_key=public), secret=secret)
    assert own.open(own.seal()) == (SHARE, UINT64)


@pytest.mark.parametrize("share", [b"", b"x", SHARE, bytes(5000)])
@pytest.mark.parametrize("fhe_type", [0, 8, -1, 2**31 - 1])
def test_kernel_and_twin_read_each_other(share: bytes, fhe_type: int) -> None:
    """What one makes, both open."""
    own = parties()
    made = own.seal(share, fhe_type)
    other = twin.signcrypt(share, fhe_type, own.envelope, own.signing_key)
    assert len(made) == len(other) == 12 + 8 + 768 + 8 + 8 + len(share) + 4 + 40 + 64 + 32 + 16
    for ciphertext in (made, other):
        assert own.open(ciphertext) == (share, fhe_type)
        assert own.twin_open(ciphertext) == (share, fhe_type)


def test_inner_layout_and_signature() -> None:
    """The signed message has the documented bytes; the signature is low and deterministic."""
    own = parties()
    inners = [twin.unseal(own.seal(), own.secret) for _ in range(2)]
    assert inners[0] == inners[1]
    assert inners[0] is not None
    expected = struct.pack("<Q", 200) + SHARE + struct.pack("<i", UINT64)
    expected += struct.pack("<Q", 32) + own.envelope.link
    assert inners[0][:-96] == expected
    assert inners[0][-32:] == twin.key_digest(own.verification_key)
    assert int.from_bytes(inners[0][-64:-32], "big") <= twin.ORDER // 2


def test_encryption_is_randomised() -> None:
    """Two ciphertexts of one share have no nonce, encapsulation or payload in common."""
    first, second = parties().seal(), parties().seal()
    assert first[:12] != second[:12]
    assert first[20:788] != second[20:788]
    assert first[796:] != second[796:]


def test_no_flipped_bit_is_accepted() -> None:
    """Any changed bit of the ciphertext is refused."""
    own = parties()
    ciphertext = own.seal(b"share")
    for position in range(len(ciphertext)):
        forged = bytearray(ciphertext)
        forged[position] ^= 1 << position % 8
        with pytest.raises(kernel.VerificationFailed):
            own.open(bytes(forged))


@pytest.mark.parametrize("length", [0, 11, 12, 19, 20, 788, 796, 900])
def test_shortened_or_lengthened_is_refused(length: int) -> None:
    """A cut ciphertext or one with more bytes is refused."""
    own = parties()
    ciphertext = own.seal()
    for forged in (ciphertext[:length], ciphertext + b"\x00", ciphertext[:-1]):
        with pytest.raises(kernel.VerificationFailed):
            own.open(forged)


def test_huge_lengths_are_refused() -> None:
    """Length fields beyond the data do not allocate or crash."""
    own = parties()
    ciphertext = own.seal()
    for at in (12, 788):
        for length in (2**64 - 1, 2**63, 2**40):
            forged = ciphertext[:at] + struct.pack("<Q", length) + ciphertext[at + 8 :]
            with pytest.raises(kernel.VerificationFailed):
                own.open(forged)


def reseal(own: Parties, receiver: Parties) -> bytes:
    """What a dishonest receiver can do: open an answer and encrypt its inside to somebody else."""
    inner = twin.unseal(own.seal(), own.secret)
    assert inner is not None
    return twin.seal(inner, receiver.envelope.public_key)


def test_answer_cannot_be_passed_on() -> None:
    """An answer that was encrypted again to another key, or is claimed by another address, fails."""
    own, other = parties(), parties(b"other")
    passed = reseal(own, other)
    with pytest.raises(kernel.VerificationFailed, match="receiver"):
        other.open(passed)
    assert other.twin_open(passed) is None
    claimed = replace(own, envelope=replace(own.envelope, address=b"\x22" * 20))
    with pytest.raises(kernel.VerificationFailed, match="receiver"):
        claimed.open(own.seal())
    assert claimed.twin_open(own.seal()) is None
    assert own.open(reseal(own, own)) == (SHARE, UINT64)


def test_answer_to_another_request_is_refused() -> None:
    """The link inside must be that of the request."""
    own = parties()
    later = replace(own, envelope=replace(own.envelope, link=bytes(32)))
    with pytest.raises(kernel.VerificationFailed, match="request"):
        later.open(own.seal())
    assert later.twin_open(own.seal()) is None


def test_answer_of_another_signer_is_refused() -> None:
    """The signer must be the expected one."""
    own = parties()
    stranger = replace(own, signing_key=hashlib.sha256(b"stranger").digest())
    with pytest.raises(kernel.VerificationFailed, match="signer"):
        own.open(stranger.seal())
    assert own.twin_open(stranger.seal()) is None


def forge(own: Parties, change: dict[str, bytes]) -> bytes:
    """Change parts of the signed inside and encrypt it again."""
    inner = twin.unseal(own.seal(), own.secret)
    assert inner is not None
    parts = {"message": inner[:-96], "signature": inner[-96:-32], "digest": inner[-32:]}
    parts |= change
    return twin.seal(b"".join(parts.values()), own.envelope.public_key)


def test_forged_insides_are_refused() -> None:
    """Inside a right encryption, every wrong part is found."""
    own = parties()
    inner = twin.unseal(own.seal(), own.secret)
    assert inner is not None
    message, signature = inner[:-96], inner[-96:-32]
    high = twin.ORDER - int.from_bytes(signature[32:], "big")
    forged = [
        {"message": message[:8] + b"\xff" + message[9:]},
        {"message": message + b"\x00"},
        {"message": b""},
        {"signature": bytes(64)},
        {"signature": signature[32:] + signature[:32]},
        {"signature": signature[:32] + high.to_bytes(32, "big")},
        {"digest": bytes(32)},
    ]
    for change in forged:
        with pytest.raises(kernel.VerificationFailed):
            own.open(forge(own, change))
    assert own.open(forge(own, {})) == (SHARE, UINT64)


def test_wrong_arguments_are_invalid_input() -> None:
    """Lengths and keys of the own side are checked."""
    own = parties()
    envelope, ciphertext = own.envelope, own.seal()
    sealing = [SHARE, UINT64, envelope.link, envelope.address, envelope.public_key, own.signing_key]
    unreduced = b"\xff" * 800
    for index, value in (
        (2, bytes(31)),
        (3, bytes(21)),
        (4, bytes(799)),
        (4, unreduced),
        (5, bytes(32)),
        (5, b"\xff" * 32),
        (5, bytes(31)),
    ):
        arguments = list(sealing)
        arguments[index] = value
        with pytest.raises(kernel.InvalidInput):
            kernel.signcrypt_share(*arguments)  # type: ignore[arg-type]
    opening = [
        ciphertext,
        envelope.link,
        envelope.address,
        envelope.public_key,
        own.secret,
        own.verification_key,
    ]
    foreign = kernel.mlkem512_generate()[1]
    for index, value in (
        (1, b""),
        (2, b""),
        (3, unreduced),
        (4, bytes(1631)),
        (4, foreign),
        (5, b"\x02" + b"\xff" * 32),
        (5, bytes(65)),
    ):
        arguments = list(opening)
        arguments[index] = value
        with pytest.raises(kernel.InvalidInput):
            kernel.open_signcryption(*arguments)  # type: ignore[arg-type]
    with pytest.raises(kernel.InvalidInput):
        kernel.mlkem512_generate(bytes(63))


@pytest.mark.parametrize("data", [b"", b"abc", bytes(1000)])
def test_hashes_are_those_of_the_standard_library(data: bytes) -> None:
    """SHA3-256 and SHAKE256."""
    assert kernel.sha3_256(data) == hashlib.sha3_256(data).digest()
    for length in (0, 1, 32, 500):
        assert kernel.shake256(data, length) == hashlib.shake_256(data).digest(length)
    with pytest.raises(kernel.InvalidInput):
        kernel.shake256(data, 2**24 + 1)
