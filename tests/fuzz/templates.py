"""One good message of each kind and each variant, from which mutations start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.asc.world import user_public_key
from tests.support import chain as support
from tests.support.chain import ALICE, BOB, CHAIN_ID, STRANGER, message, party_key
from tests.support.generated import generated
from tests.support.shop import APPLICATION, DOMAIN, ciphertext
from tests.support.traffic import accuse, answer, report, traffic_genesis
from wire import eip712
from wire.answers import signed_digest
from wire.digests import keccak256, sha3_256
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.tx.v1 import tx_pb2

PARTIES = 4


@dataclass(frozen=True)
class Known:
    """What the chain under test has: templates name it."""

    key_id: bytes
    height: int
    # Newest last.
    entries: tuple[asc_pb2.LogEntry, ...]
    number: int
    # Ciphertexts of the prepared chain, of which most are public or granted.
    registered: int
    # Id of the newest proposal.
    proposal: int


def change(kind: str) -> Callable[[Known], tx_pb2.Message]:
    """Proposal of a change of one kind."""

    def make(known: Known) -> tx_pb2.Message:
        changed = config_pb2.Change(**{kind: _change(kind, known)})
        wanted = config_pb2.ProposeChange(change=changed, activation_height=known.height + 3)
        return message(propose_change=wanted)

    return make


def _change(kind: str, known: Known) -> object:
    genesis = traffic_genesis()
    return {
        "epoch": lambda: support.epoch(PARTIES, 2 + known.number % 3),
        "prices": lambda: genesis.prices,
        "parameters": lambda: genesis.parameters,
        "role": lambda: config_pb2.RoleChange(
            role=config_pb2.ROLE_ADMIN, account=bytes(BOB.address), granted=True
        ),
        "quorum": lambda: config_pb2.RoleQuorum(role=config_pb2.ROLE_ADMIN, quorum=2),
        "validators": lambda: config_pb2.ValidatorChange(
            validators=[config_pb2.Validator(public_key=sha3_256(b"v"), power=10, name="new")]
        ),
        "consensus": lambda: config_pb2.ConsensusParameters(
            block=config_pb2.BlockLimits(max_bytes=-1, max_gas=-1)
        ),
        "application": lambda: isc_pb2.Application(
            id="bazaar", kind=isc_pb2.KIND_ACL, owner=bytes(BOB.address), domain=_domain(known)
        ),
        "key": lambda: config_pb2.KeyChange(
            key_id=known.key_id,
            action=1 + known.number % 4,  # type: ignore[arg-type] # the enum's own numbers
        ),
    }[kind]()


# The first two agree.
_CONTENTS = ("same", "same", "other")


def _record(known: Known, name: str = "") -> isc_pb2.Ciphertext:
    record, _ = ciphertext(name or f"fuzz {known.number % 16}", known.key_id)
    return record


def _registered(known: Known) -> isc_pb2.Ciphertext:
    """A ciphertext that a request may name."""
    return _record(known, f"traffic {1 + known.number % known.registered}")


def _proposal(known: Known) -> int:
    """One of the newest proposals."""
    return max(1, known.proposal - known.number % 3)


def _domain(known: Known) -> isc_pb2.Domain:
    """A domain that nobody has, mostly."""
    contract = sha3_256(bytes([known.number % 64]))[:20]
    return isc_pb2.Domain(name="M", version="1", chain_id=1, verifying_contract=contract)


def _entry(known: Known) -> asc_pb2.LogEntry:
    return known.entries[known.number % len(known.entries)]


def user_request(known: Known) -> tx_pb2.Message:
    """Re-encryption that the user has signed."""
    record = _registered(known)
    wanted = asc_pb2.RequestUserDecryption(
        application=APPLICATION,
        key_id=known.key_id,
        ciphertexts=[record],
        user=bytes(STRANGER.address),
        user_public_key=user_public_key(),
        authorization_expires_at_height=known.height + 10,
    )
    wanted.user_signature = STRANGER.sign_digest(
        eip712.authorization_digest(
            DOMAIN,
            wanted.user_public_key,
            [record.handle],
            APPLICATION,
            CHAIN_ID,
            wanted.authorization_expires_at_height,
        )
    )
    return message(request_user_decryption=wanted)


def fulfil(known: Known) -> tx_pb2.Message:
    """An answer in the form of its request, by a party that the number chooses."""
    entry, party = _entry(known), 1 + known.number // 7 % PARTIES
    if entry.kind == asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION:
        return answer(entry, party, known.number % 3)
    wanted = asc_pb2.Fulfil(request_id=entry.request_id, party=party)
    content = bytes([known.number % 3]) * 40
    if entry.kind == asc_pb2.REQUEST_KIND_USER_DECRYPTION:
        result = wanted.user_decryption
        result.payload = content
        result.payload_digest, result.payload_keccak = sha3_256(content), keccak256(content)
        result.payload_size = len(content)
    else:
        return message(
            fulfil=generated(entry, party, party_key(party), _CONTENTS[known.number % 3])
        )
    wanted.signature = party_key(party).sign_digest(signed_digest(entry, wanted))
    return message(fulfil=wanted)


def progress(known: Known) -> tx_pb2.Message:
    """How far a party is with whatever the number chooses."""
    wanted = asc_pb2.ReportProgress(
        request_id=_entry(known).request_id, party=1 + known.number % PARTIES, phase="bits", total=9
    )
    return message(report_progress=wanted)


TEMPLATES: tuple[Callable[[Known], tx_pb2.Message], ...] = (
    lambda _: message(transfer=bank_pb2.Transfer(recipient=bytes(BOB.address), amount=5)),
    lambda _: message(faucet=bank_pb2.Faucet(recipient=bytes(STRANGER.address), amount=700)),
    fulfil,
    fulfil,
    lambda known: report(_entry(known).request_id, 1 + known.number % PARTIES),
    lambda known: accuse(_entry(known).request_id, 1 + known.number % 3, 4),
    lambda known: message(
        request_public_decryption=asc_pb2.RequestPublicDecryption(
            application=APPLICATION,
            key_id=known.key_id,
            ciphertexts=[_registered(known)],
            relayer=bytes(BOB.address),
        )
    ),
    user_request,
    user_request,
    lambda _: message(
        request_key_generation=asc_pb2.RequestKeyGeneration(parameters="test", dealer=True)
    ),
    lambda known: message(
        request_key_generation=asc_pb2.RequestKeyGeneration(
            parameters="test", preprocessing_id=_entry(known).request_id
        )
    ),
    lambda _: message(request_preprocessing=asc_pb2.RequestPreprocessing(parameters="test")),
    lambda _: message(request_refresh=asc_pb2.RequestRefresh()),
    lambda known: message(
        abort_generation=asc_pb2.AbortGeneration(request_id=_entry(known).request_id)
    ),
    progress,
    lambda known: message(
        request_crs_generation=asc_pb2.RequestCrsGeneration(
            key_id=known.key_id, max_bits=256, dealer=True
        )
    ),
    lambda known: message(
        register_ciphertexts=isc_pb2.RegisterCiphertexts(
            application=APPLICATION, ciphertexts=[_record(known)]
        )
    ),
    lambda known: message(
        grant_access=isc_pb2.GrantAccess(
            application=APPLICATION,
            handle=_record(known).handle,
            account=bytes(STRANGER.address),
        )
    ),
    lambda known: message(
        revoke_access=isc_pb2.RevokeAccess(
            application=APPLICATION,
            handle=_record(known).handle,
            account=bytes(STRANGER.address),
        )
    ),
    lambda known: message(
        set_public=isc_pb2.SetPublic(
            application=APPLICATION, handle=_record(known).handle, allowed=True
        )
    ),
    lambda known: message(
        register_application=isc_pb2.RegisterApplication(
            id=f"market-{known.number}", kind=isc_pb2.KIND_ACL, domain=_domain(known)
        )
    ),
    lambda _: message(
        set_delegate=isc_pb2.SetDelegate(
            application=APPLICATION, account=bytes(ALICE.address), allowed=True
        )
    ),
    *(
        change(kind)
        for kind in (
            *("epoch", "prices", "parameters", "role"),
            *("quorum", "validators", "consensus", "application", "key"),
        )
    ),
    lambda known: message(approve_change=config_pb2.ApproveChange(proposal_id=_proposal(known))),
    lambda known: message(withdraw_change=config_pb2.WithdrawChange(proposal_id=_proposal(known))),
)
