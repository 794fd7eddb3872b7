"""Arithmetic of tkms that must be fast: rings, shares, TFHE, the state tree, header checks (Rust).

Secrets live in opaque objects that are wiped when they go; explicit exports say so. Every call releases
the interpreter lock, and whatever the bytes, it returns or raises a `KernelError`.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypedDict, final, type_check_only

# --- Errors -----------------------------------------------------------------------------------------
#
# ValueError
# └── KernelError
#     ├── InvalidInput, VerificationFailed, TooManyErrors, OutOfRange   (input, proofs, peers, values)
#     └── InternalError                                                 (a defect of the kernel)

class KernelError(ValueError):
    """Failure of a kernel operation; the text never holds secret bytes."""

class InvalidInput(KernelError):
    """Malformed or inconsistent input: lengths, encodings, parameters."""

class VerificationFailed(KernelError):
    """A proof, signature or integrity check does not hold."""

class TooManyErrors(KernelError):
    """More wrong shares than can be corrected, or than the threshold allows."""

class OutOfRange(KernelError):
    """A value lies outside the bound that honest input keeps."""

class InternalError(KernelError):
    """A defect of the kernel, never of the input."""

# --- Galois ring, sharing, opening ------------------------------------------------------------------
#
# GR(2^k, 4) = (Z/2^k)[X]/(X^4 + X + 1), k = 64 or 128. A vector is bytes: an element is four
# little-endian words of k/8 bytes, coefficients from low to high (64 bytes at k = 128, 32 at k = 64);
# a scalar is one word. Parties are numbered 1..15; party i owns the point whose bits are those of i.
# Every function raises `InvalidInput` for another k, a length that is no multiple of an element, or
# vectors of different lengths.

def ring_add(k: int, a: bytes, b: bytes) -> bytes:
    """Element-wise sum of two vectors."""

def ring_sub(k: int, a: bytes, b: bytes) -> bytes:
    """Element-wise difference of two vectors."""

def ring_mul(k: int, a: bytes, b: bytes) -> bytes:
    """Element-wise product of two vectors."""

def ring_scale(k: int, scalars: bytes, a: bytes) -> bytes:
    """Element-wise product of a vector of words with a vector of elements."""

def ring_inverse(k: int, a: bytes) -> bytes:
    """Inverse of each element; `InvalidInput` if one has only even coefficients."""

def ring_pack4(k: int, a: bytes) -> bytes:
    """Pack each four sharings of scalars into one, sum of X^j times sharing j; zeros fill the last."""

def ring_unpack4(k: int, a: bytes, count: int) -> bytes:
    """First `count` scalars (k/8 bytes each) of opened packed elements.

    `InvalidInput` unless ceil(count / 4) elements are given; `VerificationFailed` if a coefficient
    beyond `count` is not zero.
    """

def shamir_share(k: int, secrets: bytes, parties: int, degree: int, seed: bytes) -> list[bytes]:
    """Share scalars as a dealer: one vector a party, party 1 first.

    The 32-byte seed and the secrets determine the polynomials. `InvalidInput` unless
    1 <= degree < parties <= 15.
    """

def lagrange_at_zero(k: int, parties: list[int]) -> bytes:
    """Coefficients, in the order of `parties`, that combine their shares into the secret."""

def decode_shares(
    k: int, parties: int, degree: int, shares: list[tuple[int, bytes]], max_errors: int
) -> tuple[bytes, list[int]]:
    """Open a batch: values, and the ascending parties whose share of at least one value is wrong.

    `max_errors` counts wrong parties of the whole batch; 0 only detects, which is the rule for degree
    2t with n = 3t + 1. `InvalidInput` with fewer than degree + 1 + 2 max_errors shares;
    `TooManyErrors` if the shares are not within `max_errors` parties of a sharing.
    """

def online_open(
    k: int,
    parties: int,
    threshold: int,
    degree: int,
    shares: list[tuple[int, bytes]],
    known_bad: list[int],
) -> tuple[bytes, list[int]] | None:
    """Open a batch as soon as enough shares agree; None asks for one more share.

    `known_bad` are proven liars, never merely late parties: their shares are ignored. The result lies
    on at least degree + t + 1 - len(known_bad) shares. The list names the newly found liars only.
    `InvalidInput` if degree + 2t >= n or more than t liars are known; `TooManyErrors` if everybody has
    answered or is a known liar and still nothing is supported.
    """

# --- Verifiable sharing ---------------------------------------------------------------------------------
#
# F(X, Y) has degree t in each variable and F(0, 0) is the secret. Party i gets its row F(X, point i) and its
# column F(point i, Y), t + 1 coefficients from low to high each; its share is its row at 0.

def bivariate_deal(
    k: int, secrets: bytes, parties: int, threshold: int, seed: bytes
) -> list[tuple[bytes, bytes]]:
    """SECRET: share elements as a dealer; rows and columns of each party, party 1 first.

    The 32-byte seed and the secrets determine the polynomials. `InvalidInput` unless t < n <= 15 and there
    are at most 65,536 secrets.
    """

def polynomials_at(k: int, coefficients: bytes, length: int, parties: list[int]) -> list[bytes]:
    """Values of a batch of polynomials of `length` coefficients at each party's point; party 0 is the point 0."""

def extract_random(k: int, vectors: list[tuple[int, bytes]], outputs: int) -> list[bytes]:
    """Combinations number a = 0.. of the dealers' vectors: sum of point(dealer)^a times vector.

    With as many outputs as honest dealers they are uniform and unknown, whatever the others dealt.
    `InvalidInput` if a dealer occurs twice, lengths differ or there are more outputs than vectors.
    """

# --- Pseudorandom sharing without interaction -------------------------------------------------------

@final
class PrssKeys:
    """One party's keys of the sets of n - t parties that contain it; zeroized when dropped."""

    @staticmethod
    def deal(parties: int, threshold: int, seed: bytes) -> list[PrssKeys]:
        """Keys of all parties from a 32-byte seed; `InvalidInput` unless 1 <= t and 3t < n <= 15."""

    @staticmethod
    def from_keys(parties: int, threshold: int, party: int, keys: list[bytes]) -> PrssKeys:
        """Keys (16 bytes) of the sets that contain the party, in lexicographic order of the sets.

        `InvalidInput` for bad (n, t), a wrong number or length of keys, or two equal ones.
        """

    @staticmethod
    def from_bytes(b: bytes) -> PrssKeys:
        """Read what `to_bytes` wrote; `InvalidInput` for anything it cannot have written."""

    def to_bytes(self) -> bytes:
        """Export the SECRET keys for the vault."""

    @property
    def parties(self) -> int:
        """Number of parties n."""

    @property
    def threshold(self) -> int:
        """Threshold t."""

    @property
    def party(self) -> int:
        """Number of the holder, 1..n."""

    def session(self, info: bytes) -> PrssSession:
        """Session bound to `info` (key id, epoch, request id, ciphertext digest).

        The same `info` gives the same randomness: use it for one purpose only.
        """

@final
class PrssSession:
    """Pseudorandom shares of one session.

    `start` and `count` number VALUES: a batch equals its values asked for one by one, and no two values
    share randomness. start + count is at most 2**62, count at most 2**22; more is `InvalidInput`.
    """

    def next(self, k: int, start: int, count: int) -> bytes:
        """Shares of degree t of uniform ring elements."""

    def scalars(self, k: int, start: int, count: int) -> bytes:
        """Shares of degree t of uniform words of Z/2^k."""

    def zero(self, k: int, start: int, count: int) -> bytes:
        """Shares of degree at most 2t of zero."""

    def mask(self, start: int, count: int, log_bound: int, statistical: int) -> bytes:
        """Shares (k = 128, degree t) of noise masks of absolute value <= 2 C(n,t) 2^(log_bound + statistical).

        `InvalidInput` if such a mask would reach the message.
        """

# --- Random bits, triples, products, noise ------------------------------------------------------------
#
# Each kind works in two steps. `masked_...` gives what a party sends: one element for four values, of
# degree 2t. It must be opened detecting errors only (`decode_shares` with max_errors 0): correcting
# could silently give a wrong value. `ring_unpack4` of the opened elements are the opened words, public,
# k/8 bytes a value; `finish_...` derives our shares (degree t) from them and from the session alone.
# What is masked starts and ends at multiples of four. A session serves one batch of each kind.

@final
class Shares:
    """One party's shares of a vector of scalars over GR(2^k, 4). Opaque; zeroized when dropped."""

    @staticmethod
    def from_bytes(k: int, data: bytes) -> Shares:
        """Shares from the elements that `to_bytes` gives."""

    def to_bytes(self) -> bytes:
        """Secret: the shares as elements."""

    @property
    def k(self) -> int:
        """Word size of the ring, 64 or 128."""

    def part(self, start: int, stop: int) -> Shares:
        """Shares of the values start..stop; `InvalidInput` if there are not so many."""

    @staticmethod
    def join(parts: Sequence[Shares]) -> Shares:
        """One vector after the other, of one ring; `InvalidInput` without any."""

    def __len__(self) -> int: ...

def masked_bits(session: PrssSession, k: int, start: int, count: int) -> bytes:
    """Shares to send of x^2 + x for pseudorandom words x: count / 4 elements."""

def finish_bits(session: PrssSession, k: int, start: int, opened: bytes) -> Shares:
    """Our shares of the random bits whose words x^2 + x were opened.

    `VerificationFailed` if a word is odd: x^2 + x never is.
    """

def masked_triples(session: PrssSession, k: int, start: int, count: int) -> bytes:
    """Shares to send of xy + v for pseudorandom words x, y, v: count / 4 elements."""

def finish_triples(
    session: PrssSession, k: int, start: int, opened: bytes
) -> tuple[Shares, Shares, Shares]:
    """Our shares of x, y and xy of the triples whose words xy + v were opened."""

def masked_products(session: PrssSession, k: int, start: int, left: Shares, right: Shares) -> bytes:
    """Shares to send of xy + v for shared scalars x, y and pseudorandom words v.

    One number masks one product: repeat a call with the same factors only.
    """

def masked_neighbours(session: PrssSession, start: int, bits: Shares) -> bytes:
    """`masked_products` of the `ROUNDING_PAIRS` neighbours among each `ROUNDING_BITS` bits (k = 64)."""

def finish_products(session: PrssSession, k: int, start: int, opened: bytes) -> Shares:
    """Our shares of the products whose words xy + v were opened."""

def revealed_group(
    session: PrssSession, k: int, kind: str, number: int, factors: list[int]
) -> list[bytes]:
    """SECRET, to settle a dispute: what each own set contributes to group `number` of four values.

    `kind` is "bits", "triples" or "products"; products name the eight bits that are multiplied, first and
    second factors in turn. The sets are in lexicographic order. What is revealed must never be used.
    """

def expected_group_share(
    k: int,
    access: tuple[int, int, int],
    kind: str,
    contributions: list[bytes],
    squares: bytes,
) -> bytes:
    """The element that a party should have sent for a group: `access` is (n, t, party).

    `contributions` has an entry for each set of n - t parties, in lexicographic order; `squares` are the
    opened words of the bits that products multiply. Entries of sets without the party are not read.
    """

def tuniform_from_bits(bits: Shares, bound: int) -> Shares:
    """Our shares of numbers of TUniform(bound) from shares of bits, bound + 2 bits a number.

    Uniform on [-2^bound, 2^bound] but for the ends, which have half the weight. `InvalidInput` unless
    bound < k - 1 and the number of bits is a multiple of bound + 2.
    """

def round_squashed(opened: bytes, blocks: int, parties: int, threshold: int) -> bytes:
    """Message of each block, 0..15, one byte each, from opened packed phases (k = 128).

    Noise bound 2**70, statistical parameter 40. `OutOfRange` if a phase is farther from its message than
    noise and mask reach, or has the padding bit set: a malformed ciphertext or a wrong key.
    `VerificationFailed` if the padding of the last element is not zero; `InvalidInput` if the number of
    elements does not fit or `mask_capacity_ok` fails.
    """

def mask_capacity_ok(parties: int, threshold: int) -> bool:
    """Whether n <= 15, 1 <= t, 3t < n, and the mask (bound 2**70, statistical 40) fits below the message."""

# --- Fully homomorphic encryption -------------------------------------------------------------------
#
# Parameter sets: "production" (128-bit security, with noise squashing), "production-64" (the same
# without noise squashing, so no formats 2 and 3), "test" (toy numbers, NO security).
#
# Types (`fhe_type`): 0 bool, 1 uint4, 2 uint8, 3 uint16, 4 uint32, 5 uint64, 6 uint128, 7 uint160,
# 8 uint256. Formats (`format`): 0 compressed list of ordinary ciphertexts (never read), 1 ordinary
# ciphertext, 2 list of one compressed squashed ciphertext, 3 squashed ciphertext.
#
# Ordinary ciphertexts hold 2 message bits a block; squashed ones 4 bits a block, scaled by 2**123.
# All objects are bytes in tfhe's versioned `safe_serialize` form. Whatever the bytes, a call returns
# or raises a `KernelError`; it allocates a small multiple of the input at most.

USER_SHARE_PACKING_FACTOR: Final[int]
"""2: message blocks of 2 bits in each opened block of `KeyShare.partial_decrypt`, format 2 or 3."""
MAX_LIST_BITS: Final[int]
"""Most message bits of a proven list: 2048. A bool takes 2."""
MAX_LIST_VALUES: Final[int]
"""Most values of a proven list: 256."""
MAX_METADATA: Final[int]
"""Most bytes of metadata of a proven list: 4096."""

def parameter_sets() -> list[str]:
    """Names of the parameter sets, in the order of their numbers."""

def parameter_info(parameters: str) -> dict[str, int]:
    """Numbers of a parameter set.

    Keys: ``lwe_dimension``, ``glwe_dimension``, ``polynomial_size``, ``big_dimension`` (words of 64
    bits of an ordinary block's mask), ``public_key_dimension``, ``squashed_dimension`` and
    ``compressed_squashed_dimension`` (words of 128 bits of a block's mask in formats 3 and 2; 0
    without noise squashing), ``message_bits``, ``carry_bits``, ``delta_log`` (123), ``secure`` (0 or 1).

    Raises:
        InvalidInput: unknown name.
    """

def squashed_info(ciphertext: bytes, fhe_type: int, format: int) -> tuple[int, int]:
    """Number of squashed blocks and LWE dimension (words) of a squashed ciphertext, fully validated.

    Raises:
        InvalidInput: malformed bytes, another type, a format other than 2 and 3, or dimensions of no
            parameter set.
    """

def squashed_digest(ciphertext: bytes, fhe_type: int, format: int) -> bytes:
    """SHA-256 (32 bytes) over the words of a squashed ciphertext.

    The mask of `KeyShare.partial_decrypt` is bound to it: parties that see equal digests give
    shares that fit together. The tag of the ciphertext does not enter.

    Raises:
        InvalidInput: as `squashed_info`.
    """

def plaintext_from_blocks(blocks: bytes, fhe_type: int) -> int:
    """Value of rounded blocks (`round_squashed`), one byte 0..15 a block, lowest first.

    Raises:
        InvalidInput: another number of blocks than the type has, or an unknown type.
        OutOfRange: a block above 15, or a value too large for the type.
    """

def ordinary_blocks(fhe_type: int) -> int:
    """Number of blocks of an ordinary ciphertext of a type."""

def ordinary_info(ciphertext: bytes, fhe_type: int) -> tuple[int, bytes]:
    """Number of blocks of an ordinary ciphertext (format 1), fully validated, and SHA3-256 of its words.

    Raises:
        InvalidInput: malformed bytes, another type, dimensions of no parameter set, or unclean carries.
    """

def plaintext_from_ordinary_blocks(blocks: bytes, fhe_type: int) -> int:
    """Value of rounded ordinary blocks, one byte a block, lowest first.

    Raises:
        InvalidInput: another number of blocks than the type has, or an unknown type.
        OutOfRange: a block with a carry or the padding bit, or a value too large for the type.
    """

def verify_list(
    proven_list: bytes, public_key: CompactPublicKey, crs: Crs, metadata: bytes
) -> list[int]:
    """Types of the values of a proven list, after its proof was checked.

    Raises:
        InvalidInput: malformed bytes, values of other types, limits exceeded, or a reference string
            of other parameters.
        VerificationFailed: the proof does not hold for this list, key and metadata.
    """

class ClientKey:
    """All secret keys of one key set: for a dealer and for tests. Opaque.

    tfhe does not clear its memory when the object goes away; the process of a dealer should end.
    """

    @staticmethod
    def generate(parameters: str, seed: bytes | None = None) -> ClientKey:
        """Make the secret keys from the system's randomness, or reproducibly from a seed.

        Args:
            parameters: name of a parameter set.
            seed: 16 to 64 bytes, as secret as the key. The public keys draw fresh randomness even so.

        Raises:
            InvalidInput: unknown name or seed length.
        """

    @property
    def parameters(self) -> str:
        """Name of the parameter set."""

    def compact_public_key(self) -> bytes:
        """Compact public key; its tag names the parameter set."""

    def server_key(self) -> bytes:
        """Compressed server key; its tag names the parameter set. Each call makes a new one."""

    def encrypt(self, fhe_type: int, value: int) -> bytes:
        """Ciphertext of a value in format 1, for tests.

        Raises:
            InvalidInput: unknown type, or a value that is negative or too large.
        """

    def decrypt(self, ciphertext: bytes, fhe_type: int, format: int) -> int:
        """Value of a ciphertext in format 1, 2 or 3: the oracle of tests.

        Raises:
            InvalidInput: malformed bytes, another type or format.
        """

    def deal(self, parties: int, threshold: int) -> list[KeyShare]:
        """Shamir shares of the secret keys, one a party, of degree ``threshold``.

        Raises:
            InvalidInput: not 1 <= t, 3t < n <= 15, or masks would leave no room for the message.
        """

class KeyShare:
    """One party's shares of the secret keys. Opaque; zeroed when it goes away."""

    @staticmethod
    def from_bytes(data: bytes) -> KeyShare:
        """Share from the encoding of `to_bytes`.

        Raises:
            InvalidInput: anything but an encoding of exactly the right length.
        """

    def to_bytes(self) -> bytes:
        """Secret: the share as bytes, for the vault.

        ``"tkms-key-share"``, u16 version 1, u8 parameter set, n, t, party, then the shares of the
        squashed, the compressed and the ordinary key, 64, 64 and 32 bytes a word. The length follows
        from the parameter set.
        """

    @property
    def parameters(self) -> str:
        """Name of the parameter set."""

    @property
    def parties(self) -> int:
        """Number of parties n."""

    @property
    def threshold(self) -> int:
        """Threshold t."""

    @property
    def party(self) -> int:
        """This party, 1..n."""

    def partial_decrypt(
        self, ciphertext: bytes, fhe_type: int, format: int, prss: PrssKeys, info: bytes
    ) -> bytes:
        """Masked partial decryption: packed elements of GR(2**128, 4), 64 bytes each.

        Per block: the share of b - <a, s>, plus the share of a noise mask (bound 2**70, statistical
        security 40). Four blocks are packed into one element, the last element padded with zeros:
        ceil(blocks / 4) elements. Feed them to `online_open` (k = 128, degree = t), its result to
        `round_squashed`, that to `plaintext_from_blocks`.

        The same bytes are a user decryption share: clients read a u64 number of elements (to be put in
        front), then elements of four 128-bit little-endian words, block value m as m << 123. Send
        ``USER_SHARE_PACKING_FACTOR`` with it: a client asks for ceil(bits / (2 * factor)) blocks.

        The mask depends on ``info`` and on `squashed_digest`; so one request id never masks two
        ciphertexts alike, and repeating a call gives the same bytes.

        Args:
            ciphertext: format 2 or 3.
            fhe_type: type of the value.
            format: 2 or 3.
            prss: PRSS keys of the same party, n and t.
            info: what makes the answer unique: key id, epoch, request id.

        Raises:
            InvalidInput: malformed bytes, another type, format or parameter set, or PRSS keys of
                another party.
        """

ROUNDING_BITS: Final[int]
"""64: random bits that the rounding of a block takes."""
ROUNDING_PAIRS: Final[int]
"""29: prepared products of neighbouring bits that it takes."""
ROUNDING_TRIPLES: Final[int]
"""53: triples that it takes."""
ROUNDING_OPENINGS: Final[int]
"""7: openings of a rounding; a user decryption leaves the last one out."""
ORDINARY_PACKING_FACTOR: Final[int]
"""1: message blocks of 2 bits in each opened block of `Rounding.lifted`."""

class Rounding:
    """One party's side of the decryption of ordinary ciphertexts (format 1). Opaque, zeroed at its end.

    Each opening: send `message` to everybody, open the shares of all (k = 64, degree t, `online_open`),
    and hand the opened elements to `advance`; with `last` hand them to `blocks`.
    """

    def __init__(
        self,
        key: KeyShare,
        ciphertexts: Sequence[tuple[bytes, int]],
        bits: Shares,
        pairs: Shares,
        triples: tuple[Shares, Shares, Shares],
    ) -> None:
        """Begin with ciphertexts, each with its type, and exactly the material that their blocks take.

        Material serves ONE list of ciphertexts: with two of them it would give the key away.

        Args:
            key: our share of the key.
            ciphertexts: format 1.
            bits: `ROUNDING_BITS` a block.
            pairs: `ROUNDING_PAIRS` a block: bit 2j times bit 2j + 1.
            triples: `ROUNDING_TRIPLES` a block.

        Raises:
            InvalidInput: malformed ciphertexts or other material.
        """

    @property
    def last(self) -> bool:
        """Whether the next opening is the last."""

    @property
    def message_bytes(self) -> int:
        """Length of everybody's message in the current opening."""

    def message(self) -> bytes:
        """What we send: packed elements of GR(2**64, 4), safe to open."""

    def advance(self, opened: bytes) -> None:
        """Go on with the opened elements.

        Raises:
            InvalidInput: another number of elements, or the next opening is the last.
            VerificationFailed: the padding of the last element is not zero.
        """

    def blocks(self, opened: bytes) -> list[bytes]:
        """Messages of the blocks of each ciphertext from the last opening: `plaintext_from_ordinary_blocks`.

        Raises:
            InvalidInput: it was not the last opening, or another number of elements.
            VerificationFailed: an opened value is no multiple of 2**59.
        """

    def lifted(self) -> list[bytes]:
        """Instead of the last opening: our shares of the messages, for user decryption.

        For each ciphertext packed elements of GR(2**128, 4) in which block value m is m << 123, as those of
        `KeyShare.partial_decrypt`, but with ``ORDINARY_PACKING_FACTOR``.
        """

class CompactPublicKey:
    """Public key under which users encrypt lists of values."""

    @staticmethod
    def load(data: bytes) -> CompactPublicKey:
        """Public key from bytes; the tag names the parameter set.

        Raises:
            InvalidInput: malformed, or not of the parameter set that its tag names.
        """

    @property
    def parameters(self) -> str:
        """Name of the parameter set."""

    def encrypt_list(self, values: list[tuple[int, int]], crs: Crs, metadata: bytes) -> bytes:
        """Proven compact list of ``(fhe_type, value)``; the proof binds the metadata.

        Raises:
            InvalidInput: empty or too long list, a value that does not fit its type, too much
                metadata, or a reference string of other parameters or too short.
        """

class Crs:
    """Common reference string of the proofs."""

    @staticmethod
    def generate(parameters: str, max_bits: int) -> Crs:
        """Reference string for lists of up to ``max_bits`` message bits (1..2048), made by one party.

        Whoever makes it could forge proofs: for tests and development.

        Raises:
            InvalidInput: unknown parameter set or size.
        """

    @staticmethod
    def load(data: bytes, *, checked: bool = False) -> Crs:
        """Reference string from bytes.

        Args:
            data: result of `to_bytes`.
            checked: these very bytes passed before, and their digest is pinned; leaves out the slow
                test of every curve point.

        Raises:
            InvalidInput: malformed, or of no parameter set.
        """

    def to_bytes(self) -> bytes:
        """Reference string as bytes, points uncompressed."""

    @property
    def max_bits(self) -> int:
        """Most message bits of a list: a multiple of 4. A bool takes 2."""

class ServerKey:
    """Public key material to compute on ciphertexts, decompressed."""

    @staticmethod
    def load(data: bytes) -> ServerKey:
        """Server key from the compressed form (`ClientKey.server_key`).

        Raises:
            InvalidInput: malformed, or not of the parameter set that its tag names.
        """

    @property
    def parameters(self) -> str:
        """Name of the parameter set."""

    def expand(
        self, proven_list: bytes, public_key: CompactPublicKey, crs: Crs, metadata: bytes
    ) -> list[tuple[int, bytes]]:
        """Ordinary ciphertexts ``(fhe_type, format 1)`` of a list, after its proof was checked.

        Raises:
            InvalidInput: as `verify_list`, or keys of different parameters.
            VerificationFailed: as `verify_list`.
        """

    def binary(self, operation: str, fhe_type: int, left: bytes, right: bytes) -> tuple[int, bytes]:
        """Result ``(fhe_type, format 1)`` of an operation on two ciphertexts of one type, format 1.

        Operations: ``add sub mul`` (mod 2**bits), ``and or xor`` give the same type; ``eq ne lt le
        gt ge`` give bool. A bool knows ``and or xor eq ne``.

        Raises:
            InvalidInput: unknown operation, malformed bytes or another type.
        """

    def select(self, condition: bytes, fhe_type: int, left: bytes, right: bytes) -> bytes:
        """``left`` where the encrypted bool holds, else ``right``; all in format 1.

        Raises:
            InvalidInput: malformed bytes or another type.
        """

    def squash(self, ciphertext: bytes, fhe_type: int, compressed: bool) -> bytes:
        """Ciphertext with squashed noise, ready for decryption: format 2 if compressed, else 3.

        Raises:
            InvalidInput: malformed bytes, unclean carries, or a set without noise squashing.
        """

# --- Resharing of key shares ------------------------------------------------------------------------
#
# The old set (n1, t1) holds shares of a key, the new one (n2, t2) gets shares of the same key. A vector
# has `resharing_length` bytes: the 128-bit elements of a key share, then its 64-bit ones. `info` names
# the run and is used once.

def resharing_length(parameters: str) -> int:
    """Bytes of a mask share and of a masked share."""

def resharing_mask_share(prss: PrssKeys, info: bytes, parameters: str, receiver: int) -> bytes:
    """New party's share of the random mask of old party `receiver` (1..15): SECRET, for it alone."""

def resharing_masked(
    share: KeyShare, parties: int, threshold: int, masks: list[tuple[int, bytes]]
) -> tuple[bytes, list[int]]:
    """Old party's key share plus its mask, from the shares of the mask of n2 - t2 to n2 new parties.

    The sum shows nothing and goes to all new parties. The list names the new parties (ascending) whose
    mask share was wrong. `InvalidInput` for malformed or too few shares; `TooManyErrors` if more than
    t2 of them are wrong or missing.
    """

@final
class Resharing:
    """A new party's view of one resharing; its shares are zeroized when it goes."""

    def __new__(
        cls,
        prss: PrssKeys,
        info: bytes,
        parameters: str,
        parties: int,
        threshold: int,
        masked: list[tuple[int, bytes]],
    ) -> Resharing:
        """Take the masked shares of old parties, out of `parties` (n1) with `threshold` (t1).

        `InvalidInput` for malformed shares or parties; `TooManyErrors` if more than t1 are missing.
        """

    def syndromes(self, coin: bytes) -> tuple[bytes, bytes]:
        """Our shares (degree t2) of the syndromes of 20 combinations: 128-bit and 64-bit elements.

        The coin must have been unpredictable when the masked shares were fixed. Opened, the vectors
        show nothing but the errors of the masked shares.
        """

    def finish(self, wide: bytes, narrow: bytes) -> tuple[KeyShare, list[int]]:
        """Our new key share, and the old parties (ascending) whose masked share is wrong.

        From the opened syndromes. `TooManyErrors` if more than t1 old parties are missing or wrong.
        """

# --- Ceremony for the reference string --------------------------------------------------------------

@final
class CrsCeremony:
    """Powers of a number that nobody knows, after some contributions; immutable and public.

    BLS12-446: g^(a^i), i in 1..2m without m + 1, and h^(a^i), i in 1..m. Each contributor multiplies a by a
    secret number. The string is sound if one of the accepted contributors has forgotten its number.
    """

    @staticmethod
    def begin(parameters: str, max_bits: int, name: bytes) -> CrsCeremony:
        """Begin with a = 1, for lists of up to `max_bits` (1..2048) message bits; `name` is used once."""

    @staticmethod
    def begin_toy(dimension: int, name: bytes) -> CrsCeremony:
        """Begin with few points, m = 2..64, to try the protocol; `finish` refuses it."""

    @property
    def dimension(self) -> int:
        """The number m."""

    @property
    def contribution_bytes(self) -> int:
        """Bytes of every contribution."""

    @property
    def accepted(self) -> list[int]:
        """Rounds whose contribution was accepted, ascending."""

    def digest(self) -> bytes:
        """SHA3-256 of name, shape, accepted rounds and points."""

    def contribute(self, round: int, seed: bytes) -> bytes:
        """Contribution to a round (1..65535) from a SECRET 32-byte seed, to be forgotten afterwards.

        The same seed after the same contributions gives the same bytes.
        """

    def accept(self, round: int, contribution: bytes) -> CrsCeremony:
        """Check everything, and go on with the contribution to `round`, the fixed place of its sender.

        `InvalidInput` for another format, parameter set, size, round or length, for a point that is cut
        off, not reduced or at infinity; `VerificationFailed` for a past round, unchanged points, a missing
        proof of the factor, a point outside the curve or subgroup, points that are no powers. Every check
        has a text of its own.
        """

    def finish(self) -> Crs:
        """Make the reference string; `VerificationFailed` if nobody contributed, `InvalidInput` for a toy."""

# --- Key generation without a dealer ------------------------------------------------------------------

GENERATION_CHECK_VALUE: Final[int]
"""Number of 8 bits that the check ciphertext of a generated key holds."""

def generation_plan(
    parameters: str,
) -> tuple[
    int,
    list[tuple[bool, int, int]],
    list[tuple[str, int, int, int, int, int, int | None]],
]:
    """What a parameter set needs.

    - number of secret batches, which come first
    - batches: whether it holds triples (else bits), word size k, number of values
    - chunks: part, word size, body words, products, first batch of bits, the one behind the last,
      batch of triples (which other chunks use too)
    """

@final
class KeyGeneration:
    """One party's side of a key generation. Opaque; zeroized when dropped.

    A record is what was opened in the run of a batch: its session and the opened words. Everything
    else follows, so the same records give the same key.
    """

    def __new__(cls, parameters: str, keys: PrssKeys) -> KeyGeneration:
        """Begin for the party of the keys."""

    def set_seed(self, seed: bytes) -> None:
        """Take the opened seed of the public masks, 16 bytes.

        One seed for one set of records, ever: two seeds with the same noise would show the keys.
        """

    def set_keys(self, bits: list[tuple[PrssSession, bytes]]) -> None:
        """Derive our shares of the secret keys from the records of the secret batches."""

    def factors(self, chunk: int, triples: PrssSession) -> bytes:
        """What we send to open the factors of a chunk's products: packed elements of degree t.

        `triples` is the session of the chunk's batch of triples. `InvalidInput` without products.
        """

    def bodies(
        self,
        chunk: int,
        bits: list[tuple[PrssSession, bytes]],
        triples: tuple[PrssSession, bytes] | None = None,
        factors: bytes | None = None,
    ) -> bytes:
        """What we send to open the bodies of a chunk, packed, of degree t.

        `bits` are the records of its batches of bits; for a chunk with products `triples` is the
        record of its triples and `factors` the opened words.
        """

    def accept(self, chunk: int, bodies: bytes) -> None:
        """Take the opened words of a chunk's bodies."""

    def accepted(self, chunk: int) -> bool:
        """Whether the bodies of a chunk are there."""

    def compact_public_key(self) -> bytes:
        """As `ClientKey.compact_public_key`; `InvalidInput` before all chunks are there."""

    def server_key(self) -> bytes:
        """As `ClientKey.server_key`; `InvalidInput` before all chunks are there."""

    def check_ciphertext(self) -> bytes:
        """Encryption (type 2, format 1) of GENERATION_CHECK_VALUE under the generated key."""

    def key_share(self) -> KeyShare:
        """Our share of the keys that decryption needs."""

# --- State tree ------------------------------------------------------------------------------------

TREE_NODE: Final[int]
"""Read kind 0: a tree node; the key is an encoded node key."""
TREE_VALUE: Final[int]
"""Read kind 1: the value of a plain key at the version that is being proved."""
TREE_PREIMAGE: Final[int]
"""Read kind 2: the plain key of a SHA-256 key hash (32 bytes)."""

def tree_update(
    read: Callable[[int, bytes], bytes | None],
    version: int,
    updates: Sequence[tuple[bytes, bytes | None]],
) -> tuple[bytes, list[tuple[bytes, bytes]], list[bytes]]:
    """Make version ``version`` of the state tree from the one before and a list of changes.

    The tree is a Jellyfish Merkle tree over SHA-256 (crate jmt 0.12). The caller stores nodes by node
    key, values by plain key and plain keys by key hash; this function reads nodes only.

    Node key: version (8 bytes, big endian), number of nibbles (1 byte), nibbles packed two a byte;
    keys therefore sort by version. Node: borsh, opaque.

    Args:
        read: ``read(kind, key)`` returns the stored bytes or None; kinds are the ``TREE_*`` constants.
            Called from the calling thread. Its exceptions arrive unchanged.
        version: 0 for genesis, then without gaps; below 2**63.
        updates: key (1 to 1024 bytes) and new value (1 to 2**20 bytes) or None for deletion; no key
            twice, in any order; may be empty. Deletion of an absent key is no error.

    Returns:
        The root (32 bytes), the new nodes ``(node key, node)`` to write, and the node keys to which
        no version from this one on refers. Without changes the root is that of the version before,
        and a root node for the new version is among the nodes.

    Raises:
        InvalidInput: sizes, a key twice, or version - 1 is not in the store.
        InternalError: a stored node is damaged or missing.

    """

def tree_build(
    version: int, content: Sequence[tuple[bytes, bytes]]
) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Make version ``version`` from its whole content: root and all nodes.

    For a node that starts from a snapshot. The root equals that of the chain; nodes are numbered
    with ``version``.

    Raises:
        InvalidInput: as for ``tree_update``.

    """

def recover_addresses(items: Sequence[tuple[bytes, bytes]]) -> list[bytes | None]:
    """Recover who signed each (32-byte digest, 65-byte secp256k1 signature): 20-byte Ethereum addresses.

    ``None`` where a length, s above half the group order, v outside {0, 1, 27, 28} or the point itself
    rule out every signer. Runs on all cores.
    """

def tree_root(read: Callable[[int, bytes], bytes | None], version: int) -> bytes:
    """Return the root (32 bytes) of a stored version.

    Raises:
        InvalidInput: the version is not in the store.
        InternalError: its root node is damaged.

    """

def tree_prove(read: Callable[[int, bytes], bytes | None], version: int, key: bytes) -> bytes:
    """Prove what ``version`` holds under ``key``: an encoded ``ics23.CommitmentProof``.

    It is an existence proof, or a non-existence proof made of the neighbours in key-hash order. Reads
    nodes, preimages of neighbours, and values *of that version*. The proof is verified before it is
    returned.

    Raises:
        InvalidInput: the version is not in the store, the tree is empty (ICS-23 has no proof about an
            empty tree), or the key is empty.
        InternalError: the store is damaged or its values are not those of that version.

    """

def verify_membership(proof: bytes, root: bytes, key: bytes, value: bytes) -> None:
    """Check an ICS-23 existence proof of the state tree.

    Raises:
        VerificationFailed: it does not show ``value`` under ``key`` in the tree with ``root``.
        InvalidInput: the root has not 32 bytes.

    """

def verify_non_membership(proof: bytes, root: bytes, key: bytes) -> None:
    """Check an ICS-23 non-existence proof of the state tree.

    Raises:
        VerificationFailed: it does not show that nothing is under ``key`` in the tree with ``root``.
        InvalidInput: the root has not 32 bytes.

    """

# --- Light client ----------------------------------------------------------------------------------

NOT_ENOUGH_TRUST: Final[str]
"""Part of the text of a ``VerificationFailed`` for a skipping step with too few known signers."""

@type_check_only
class HeaderFacts(TypedDict):
    """What a verified header says; a plain dict at run time."""

    height: int
    time_ns: int
    hash: bytes
    app_hash: bytes
    validators_hash: bytes
    next_validators_hash: bytes
    last_results_hash: bytes
    data_hash: bytes

def light_genesis(
    chain_id: str,
    validators_hash: bytes,
    signed_header: bytes,
    validators: bytes,
    now_ns: int,
    drift_s: int,
) -> HeaderFacts:
    """Verify a header against a pinned validator set.

    Args:
        chain_id: the expected chain.
        validators_hash: pinned hash, 32 bytes.
        signed_header: JSON object ``signed_header`` of CometBFT's ``/commit``.
        validators: JSON list ``validators`` of ``/validators`` at that height, all pages joined.
        now_ns: the clock, nanoseconds since 1970.
        drift_s: how far the block time may be ahead, seconds.

    Returns:
        Facts of the header; hashes that a header may lack (results, data) are then empty.

    Raises:
        VerificationFailed: another chain, set or header, a wrong signature, two thirds or less, or
            a header from the future.
        InvalidInput: malformed JSON, chain id or time.

    """

def light_verify(
    chain_id: str,
    trusted_signed_header: bytes,
    trusted_next_validators: bytes,
    signed_header: bytes,
    validators: bytes,
    trusting_period_s: int,
    drift_s: int,
    now_ns: int,
) -> HeaderFacts:
    """Verify a header from a trusted one: the next height, or a skipping step.

    The next height must be signed by the announced set; a later height by more than a third of the
    power of ``trusted_next_validators``; each by more than two thirds of its own set. Every signature
    for the block must be right.

    Args:
        chain_id: the expected chain.
        trusted_signed_header: JSON of the trusted header.
        trusted_next_validators: JSON list of the validators one height after it; may be empty bytes
            when the header to verify is the very next one.
        signed_header: as for ``light_genesis``.
        validators: as for ``light_genesis``.
        trusting_period_s: age in seconds from which the trusted header is no start any more.
        drift_s: as for ``light_genesis``.
        now_ns: as for ``light_genesis``.

    Raises:
        VerificationFailed: the header must not be believed; the text holds ``NOT_ENOUGH_TRUST`` if
            only the known third is missing.
        InvalidInput: malformed JSON, chain id or time.

    """

def validators_hash(validators: bytes) -> bytes:
    """Return the hash (32 bytes) of a JSON validator list, as headers hold it.

    Raises:
        VerificationFailed: not in canonical order, repeated, without power, or an address that does
            not belong to its key.
        InvalidInput: malformed JSON.

    """

# --- Signcryption and hashes -----------------------------------------------------------------------

def mlkem512_generate(seed: bytes | None = None) -> tuple[bytes, bytes]:
    """Make an ML-KEM-512 key pair (FIPS 203).

    Args:
        seed: 64 bytes ``d`` and ``z`` of FIPS 203, for tests and key derivation; None for a fresh key.

    Returns:
        The encapsulation key (800 bytes) and the decapsulation key (1632 bytes, expanded form).

    Raises:
        InvalidInput: the seed has not 64 bytes.

    """

def signcrypt_share(
    plaintext_share: bytes,
    fhe_type: int,
    link: bytes,
    client_address: bytes,
    encapsulation_key: bytes,
    signing_key: bytes,
) -> bytes:
    """Sign, then encrypt a share of a user decryption (format 1, read by clients in the field).

    The signature covers share, type, link, client address and a hash of the encapsulation key. Fresh
    randomness for the encapsulation and the nonce; the signature is deterministic (RFC 6979, low s).

    Args:
        plaintext_share: the bytes for the client, at most 2**24.
        fhe_type: number of the FHE type, a signed 32-bit integer.
        link: EIP-712 hash of the request, 32 bytes.
        client_address: 20 bytes.
        encapsulation_key: ML-KEM-512 key of the client, 800 bytes.
        signing_key: secp256k1 scalar, 32 bytes.

    Raises:
        InvalidInput: a length, a key that is not reduced, or a scalar out of range.

    """

def open_signcryption(
    ciphertext: bytes,
    link: bytes,
    client_address: bytes,
    encapsulation_key: bytes,
    decapsulation_key: bytes,
    verification_key: bytes,
) -> tuple[bytes, int]:
    """Decrypt and verify what ``signcrypt_share`` made; returns the share and its FHE type.

    Args:
        ciphertext: as received.
        link: expected link, 32 bytes.
        client_address: own address, 20 bytes.
        encapsulation_key: own public key, 800 bytes.
        decapsulation_key: own secret key, 1632 bytes.
        verification_key: expected signer, compressed SEC1 point, 33 bytes.

    Raises:
        VerificationFailed: altered, for another receiver, link or key, or by another signer.
        InvalidInput: a length or key of the caller's own arguments.

    """

def sha3_256(data: bytes) -> bytes:
    """SHA3-256 (FIPS 202), 32 bytes."""

def shake256(data: bytes, length: int) -> bytes:
    """SHAKE256 (FIPS 202), ``length`` bytes, at most 2**24.

    Raises:
        InvalidInput: the length is too large.

    """
