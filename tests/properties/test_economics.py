"""Under any traffic no unit is made or lost: the supply is genesis plus faucet, and every escrow ends whole.

The machine sends transfers, claims, requests of every kind, answers that are right, wrong, late, repeated or
contradictory, failures and accusations, and changes prices, parameters and epochs, all through the real
application's block methods. After every block it recomputes from scratch who must own what.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from abci_app.modules import MODULES
from asc import state as asc_state
from ledger.bank import state as bank
from ledger.config import state as config
from ledger.state import State, is_derived
from tests.asc.world import MemoryReader, user_public_key
from tests.ledger.governance import propose
from tests.support.certificates import certificate
from tests.support.chain import (
    ADMIN,
    ALICE,
    BOB,
    CHAIN_ID,
    SERVICE,
    STRANGER,
    Chain,
    Result,
    account,
    epoch,
    genesis,
    message,
    parameters,
    party_account,
    party_key,
    prices,
)
from tests.support.shop import APPLICATION, DOMAIN, ciphertext
from wire import eip712
from wire.answers import signed_digest
from wire.digests import keccak256, sha3_256
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.signing import Secp256k1Signer, Signer

# Accounts that pay fees. Parties and relayers never do, so what they own is known to the unit.
PEOPLE: tuple[Signer, ...] = (ALICE, BOB, SERVICE, STRANGER)
RELAYER_CHOICES = (b"", *(bytes(account(f"relayer {number}").address) for number in range(2)))
# Accounts of an epoch's parties start at ten times its id.
OFFSET = 10
MOST_EPOCHS = 4
# Base and units a byte of a request, thousandths for the relayer.
PRICE_LISTS = ((1_003, 1, 125), (0, 0, 0), (7, 0, 1000), (3, 1, 333))
# Interval of the fee payout and deadline of a decryption, in heights.
PERIODS = ((3, 6), (0, 2), (1, 9))
PARTIES = st.integers(1, 4)
AMOUNTS = st.sampled_from([0, 1, 170, 400, 800, 900_000, 2**64 - 1])


def epoch_of(number: int) -> config_pb2.Epoch:
    """Epoch of its own four parties."""
    record = epoch(epoch_id=number)
    for party in record.parties:
        index = party.index + OFFSET * number
        party.account = bytes(party_account(index).address)
        party.verification_key = party_key(index).verification_key
        party.tls_certificate = certificate(f"party-{index}")
    return record


def signed(entry: asc_pb2.LogEntry, party: int, key: Secp256k1Signer, value: int) -> asc_pb2.Fulfil:
    """A party's answer to any kind of request; equal values agree."""
    fulfil = asc_pb2.Fulfil(request_id=entry.request_id, party=party)
    content = bytes([value]) * 40
    if entry.kind == asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION:
        fulfil.public_decryption.decrypted_result = value.to_bytes(32, "big")
    elif entry.kind == asc_pb2.REQUEST_KIND_USER_DECRYPTION:
        result = fulfil.user_decryption
        result.payload_digest, result.payload_keccak = sha3_256(content), keccak256(content)
        result.payload_size = len(content)
    else:
        kinds = ["crs"] if entry.max_bits else ["public-key", "server-key"]
        for kind in kinds:
            fulfil.generation.digests.add(kind=kind, digest=sha3_256(content), size=9)
    fulfil.signature = key.sign_digest(signed_digest(entry, fulfil))
    return fulfil


def price_list(variant: int) -> config_pb2.Prices:
    """Prices by variant."""
    table = prices()
    base, per_byte, table.relayer_permille = PRICE_LISTS[variant]
    for price in table.messages:
        if price.message.startswith("request_"):
            price.base, price.per_byte = base, per_byte
    return table


def limits(payout: int, deadline: int) -> config_pb2.Parameters:
    """Parameters with short periods."""
    record = parameters()
    record.fee_payout_blocks = payout
    record.decryption_deadline_blocks = deadline
    record.generation_deadline_blocks = deadline + 1
    record.retention_blocks = deadline - 1
    return record


@dataclass
class Books:
    """What the machine knows without asking the bank."""

    minted: int
    # Units of accounts that never pay a fee.
    owned: dict[bytes, int] = field(default_factory=dict)
    # Requests that were accepted, in order.
    entries: list[asc_pb2.LogEntry] = field(default_factory=list)
    settled: dict[bytes, tuple[int, int]] = field(default_factory=dict)

    def earn(self, owner: bytes, amount: int) -> None:
        """Somebody is paid."""
        self.owned[owner] = self.owned.get(owner, 0) + amount


class Economy(RuleBasedStateMachine):
    """Any traffic; `end` makes blocks of what was sent since."""

    @initialize()
    def start(self) -> None:
        """A chain with a key, two ciphertexts, small intervals and a relayer's share."""
        self.folder = Path(tempfile.mkdtemp())
        document = genesis(
            applications=[
                isc_pb2.Application(
                    id=APPLICATION, kind=isc_pb2.KIND_ACL, owner=bytes(ALICE.address), domain=DOMAIN
                )
            ]
        )
        document.epoch.CopyFrom(epoch_of(1))
        document.prices.CopyFrom(price_list(0))
        document.parameters.CopyFrom(limits(*PERIODS[0]))
        self.chain = Chain.start(self.folder, document)
        self.books = Books(minted=sum(entry.balance for entry in document.accounts))
        self.pending: list[bytes] = []
        self.epochs = 1
        self.make_key()

    def teardown(self) -> None:
        """Everything ends at its deadline, and the index can be computed anew."""
        if not hasattr(self, "chain"):
            return
        self.end(1)
        self.end(60)
        assert len(self.books.settled) == len(self.books.entries)
        assert not list(self.chain.state().iterate(b"bank/escrow/"))
        self.check_index()
        self.chain.close()
        shutil.rmtree(self.folder)

    # --- set-up

    def make_key(self) -> None:
        """A key by all parties, a public ciphertext and one of ALICE's."""
        self.send(
            ADMIN,
            message(
                request_key_generation=asc_pb2.RequestKeyGeneration(parameters="test", dealer=True)
            ),
        )
        self.end(1)
        entry = self.books.entries[0]
        for party in range(1, 5):
            self.answer_as(entry, party, 7)
        self.end(1)
        self.key_id = entry.request_id
        self.public, self.private = (ciphertext(name, self.key_id)[0] for name in ("p", "u"))
        self.send(
            ALICE,
            message(
                register_ciphertexts=isc_pb2.RegisterCiphertexts(
                    application=APPLICATION, ciphertexts=[self.public, self.private]
                )
            ),
            message(
                set_public=isc_pb2.SetPublic(
                    application=APPLICATION, handle=self.public.handle, allowed=True
                )
            ),
            message(
                grant_access=isc_pb2.GrantAccess(
                    application=APPLICATION,
                    handle=self.private.handle,
                    account=bytes(ALICE.address),
                )
            ),
        )
        self.end(1)

    # --- traffic

    def send(self, signer: Signer, *messages: tx_pb2.Message) -> None:
        """Put a transaction into the next block."""
        self.pending.append(self.chain.build(signer, *messages))

    @rule(
        sender=st.sampled_from(PEOPLE),
        kind=st.sampled_from(["public", "user", "key", "crs"]),
        relayer=st.sampled_from(RELAYER_CHOICES),
        count=st.integers(1, 3),
    )
    def ask(self, sender: Signer, kind: str, relayer: bytes, count: int) -> None:
        """Open requests, several in one transaction; only ADMIN may have keys made."""
        made = [self.request(kind, relayer) for _ in range(count)]
        self.send(ADMIN if kind in {"key", "crs"} else sender, *made)

    @precondition(lambda self: len(self.books.entries) > 1)
    @rule(
        picks=st.lists(st.integers(0, 5), min_size=1, max_size=4),
        party=PARTIES,
        value=st.sampled_from([1, 1, 1, 2, 3]),
    )
    def answer(self, picks: list[int], party: int, value: int) -> None:
        """A party answers recent requests in one transaction: timely, late, again, otherwise."""
        entries = [self.recent(pick) for pick in picks]
        if len({entry.epoch_id for entry in entries}) > 1:
            entries = entries[:1]
        self.answer_as(entries[0], party, value, *entries[1:])

    @rule(
        sender=st.sampled_from(PEOPLE),
        kind=st.sampled_from(["public", "user", "crs"]),
        relayer=st.sampled_from(RELAYER_CHOICES),
        outcomes=st.lists(st.sampled_from([1, 1, 1, 2, 0, -1]), min_size=4, max_size=4),
        order=st.permutations(range(1, 5)),
    )
    def serve(
        self, sender: Signer, kind: str, relayer: bytes, outcomes: list[int], order: list[int]
    ) -> None:
        """A request and what its parties make of it: an answer, another one, nothing, a failure."""
        self.ask(sender, kind, relayer, 1)
        before = len(self.books.entries)
        self.end(1)
        if len(self.books.entries) == before:
            return
        entry = self.books.entries[-1]
        for party in order:
            outcome = outcomes[party - 1]
            if outcome > 0:
                self.answer_as(entry, party, outcome)
            elif outcome < 0:
                self.give_up(entry, party, 1)

    @precondition(lambda self: len(self.books.entries) > 1)
    @rule(pick=st.integers(0, 3), party=PARTIES, code=st.integers(1, 3))
    def fail(self, pick: int, party: int, code: int) -> None:
        """A party gives up."""
        self.give_up(self.recent(pick), party, code)

    @precondition(lambda self: len(self.books.entries) > 1)
    @rule(pick=st.integers(0, 5), party=PARTIES, accused=PARTIES)
    def accuse(self, pick: int, party: int, accused: int) -> None:
        """A party names another, or itself."""
        entry = self.recent(pick)
        body = asc_pb2.Accuse(request_id=entry.request_id, party=party, accused=[accused])
        self.send(self.account_of(entry, party), message(accuse=body))

    @rule(what=st.integers(0, 8))
    def reconfigure(self, what: int) -> None:
        """Other prices, periods or parties for what comes; open requests keep theirs."""
        if what < len(PRICE_LISTS):
            self.propose(prices=price_list(what))
        elif what < len(PRICE_LISTS) + len(PERIODS):
            self.propose(parameters=limits(*PERIODS[what - len(PRICE_LISTS)]))
        elif self.epochs < MOST_EPOCHS:
            self.epochs += 1
            self.propose(epoch=epoch_of(self.epochs))

    @rule(
        blocks=st.integers(1, 3),
        moves=st.lists(
            st.tuples(
                st.sampled_from(["transfer", "faucet"]),
                st.sampled_from(PEOPLE),
                st.sampled_from(PEOPLE),
                AMOUNTS,
            ),
            max_size=4,
        ),
    )
    def pass_blocks(self, blocks: int, moves: list[tuple[str, Signer, Signer, int]]) -> None:
        """Transfers and claims of the faucet, also for oneself, also of what nobody has; then time passes."""
        bodies = {"transfer": bank_pb2.Transfer, "faucet": bank_pb2.Faucet}
        for kind, sender, to, amount in moves:
            body = bodies[kind](recipient=bytes(to.address), amount=amount)
            self.send(sender, message(**{kind: body}))
        self.end(blocks)
        self.check_index()

    # --- words of the traffic

    def end(self, blocks: int) -> None:
        """A block of what was sent, and empty ones."""
        offered, self.pending = self.pending, []
        for _ in range(blocks):
            chosen = self.chain.prepare(*offered)
            assert self.chain.process(*chosen)
            results = self.chain.decide(*chosen)
            offered = []
            self.keep_books(results)
            self.check_books()

    def propose(self, **change: object) -> None:
        """A change that the only administrator decides."""
        self.send(ADMIN, propose(self.chain.height + 3, **change))

    def recent(self, pick: int) -> asc_pb2.LogEntry:
        """One of the newest requests; the key's is left alone."""
        entries = self.books.entries[1:]
        return entries[-1 - pick % len(entries)]

    def account_of(self, entry: asc_pb2.LogEntry, party: int) -> Secp256k1Signer:
        """Account of a party of the request's epoch."""
        return party_account(party + OFFSET * entry.epoch_id)

    def give_up(self, entry: asc_pb2.LogEntry, party: int, code: int) -> None:
        """One transaction with a party's failure report."""
        report = asc_pb2.ReportFailure(
            request_id=entry.request_id, party=party, code=asc_pb2.FailureCode.Name(code)
        )
        self.send(self.account_of(entry, party), message(report_failure=report))

    def answer_as(
        self, entry: asc_pb2.LogEntry, party: int, value: int, *more: asc_pb2.LogEntry
    ) -> None:
        """One transaction with a party's answers."""
        key = party_key(party + OFFSET * entry.epoch_id)
        answers = [signed(item, party, key, value) for item in (entry, *more)]
        self.send(self.account_of(entry, party), *(message(fulfil=fulfil) for fulfil in answers))

    def request(self, kind: str, relayer: bytes) -> tx_pb2.Message:
        """A request of a kind."""
        if kind == "key":
            return message(
                request_key_generation=asc_pb2.RequestKeyGeneration(parameters="test", dealer=True)
            )
        if kind == "crs":
            body = asc_pb2.RequestCrsGeneration(key_id=self.key_id, max_bits=64, dealer=True)
            return message(request_crs_generation=body)
        if kind == "public":
            return message(
                request_public_decryption=asc_pb2.RequestPublicDecryption(
                    application=APPLICATION,
                    key_id=self.key_id,
                    ciphertexts=[self.public],
                    relayer=relayer,
                )
            )
        expires = self.chain.height + 20
        digest = eip712.authorization_digest(
            DOMAIN, user_public_key(), [self.private.handle], APPLICATION, CHAIN_ID, expires
        )
        return message(
            request_user_decryption=asc_pb2.RequestUserDecryption(
                application=APPLICATION,
                key_id=self.key_id,
                ciphertexts=[self.private],
                user=bytes(ALICE.address),
                user_public_key=user_public_key(),
                authorization_expires_at_height=expires,
                user_signature=ALICE.sign_digest(digest),
                relayer=relayer,
            )
        )

    # --- books

    def keep_books(self, results: list[Result]) -> None:
        """Follow a block by its results, events and log; nothing is read from the bank."""
        state = self.chain.state()
        events = [event for result in results for event in result.events]
        for name, attributes in [*events, *self.chain.events]:
            if name == "faucet":
                self.books.minted += int(attributes["amount"])
            elif name == "fees_paid":
                for party in epoch_of(int(attributes["epoch_id"])).parties:
                    self.books.earn(party.account, int(attributes["amount_each"]))
            elif name == "request_closed":
                self.settle(state, bytes.fromhex(attributes["request_id"]), attributes)
        for sequence in range(len(self.books.entries) + 1, asc_state.last_sequence(state) + 1):
            self.books.entries.append(asc_state.require_log_entry(state, sequence))
        made = [request for result in results for request in result.request_ids if request]
        newest = [entry.request_id for entry in self.books.entries[-len(made) :]] if made else []
        assert made == newest

    def settle(self, state: State, request_id: bytes, attributes: dict[str, str]) -> None:
        """A request closes once, and its price goes to those who agreed or back, whole."""
        assert request_id not in self.books.settled
        status = asc_state.status(state, request_id)
        assert status is not None
        entry = asc_state.require_log_entry(state, status.sequence)
        paid, refunded = int(attributes["paid"]), int(attributes["refunded"])
        self.books.settled[request_id] = (paid, refunded)
        assert paid + refunded == entry.price
        if status.status != asc_pb2.STATUS_FULFILLED:
            assert paid == 0
            return
        assert refunded == 0
        rest = entry.price - entry.relayer_units
        if entry.relayer_units:
            self.books.earn(entry.relayer, entry.relayer_units)
        each = rest // len(status.agreed)
        parties = epoch_of(entry.epoch_id).parties
        for position, party in enumerate(sorted(status.agreed)):
            extra = rest - each * len(status.agreed) if position == 0 else 0
            self.books.earn(parties[party - 1].account, each + extra)

    def check_books(self) -> None:
        """Accounts, fee account and escrow are the supply; everybody who pays no fee has what was earned."""
        state = self.chain.state()
        balances: dict[bytes, int] = {}
        escrowed: dict[bytes, int] = {}
        for key, raw in state.iterate(b"bank/account/"):
            record = bank_pb2.Account.FromString(raw)
            owner = key.removeprefix(b"bank/account/")
            balances[owner] = record.balance
            if record.escrowed:
                escrowed[owner] = record.escrowed
        still_open = [
            entry for entry in self.books.entries if entry.request_id not in self.books.settled
        ]
        held: dict[bytes, int] = {}
        for entry in still_open:
            if entry.price:
                held[entry.requester] = held.get(entry.requester, 0) + entry.price
        assert escrowed == held
        records = {
            key[-20:]: int.from_bytes(raw[20:], "big")
            for key, raw in state.iterate(b"bank/escrow/")
        }
        assert records == {entry.request_id: entry.price for entry in still_open if entry.price}
        assert sum(balances.values()) + sum(held.values()) == self.books.minted
        assert bank.minted(state) == self.books.minted == bank.total(state)
        payers = {bytes(person.address) for person in (*PEOPLE, ADMIN)}
        payers.add(bank.FEE_ACCOUNT.value)
        earned = {owner: units for owner, units in balances.items() if owner not in payers}
        assert earned == {owner: units for owner, units in self.books.owned.items() if units}

    def check_index(self) -> None:
        """The derived keys are a function of the proven ones."""
        stored = dict(self.chain.store.iterate(b""))
        reader = MemoryReader()
        reader.values = {key: value for key, value in stored.items() if not is_derived(key)}
        state = State(reader)
        for module in MODULES:
            if module.derive is not None:
                module.derive(state)
        reader.apply(state)
        assert reader.values == stored
        # Configuration is parsed once and shared: nobody may have changed what others read.
        current = config.current_epoch(state)
        for key, record in (
            (b"config/parameters", config.parameters(state)),
            (b"config/prices", config.prices(state)),
            (config.epoch_key(current.id), current),
        ):
            assert record.SerializeToString(deterministic=True) == stored[key]


TestEconomy = Economy.TestCase
TestEconomy.settings = settings(
    max_examples=25,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    database=None,
    # A failing run is repeated as it is; making it smaller takes minutes.
    phases=(Phase.generate,),
)
