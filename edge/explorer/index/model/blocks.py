"""The head, blocks and transactions."""

from __future__ import annotations

from dataclasses import dataclass

from edge.explorer.index.model.page import Documents


@dataclass(frozen=True, slots=True)
class Head:
    """Where the index is, and what there is in all."""

    chain_id: str
    height: int
    hash: str
    time_ms: int
    app_hash: str
    # Of the last hundred blocks.
    mean_interval_ms: float
    first_height: int
    transactions: int
    requests: int
    open_requests: int
    epoch_id: int
    # Height of the node when it was last asked: what is missing here is being read.
    node_height: int


@dataclass(frozen=True, slots=True)
class BlockSummary:
    """A row of the list of blocks."""

    height: int
    hash: str
    time_ms: int
    interval_ms: int
    proposer: str
    transactions: int
    requests_opened: int
    requests_decided: int
    size: int
    gas_used: int


@dataclass(frozen=True, slots=True)
class Event:
    """What the chain said about a transaction or block."""

    type: str
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class TransactionSummary:
    """A row of the list of transactions."""

    hash: str
    height: int
    index: int
    time_ms: int
    sender: str
    kinds: tuple[str, ...]
    code: int
    reason: str
    # Upper bound that the sender set for fee and prices.
    max_fee: int
    gas_used: int
    size: int


@dataclass(frozen=True, slots=True)
class Block:
    """A block with its transactions and events."""

    summary: BlockSummary
    # State before this block's transactions.
    app_hash: str
    previous_hash: str
    validators_hash: str
    # Round in which the block before was decided, and who of its validators did not sign it.
    previous_round: int
    previous_absent: tuple[str, ...]
    transactions: tuple[TransactionSummary, ...]
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class TransactionMessage:
    """A decoded message; the id of the request that it makes, if it makes one."""

    kind: str
    document: Documents
    request_id: str


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction, decoded and raw."""

    summary: TransactionSummary
    # The chain's words about a refusal, and what to do about it.
    log: str
    sentence: str
    hint: str
    scheme: str
    nonce: str
    expires_at_height: int
    messages: tuple[TransactionMessage, ...]
    events: tuple[Event, ...]
    raw: str
