"""Transactions that the chain must refuse, each for one reason, built from what is true just now."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from cli.localnet.plan import APPLICATION
from client.chain import Chain
from client.decrypt import Application, new_user_key, user_request
from tests.localnet.world import ENOUGH, World, message, public_request
from wire.digests import sha256
from wire.fhe import FheType
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.reasons import Reason
from wire.signing import Secp256k1Signer
from wire.tx import sign_bytes

KEY_BYTES, HANDLE_BYTES = 20, 32


@dataclass(frozen=True)
class Truth:
    """A good request of `sender`, and who else is there."""

    chain_id: str
    height: int
    sender: Secp256k1Signer
    other: Secp256k1Signer
    ciphertext: isc_pb2.Ciphertext
    # Registered, but nobody may decrypt it.
    private: isc_pb2.Ciphertext
    domain: isc_pb2.Domain
    # A request that is not the sender's to answer.
    request: bytes
    max_fee: int = ENOUGH

    def signed(self, *messages: tx_pb2.Message, **changes: Any) -> bytes:
        """A transaction of these messages whose body has some fields changed before signing."""
        fields: dict[str, Any] = {
            "chain_id": self.chain_id,
            "sender": bytes(self.sender.address),
            "nonce": os.urandom(16),
            "expires_at_height": self.height + 100,
            "max_fee": self.max_fee,
        }
        body = tx_pb2.TxBody(messages=messages, **fields | changes).SerializeToString(
            deterministic=True
        )
        return self.sealed(body)

    def sealed(self, body: bytes, chain_id: str = "", **changes: Any) -> bytes:
        """A body with the sender's signature, or with other fields than those of a good one."""
        signature = self.sender.sign_digest(sign_bytes(chain_id or self.chain_id, body))
        fields: dict[str, Any] = {"scheme": tx_pb2.SCHEME_SECP256K1, "signature": signature}
        return tx_pb2.Tx(body=body, **fields | changes).SerializeToString(deterministic=True)

    def body(self) -> bytes:
        """A good body."""
        return tx_pb2.Tx.FromString(self.signed(self.transfer())).body

    def transfer(self, amount: int = 1) -> tx_pb2.Message:
        """Money for the other account."""
        recipient = bytes(self.other.address)
        return message(transfer=bank_pb2.Transfer(recipient=recipient, amount=amount))

    def ask(self, **changes: Any) -> bytes:
        """A public decryption of the good ciphertext with some of its fields changed."""
        changed = isc_pb2.Ciphertext()
        changed.CopyFrom(self.ciphertext)
        for name, value in changes.items():
            setattr(changed, name, value)
        return self.public(changed)

    def public(self, *ciphertexts: isc_pb2.Ciphertext, **changes: Any) -> bytes:
        """A public decryption with some of its fields changed."""
        fields: dict[str, Any] = {"application": APPLICATION, "key_id": self.ciphertext.key_id}
        request = asc_pb2.RequestPublicDecryption(ciphertexts=ciphertexts, **fields | changes)
        return self.signed(message(request_public_decryption=request))

    def user(self, *, expires_in: int = 100, **changes: Any) -> bytes:
        """A user decryption that the sender authorised, with some fields changed afterwards."""
        request = user_request(
            Application(APPLICATION, self.domain, self.chain_id),
            [self.ciphertext],
            self.sender,
            new_user_key().public_key,
            self.height + expires_in,
        )
        for name, value in changes.items():
            setattr(request, name, value)
        return self.signed(message(request_user_decryption=request))


async def truth(world: World, chain: Chain, private: isc_pb2.Ciphertext) -> Truth:
    """What is true now; alice sends."""
    raw = await chain.query("/isc/application", APPLICATION.encode())
    ciphertext = await world.good(chain)
    return Truth(
        world.chain_id,
        await chain.height(),
        world.signer("alice"),
        world.signer("bob"),
        ciphertext,
        private,
        state_pb2.ApplicationView.FromString(raw).application.domain,
        # The key's id is the id of the request that made it.
        ciphertext.key_id,
    )


def _flipped(data: bytes, position: int = -2) -> bytes:
    changed = bytearray(data)
    changed[position] ^= 1
    return bytes(changed)


def _altered_signature(t: Truth) -> bytes:
    transaction = tx_pb2.Tx.FromString(t.signed(t.transfer()))
    transaction.signature = _flipped(transaction.signature, 3)
    return transaction.SerializeToString(deterministic=True)


def _forged_sender(t: Truth) -> bytes:
    """Bob pays with alice's money."""
    return t.signed(t.transfer(), sender=bytes(t.other.address))


def _altered_body(t: Truth) -> bytes:
    transaction = tx_pb2.Tx.FromString(t.signed(t.transfer(1)))
    body = tx_pb2.TxBody.FromString(transaction.body)
    body.messages[0].transfer.amount = 2
    transaction.body = body.SerializeToString(deterministic=True)
    return transaction.SerializeToString(deterministic=True)


def _named(count: int, fhe_type: int) -> list[isc_pb2.Ciphertext]:
    """Ciphertexts that nobody registered."""
    return [
        isc_pb2.Ciphertext(
            handle=sha256(b"%d" % number), digest=bytes(32), fhe_type=fhe_type, format=2, size=1
        )
        for number in range(count)
    ]


def _permission(t: Truth) -> dict[str, Any]:
    return {"application": APPLICATION, "handle": t.ciphertext.handle}


def _fulfil(t: Truth, request: bytes) -> bytes:
    """An answer of party 1 by somebody who is not."""
    return t.signed(message(fulfil=asc_pb2.Fulfil(request_id=request, party=1, signature=b"1")))


def _poor(t: Truth) -> bytes:
    stranger = Secp256k1Signer(sha256(os.urandom(32)))
    return replace(t, sender=stranger, other=t.sender).signed(t.transfer())


def _propose(t: Truth) -> tx_pb2.Message:
    role = config_pb2.RoleChange(
        role=config_pb2.ROLE_ADMIN, account=bytes(t.sender.address), granted=True
    )
    change = config_pb2.ProposeChange(
        change=config_pb2.Change(role=role), activation_height=t.height + 50
    )
    return message(propose_change=change)


def _key_generation() -> tx_pb2.Message:
    return message(
        request_key_generation=asc_pb2.RequestKeyGeneration(parameters="test", dealer=True)
    )


def _registration(ciphertexts: Sequence[isc_pb2.Ciphertext]) -> tx_pb2.Message:
    return message(
        register_ciphertexts=isc_pb2.RegisterCiphertexts(
            application=APPLICATION, ciphertexts=ciphertexts
        )
    )


REFUSALS: Final[dict[str, tuple[Reason, Callable[[Truth], bytes]]]] = {
    # --- not a transaction
    "garbage": (Reason.DECODE, lambda _t: os.urandom(200)),
    "trailing bytes": (Reason.DECODE, lambda t: t.signed(t.transfer()) + b"\x28\x01"),
    "field order": (
        Reason.DECODE,
        lambda t: tx_pb2.Tx(signature=b"1").SerializeToString() + t.signed(t.transfer()),
    ),
    "body is garbage": (Reason.DECODE, lambda t: t.sealed(os.urandom(64))),
    "body has an unknown field": (Reason.DECODE, lambda t: t.sealed(t.body() + b"\x78\x01")),
    "no message": (Reason.NO_MESSAGES, lambda t: t.signed()),
    "empty message": (Reason.UNKNOWN_MESSAGE, lambda t: t.signed(tx_pb2.Message())),
    "201 messages": (Reason.TOO_MANY_MESSAGES, lambda t: t.signed(*[t.transfer()] * 201)),
    "short sender": (Reason.BAD_ADDRESS, lambda t: t.signed(t.transfer(), sender=bytes(19))),
    "short nonce": (Reason.BAD_NONCE, lambda t: t.signed(t.transfer(), nonce=bytes(15))),
    # --- not the sender's
    "unsigned": (Reason.UNSIGNED, lambda t: t.sealed(t.body(), signature=b"")),
    "unknown scheme": (Reason.UNKNOWN_SCHEME, lambda t: t.sealed(t.body(), scheme=7)),
    "short signature": (Reason.BAD_SIGNATURE, lambda t: t.sealed(t.body(), signature=bytes(64))),
    "zero signature": (Reason.BAD_SIGNATURE, lambda t: t.sealed(t.body(), signature=bytes(65))),
    "altered signature": (Reason.BAD_SIGNATURE, _altered_signature),
    "altered after signing": (Reason.BAD_SIGNATURE, _altered_body),
    "another's account": (Reason.BAD_SIGNATURE, _forged_sender),
    "signed for another chain": (
        Reason.BAD_SIGNATURE,
        lambda t: t.sealed(t.body(), chain_id="other-1"),
    ),
    # --- not now, not here
    "foreign chain": (Reason.FOREIGN_CHAIN, lambda t: t.signed(t.transfer(), chain_id="other-1")),
    "expired": (Reason.EXPIRED, lambda t: t.signed(t.transfer(), expires_at_height=t.height - 1)),
    "expires never": (
        Reason.TTL_TOO_LONG,
        lambda t: t.signed(t.transfer(), expires_at_height=2**64 - 1),
    ),
    # --- not paid
    "fee above max_fee": (Reason.MAX_FEE_EXCEEDED, lambda t: t.signed(t.transfer(), max_fee=1)),
    "price above max_fee": (
        Reason.MAX_FEE_EXCEEDED,
        lambda t: t.signed(public_request(t.ciphertext), max_fee=500),
    ),
    "no funds for the fee": (Reason.INSUFFICIENT_FUNDS, _poor),
    "no funds": (Reason.INSUFFICIENT_FUNDS, lambda t: t.signed(t.transfer(2**63))),
    "nothing": (Reason.BAD_AMOUNT, lambda t: t.signed(t.transfer(0))),
    "faucet too much": (
        Reason.FAUCET_LIMIT,
        lambda t: t.signed(
            message(faucet=bank_pb2.Faucet(recipient=bytes(t.sender.address), amount=2**40))
        ),
    ),
    # --- not allowed
    "key generation": (Reason.MISSING_ROLE, lambda t: t.signed(_key_generation())),
    "own promotion": (Reason.MISSING_ROLE, lambda t: t.signed(_propose(t))),
    "registration": (Reason.NOT_OWNER, lambda t: t.signed(_registration([t.ciphertext]))),
    "grant to oneself": (
        Reason.NOT_OWNER,
        lambda t: t.signed(
            message(
                grant_access=isc_pb2.GrantAccess(**_permission(t), account=bytes(t.sender.address))
            )
        ),
    ),
    "publication": (
        Reason.NOT_OWNER,
        lambda t: t.signed(message(set_public=isc_pb2.SetPublic(**_permission(t), allowed=True))),
    ),
    "no access": (Reason.ACCESS_DENIED, lambda t: t.public(t.private)),
    "no access in a batch": (Reason.ACCESS_DENIED, lambda t: t.public(t.ciphertext, t.private)),
    "another's answer": (Reason.NOT_PARTY, lambda t: _fulfil(t, t.request)),
    "answer to nothing": (Reason.UNKNOWN_REQUEST, lambda t: _fulfil(t, bytes(KEY_BYTES))),
    # --- not what is registered
    "unknown application": (
        Reason.UNKNOWN_APPLICATION,
        lambda t: t.public(t.ciphertext, application="nobody"),
    ),
    "unknown key": (Reason.UNKNOWN_KEY, lambda t: t.public(t.ciphertext, key_id=bytes(KEY_BYTES))),
    "malformed key": (Reason.UNKNOWN_KEY, lambda t: t.public(t.ciphertext, key_id=b"key")),
    "unknown handle": (Reason.UNKNOWN_HANDLE, lambda t: t.ask(handle=bytes(HANDLE_BYTES))),
    "other digest": (
        Reason.DIGEST_MISMATCH,
        lambda t: t.ask(digest=_flipped(t.ciphertext.digest)),
    ),
    "other type": (Reason.TYPE_MISMATCH, lambda t: t.ask(fhe_type=FheType.EUINT16)),
    "no type": (Reason.TYPE_MISMATCH, lambda t: t.ask(fhe_type=99)),
    "other format": (Reason.FORMAT_MISMATCH, lambda t: t.ask(format=3)),
    "truncated": (Reason.SIZE_MISMATCH, lambda t: t.ask(size=t.ciphertext.size - 1)),
    "ciphertext of another key": (Reason.KEY_MISMATCH, lambda t: t.ask(key_id=bytes(KEY_BYTES))),
    # --- too much of it
    "nothing asked": (Reason.NO_CIPHERTEXTS, lambda t: t.public()),
    "asked twice": (Reason.DUPLICATE_HANDLE, lambda t: t.public(t.ciphertext, t.ciphertext)),
    "65 ciphertexts": (
        Reason.TOO_MANY_CIPHERTEXTS,
        lambda t: t.public(*_named(65, FheType.EUINT8)),
    ),
    "too many bits": (Reason.REQUEST_TOO_LARGE, lambda t: t.public(*_named(9, FheType.EUINT256))),
    # --- not the user's wish
    "user key": (Reason.BAD_USER_KEY, lambda t: t.user(user_public_key=bytes(869))),
    "user did not sign": (Reason.BAD_USER_SIGNATURE, lambda t: t.user(user_signature=bytes(65))),
    "key put under the user's signature": (
        Reason.BAD_USER_SIGNATURE,
        lambda t: t.user(user_public_key=new_user_key().public_key),
    ),
    "authorization prolonged": (
        Reason.BAD_USER_SIGNATURE,
        lambda t: t.user(authorization_expires_at_height=t.height + 101),
    ),
    "authorization expired": (Reason.AUTHORIZATION_EXPIRED, lambda t: t.user(expires_in=-1)),
    "another user": (Reason.ACCESS_DENIED, lambda t: t.user(user=bytes(t.other.address))),
}
