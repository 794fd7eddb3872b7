"""A chain without an engine: drives the real Application through the block methods, one validator.

    chain = Chain.start(tmp_path)                    # genesis with 4 parties, funded accounts, all roles
    outcome = chain.run(chain.build(ALICE, message)) # one block with one transaction
    outcomes = chain.block(raw, raw)                 # one block: check, prepare, process, finalize, commit
    chain.skip(10)                                   # ten empty blocks
    chain.query("/asc/request", request_id)          # value, or Rejection with the reason

Accounts are made of names, so every run has the same keys. Everything is deterministic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message as ProtobufMessage
from google.protobuf.timestamp_pb2 import Timestamp

from abci_app.app import Application
from abci_app.history.retention import KEEP_ALL, Keeping
from abci_app.modules import MODULES
from ledger.clock.state import CLOCK_KEY
from ledger.migrations import MIGRATIONS, Migrations
from ledger.module import Module
from ledger.state import State
from ledger.store import DEFAULT_KEEP_VERSIONS, Store
from tests.support.certificates import certificate
from wire.digests import sha256
from wire.pb.tkms.comet.v1 import abci_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.reasons import Reason, Rejection
from wire.signing import Ed25519Signer, Secp256k1Signer, Signer
from wire.tx import ANSWER_KINDS, MESSAGE_KINDS, REQUEST_KINDS, build

CHAIN_ID = "tkms-test"
START_BALANCE = 1_000_000
TRANSACTION_BASE = 5
MESSAGE_PRICE = 10
REQUEST_PRICE = 1_000
BLOCK_SECONDS = 1
VALIDATOR_POWER = 10
GENESIS_SECONDS = 1_700_000_000


def account(name: str) -> Secp256k1Signer:
    """Account whose key is the digest of its name."""
    return Secp256k1Signer(sha256(b"test account " + name.encode()))


def service_account(name: str) -> Ed25519Signer:
    """Ed25519 account whose seed is the digest of its name."""
    return Ed25519Signer(sha256(b"test service " + name.encode()))


# ADMIN holds every role; the others are plain funded accounts; STRANGER has nothing.
ADMIN = account("admin")
ALICE = account("alice")
BOB = account("bob")
STRANGER = account("stranger")
SERVICE = service_account("service")


def party_account(index: int) -> Secp256k1Signer:
    """Account of a party: what its connector signs transactions with."""
    return account(f"party {index}")


def party_key(index: int) -> Secp256k1Signer:
    """Verification key of a party: what its core signs results with."""
    return account(f"party key {index}")


def epoch(parties: int = 4, epoch_id: int = 1) -> config_pb2.Epoch:
    """Valid epoch; n = 3t + 1."""
    threshold = (parties - 1) // 3
    return config_pb2.Epoch(
        id=epoch_id,
        threshold=threshold,
        thresholds=config_pb2.Thresholds(
            public_decryption=threshold + 1,
            user_decryption=2 * threshold + 1,
            generation=parties - threshold,
        ),
        parties=[
            config_pb2.Party(
                index=index,
                name=f"operator-{index}",
                account=bytes(party_account(index).address),
                verification_key=party_key(index).verification_key,
                tls_certificate=certificate(f"party-{index}"),
                peer_address=f"127.0.0.1:{7000 + index}",
                storage_label=f"PUB-p{index}",
            )
            for index in range(1, parties + 1)
        ],
    )


def prices() -> config_pb2.Prices:
    """A price for every kind: requests are dear, answers and the faucet free."""

    def base(kind: str) -> int:
        if kind in REQUEST_KINDS:
            return REQUEST_PRICE
        return 0 if kind in ANSWER_KINDS or kind == "faucet" else MESSAGE_PRICE

    return config_pb2.Prices(
        transaction_base=TRANSACTION_BASE,
        transaction_per_byte=1,
        messages=[config_pb2.Price(message=kind, base=base(kind)) for kind in MESSAGE_KINDS],
    )


def parameters() -> config_pb2.Parameters:
    """Limits small enough to be reached by a test."""
    return config_pb2.Parameters(
        max_transaction_bytes=64 * 1024,
        max_messages=50,
        max_ttl_blocks=100,
        max_ciphertexts_per_request=16,
        inline_limit=4096,
        max_ciphertext_bytes=1024 * 1024,
        decryption_deadline_blocks=20,
        generation_deadline_blocks=40,
        retention_blocks=50,
        faucet_enabled=True,
        faucet_per_claim=1_000,
        faucet_per_window=2_500,
        faucet_window_blocks=10,
        insecure_dealing=True,
        storage_base_url="http://127.0.0.1:9000",
        parameter_sets=["production", "test"],
        max_block_gas=1_000_000,
        max_block_bytes=1024 * 1024,
        safety_lane_bytes=256 * 1024,
        safety_messages_per_block=200,
        max_block_gap_seconds=60,
        fee_payout_blocks=0,
        proposal_ttl_blocks=30,
        epoch_change_deadline_blocks=20,
    )


def genesis(
    parties: int = 4,
    applications: Sequence[isc_pb2.Application] = (),
    delegates: Sequence[state_pb2.GenesisDelegate] = (),
) -> state_pb2.Genesis:
    """Whole genesis: ADMIN holds all roles; ADMIN, ALICE, BOB and SERVICE are funded, parties are not."""
    roles = (config_pb2.ROLE_ADMIN, config_pb2.ROLE_REGISTRAR, config_pb2.ROLE_GENERATOR)
    funded: tuple[Signer, ...] = (ADMIN, ALICE, BOB, SERVICE)
    return state_pb2.Genesis(
        epoch=epoch(parties),
        prices=prices(),
        parameters=parameters(),
        roles=[
            config_pb2.RoleChange(role=role, account=bytes(ADMIN.address), granted=True)
            for role in roles
        ],
        accounts=[
            state_pb2.GenesisAccount(address=bytes(signer.address), balance=START_BALANCE)
            for signer in funded
        ],
        applications=applications,
        delegates=delegates,
    )


def validator_key(index: int) -> bytes:
    """Key with which a validator would sign votes."""
    return service_account(f"validator {index}").public_key


def validator_update(index: int, power: int = VALIDATOR_POWER) -> abci_pb2.ValidatorUpdate:
    """A validator in the engine's words."""
    return abci_pb2.ValidatorUpdate(
        pub_key=abci_pb2.PublicKey(ed25519=validator_key(index)), power=power
    )


def consensus_params() -> abci_pb2.ConsensusParams:
    """What the engine's part of the genesis says."""
    return abci_pb2.ConsensusParams(
        block=abci_pb2.BlockParams(max_bytes=4 * 1024 * 1024, max_gas=-1),
        evidence=abci_pb2.EvidenceParams(
            max_age_num_blocks=100_000,
            max_age_duration=Duration(seconds=1_209_600),
            max_bytes=1024 * 1024,
        ),
        validator=abci_pb2.ValidatorParams(pub_key_types=["ed25519"]),
        version=abci_pb2.VersionParams(app=1),
    )


def message(**kind: ProtobufMessage) -> tx_pb2.Message:
    """Wrap one message by the name of its kind: `transfer=Transfer(...)`."""
    return tx_pb2.Message(**kind)


@dataclass(frozen=True)
class Result:
    """ExecTxResult in the chain's words."""

    reason: Reason | None
    log: str
    request_ids: tuple[bytes, ...]
    # Type and attributes, in order.
    events: tuple[tuple[str, dict[str, str]], ...]

    @property
    def ok(self) -> bool:
        """Whether the transaction was executed."""
        return self.reason is None

    @property
    def request_id(self) -> bytes:
        """Id of the only request made."""
        (found,) = [request_id for request_id in self.request_ids if request_id]
        return found


@dataclass
class Chain:
    """An application and the blocks it has seen."""

    path: Path
    document: state_pb2.Genesis
    chain_id: str = CHAIN_ID
    modules: tuple[Module, ...] = MODULES
    fault_point: Callable[[str], None] = lambda _point: None
    # Validators of the genesis.
    validators: int = 1
    keep_versions: int = DEFAULT_KEEP_VERSIONS
    keeping: Keeping = KEEP_ALL
    migrations: Migrations = field(default_factory=lambda: MIGRATIONS)
    height: int = 0
    app_hash: bytes = b""
    # Events of the last block that belong to no transaction.
    events: tuple[tuple[str, dict[str, str]], ...] = ()
    # What the last block told the engine.
    validator_updates: dict[bytes, int] = field(default_factory=dict)
    consensus_updates: abci_pb2.ConsensusParams | None = None
    # Transactions of each block, for replays.
    blocks: list[list[bytes]] = field(default_factory=list)
    _nonce: int = 0

    @classmethod
    def start(
        cls, path: Path, document: state_pb2.Genesis | None = None, **options: object
    ) -> Chain:
        """Start a new chain in an empty folder."""
        chain = cls(path, document or genesis(), **options)  # type: ignore[arg-type]
        chain.open()
        chain.app_hash = chain.init_chain()
        return chain

    def open(self) -> None:
        """Open store and application, as a process does when it starts."""
        self.store = Store(self.path / "state.db", self.keep_versions, fault_point=self.fault_point)
        self.open_application()

    def open_application(self) -> None:
        """Put a new application on the open store."""
        self.application = Application(
            self.store,
            self.chain_id,
            self.modules,
            keeping=self.keeping,
            known_migrations=self.migrations,
        )

    def close(self) -> None:
        """End the process in an orderly way."""
        self.application.close()

    def restart(self) -> None:
        """Forget everything that is not stored."""
        self.store.close()
        self.open()

    def call(self, **request: ProtobufMessage) -> ProtobufMessage:
        """Send one request of the engine and return the answer's content."""
        response = self.application.handle(abci_pb2.Request(**request))
        return getattr(response, str(response.WhichOneof("value")))

    def init_chain(self) -> bytes:
        """Send InitChain; return the app hash."""
        self.height = self.document.exported.height
        return self.call(init_chain=self.genesis_request()).app_hash

    def genesis_request(self) -> abci_pb2.RequestInitChain:
        """What the engine says at the start."""
        return abci_pb2.RequestInitChain(
            time=Timestamp(seconds=GENESIS_SECONDS),
            chain_id=self.chain_id,
            app_state_bytes=self.app_state(),
            initial_height=self.document.exported.height + 1,
            validators=[validator_update(index) for index in range(1, self.validators + 1)],
            consensus_params=consensus_params(),
        )

    def app_state(self) -> bytes:
        """The application's part of genesis.json."""
        return json_format.MessageToJson(self.document).encode()

    def build(
        self,
        signer: Signer,
        *messages: tx_pb2.Message,
        max_fee: int = 100_000,
        ttl: int = 50,
        chain_id: str | None = None,
        nonce: bytes | None = None,
    ) -> bytes:
        """Signed transaction; nonces count up, so that equal intents differ."""
        self._nonce += 1
        return build(
            signer,
            self.chain_id if chain_id is None else chain_id,
            messages,
            expires_at_height=self.height + ttl,
            max_fee=max_fee,
            nonce=self._nonce.to_bytes(16, "big") if nonce is None else nonce,
        )

    def check(self, raw: bytes, *, recheck: bool = False) -> Result:
        """CheckTx."""
        kind = abci_pb2.CHECK_TX_TYPE_RECHECK if recheck else abci_pb2.CHECK_TX_TYPE_NEW
        return _result(self.call(check_tx=abci_pb2.RequestCheckTx(tx=raw, type=kind)))

    def prepare(self, *raw: bytes, max_bytes: int = 2_000_000) -> list[bytes]:
        """PrepareProposal of the next block."""
        request = abci_pb2.RequestPrepareProposal(
            max_tx_bytes=max_bytes, txs=raw, height=self.height + 1, time=self._time()
        )
        return list(self.call(prepare_proposal=request).txs)

    def process(self, *raw: bytes) -> bool:
        """ProcessProposal of the next block."""
        request = abci_pb2.RequestProcessProposal(
            txs=raw, hash=self._hash(raw), height=self.height + 1, time=self._time()
        )
        status = self.call(process_proposal=request).status
        assert status != abci_pb2.PROPOSAL_STATUS_UNKNOWN
        return status == abci_pb2.PROPOSAL_STATUS_ACCEPT

    def finalize(self, *raw: bytes) -> tuple[bytes, list[Result]]:
        """FinalizeBlock of the next block: app hash and one result a transaction."""
        request = abci_pb2.RequestFinalizeBlock(
            txs=raw, hash=self._hash(raw), height=self.height + 1, time=self._time()
        )
        response = self.call(finalize_block=request)
        assert len(response.tx_results) == len(raw)
        self.events = _events(response.events)
        self.validator_updates = {
            update.pub_key.ed25519: update.power for update in response.validator_updates
        }
        assert len(self.validator_updates) == len(response.validator_updates)
        self.consensus_updates = (
            response.consensus_param_updates
            if response.HasField("consensus_param_updates")
            else None
        )
        return response.app_hash, [_result(result) for result in response.tx_results]

    def commit(self, app_hash: bytes, raw: Sequence[bytes]) -> None:
        """Commit what was finalized."""
        self.call(commit=abci_pb2.RequestCommit())
        self.height += 1
        self.app_hash = app_hash
        self.blocks.append(list(raw))

    def decide(self, *raw: bytes) -> list[Result]:
        """Finalize and commit a block without asking whether anybody would propose it."""
        app_hash, results = self.finalize(*raw)
        self.commit(app_hash, raw)
        return results

    def block(self, *raw: bytes) -> list[Result]:
        """Make one block as a proposer does; every transaction must be fit for a block."""
        chosen = self.prepare(*raw)
        assert chosen == list(raw), (
            "the proposer left a transaction out; see check() for its reason"
        )
        assert self.process(*raw)
        return self.decide(*raw)

    def run(self, raw: bytes) -> Result:
        """One block with one transaction; a transaction unfit for a block is reported by CheckTx."""
        if not self.prepare(raw):
            return self.check(raw)
        (result,) = self.block(raw)
        return result

    def send(self, signer: Signer, *messages: tx_pb2.Message, **options: int) -> Result:
        """Build and run."""
        return self.run(self.build(signer, *messages, **options))

    def skip(self, count: int) -> None:
        """Make empty blocks."""
        for _ in range(count):
            self.block()

    def state(self) -> State:
        """Branch over the committed state, for looking; never committed."""
        return State(self.store)

    def content(self) -> dict[bytes, bytes]:
        """Everything that is stored, derived keys included, except the clock, which every block moves."""
        return {key: value for key, value in self.store.iterate(b"") if key != CLOCK_KEY}

    def query(self, path: str, data: bytes = b"", *, prove: bool = False) -> bytes:
        """Value of a query; Rejection when it is refused."""
        return self.raw_query(path, data, prove=prove).value

    def raw_query(
        self, path: str, data: bytes = b"", *, prove: bool = False, height: int = 0
    ) -> abci_pb2.ResponseQuery:
        """Whole answer of a query; Rejection when it is refused."""
        request = abci_pb2.RequestQuery(path=path, data=data, prove=prove, height=height)
        response = self.call(query=request)
        if response.code:
            raise Rejection(Reason(response.code), response.log)
        return response

    def balance(self, signer: Signer) -> int:
        """Balance of an account."""
        raw = self.query("/account", bytes(signer.address))
        return state_pb2.AccountView.FromString(raw).account.balance

    def _time(self) -> Timestamp:
        return Timestamp(seconds=GENESIS_SECONDS + BLOCK_SECONDS * (self.height + 1))

    def _hash(self, raw: Sequence[bytes]) -> bytes:
        return sha256(b"".join(sha256(item) for item in raw) + self.height.to_bytes(8, "big"))


def _events(events: Sequence[abci_pb2.Event]) -> tuple[tuple[str, dict[str, str]], ...]:
    return tuple(
        (event.type, {attribute.key: attribute.value for attribute in event.attributes})
        for event in events
    )


def _result(response: abci_pb2.ExecTxResult | abci_pb2.ResponseCheckTx) -> Result:
    return Result(
        reason=Reason(response.code) if response.code else None,
        log=response.log,
        request_ids=tuple(tx_pb2.TxData.FromString(response.data).request_ids),
        events=_events(response.events),
    )
