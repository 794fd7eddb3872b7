"""Keys, batches and ciphertexts for the tests of preprocessing and rounding."""

import functools
from collections.abc import Callable, Mapping

import tkms_kernel as kernel

from mpc.exchange import Setting, Steps
from mpc.preprocessing import Batch, BatchKind, Material, Record, preprocess, rounding_material
from tests.mpc.network import Liar, Network
from wire.ids import PartyId

NAME = b"a batch"
SETTINGS = ((4, 1), (7, 2), (13, 4))


@functools.cache
def client_key(parameters: str = "test") -> kernel.ClientKey:
    """Secret keys of one key set."""
    return kernel.ClientKey.generate(parameters, bytes(range(32)))


@functools.cache
def key_shares(
    parties: int, threshold: int, parameters: str = "test"
) -> tuple[kernel.KeyShare, ...]:
    """Everybody's shares of the key."""
    return tuple(client_key(parameters).deal(parties, threshold))


@functools.cache
def mask_keys(parties: int, threshold: int) -> tuple[kernel.PrssKeys, ...]:
    """Everybody's keys for pseudorandom values."""
    return tuple(kernel.PrssKeys.deal(parties, threshold, b"r" * 32))


def making(
    parties: int, threshold: int, batch: Batch, *, correcting: bool = False, name: bytes = NAME
) -> Callable[[Setting], Steps[Record]]:
    """Protocol that makes a batch."""
    keys = mask_keys(parties, threshold)
    return lambda setting: preprocess(
        setting, keys[setting.party - 1], name, batch, correcting=correcting
    )


def made(
    parties: int,
    threshold: int,
    batch: Batch,
    liars: Mapping[PartyId, Liar] | None = None,
    *,
    correcting: bool = False,
    seed: int = 0,
) -> tuple[Network[Record], Record]:
    """A run in which all honest parties end with one record."""
    protocol = making(parties, threshold, batch, correcting=correcting)
    network = Network(parties, threshold, protocol, seed, liars or {}).run()
    values = network.values()
    record = values[0]
    assert record is not None
    digests = {value.digest(NAME) for value in values if value is not None}
    assert digests == {record.digest(NAME)}
    return network, record


@functools.cache
def pool_record(parties: int, threshold: int, blocks: int) -> Record:
    """A batch for some blocks, made without faults: everything in the clear, one share after the other."""
    batch = Batch(BatchKind.ROUNDING, 64, blocks)
    return made(parties, threshold, batch)[1]


def materials(parties: int, threshold: int, blocks: int, first: int = 0) -> list[Material]:
    """Everybody's material for some blocks of a batch that is large enough."""
    size = -(-(first + blocks) // 4) * 4
    record = pool_record(parties, threshold, size)
    return [
        rounding_material(keys, NAME, record, first, blocks)
        for keys in mask_keys(parties, threshold)
    ]


def opened_scalars(bits: int, threshold: int, shares: list[kernel.Shares]) -> list[int]:
    """Values of all parties' shares of degree t, which must fit together."""
    columns = [(i, share.to_bytes()) for i, share in enumerate(shares, start=1)]
    data = kernel.decode_shares(bits, len(shares), threshold, columns, 0)[0]
    size = bits // 8
    words = [int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size)]
    assert not any(word for index, word in enumerate(words) if index % 4)
    return words[::4]
