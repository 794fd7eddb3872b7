"""Slow readable twin of the kernel's ceremony: the curve BLS12-446 by its definition.

Points are pairs of coordinates, None is infinity. A coordinate of G1 is a number mod p, one of G2 a
pair (a, b) for a + bi with i^2 = -1. A contribution is read and written as bytes, so that tests can make
any bad one.
"""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

PARAMETER = -0x600_8204_0000_0002_0001
ORDER = PARAMETER**4 - PARAMETER**2 + 1
PRIME = (PARAMETER - 1) ** 2 * ORDER // 3 + PARAMETER
FIELD_BYTES = 56
SCALAR_BYTES = 40
HEADER_BYTES = 8 + 2 + 9 + 2

Number = tuple[int, int]
"""a + bi; numbers of the prime field have b = 0."""

Point = tuple[Number, Number] | None


def add(a: Number, b: Number) -> Number:
    """Sum."""
    return (a[0] + b[0]) % PRIME, (a[1] + b[1]) % PRIME


def subtract(a: Number, b: Number) -> Number:
    """Difference."""
    return (a[0] - b[0]) % PRIME, (a[1] - b[1]) % PRIME


def multiply(a: Number, b: Number) -> Number:
    """Product."""
    return (a[0] * b[0] - a[1] * b[1]) % PRIME, (a[0] * b[1] + a[1] * b[0]) % PRIME


def invert(a: Number) -> Number:
    """Inverse: the conjugate over the norm."""
    norm = pow(a[0] * a[0] + a[1] * a[1], -1, PRIME)
    return a[0] * norm % PRIME, -a[1] * norm % PRIME


def plus(left: Point, right: Point) -> Point:
    """Sum of two points by chord and tangent."""
    if left is None or right is None:
        return right if left is None else left
    (x1, y1), (x2, y2) = left, right
    if x1 == x2 and y1 != y2:
        return None
    if x1 == x2:
        slope = multiply(multiply((3, 0), multiply(x1, x1)), invert(add(y1, y1)))
    else:
        slope = multiply(subtract(y2, y1), invert(subtract(x2, x1)))
    x = subtract(subtract(multiply(slope, slope), x1), x2)
    return x, subtract(multiply(slope, subtract(x1, x)), y1)


def times(point: Point, factor: int) -> Point:
    """Multiple of a point."""
    total: Point = None
    for bit in f"{factor % ORDER:b}":
        total = plus(total, total)
        if bit == "1":
            total = plus(total, point)
    return total


G: Point = (
    (
        143189966182216199425404656824735381247272236095050141599848381692039676741476615087722874458136990266833440576646963466074693171606778,
        0,
    ),
    (
        75202396197342917254523279069469674666303680671605970245803554133573745859131002231546341942288521574682619325841484506619191207488304,
        0,
    ),
)
H: Point = (
    (
        96453755443802578867745476081903764610578492683850270111202389209355548711427786327510993588141991264564812146530214503491136289085725,
        85346509177292795277012009839788781950274202400882571466460158277083221521663169974265433098009350061415973662678938824527658049065530,
    ),
    (
        49316184343270950587272132771103279293158283984999436491292404103501221698714795975575879957605051223501287444864258801515822358837529,
        107680854723992552431070996218129928499826544031468382031848626814251381379173928074140221537929995580031433096217223703806029068859074,
    ),
)


def outside(rng: random.Random) -> Point:
    """Point of the first curve, y^2 = x^3 + 1, outside the group."""
    while True:
        x = rng.randrange(PRIME)
        square = (x**3 + 1) % PRIME
        # p = 3 mod 4
        y = pow(square, (PRIME + 1) // 4, PRIME)
        if y * y % PRIME == square:
            return (x, 0), (y, 0)


def point_bytes(point: Point, size: int) -> bytes:
    """Coordinates little-endian; zeros for infinity."""
    numbers = ((0, 0), (0, 0)) if point is None else point
    parts = [part for number in numbers for part in number[: size // (2 * FIELD_BYTES)]]
    return b"".join(part.to_bytes(FIELD_BYTES, "little") for part in parts)


def _point(data: bytes) -> Point:
    """Point of the group that the length says."""
    parts = [
        int.from_bytes(data[i : i + FIELD_BYTES], "little")
        for i in range(0, len(data), FIELD_BYTES)
    ]
    if not any(parts):
        return None
    if len(parts) == 2:
        return (parts[0], 0), (parts[1], 0)
    return (parts[0], parts[1]), (parts[2], parts[3])


@dataclass(frozen=True, slots=True)
class Contribution:
    """A contribution, or a state without header."""

    header: bytes
    challenge: int
    response: int
    g: tuple[Point, ...]
    h: tuple[Point, ...]

    @staticmethod
    def parse(data: bytes, dimension: int) -> "Contribution":
        """Read an encoding."""
        header, rest = data[:HEADER_BYTES], data[HEADER_BYTES:]
        scalars, rest = rest[: 2 * SCALAR_BYTES], rest[2 * SCALAR_BYTES :]
        split = (2 * dimension - 1) * 2 * FIELD_BYTES
        return Contribution(
            header,
            int.from_bytes(scalars[:SCALAR_BYTES], "little"),
            int.from_bytes(scalars[SCALAR_BYTES:], "little"),
            _points(rest[:split], 2 * FIELD_BYTES),
            _points(rest[split:], 4 * FIELD_BYTES),
        )

    def encode(self) -> bytes:
        """Write it."""
        return (
            self.header
            + self.challenge.to_bytes(SCALAR_BYTES, "little")
            + self.response.to_bytes(SCALAR_BYTES, "little")
            + points_bytes(self.g, self.h)
        )

    def with_g(self, place: int, point: Point) -> "Contribution":
        """Another point of the first group."""
        return replace(self, g=(*self.g[:place], point, *self.g[place + 1 :]))

    def with_h(self, place: int, point: Point) -> "Contribution":
        """Another point of the second group."""
        return replace(self, h=(*self.h[:place], point, *self.h[place + 1 :]))


def _points(data: bytes, size: int) -> tuple[Point, ...]:
    """Points one after the other."""
    return tuple(_point(data[i : i + size]) for i in range(0, len(data), size))


def points_bytes(g: Sequence[Point], h: Sequence[Point]) -> bytes:
    """Encoding of the points."""
    first = b"".join(point_bytes(point, 2 * FIELD_BYTES) for point in g)
    return first + b"".join(point_bytes(point, 4 * FIELD_BYTES) for point in h)


def beginning(dimension: int) -> tuple[tuple[Point, ...], tuple[Point, ...]]:
    """Points of the beginning."""
    return (G,) * (2 * dimension - 1), (H,) * dimension


def state_digest(
    name: bytes,
    shape: bytes,
    accepted: Sequence[int],
    g: Sequence[Point],
    h: Sequence[Point],
) -> bytes:
    """Digest of a state."""
    head = len(name).to_bytes(8, "little") + name + shape + len(accepted).to_bytes(8, "little")
    rounds = b"".join(number.to_bytes(2, "little") for number in accepted)
    return hashlib.sha3_256(head + rounds + points_bytes(g, h)).digest()


def secrets(digest: bytes, round_number: int, seed: bytes) -> tuple[int, int]:
    """Factor of a contributor, and the exponent of its commitment."""
    source = b"tkms/crs/secret/v1" + round_number.to_bytes(2, "little") + digest + seed
    stream = hashlib.shake_256(source).digest(108)
    return (
        int.from_bytes(stream[:54], "little") % ORDER,
        int.from_bytes(stream[54:], "little") % ORDER,
    )


def knowledge(digest: bytes, round_number: int, base: Point, drawn: tuple[int, int]) -> Number:
    """Challenge and response for a factor."""
    factor, exponent = drawn
    points = points_bytes((base, times(base, factor), times(base, exponent)), ())
    source = b"tkms/crs/knowledge/v1" + round_number.to_bytes(2, "little") + digest + points
    challenge = int.from_bytes(hashlib.shake_256(source).digest(54), "little") % ORDER
    return challenge, (exponent + challenge * factor) % ORDER


def multiplied(
    g: Sequence[Point], h: Sequence[Point], factor: int
) -> tuple[tuple[Point, ...], tuple[Point, ...]]:
    """Points with every exponent times its power of the factor."""
    dimension = len(h)
    exponents = [e for e in range(1, 2 * dimension + 1) if e != dimension + 1]
    return (
        tuple(times(point, pow(factor, e, ORDER)) for e, point in zip(exponents, g, strict=True)),
        tuple(times(point, pow(factor, e, ORDER)) for e, point in enumerate(h, 1)),
    )
