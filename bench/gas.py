"""What messages cost a validator, beside the gas that the chain counts for them.

A block of transactions that carry one message each, and one of transactions that carry ten: the difference is the
messages', execution, state tree and write included; what a transfer's remains is the transaction's. It is
processor time: waiting for the disk belongs to the block and is not in it. A refresh is not here: only one can be
under way; it costs what a reference string's request costs, one read of each key and one entry more.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from abci_app.gas import MESSAGES
from bench.report import Row, row
from ledger.config.proposals import digest
from tests.ledger import governance
from tests.support import shop
from tests.support.chain import (
    ADMIN,
    ALICE,
    BOB,
    CHAIN_ID,
    Chain,
    epoch,
    message,
    party_account,
    party_key,
)
from wire import eip712
from wire.digests import sha3_256
from wire.payload import wrap_user_key
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.signing import Secp256k1Signer

_TRANSACTIONS = 60
_MANY = 10
_RUNS = 5
_FEE = 10**9
# Proposals are read by whoever files another: more of them would stand beside each other than on a real chain.
_FEWER = {"propose_change": 4, "approve_change": 12, "withdraw_change": 12}
# With those that are measured, a proposal is filed beside 50 others on average.
_PROPOSALS_BEFORE = 28
_MOST_PARTIES = 13
_FAR_BLOCKS = 10_000

# Makes so many messages, each with so many items.
Maker = Callable[["Workshop", int, int], list[tx_pb2.Message]]


class Workshop:
    """A chain with an active key, and fresh objects for each message."""

    def __init__(self, chain: Chain, key_id: bytes) -> None:
        """Take a chain of `start_shop`."""
        self.chain = chain
        self.key_id = key_id
        self._count = 0

    def name(self) -> str:
        """A name that was never used."""
        self._count += 1
        return f"object {self._count}"

    def run(self, signer: Secp256k1Signer, messages: list[tx_pb2.Message]) -> list[bytes]:
        """Execute messages in transactions of up to ten; ids of the requests they made."""
        ids: list[bytes] = []
        for start in range(0, len(messages), _MANY):
            part = messages[start : start + _MANY]
            result = self.chain.run(self.chain.build(signer, *part, max_fee=_FEE))
            if not result.ok:
                raise RuntimeError(f"the preparation failed: {result.log}")
            ids += result.request_ids
        return ids

    def records(self, count: int) -> list[isc_pb2.Ciphertext]:
        """Registered ciphertexts that anybody may have decrypted, and ALICE too."""
        found = [shop.ciphertext(self.name(), self.key_id)[0] for _ in range(count)]
        register = isc_pb2.RegisterCiphertexts(application=shop.APPLICATION, ciphertexts=found)
        messages = [message(register_ciphertexts=register)]
        messages += [_public(record) for record in found]
        messages += [_grant(record) for record in found]
        self.run(ALICE, messages)
        return found

    def entries(self, count: int) -> list[asc_pb2.LogEntry]:
        """Open public decryptions."""
        messages = [_public_request([record]) for record in self.records(count)]
        views = [self.chain.query("/asc/request", id_) for id_ in self.run(BOB, messages)]
        return [state_pb2.RequestView.FromString(view).entry for view in views]


def measure() -> list[Row]:
    """`gas.<kind>` and `gas.<kind>.item`: microseconds, to be compared with the table in `abci_app/gas.py`."""
    rows = []
    for kind, (signer, prepare) in _KINDS.items():
        largest = 3 if kind == "accuse" else 9
        items = (1, largest) if MESSAGES[kind].item else (1,)
        costs = [
            [_message_us(kind, signer, prepare, count) for _ in range(_RUNS)] for count in items
        ]
        if kind == "transfer":
            rows.append(row("gas.transaction", "us", [whole - one for one, whole in costs[0]]))
        single = [one for one, _ in costs[0]]
        if len(items) == 1:
            rows.append(row(f"gas.{kind}", "us", single))
            continue
        step = items[1] - items[0]
        each = [(b - a) / step for a, (b, _) in zip(single, costs[1], strict=True)]
        rows.append(row(f"gas.{kind}", "us", [a - e for a, e in zip(single, each, strict=True)]))
        rows.append(row(f"gas.{kind}.item", "us", each))
    return rows


def _message_us(
    kind: str, signer: Secp256k1Signer, prepare: Maker, items: int
) -> tuple[float, float]:
    """Microseconds of one message, and of one transaction with one message."""
    transactions = _FEWER.get(kind, _TRANSACTIONS)
    with _workshop() as workshop:
        messages = prepare(workshop, transactions * (1 + _MANY), items)
        few = [[one] for one in messages[:transactions]]
        rest = messages[transactions:]
        many = [rest[start : start + _MANY] for start in range(0, len(rest), _MANY)]
        one, ten = (_block_us(workshop.chain, signer, part) for part in (few, many))
        return (ten - one) / (_MANY - 1), one


def _block_us(chain: Chain, signer: Secp256k1Signer, parts: list[list[tx_pb2.Message]]) -> float:
    """Microseconds a transaction of a block that a validator met for the first time."""
    raws = [chain.build(signer, *part, max_fee=_FEE) for part in parts]
    # Not the clock on the wall: what other processes take would be more than a message costs.
    started = time.process_time()
    app_hash, results = chain.finalize(*raws)
    chain.commit(app_hash, raws)
    seconds = time.process_time() - started
    failed = [result.log for result in results if not result.ok]
    if failed:
        raise RuntimeError(f"a refused message is cheap and would flatter: {failed[0]}")
    return seconds / len(parts) * 1e6


@contextmanager
def _workshop() -> Iterator[Workshop]:
    with tempfile.TemporaryDirectory() as folder:
        chain, key_id = shop.start_shop(Path(folder), rich=True)
        yield Workshop(chain, key_id)
        chain.close()


def _public(record: isc_pb2.Ciphertext) -> tx_pb2.Message:
    content = isc_pb2.SetPublic(application=shop.APPLICATION, handle=record.handle, allowed=True)
    return message(set_public=content)


def _grant(record: isc_pb2.Ciphertext, account: bytes | None = None) -> tx_pb2.Message:
    account = bytes(ALICE.address) if account is None else account
    content = isc_pb2.GrantAccess(
        application=shop.APPLICATION, handle=record.handle, account=account
    )
    return message(grant_access=content)


def _public_request(records: list[isc_pb2.Ciphertext]) -> tx_pb2.Message:
    content = asc_pb2.RequestPublicDecryption(
        application=shop.APPLICATION, key_id=records[0].key_id, ciphertexts=records
    )
    return message(request_public_decryption=content)


def _transfers(_: Workshop, count: int, __: int) -> list[tx_pb2.Message]:
    recipients = [sha3_256(b"recipient %d" % index)[:20] for index in range(count)]
    return [message(transfer=bank_pb2.Transfer(recipient=to, amount=1)) for to in recipients]


def _faucets(_: Workshop, count: int, __: int) -> list[tx_pb2.Message]:
    recipients = [sha3_256(b"recipient %d" % index)[:20] for index in range(count)]
    return [message(faucet=bank_pb2.Faucet(recipient=to, amount=100)) for to in recipients]


def _proposals(workshop: Workshop, count: int, _: int) -> list[tx_pb2.Message]:
    before = [_epoch_proposal(workshop)] * _PROPOSALS_BEFORE
    workshop.run(ADMIN, before)
    return [_epoch_proposal(workshop)] * count


def _epoch_proposal(workshop: Workshop) -> tx_pb2.Message:
    """The longest change that is usual."""
    return governance.propose(
        workshop.chain.height + _FAR_BLOCKS, "an epoch", epoch=epoch(_MOST_PARTIES, epoch_id=2)
    )


def _approvals(workshop: Workshop, count: int, _: int) -> list[tx_pb2.Message]:
    """Each completes a quorum of two: the proposals were filed while one holder decided."""
    chain = workshop.chain
    workshop.run(ADMIN, [_epoch_proposal(workshop)] * count)
    granted = governance.role(ALICE, granted=True)
    workshop.run(ADMIN, [governance.propose(chain.height + 2, role=granted)])
    chain.skip(2)
    workshop.run(ADMIN, [governance.propose(chain.height + 2, quorum=governance.quorum(2))])
    chain.skip(2)
    return [governance.approve(number, _digest(workshop, number)) for number in range(1, count + 1)]


def _digest(workshop: Workshop, number: int) -> bytes:
    proposal = governance.view(workshop.chain, number).proposal
    if proposal.decided_height:
        raise RuntimeError("an approval that decides nothing is cheap and would flatter")
    return digest(proposal.change)


def _withdrawals(workshop: Workshop, count: int, _: int) -> list[tx_pb2.Message]:
    workshop.run(ADMIN, [_epoch_proposal(workshop)] * count)
    return [governance.withdraw(number) for number in range(1, count + 1)]


def _applications(_: Workshop, count: int, __: int) -> list[tx_pb2.Message]:
    contents = []
    for number in range(count):
        # An application has its domain for itself.
        domain = isc_pb2.Domain()
        domain.CopyFrom(shop.DOMAIN)
        domain.chain_id += 1 + number
        contents.append(
            isc_pb2.RegisterApplication(id=f"shop-{number}", kind=isc_pb2.KIND_ACL, domain=domain)
        )
    return [message(register_application=content) for content in contents]


def _delegates(_: Workshop, count: int, __: int) -> list[tx_pb2.Message]:
    accounts = [sha3_256(b"delegate %d" % index)[:20] for index in range(count)]
    contents = [
        isc_pb2.SetDelegate(application=shop.APPLICATION, account=account, allowed=True)
        for account in accounts
    ]
    return [message(set_delegate=content) for content in contents]


def _registrations(workshop: Workshop, count: int, items: int) -> list[tx_pb2.Message]:
    def one() -> isc_pb2.RegisterCiphertexts:
        records = [shop.ciphertext(workshop.name(), workshop.key_id)[0] for _ in range(items)]
        return isc_pb2.RegisterCiphertexts(application=shop.APPLICATION, ciphertexts=records)

    return [message(register_ciphertexts=one()) for _ in range(count)]


def _grants(workshop: Workshop, count: int, _: int) -> list[tx_pb2.Message]:
    (record,) = workshop.records(1)
    return [_grant(record, sha3_256(b"account %d" % index)[:20]) for index in range(count)]


def _revocations(workshop: Workshop, count: int, _: int) -> list[tx_pb2.Message]:
    grants = _grants(workshop, count, 1)
    workshop.run(ALICE, grants)
    return [
        message(
            revoke_access=isc_pb2.RevokeAccess(
                application=shop.APPLICATION,
                handle=grant.grant_access.handle,
                account=grant.grant_access.account,
            )
        )
        for grant in grants
    ]


def _publications(workshop: Workshop, count: int, _: int) -> list[tx_pb2.Message]:
    records = [shop.ciphertext(workshop.name(), workshop.key_id)[0] for _ in range(count)]
    contents = [
        isc_pb2.RegisterCiphertexts(application=shop.APPLICATION, ciphertexts=[record])
        for record in records
    ]
    workshop.run(ALICE, [message(register_ciphertexts=content) for content in contents])
    return [_public(record) for record in records]


def _public_requests(workshop: Workshop, count: int, items: int) -> list[tx_pb2.Message]:
    return [_public_request(workshop.records(items))] * count


def _user_requests(workshop: Workshop, count: int, items: int) -> list[tx_pb2.Message]:
    records = workshop.records(items)
    expires = workshop.chain.height + 60
    key = wrap_user_key(bytes(range(200)) * 4)
    digest = eip712.authorization_digest(
        shop.DOMAIN,
        key,
        [record.handle for record in records],
        shop.APPLICATION,
        CHAIN_ID,
        expires,
    )
    content = asc_pb2.RequestUserDecryption(
        application=shop.APPLICATION,
        key_id=workshop.key_id,
        ciphertexts=records,
        user=bytes(ALICE.address),
        user_public_key=key,
        authorization_expires_at_height=expires,
        user_signature=ALICE.sign_digest(digest),
    )
    return [message(request_user_decryption=content)] * count


def _answers(workshop: Workshop, count: int, _: int) -> list[tx_pb2.Message]:
    return [message(fulfil=_answer(entry)) for entry in workshop.entries(count)]


def _answer(entry: asc_pb2.LogEntry) -> asc_pb2.Fulfil:
    result = eip712.encode_plaintexts([(record.fhe_type, 7) for record in entry.ciphertexts])
    handles = [record.handle for record in entry.ciphertexts]
    digest = eip712.public_decryption_digest(entry.domain, handles, result)
    return asc_pb2.Fulfil(
        request_id=entry.request_id,
        party=1,
        public_decryption=asc_pb2.PublicDecryptionResult(decrypted_result=result),
        signature=party_key(1).sign_digest(digest),
    )


def _failures(workshop: Workshop, count: int, _: int) -> list[tx_pb2.Message]:
    contents = [
        asc_pb2.ReportFailure(
            request_id=entry.request_id, party=1, code=asc_pb2.FAILURE_CODE_INTERNAL
        )
        for entry in workshop.entries(count)
    ]
    return [message(report_failure=content) for content in contents]


def _accusations(workshop: Workshop, count: int, items: int) -> list[tx_pb2.Message]:
    accused = [2, 3, 4][:items]
    contents = [
        asc_pb2.Accuse(request_id=entry.request_id, party=1, accused=accused)
        for entry in workshop.entries(count)
    ]
    return [message(accuse=content) for content in contents]


def _key_generations(_: Workshop, count: int, __: int) -> list[tx_pb2.Message]:
    content = asc_pb2.RequestKeyGeneration(parameters="test", dealer=True)
    return [message(request_key_generation=content)] * count


def _preprocessings(_: Workshop, count: int, __: int) -> list[tx_pb2.Message]:
    content = asc_pb2.RequestPreprocessing(parameters="test")
    return [message(request_preprocessing=content)] * count


def _aborts(workshop: Workshop, count: int, _: int) -> list[tx_pb2.Message]:
    ids = workshop.run(ADMIN, _preprocessings(workshop, count, 1))
    return [message(abort_generation=asc_pb2.AbortGeneration(request_id=id_)) for id_ in ids]


def _reports(workshop: Workshop, count: int, _: int) -> list[tx_pb2.Message]:
    ids = workshop.run(ADMIN, _preprocessings(workshop, count, 1))
    contents = [
        asc_pb2.ReportProgress(request_id=id_, party=1, phase="random-bits", done=1, total=9)
        for id_ in ids
    ]
    return [message(report_progress=content) for content in contents]


def _crs_generations(workshop: Workshop, count: int, _: int) -> list[tx_pb2.Message]:
    content = asc_pb2.RequestCrsGeneration(key_id=workshop.key_id, max_bits=64, dealer=True)
    return [message(request_crs_generation=content)] * count


_KINDS: dict[str, tuple[Secp256k1Signer, Maker]] = {
    "transfer": (ALICE, _transfers),
    "faucet": (ALICE, _faucets),
    "propose_change": (ADMIN, _proposals),
    "approve_change": (ALICE, _approvals),
    "withdraw_change": (ADMIN, _withdrawals),
    "register_application": (ADMIN, _applications),
    "set_delegate": (ALICE, _delegates),
    "register_ciphertexts": (ALICE, _registrations),
    "grant_access": (ALICE, _grants),
    "revoke_access": (ALICE, _revocations),
    "set_public": (ALICE, _publications),
    "request_key_generation": (ADMIN, _key_generations),
    "request_crs_generation": (ADMIN, _crs_generations),
    "request_preprocessing": (ADMIN, _preprocessings),
    "abort_generation": (ADMIN, _aborts),
    "request_public_decryption": (BOB, _public_requests),
    "request_user_decryption": (BOB, _user_requests),
    "fulfil": (party_account(1), _answers),
    "report_failure": (party_account(1), _failures),
    "accuse": (party_account(1), _accusations),
    "report_progress": (party_account(1), _reports),
}
