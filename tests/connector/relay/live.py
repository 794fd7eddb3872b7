"""A real validator with an active key and a public ciphertext; the parties' answers are the test's."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.support.chain import ADMIN, ALICE, CHAIN_ID, genesis, message, party_account, party_key
from tests.support.shop import (
    APPLICATION,
    DOMAIN,
    _lift_limits,
    agree,
    ciphertext,
    request_messages,
)
from tests.support.validator import ValidatorNode
from wire.eip712 import encode_plaintexts, public_decryption_digest
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.signing import Signer
from wire.tx import build

PATIENCE_SECONDS = 30.0


class LiveChain:
    """What `tests.support.chain.Chain` offers to the shop, over a node's RPC."""

    chain_id = CHAIN_ID

    def __init__(self, node: ValidatorNode) -> None:
        """Nothing is asked yet."""
        self.node = node

    def query(self, path: str, data: bytes = b"") -> bytes:
        """Value of a query."""
        response = self.node.call("abci_query", path=path, data=data.hex())["response"]
        assert not response.get("code"), response
        return base64.b64decode(response["value"])

    def send(self, signer: Signer, *messages: tx_pb2.Message) -> Any:
        """Send, and wait for the block."""
        height = int(self.node.call("status")["sync_info"]["latest_block_height"])
        raw = build(
            signer,
            CHAIN_ID,
            messages,
            expires_at_height=height + 50,
            max_fee=100_000,
            nonce=os.urandom(16),
        )
        sent = self.node.send(raw)
        assert not sent["code"], sent
        digest = base64.b64encode(bytes.fromhex(sent["hash"])).decode()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            found = self.node.post("tx", hash=digest).get("result")
            if found is not None:
                break
            assert time.monotonic() < deadline, "no block has it"
            time.sleep(0.02)
        assert not found["tx_result"]["code"], found["tx_result"]
        data = tx_pb2.TxData.FromString(base64.b64decode(found["tx_result"]["data"] or ""))
        made = [request_id for request_id in data.request_ids if request_id]
        return SimpleNamespace(ok=True, request_id=made[0] if made else b"")

    def answer(self, request_id: bytes, value: int) -> None:
        """All parties answer a public decryption."""
        view = state_pb2.RequestView.FromString(self.query("/asc/request", request_id))
        ciphertexts = view.entry.ciphertexts
        result = encode_plaintexts([(item.fhe_type, value) for item in ciphertexts])
        digest = public_decryption_digest(DOMAIN, [item.handle for item in ciphertexts], result)
        for party in range(1, 5):
            fulfil = asc_pb2.Fulfil(
                request_id=request_id,
                party=party,
                public_decryption=asc_pb2.PublicDecryptionResult(decrypted_result=result),
                signature=party_key(party).sign_digest(digest),
            )
            self.send(party_account(party), message(fulfil=fulfil))


@contextmanager
def live_shop(home: Path, **config: str) -> Iterator[tuple[LiveChain, isc_pb2.Ciphertext]]:
    """A running validator and the ciphertext that anybody may have decrypted."""
    document = genesis(
        applications=[
            isc_pb2.Application(
                id=APPLICATION, kind=isc_pb2.KIND_ACL, owner=bytes(ALICE.address), domain=DOMAIN
            )
        ]
    )
    _lift_limits(document)
    document.parameters.decryption_deadline_blocks = 5_000
    node = ValidatorNode.make(home, document=document, config=config)
    node.start()
    try:
        node.await_height(2)
        chain = LiveChain(node)
        asked = asc_pb2.RequestKeyGeneration(parameters="test", dealer=True)
        key_id = chain.send(ADMIN, message(request_key_generation=asked)).request_id
        agree(chain, key_id, {"public-key": b"public", "server-key": b"server"})
        record, _ = ciphertext("live", key_id)
        chain.send(ALICE, *request_messages(record)[:2])
        yield chain, record
    finally:
        node.kill()
