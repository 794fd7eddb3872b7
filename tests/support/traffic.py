"""Mixed traffic on the test chain: everything that users, operators and parties do, seeded and without a clock.

    shop = Traffic.start(folder, seed=1)
    shop.run(blocks=60)             # transfers, claims, changes, requests, answers, conflicts, expiry
    shop.chain.blocks               # what a replay needs

Each block holds a handful of transactions, good and bad ones; what CheckTx refuses is offered and dropped, as
by a mempool. The same seed gives the same bytes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf.message import Message as ProtobufMessage
from google.protobuf.timestamp_pb2 import Timestamp

from tests.support.chain import (
    ADMIN,
    ALICE,
    BOB,
    SERVICE,
    STRANGER,
    Chain,
    account,
    genesis,
    message,
    party_account,
    party_key,
)
from tests.support.shop import APPLICATION, DOMAIN, agree, ciphertext
from wire.eip712 import encode_plaintexts, public_decryption_digest
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.pb.tkms.comet.v1 import abci_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.signing import Signer

DEADLINE_BLOCKS = 8
RETENTION_BLOCKS = 10
PAYOUT_BLOCKS = 7
PARTIES = 4


def traffic_genesis() -> state_pb2.Genesis:
    """Short deadlines and retention, fees that are paid out, one application with a delegate."""
    document = genesis(
        applications=[
            isc_pb2.Application(
                id=APPLICATION, kind=isc_pb2.KIND_ACL, owner=bytes(ALICE.address), domain=DOMAIN
            )
        ],
        delegates=[state_pb2.GenesisDelegate(application=APPLICATION, account=bytes(BOB.address))],
    )
    document.parameters.decryption_deadline_blocks = DEADLINE_BLOCKS
    document.parameters.retention_blocks = RETENTION_BLOCKS
    document.parameters.fee_payout_blocks = PAYOUT_BLOCKS
    document.prices.relayer_permille = 100
    return document


def answer(entry: asc_pb2.LogEntry, party: int, value: int) -> tx_pb2.Message:
    """A party's signed answer to a public decryption: every ciphertext holds `value`."""
    result = encode_plaintexts([(record.fhe_type, value) for record in entry.ciphertexts])
    handles = [record.handle for record in entry.ciphertexts]
    digest = public_decryption_digest(entry.domain, handles, result)
    return message(
        fulfil=asc_pb2.Fulfil(
            request_id=entry.request_id,
            party=party,
            public_decryption=asc_pb2.PublicDecryptionResult(decrypted_result=result),
            signature=party_key(party).sign_digest(digest),
        )
    )


def report(request_id: bytes, party: int) -> tx_pb2.Message:
    """A party's failure report."""
    code = asc_pb2.FAILURE_CODE_CIPHERTEXT_UNAVAILABLE
    failed = asc_pb2.ReportFailure(request_id=request_id, party=party, code=code)
    return message(report_failure=failed)


def accuse(request_id: bytes, party: int, *accused: int) -> tx_pb2.Message:
    """A party names others."""
    return message(
        accuse=asc_pb2.Accuse(request_id=request_id, party=party, accused=sorted(accused))
    )


@dataclass
class RecordedChain(Chain):
    """A chain that keeps the calls from which it can be made again, and whose time can jump."""

    calls: list[abci_pb2.Request] = field(default_factory=list)
    app_hashes: list[bytes] = field(default_factory=list)
    shift_seconds: int = 0

    def call(self, **request: ProtobufMessage) -> ProtobufMessage:
        """Send one request of the engine."""
        answer = super().call(**request)
        for name in ("init_chain", "finalize_block"):
            if name in request:
                self.calls.append(abci_pb2.Request(**request))
                self.app_hashes.append(answer.app_hash)
        return answer

    def _time(self) -> Timestamp:
        time = super()._time()
        time.seconds += self.shift_seconds
        return time


@dataclass
class Traffic:
    """A chain with a key, and chance."""

    chain: RecordedChain
    key_id: bytes
    chance: random.Random
    # Requests of the last blocks, closed ones too: late answers come.
    requests: list[bytes] = field(default_factory=list)
    _names: int = 0

    @classmethod
    def start(cls, folder: Path, seed: int) -> Traffic:
        """New chain in an empty folder."""
        chain = RecordedChain.start(folder, traffic_genesis())
        assert isinstance(chain, RecordedChain)
        opened = chain.send(
            ADMIN,
            message(
                request_key_generation=asc_pb2.RequestKeyGeneration(parameters="test", dealer=True)
            ),
        )
        agree(
            chain, opened.request_id, {kind: kind.encode() for kind in ("public-key", "server-key")}
        )
        return cls(chain, opened.request_id, random.Random(seed))

    def run(self, blocks: int) -> None:
        """Make blocks."""
        for _ in range(blocks):
            self.block()

    def block(self) -> None:
        """One block of what CheckTx lets in."""
        if self.chance.random() < 0.02:
            # The chain stood still for a while: an outage.
            self.chain.shift_seconds += 300
        count = self.chance.choice((0, 1, 2, 4, 8))
        offered = [self.transaction() for _ in range(count)]
        admitted = [raw for raw in offered if self.chain.check(raw).ok]
        chosen = self.chain.prepare(*admitted)
        assert self.chain.process(*chosen)
        for result in self.chain.decide(*chosen):
            self.requests += [request_id for request_id in result.request_ids if request_id]
        del self.requests[:-12]

    def transaction(self) -> bytes:
        """One transaction of any kind."""
        make: Callable[[], bytes] = self.chance.choices(
            (
                self.transfer,
                self.claim,
                self.request,
                self.answers,
                self.complaint,
                self.proposal,
                self.permission,
                self.nonsense,
            ),
            (20, 6, 14, 30, 20, 6, 6, 4),
        )[0]
        return make()

    def transfer(self) -> bytes:
        """A payment, now and then of more than there is."""
        payer = self.chance.choice((ALICE, BOB, SERVICE, STRANGER))
        target = self.chance.choice((STRANGER, BOB, account(f"payee {self.chance.randrange(20)}")))
        amount = self.chance.choice((1, 17, 1000, 2**40))
        payment = bank_pb2.Transfer(recipient=bytes(target.address), amount=amount)
        return self._build(payer, message(transfer=payment))

    def claim(self) -> bytes:
        """The faucet, for oneself or another."""
        payer = self.chance.choice((STRANGER, BOB))
        target = self.chance.choice((payer, STRANGER))
        faucet = bank_pb2.Faucet(recipient=bytes(target.address), amount=700)
        return self._build(payer, message(faucet=faucet))

    def request(self) -> bytes:
        """Registration, permission and request; the permission is sometimes missing."""
        self._names += 1
        record, _ = ciphertext(f"traffic {self._names}", self.key_id)
        messages: list[tx_pb2.Message] = [
            message(
                register_ciphertexts=isc_pb2.RegisterCiphertexts(
                    application=APPLICATION, ciphertexts=[record]
                )
            )
        ]
        if self.chance.random() < 0.9:
            public = isc_pb2.SetPublic(application=APPLICATION, handle=record.handle, allowed=True)
            messages.append(message(set_public=public))
        wanted = asc_pb2.RequestPublicDecryption(
            application=APPLICATION, key_id=self.key_id, ciphertexts=[record]
        )
        if self.chance.random() < 0.5:
            wanted.relayer = bytes(BOB.address)
        return self._build(ALICE, *messages, message(request_public_decryption=wanted))

    def answers(self) -> bytes:
        """One party's answers to some requests: right, repeated, contradicting or late."""
        party = self.chance.randrange(1, PARTIES + 1)
        chosen = self.chance.sample(self.requests, min(len(self.requests), 3))
        messages = []
        for request_id in chosen:
            entry = state_pb2.RequestView.FromString(
                self.chain.query("/asc/request", request_id)
            ).entry
            value = 7 if self.chance.random() < 0.9 else 9
            messages.append(answer(entry, party, value))
        return self._build(party_account(party), *messages) if messages else self.transfer()

    def complaint(self) -> bytes:
        """A failure report or an accusation, alone."""
        if not self.requests:
            return self.transfer()
        party = self.chance.randrange(1, PARTIES + 1)
        # The newest: few have answered it, so that failure reports may decide it.
        request_id = self.requests[-1]
        if self.chance.random() < 0.7:
            return self._build(party_account(party), report(request_id, party))
        others = [index for index in range(1, PARTIES + 1) if index != party]
        return self._build(party_account(party), accuse(request_id, party, others[0]))

    def proposal(self) -> bytes:
        """A change of the configuration: prices, limits, an application, or a role."""
        height = self.chain.height + self.chance.randrange(2, 6)
        change = self.chance.choice(
            (
                self._prices(),
                self._limits(),
                config_pb2.Change(
                    role=config_pb2.RoleChange(
                        role=config_pb2.ROLE_REGISTRAR,
                        account=bytes(BOB.address),
                        granted=self.chance.random() < 0.5,
                    )
                ),
            )
        )
        wanted = config_pb2.ProposeChange(change=change, activation_height=height, title="traffic")
        return self._build(self.chance.choice((ADMIN, ADMIN, BOB)), message(propose_change=wanted))

    def permission(self) -> bytes:
        """Somebody is given access to something, by the delegate."""
        record, _ = ciphertext(f"traffic {max(1, self._names)}", self.key_id)
        grant = isc_pb2.GrantAccess(
            application=APPLICATION, handle=record.handle, account=bytes(STRANGER.address)
        )
        return self._build(self.chance.choice((ALICE, BOB)), message(grant_access=grant))

    def nonsense(self) -> bytes:
        """Bytes that are no transaction, or one for another chain."""
        if self.chance.random() < 0.5:
            return self.chance.randbytes(40)
        payment = bank_pb2.Transfer(recipient=bytes(BOB.address), amount=1)
        return self.chain.build(ALICE, message(transfer=payment), chain_id="elsewhere")

    def _prices(self) -> config_pb2.Change:
        changed = traffic_genesis().prices
        changed.transaction_base = self.chance.randrange(1, 9)
        return config_pb2.Change(prices=changed)

    def _limits(self) -> config_pb2.Change:
        changed = traffic_genesis().parameters
        changed.max_messages = self.chance.randrange(10, 50)
        return config_pb2.Change(parameters=changed)

    def _build(self, signer: Signer, *messages: tx_pb2.Message) -> bytes:
        return self.chain.build(signer, *messages)
