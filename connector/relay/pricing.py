"""What a submission costs, from the configuration that the node last told: no question a submission."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from connector.relay.errors import refused_by_chain, unavailable
from wire.limits import MAX_TRANSACTION_BYTES, NONCE_BYTES
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.reasons import Reason
from wire.signing import Signer

# The largest varint of nine bytes: the real bound is never longer.
_LONGEST: Final = 2**63 - 1
_ED25519_SIGNATURE: Final = 64
_SECP256K1_SIGNATURE: Final = 65


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one submission, in units."""

    fee: int
    price: int

    @property
    def total(self) -> int:
        """What max_fee must at least be."""
        return self.fee + self.price


class Pricing:
    """Prices and limits in force, as of a height."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.height = 0
        self._view: state_pb2.ConfigView | None = None
        self._prices: dict[str, config_pb2.Price] = {}

    def learn(self, view: state_pb2.ConfigView, height: int) -> None:
        """Take over what the node says."""
        self.height = height
        self._view = view
        self._prices = {price.message: price for price in view.prices.messages}

    @property
    def view(self) -> state_pb2.ConfigView:
        """The configuration.

        Raises:
            RelayError: the node was never reached.
        """
        if self._view is None:
            raise unavailable("the node has not answered yet")
        return self._view

    def cost(self, body: tx_pb2.TxBody, kind: str, signer: Signer) -> Cost:
        """Cost of a body whose max_fee may be open.

        Raises:
            RelayError: the chain has no price for it, or it is larger than the chain allows.
        """
        prices, parameters = self.view.prices, self.view.parameters
        price = self._prices.get(kind)
        if price is None:
            raise refused_by_chain(Reason.UNPRICED, kind)
        size = transaction_bytes(body, signer)
        limit = min(parameters.max_transaction_bytes, MAX_TRANSACTION_BYTES)
        if size > limit:
            raise refused_by_chain(Reason.TOO_LARGE, f"{size} bytes, {limit} are allowed")
        message = getattr(body.messages[0], kind)
        named = sum(item.size for item in getattr(message, "ciphertexts", ()))
        return Cost(
            prices.transaction_base + prices.transaction_per_byte * size,
            price.base + price.per_byte * named,
        )


def transaction_bytes(body: tx_pb2.TxBody, signer: Signer) -> int:
    """Size of the signed transaction; with an open max_fee its largest."""
    whole = tx_pb2.TxBody()
    whole.CopyFrom(body)
    whole.max_fee = body.max_fee or _LONGEST
    whole.nonce = body.nonce or bytes(NONCE_BYTES)
    length = _SECP256K1_SIGNATURE if not signer.public_key else _ED25519_SIGNATURE
    return tx_pb2.Tx(
        body=whole.SerializeToString(),
        scheme=signer.scheme,
        public_key=signer.public_key,
        signature=bytes(length),
    ).ByteSize()
