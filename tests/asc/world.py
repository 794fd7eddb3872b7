"""A chain without consensus: bank, config, isc and asc over a dictionary, one call a transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from asc import state as asc_state
from asc.changes import CHANGES as ASC_CHANGES
from asc.module import MODULE as ASC
from isc.changes import CHANGES as ISC_CHANGES
from isc.module import MODULE as ISC
from ledger.bank import state as bank
from ledger.bank.module import MODULE as BANK
from ledger.config import state as config
from ledger.config.module import config_module
from ledger.context import Context
from ledger.state import State, is_derived
from tests.support.certificates import certificate
from tests.support.generated import generated
from wire import eip712
from wire.digests import keccak256, sha3_256, sha256
from wire.events import Event
from wire.fhe import FheType
from wire.ids import Address
from wire.payload import SigncryptedShare, UserPayload, build_payload, wrap_user_key
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.reasons import Reason, Rejection
from wire.signing import Secp256k1Signer

CHAIN_ID = "tkms-test"
APPLICATION = "shop"
OTHER_APPLICATION = "bazaar"
CONFIG = config_module([*ISC_CHANGES, *ASC_CHANGES])
MODULES = (BANK, CONFIG, ISC, ASC)
START_BALANCE = 1_000_000
DEADLINE = 10
GENERATION_DEADLINE = 20
RETENTION = 5
INLINE_LIMIT = 4096
RELAYER_PERMILLE = 125


def signer(label: str) -> Secp256k1Signer:
    """Account of a fixed name."""
    return Secp256k1Signer(sha256(f"test account {label}".encode()))


ADMIN, GENERATOR, OWNER, DELEGATE, REQUESTER, USER, STRANGER = (
    signer(name)
    for name in ("admin", "generator", "owner", "delegate", "requester", "user", "stranger")
)


def party_account(index: int) -> Secp256k1Signer:
    """Account from which a party's connector sends."""
    return signer(f"party {index}")


def party_key(index: int) -> Secp256k1Signer:
    """Key with which a party's core signs results."""
    return signer(f"verification {index}")


def epoch(number: int = 1, parties: int = 4, label_offset: int = 0) -> config_pb2.Epoch:
    """Conformant epoch; the offset makes other parties."""
    threshold = (parties - 1) // 3
    return config_pb2.Epoch(
        id=number,
        threshold=threshold,
        thresholds=config_pb2.Thresholds(
            public_decryption=threshold + 1,
            user_decryption=2 * threshold + 1,
            generation=parties - threshold,
        ),
        parties=[
            config_pb2.Party(
                index=index,
                name=f"operator {index}",
                account=party_account(index + label_offset).address.value,
                verification_key=party_key(index + label_offset).verification_key,
                tls_certificate=certificate(f"party-{index + label_offset}"),
                peer_address=f"party-{index + label_offset}.example:7000",
            )
            for index in range(1, parties + 1)
        ],
    )


def domain(name: str) -> isc_pb2.Domain:
    """EIP-712 domain of a test application."""
    contract = sha256(f"contract {name}".encode())[:20]
    return isc_pb2.Domain(name=name, version="1", chain_id=8006, verifying_contract=contract)


def prices() -> config_pb2.Prices:
    """A price for every message."""
    per_request = {
        "request_key_generation": (1000, 0),
        "request_preprocessing": (2000, 0),
        "request_refresh": (300, 0),
        "request_crs_generation": (500, 0),
        "request_public_decryption": (100, 1),
        "request_user_decryption": (200, 2),
    }
    kinds = [field.name for field in tx_pb2.Message.DESCRIPTOR.fields]
    return config_pb2.Prices(
        relayer_permille=RELAYER_PERMILLE,
        messages=[
            config_pb2.Price(message=kind, base=base, per_byte=per_byte)
            for kind in kinds
            for base, per_byte in [per_request.get(kind, (0, 0))]
        ],
    )


def genesis(parties: int = 4) -> state_pb2.Genesis:
    """Configuration, balances and two applications."""
    people = (ADMIN, GENERATOR, OWNER, DELEGATE, REQUESTER, USER, STRANGER)
    roles = (
        (config_pb2.ROLE_ADMIN, ADMIN),
        (config_pb2.ROLE_REGISTRAR, ADMIN),
        (config_pb2.ROLE_GENERATOR, GENERATOR),
    )
    return state_pb2.Genesis(
        epoch=epoch(parties=parties),
        prices=prices(),
        parameters=config_pb2.Parameters(
            max_transaction_bytes=200_000,
            max_messages=100,
            max_ttl_blocks=100,
            max_ciphertexts_per_request=32,
            inline_limit=INLINE_LIMIT,
            max_ciphertext_bytes=100_000,
            decryption_deadline_blocks=DEADLINE,
            generation_deadline_blocks=GENERATION_DEADLINE,
            retention_blocks=RETENTION,
            insecure_dealing=True,
            storage_base_url="https://storage.example",
            parameter_sets=["test", "production"],
            max_block_gas=10_000_000,
            max_block_bytes=1024 * 1024,
            safety_lane_bytes=400_000,
            safety_messages_per_block=1_000,
            max_block_gap_seconds=60,
            proposal_ttl_blocks=30,
            epoch_change_deadline_blocks=20,
        ),
        roles=[
            config_pb2.RoleChange(role=role, account=holder.address.value, granted=True)
            for role, holder in roles
        ],
        accounts=[
            state_pb2.GenesisAccount(address=person.address.value, balance=START_BALANCE)
            for person in people
        ],
        applications=[
            isc_pb2.Application(
                id=name, kind=isc_pb2.KIND_ACL, owner=OWNER.address.value, domain=domain(name)
            )
            for name in (APPLICATION, OTHER_APPLICATION)
        ],
        delegates=[
            state_pb2.GenesisDelegate(application=APPLICATION, account=DELEGATE.address.value)
        ],
    )


class MemoryReader:
    """Committed state in a dictionary."""

    def __init__(self) -> None:
        """Start empty."""
        self.values: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        """Value of a key."""
        return self.values.get(key)

    def iterate(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys with this prefix in ascending order."""
        for key in sorted(key for key in self.values if key.startswith(prefix)):
            yield key, self.values[key]

    def apply(self, state: State) -> None:
        """Commit a lowest branch."""
        for key, value in state.changes():
            if value is None:
                self.values.pop(key, None)
            else:
                self.values[key] = value


@dataclass(frozen=True)
class Receipt:
    """What an accepted transaction did."""

    ids: list[bytes]
    events: tuple[Event, ...]

    def count(self, event_type: str) -> int:
        """Number of events of a type."""
        return sum(event.type == event_type for event in self.events)

    def attributes(self, event_type: str) -> dict[str, str]:
        """Attributes of the only event of a type."""
        (event,) = [event for event in self.events if event.type == event_type]
        return dict(event.attributes)


@dataclass
class World:
    """The chain under test; every helper goes through the modules' handlers."""

    parties: int = 4
    reader: MemoryReader = field(default_factory=MemoryReader)
    height: int = 1
    events: list[Event] = field(default_factory=list)
    key_id: bytes = b""
    _nonce: int = 0

    def __post_init__(self) -> None:
        """Load genesis."""
        state = self.state
        for module in MODULES:
            if module.genesis is not None:
                module.genesis(state, genesis(self.parties))
        self.reader.apply(state)

    @property
    def state(self) -> State:
        """A fresh branch over the committed state."""
        return State(self.reader)

    def send(self, sender: Secp256k1Signer, *messages: Any, max_fee: int = 10**9) -> Receipt:
        """Execute one transaction as a block's delivery does; Rejection leaves no trace."""
        self._nonce += 1
        wrapped = [wrap(message) for message in messages]
        body = tx_pb2.TxBody(
            chain_id=CHAIN_ID,
            sender=sender.address.value,
            nonce=self._nonce.to_bytes(16, "big"),
            max_fee=max_fee,
            messages=wrapped,
        )
        context = Context(
            chain_id=CHAIN_ID,
            height=self.height,
            time_ns=0,
            body=body.SerializeToString(deterministic=True),
            sender=sender.address,
        )
        state = self.state
        before = bank.account(state, sender.address).escrowed
        ids = []
        for index, message in enumerate(wrapped):
            spent = bank.account(state, sender.address).escrowed - before
            kind = str(message.WhichOneof("kind"))
            handler = next(m.handlers[kind] for m in MODULES if kind in m.handlers)
            inner = context._replace(message_index=index, max_fee_left=max_fee - spent)
            ids.append(handler(state, getattr(message, kind), inner) or b"")
        self.reader.apply(state)
        self.events.extend(state.events)
        return Receipt(ids, state.events)

    def refuse(self, sender: Secp256k1Signer, *messages: Any, max_fee: int = 10**9) -> Reason:
        """Reason for which a transaction is refused; the state must not change."""
        before, events = dict(self.reader.values), list(self.events)
        try:
            self.send(sender, *messages, max_fee=max_fee)
        except Rejection as rejection:
            assert self.reader.values == before
            assert self.events == events
            return rejection.reason
        raise AssertionError("the transaction was accepted")

    def end_block(self, blocks: int = 1) -> tuple[Event, ...]:
        """Finish blocks; returns the events of their hooks."""
        events: list[Event] = []
        for _ in range(blocks):
            state = self.state
            self._hooks(state, "end_block")
            self.height += 1
            self._hooks(state, "begin_block")
            self.reader.apply(state)
            events.extend(state.events)
        self.events.extend(events)
        return tuple(events)

    def _hooks(self, state: State, name: str) -> None:
        for module in MODULES:
            hook = getattr(module, name)
            if hook is not None:
                hook(state, Context(chain_id=CHAIN_ID, height=self.height, time_ns=0))

    def query(self, path: str, data: bytes, answer_type: Any) -> Any:
        """Answer of a module's query."""
        (query,) = [module.queries[path] for module in MODULES if path in module.queries]
        return answer_type.FromString(query(self.state, data))

    def configure(self, **change: Any) -> None:
        """Put a configuration change in force at the next height."""
        message = config_pb2.ProposeChange(
            change=config_pb2.Change(**change), activation_height=self.height + 1
        )
        self.send(ADMIN, message)
        self.end_block()

    def change_parameters(self, **values: Any) -> None:
        """Change single parameters from the next height on."""
        parameters = genesis(self.parties).parameters
        for name, value in values.items():
            setattr(parameters, name, value)
        self.configure(parameters=parameters)

    def balance(self, address: Address) -> int:
        """Units an account may spend."""
        return bank.balance(self.state, address)

    def status(self, request_id: bytes) -> asc_pb2.RequestStatus:
        """Status of a known request."""
        status = asc_state.status(self.state, request_id)
        assert status is not None
        return status

    def entry(self, request_id: bytes) -> asc_pb2.LogEntry:
        """Log entry of a known request."""
        entry = asc_state.log_entry(self.state, self.status(request_id).sequence)
        assert entry is not None
        return entry

    def count(self, event_type: str, request_id: bytes) -> int:
        """How many events of a type the request caused so far."""
        wanted = ("request_id", request_id.hex())
        return sum(event.type == event_type and wanted in event.attributes for event in self.events)

    def generate_key(self) -> bytes:
        """Run a key generation to its end; its id becomes `key_id`."""
        message = asc_pb2.RequestKeyGeneration(parameters="test", dealer=True)
        (request_id,) = self.send(GENERATOR, message).ids
        for index in range(1, self.parties + 1):
            self.send(party_account(index), fulfil_key(self.entry(request_id), index))
        self.key_id = request_id
        return request_id

    def answer_all(self, request_id: bytes, offset: int = 0) -> None:
        """All parties of an epoch with this label offset agree on what they were asked to make."""
        entry = self.entry(request_id)
        for index in range(1, entry.parties + 1):
            message = generated(entry, index, party_key(index + offset))
            self.send(party_account(index + offset), message)

    def change_epoch(self, record: config_pb2.Epoch, offset: int = 0) -> None:
        """Move all keys to other parties, who agree, and begin the block after."""
        self.configure(epoch=record)
        pending = config.pending_epoch(self.state)
        assert pending is not None
        self.answer_all(pending.request_id, offset)
        self.end_block()
        assert config.current_epoch(self.state).id == pending.epoch_id

    def refresh(self) -> bytes:
        """Id of an accepted refresh."""
        (request_id,) = self.send(GENERATOR, asc_pb2.RequestRefresh()).ids
        return request_id

    def material(self, key_id: bytes = b"") -> asc_pb2.MaterialRecord:
        """Record of a key; of the world's own by default."""
        record = asc_state.material(self.state, asc_state.key_key(key_id or self.key_id))
        assert record is not None
        return record

    def register(self, name: str, fhe_type: FheType = FheType.EUINT8) -> isc_pb2.Ciphertext:
        """Register a ciphertext of the first application."""
        record = ciphertext(name, self.key_id, fhe_type)
        self.send(OWNER, isc_pb2.RegisterCiphertexts(application=APPLICATION, ciphertexts=[record]))
        return record

    def register_public(self, name: str, fhe_type: FheType = FheType.EUINT8) -> isc_pb2.Ciphertext:
        """Register a ciphertext that anybody may have decrypted."""
        record = self.register(name, fhe_type)
        message = isc_pb2.SetPublic(application=APPLICATION, handle=record.handle, allowed=True)
        self.send(OWNER, message)
        return record

    def register_for(
        self, account: Address, name: str, fhe_type: FheType = FheType.EUINT8
    ) -> isc_pb2.Ciphertext:
        """Register a ciphertext and grant it to an account."""
        record = self.register(name, fhe_type)
        message = isc_pb2.GrantAccess(
            application=APPLICATION, handle=record.handle, account=account.value
        )
        self.send(OWNER, message)
        return record

    def public_request(
        self, *records: isc_pb2.Ciphertext, relayer: bytes = b""
    ) -> asc_pb2.RequestPublicDecryption:
        """Public decryption of registered ciphertexts."""
        return asc_pb2.RequestPublicDecryption(
            application=APPLICATION, key_id=self.key_id, ciphertexts=records, relayer=relayer
        )

    def open_public(self, *records: isc_pb2.Ciphertext, relayer: bytes = b"") -> bytes:
        """Id of an accepted public decryption."""
        (request_id,) = self.send(REQUESTER, self.public_request(*records, relayer=relayer)).ids
        return request_id

    def user_request(self, *records: isc_pb2.Ciphertext) -> asc_pb2.RequestUserDecryption:
        """User decryption of registered ciphertexts, authorized by the user."""
        message = asc_pb2.RequestUserDecryption(
            application=APPLICATION,
            key_id=self.key_id,
            ciphertexts=records,
            user=USER.address.value,
            user_public_key=user_public_key(),
            authorization_expires_at_height=self.height + 3,
        )
        return authorize(message, USER)

    def open_user(self, *records: isc_pb2.Ciphertext) -> bytes:
        """Id of an accepted user decryption."""
        (request_id,) = self.send(REQUESTER, self.user_request(*records)).ids
        return request_id


def rederived(values: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """The proven keys of a state with their derived keys computed anew."""
    reader = MemoryReader()
    reader.values = {key: value for key, value in values.items() if not is_derived(key)}
    state = State(reader)
    for module in MODULES:
        if module.derive is not None:
            module.derive(state)
    reader.apply(state)
    return reader.values


def ready_world(parties: int = 4) -> World:
    """World with an active key."""
    world = World(parties=parties)
    world.generate_key()
    return world


def wrap(message: Any) -> tx_pb2.Message:
    """The message inside the transaction's oneof."""
    for descriptor in tx_pb2.Message.DESCRIPTOR.fields:
        if descriptor.message_type is message.DESCRIPTOR:
            return tx_pb2.Message(**{descriptor.name: message})
    raise AssertionError(f"{message.DESCRIPTOR.full_name} is no message of transactions")


def user_public_key() -> bytes:
    """869 bytes with the right header; nobody encapsulates to it here."""
    return wrap_user_key(bytes(range(200)) * 4)


def ciphertext(name: str, key_id: bytes, fhe_type: FheType = FheType.EUINT8) -> isc_pb2.Ciphertext:
    """Description of a ciphertext of 1000 bytes."""
    return isc_pb2.Ciphertext(
        handle=sha3_256(f"handle {name}".encode()),
        digest=sha3_256(f"bytes {name}".encode()),
        fhe_type=fhe_type,
        format=2,
        size=1000,
        key_id=key_id,
    )


def authorize(
    message: asc_pb2.RequestUserDecryption, by: Secp256k1Signer
) -> asc_pb2.RequestUserDecryption:
    """Sign the message's present contents as a user does."""
    digest = eip712.authorization_digest(
        domain(message.application),
        message.user_public_key,
        [record.handle for record in message.ciphertexts],
        message.application,
        CHAIN_ID,
        message.authorization_expires_at_height,
    )
    message.user_signature = by.sign_digest(digest)
    return message


def handles(entry: asc_pb2.LogEntry) -> list[bytes]:
    """Handles of a request in order."""
    return [record.handle for record in entry.ciphertexts]


def fulfil_key(
    entry: asc_pb2.LogEntry, index: int, content: str = "key", sizes: tuple[int, int] = (10, 20)
) -> asc_pb2.Fulfil:
    """A party's signed answer to a key generation."""
    materials = [
        asc_pb2.MaterialDigest(kind=kind, digest=sha3_256(f"{kind} {content}".encode()), size=size)
        for kind, size in zip(("public-key", "server-key"), sizes, strict=True)
    ]
    digest = eip712.keygen_digest(
        eip712.chain_domain(CHAIN_ID),
        entry.request_id,
        [(material.kind, material.digest) for material in materials],
    )
    return asc_pb2.Fulfil(
        request_id=entry.request_id,
        party=index,
        generation=asc_pb2.GenerationResult(digests=materials),
        signature=party_key(index).sign_digest(digest),
    )


def fulfil_crs(entry: asc_pb2.LogEntry, index: int) -> asc_pb2.Fulfil:
    """A party's signed answer to a reference string generation."""
    content = sha3_256(b"reference string")
    digest = eip712.crs_digest(
        eip712.chain_domain(CHAIN_ID), entry.request_id, entry.max_bits, content
    )
    material = asc_pb2.MaterialDigest(kind="crs", digest=content, size=30)
    return asc_pb2.Fulfil(
        request_id=entry.request_id,
        party=index,
        generation=asc_pb2.GenerationResult(digests=[material]),
        signature=party_key(index).sign_digest(digest),
    )


def fulfil_public(entry: asc_pb2.LogEntry, index: int, *values: int) -> asc_pb2.Fulfil:
    """A party's signed answer to a public decryption."""
    types = [record.fhe_type for record in entry.ciphertexts]
    result = eip712.encode_plaintexts(list(zip(types, values, strict=True)))
    return sign_public(entry, index, result)


def sign_public(entry: asc_pb2.LogEntry, index: int, result: bytes) -> asc_pb2.Fulfil:
    """A signed answer of any bytes."""
    digest = eip712.public_decryption_digest(entry.domain, handles(entry), result)
    return asc_pb2.Fulfil(
        request_id=entry.request_id,
        party=index,
        public_decryption=asc_pb2.PublicDecryptionResult(decrypted_result=result),
        signature=party_key(index).sign_digest(digest),
    )


def user_payload(entry: asc_pb2.LogEntry, index: int, content: bytes = b"share") -> UserPayload:
    """A party's response; the shares are not decryptable, which the chain cannot see."""
    link = eip712.linker_digest(entry.domain, entry.user_public_key, handles(entry), entry.user)
    return UserPayload(
        verification_key=party_key(index).verification_key,
        link=link,
        shares=tuple(
            SigncryptedShare(record.fhe_type, content, record.handle, 1)
            for record in entry.ciphertexts
        ),
        party=index,
        degree=entry.threshold,
    )


def fulfil_user(entry: asc_pb2.LogEntry, index: int, content: bytes = b"share") -> asc_pb2.Fulfil:
    """A party's signed answer to a user decryption, inline."""
    return sign_user(entry, index, build_payload(user_payload(entry, index, content)))


def sign_user(
    entry: asc_pb2.LogEntry, index: int, payload: bytes, *, inline: bool = True
) -> asc_pb2.Fulfil:
    """A signed answer of any payload bytes."""
    digest = eip712.user_decryption_digest(
        entry.domain, entry.user_public_key, handles(entry), keccak256(payload)
    )
    return asc_pb2.Fulfil(
        request_id=entry.request_id,
        party=index,
        user_decryption=asc_pb2.UserDecryptionResult(
            payload=payload if inline else b"",
            payload_digest=sha3_256(payload),
            payload_keccak=keccak256(payload),
            payload_size=len(payload),
        ),
        signature=party_key(index).sign_digest(digest),
    )


def failure(
    request_id: bytes,
    index: int,
    code: asc_pb2.FailureCode = asc_pb2.FAILURE_CODE_CIPHERTEXT_UNAVAILABLE,
) -> asc_pb2.ReportFailure:
    """A party's failure report."""
    return asc_pb2.ReportFailure(request_id=request_id, party=index, code=code)
