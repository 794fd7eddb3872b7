"""A long history for the explorer, made as it is read: nothing of it is kept, no chain executes it.

Every block carries what gateways and connectors send: one transaction with all its requests, and from each party
one with all its answers to the requests of the block before.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Iterable
from typing import Any, Final

from client.errors import HeightUnavailable
from client.rpc import NodeStatus, QueryAnswer
from tests.support.chain import ALICE, CHAIN_ID, epoch, genesis, party_account, party_key
from wire.digests import sha256
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.reasons import Reason
from wire.signing import Signer
from wire.tx import build

PARTIES: Final = 4
APPLICATION: Final = "shop"
_START_S: Final = 1_700_000_000
_KEY: Final = sha256(b"key")[:20]
_DOMAIN: Final = isc_pb2.Domain(name="Decryption", version="1", chain_id=1)


class History:
    """A node with `blocks` blocks; each opens `requests` public decryptions, and decides those of the one before."""

    def __init__(self, blocks: int, requests: int) -> None:
        """Nothing is made yet."""
        self.url = "history:"
        self.blocks = blocks
        self.requests = requests
        self._epoch = epoch(PARTIES)
        # One signature for all: an index reads them, it does not check them.
        self._signature = party_key(1).sign_digest(bytes(32))

    async def status(self) -> NodeStatus:
        """All of it is there."""
        return NodeStatus(CHAIN_ID, self.blocks, 1, catching_up=False)

    async def validators(self, height: int) -> bytes:
        """The same set at all heights."""
        del height
        return json.dumps([_validator(number) for number in range(PARTIES)]).encode()

    async def document(self, method: str, **parameters: str) -> Any:
        """Block or results of a height."""
        if method == "genesis":
            return {"genesis": {"app_state": json.loads("{}")}}
        height = int(parameters["height"])
        if height > self.blocks:
            raise HeightUnavailable(f"height {height} is not available")
        transactions = self._transactions(height)
        if method == "block":
            return _block(height, [raw for raw, _ in transactions])
        results = [{"code": 0, "gas_used": "100", "events": events} for _, events in transactions]
        return {"height": str(height), "txs_results": results, "finalize_block_events": []}

    async def abci_query(
        self, path: str, data: bytes = b"", height: int = 0, *, prove: bool = False
    ) -> QueryAnswer:
        """Views of requests, pages of the audit log, the epoch and the application."""
        del height, prove
        if path == "/asc/request":
            return _answer(self._view(*_place(data)).SerializeToString())
        if path == "/asc/audit":
            return _answer(self._audit(state_pb2.AuditQuery.FromString(data)).SerializeToString())
        if path == "/config/epoch":
            return _answer(self._epoch.SerializeToString())
        if path == "/isc/application":
            record = isc_pb2.Application(
                id=APPLICATION, kind=isc_pb2.KIND_ACL, owner=bytes(ALICE.address), domain=_DOMAIN
            )
            return _answer(state_pb2.ApplicationView(application=record).SerializeToString())
        if path in {"/asc/evidence", "/config/history", "/asc/material"}:
            return _answer(b"")
        return QueryAnswer(int(Reason.NOT_FOUND), "", b"", b"", b"", self.blocks)

    async def close(self) -> None:
        """Nothing is open."""

    def names(self, height: int) -> list[bytes]:
        """Ids of the requests that a block opens."""
        return [_name(height, index) for index in range(self.requests)]

    def _transactions(self, height: int) -> list[tuple[bytes, list[dict[str, Any]]]]:
        request = asc_pb2.RequestPublicDecryption(
            application=APPLICATION, key_id=_KEY, ciphertexts=[_ciphertext(height)]
        )
        messages = [tx_pb2.Message(request_public_decryption=request)] * self.requests
        opened = [_opened(name, self._sequence(name)) for name in self.names(height)]
        made = [(_signed(ALICE, height, messages), opened)]
        if height > 1:
            before = self.names(height - 1)
            for party in range(1, PARTIES + 1):
                answers = [tx_pb2.Message(fulfil=self._fulfil(name, party)) for name in before]
                events = [event for name in before for event in _answered(name, party)]
                made.append((_signed(party_account(party), height, answers), events))
        return made

    def _sequence(self, name: bytes) -> int:
        height, index = _place(name)
        return (height - 1) * self.requests + index + 1

    def _fulfil(self, name: bytes, party: int) -> asc_pb2.Fulfil:
        result = asc_pb2.PublicDecryptionResult(decrypted_result=bytes(31) + b"\x05")
        return asc_pb2.Fulfil(
            request_id=name, party=party, public_decryption=result, signature=self._signature
        )

    def _view(self, height: int, index: int) -> state_pb2.RequestView:
        name = _name(height, index)
        decided = height < self.blocks
        entry = asc_pb2.LogEntry(
            sequence=self._sequence(name),
            request_id=name,
            kind=asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION,
            chain_id=CHAIN_ID,
            height=height,
            requester=bytes(ALICE.address),
            epoch_id=1,
            parties=PARTIES,
            threshold=1,
            thresholds=self._epoch.thresholds,
            deadline_height=height + 100,
            price=1_000,
            application=APPLICATION,
            domain=_DOMAIN,
            key_id=_KEY,
            ciphertexts=[_ciphertext(height)],
            allowances=[isc_pb2.Allowance(basis=isc_pb2.BASIS_PUBLIC, since_height=1)],
        )
        parties = list(range(1, PARTIES + 1)) if decided else []
        status = asc_pb2.RequestStatus(
            request_id=name,
            sequence=entry.sequence,
            status=asc_pb2.STATUS_FULFILLED if decided else asc_pb2.STATUS_PENDING,
            opened_height=height,
            decided_height=height + 1 if decided else 0,
            closed_height=height + 1 if decided else 0,
            agreed_digest=sha256(name) if decided else b"",
            answered=parties,
            agreed=parties,
        )
        answers = [
            asc_pb2.Answer(
                party=party,
                height=height + 1,
                fulfil=self._fulfil(name, party),
                canonical_digest=sha256(name),
            )
            for party in parties
        ]
        return state_pb2.RequestView(entry=entry, status=status, answers=answers)

    def _audit(self, query: state_pb2.AuditQuery) -> state_pb2.AuditList:
        """Page of the log as it was when the block was made that is asked for: its records end with the block."""
        last = (self.blocks - 1) * self.requests
        first = query.from_sequence
        # A node that is followed block by block shows no later records.
        upto = min(last, first + self.requests - 1, first + query.limit - 1)
        records = []
        for sequence in range(first, upto + 1):
            height, index = divmod(sequence - 1, self.requests)
            name = _name(height + 1, index)
            records.append(
                asc_pb2.AuditRecord(
                    sequence=sequence,
                    request_id=name,
                    request_sequence=sequence,
                    kind=asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION,
                    status=asc_pb2.STATUS_FULFILLED,
                    requester=bytes(ALICE.address),
                    application=APPLICATION,
                    key_id=_KEY,
                    request_height=height + 1,
                    decided_height=height + 2,
                    price=1_000,
                    paid=1_000,
                )
            )
        return state_pb2.AuditList(records=records, last_sequence=last)


def application_state() -> state_pb2.Genesis:
    """Genesis of such a chain."""
    return genesis(PARTIES)


def _name(height: int, index: int) -> bytes:
    return sha256(b"request")[:8] + height.to_bytes(8, "big") + index.to_bytes(4, "big")


def _place(name: bytes) -> tuple[int, int]:
    return int.from_bytes(name[8:16], "big"), int.from_bytes(name[16:], "big")


def _ciphertext(height: int) -> isc_pb2.Ciphertext:
    handle = sha256(b"handle %d" % (height % 1_000))
    return isc_pb2.Ciphertext(
        handle=handle, digest=sha256(handle), fhe_type=2, format=2, size=8_000, key_id=_KEY
    )


def _signed(signer: Signer, height: int, messages: Iterable[tx_pb2.Message]) -> bytes:
    return build(
        signer,
        CHAIN_ID,
        list(messages),
        expires_at_height=height + 50,
        max_fee=10**6,
        nonce=height.to_bytes(16, "big"),
    )


def _event(name: str, /, **values: object) -> dict[str, Any]:
    attributes = [{"key": key, "value": str(value)} for key, value in values.items()]
    return {"type": name, "attributes": attributes}


def _opened(name: bytes, sequence: int) -> dict[str, Any]:
    return _event(
        "request_opened",
        request_id=name.hex(),
        kind="REQUEST_KIND_PUBLIC_DECRYPTION",
        application=APPLICATION,
        key_id=_KEY.hex(),
        requester=ALICE.address.checksum,
        sequence=sequence,
        epoch_id=1,
        ciphertexts=1,
        price=1_000,
    )


def _answered(name: bytes, party: int) -> list[dict[str, Any]]:
    events = [_event("request_answered", request_id=name.hex(), party=party, digest="00" * 32)]
    if party == 2:
        kind = "REQUEST_KIND_PUBLIC_DECRYPTION"
        events.append(
            _event("request_decided", request_id=name.hex(), kind=kind, status="STATUS_FULFILLED")
        )
    if party == PARTIES:
        events.append(_event("request_closed", request_id=name.hex(), paid=1_000, refunded=0))
    return events


def _block(height: int, raws: list[bytes]) -> dict[str, Any]:
    moment = dt.datetime.fromtimestamp(_START_S + height, dt.UTC)
    return {
        "block_id": {"hash": sha256(b"block %d" % height).hex()},
        "block": {
            "header": {
                "height": str(height),
                "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "proposer_address": _validator(height % PARTIES)["address"],
                "app_hash": sha256(b"state %d" % height).hex(),
                "last_block_id": {"hash": sha256(b"block %d" % (height - 1)).hex()},
                "validators_hash": sha256(b"validators").hex(),
            },
            "data": {"txs": [base64.b64encode(raw).decode() for raw in raws]},
            "last_commit": {"round": 0, "signatures": [{"block_id_flag": 2}] * PARTIES},
        },
    }


def _validator(number: int) -> dict[str, Any]:
    key = sha256(b"validator %d" % number)
    return {
        "address": sha256(key)[:20].hex(),
        "pub_key": {"value": base64.b64encode(key).decode()},
        "voting_power": "10",
    }


def _answer(value: bytes) -> QueryAnswer:
    return QueryAnswer(0, "", b"", value, b"", 0)
