"""Traffic of the chain benchmark, made and signed before the clock runs, and the genesis that it needs.

The bench owns the keys of four parties, of the application's owner, of a gateway and of 2,000 account holders. Keys are
agreed on by real signed answers; no core runs, for what is measured is the chain.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from cli.genesis import state as genesis_state
from cli.home.card import PartyCard
from core import certificates
from wire import tx
from wire.digests import sha3_256, sha256
from wire.eip712 import keygen_digest, public_decryption_digest
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.signing import Secp256k1Signer

_Item = TypeVar("_Item")

APPLICATION = "bench"
DOMAIN = isc_pb2.Domain(
    name="Decryption", version="1", chain_id=31337, verifying_contract=b"\xbe" + bytes(19)
)
PARTIES = 4
HOLDERS = 2_000
# Messages a transaction, as gateways and connectors send what is ready at a time.
REQUESTS_A_TRANSACTION = 50
ANSWERS_A_TRANSACTION = 50
_BALANCE = 10**15
_MAX_FEE = 10**9
# Ciphertexts that requests ask for in turn.
_CIPHERTEXTS = 200
_FHE_TYPE_U64 = 5
_FORMAT = 2


def _signer(name: str) -> Secp256k1Signer:
    return Secp256k1Signer(sha256(b"bench account " + name.encode()))


def _certificate(index: int, chain_id: str) -> bytes:
    """Certificate of a party; its key is thrown away, for no core runs."""
    _, pem = certificates.generate(f"core{index}.{chain_id}.local")
    return certificates.to_der(pem)


@dataclass
class Traffic:
    """All keys, and the transactions they sign on one chain."""

    chain_id: str
    # Last height at which what is made now may be included.
    expires_at_height: int = 1_500
    owner: Secp256k1Signer = field(default_factory=lambda: _signer("owner"))
    gateway: Secp256k1Signer = field(default_factory=lambda: _signer("gateway"))
    holders: list[Secp256k1Signer] = field(
        default_factory=lambda: [_signer(f"holder {index}") for index in range(HOLDERS)]
    )
    accounts: list[Secp256k1Signer] = field(
        default_factory=lambda: [_signer(f"party {index}") for index in range(1, PARTIES + 1)]
    )
    keys: list[Secp256k1Signer] = field(
        default_factory=lambda: [_signer(f"party key {index}") for index in range(1, PARTIES + 1)]
    )

    def genesis(self, document: state_pb2.Genesis) -> state_pb2.Genesis:
        """A local network's genesis with our parties, accounts and application."""
        changed = state_pb2.Genesis()
        changed.CopyFrom(document)
        cards = [
            PartyCard(
                index=index,
                account=account.address,
                verification_key=key.verification_key,
                certificate_der=_certificate(index, self.chain_id),
                peer_address=f"127.0.0.1:{7000 + index}",
            )
            for index, (account, key) in enumerate(
                zip(self.accounts, self.keys, strict=True), start=1
            )
        ]
        names = [f"party{card.index}" for card in cards]
        changed.epoch.CopyFrom(genesis_state.epoch(names, cards))
        application = genesis_state.demo_application(APPLICATION, self.owner.address)
        application.domain.CopyFrom(DOMAIN)
        changed.applications.append(application)
        changed.roles.append(genesis_state.role(config_pb2.ROLE_GENERATOR, self.owner.address))
        known = {account.address for account in changed.accounts}
        ours = [self.owner, self.gateway, *self.holders, *self.accounts]
        everybody = [*changed.accounts] + [
            genesis_state.account(signer.address, _BALANCE)
            for signer in ours
            if bytes(signer.address) not in known
        ]
        del changed.accounts[:]
        changed.accounts.extend(sorted(everybody, key=lambda account: account.address))
        return changed

    def transfers(self, count: int) -> Iterator[bytes]:
        """Transfers between the account holders."""
        chance = random.Random(1)
        for _ in range(count):
            payer, payee = chance.sample(self.holders, 2)
            transfer = bank_pb2.Transfer(recipient=bytes(payee.address), amount=1)
            yield self._build(payer, [tx_pb2.Message(transfer=transfer)])

    def key_request(self) -> bytes:
        """The request for the key that all ciphertexts name."""
        request = asc_pb2.RequestKeyGeneration(parameters="test", dealer=True)
        return self._build(self.owner, [tx_pb2.Message(request_key_generation=request)])

    def key_answers(self, entry: asc_pb2.LogEntry) -> list[bytes]:
        """All parties' answers to the request for a key: the same made-up material."""
        digests = [
            asc_pb2.MaterialDigest(kind=kind, digest=sha3_256(kind.encode()), size=len(kind))
            for kind in ("public-key", "server-key")
        ]
        signed = keygen_digest(
            entry.domain, entry.request_id, [(digest.kind, digest.digest) for digest in digests]
        )
        result = asc_pb2.GenerationResult(digests=digests)
        return [
            self._build(
                self.accounts[party - 1],
                [self._answer(entry.request_id, party, signed, generation=result)],
            )
            for party in range(1, PARTIES + 1)
        ]

    def ciphertexts(self, key_id: bytes) -> list[isc_pb2.Ciphertext]:
        """Records of ciphertexts that nobody will decrypt."""
        return [
            isc_pb2.Ciphertext(
                handle=sha3_256(b"handle %d" % index),
                digest=sha3_256(b"ciphertext %d" % index),
                fhe_type=_FHE_TYPE_U64,
                format=_FORMAT,
                size=20_000,
                key_id=key_id,
            )
            for index in range(_CIPHERTEXTS)
        ]

    def registrations(self, records: Sequence[isc_pb2.Ciphertext]) -> list[bytes]:
        """Registration of all ciphertexts, and leave for everybody to have them decrypted."""
        made = []
        for some in _batched(records, 20):
            register = isc_pb2.RegisterCiphertexts(application=APPLICATION, ciphertexts=some)
            messages = [tx_pb2.Message(register_ciphertexts=register)]
            messages += [
                tx_pb2.Message(
                    set_public=isc_pb2.SetPublic(
                        application=APPLICATION, handle=record.handle, allowed=True
                    )
                )
                for record in some
            ]
            made.append(self._build(self.owner, messages))
        return made

    def requests(self, records: Sequence[isc_pb2.Ciphertext], count: int) -> Iterator[bytes]:
        """Transactions of public decryption requests, each of one ciphertext."""
        messages = [
            tx_pb2.Message(
                request_public_decryption=asc_pb2.RequestPublicDecryption(
                    application=APPLICATION, key_id=record.key_id, ciphertexts=[record]
                )
            )
            for record in records
        ]
        for first in range(0, count, REQUESTS_A_TRANSACTION):
            chosen = [
                messages[index % len(messages)]
                for index in range(first, first + REQUESTS_A_TRANSACTION)
            ]
            yield self._build(self.gateway, chosen)

    def answers(self, opened: Iterable[tuple[bytes, bytes]], limit: int) -> Iterator[bytes]:
        """Every party's signed answers to (request id, handle), up to `limit` answers; party after party."""
        for some in _batched(opened, ANSWERS_A_TRANSACTION):
            if limit <= 0:
                return
            limit -= PARTIES * len(some)
            values = [
                (request_id, handle, os.urandom(8).rjust(32, b"\0")) for request_id, handle in some
            ]
            for party in range(1, PARTIES + 1):
                messages = [
                    self._answer(
                        request_id,
                        party,
                        public_decryption_digest(DOMAIN, [handle], value),
                        public_decryption=asc_pb2.PublicDecryptionResult(decrypted_result=value),
                    )
                    for request_id, handle, value in values
                ]
                yield self._build(self.accounts[party - 1], messages)

    def _answer(
        self, request_id: bytes, party: int, signed: bytes, **result: object
    ) -> tx_pb2.Message:
        fulfil = asc_pb2.Fulfil(
            request_id=request_id,
            party=party,
            signature=self.keys[party - 1].sign_digest(signed),
            **result,  # type: ignore[arg-type] # one of the results of Fulfil
        )
        return tx_pb2.Message(fulfil=fulfil)

    def _build(self, signer: Secp256k1Signer, messages: Sequence[tx_pb2.Message]) -> bytes:
        return tx.build(
            signer,
            self.chain_id,
            messages,
            expires_at_height=self.expires_at_height,
            max_fee=_MAX_FEE,
            nonce=os.urandom(16),
        )


def requests_of(raws: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Id and handle of every request in transactions of `Traffic.requests`."""
    for raw in raws:
        transaction = tx.decode(raw)
        for index, message in enumerate(transaction.messages):
            (record,) = message.request_public_decryption.ciphertexts
            yield bytes(transaction.request_id(index)), record.handle


def key_values(count: int, size: int) -> Iterator[bytes]:
    """Transactions of the engine's built-in kvstore, of a given size, no two alike."""
    for _ in range(count):
        text = os.urandom((size + 1) // 2).hex().encode()[: size - 1]
        yield text[:32] + b"=" + text[32:]


def _batched(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Consecutive pieces; the last may be shorter."""
    left = iter(items)
    while piece := list(islice(left, size)):
        yield piece
