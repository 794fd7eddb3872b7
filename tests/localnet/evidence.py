"""A proven submission as an honest connector makes it, and what a lying one could change in it."""

import base64
import json
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from client.chain import Chain
from connector.follow import Evidence
from tests.localnet.world import World
from wire.digests import sha3_256
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.core.v1 import core_pb2
from wire.pb.tkms.state.v1 import state_pb2

Submission: TypeAlias = core_pb2.SubmitRequest
Lie: TypeAlias = Callable[[Submission], Submission]

_ABSENT: Final = 1


async def gathered(world: World, chain: Chain, request: bytes) -> Submission:
    """Everything that a core wants to see about a request, under the newest header."""
    view = state_pb2.RequestView.FromString(await chain.query("/asc/request", request))
    entry = view.entry
    raw = entry.SerializeToString(deterministic=True)
    (work,) = await Evidence(chain, party=1).gather([(entry.sequence, raw)])
    submission = Submission.FromString(work.evidence)
    block = await chain.headers.block(submission.entry.height + 1)
    submission.headers.add(
        height=submission.entry.height + 1,
        signed_header=block.signed_header,
        validators=block.validators,
        next_validators=block.next_validators,
    )
    for ciphertext in entry.ciphertexts:
        data = world.blob_path(ciphertext.digest).read_bytes()
        submission.ciphertexts.add(digest=ciphertext.digest, data=data)
    return submission


def lie(change: Callable[[Submission], None]) -> Lie:
    """A changed copy of the truth."""

    def told(honest: Submission) -> Submission:
        copy = Submission()
        copy.CopyFrom(honest)
        change(copy)
        assert copy != honest
        return copy

    return told


def header(change: Callable[[dict[str, Any]], None]) -> Lie:
    """The newest signed header with something else in it."""

    def told(copy: Submission) -> None:
        signed = json.loads(copy.headers[-1].signed_header)
        change(signed)
        copy.headers[-1].signed_header = json.dumps(signed).encode()

    return lie(told)


def entry(change: Callable[[asc_pb2.LogEntry], None]) -> Lie:
    """The log entry with something else in it, under the proof of the true one."""

    def told(copy: Submission) -> None:
        parsed = asc_pb2.LogEntry.FromString(copy.entry.value)
        change(parsed)
        copy.entry.value = parsed.SerializeToString(deterministic=True)

    return lie(told)


def field(name: str, value: object) -> Lie:
    """The log entry with one plain field changed."""
    return entry(lambda parsed: setattr(parsed, name, value))


def flipped(data: bytes, position: int = -1) -> bytes:
    """One bit of one byte changed."""
    changed = bytearray(data)
    changed[position] ^= 1
    return bytes(changed)


def _other_app_hash(signed: dict[str, Any]) -> None:
    signed["header"]["app_hash"] = flipped(bytes.fromhex(signed["header"]["app_hash"])).hex()


def _present(signed: dict[str, Any]) -> list[dict[str, Any]]:
    """Votes that are there: a slow validator's may be missing."""
    return [vote for vote in signed["commit"]["signatures"] if vote["signature"]]


def _other_signature(signed: dict[str, Any]) -> None:
    vote = _present(signed)[0]
    vote["signature"] = base64.b64encode(flipped(base64.b64decode(vote["signature"]))).decode()


def _two_signatures(signed: dict[str, Any]) -> None:
    for vote in _present(signed)[2:]:
        vote.update(
            block_id_flag=_ABSENT,
            validator_address="",
            timestamp="0001-01-01T00:00:00Z",
            signature=None,
        )


def _other_chain(signed: dict[str, Any]) -> None:
    signed["header"]["chain_id"] = "other-1"


def _more_power(copy: Submission) -> None:
    validators = json.loads(copy.headers[-1].validators)
    validators[0]["voting_power"] = "1000000"
    copy.headers[-1].validators = json.dumps(validators).encode()


def _without_validators(copy: Submission) -> None:
    copy.headers[-1].validators = b"[]"


def _other_height(copy: Submission) -> None:
    copy.headers[-1].height += 1


def _no_json(copy: Submission) -> None:
    copy.headers[-1].signed_header = b"\xff" * 100


def _deep_json(copy: Submission) -> None:
    copy.headers[-1].signed_header = b"[" * 200_000


HEADER_LIES: Final[dict[str, Lie]] = {
    "another app hash": header(_other_app_hash),
    "another signature": header(_other_signature),
    "two of four signatures": header(_two_signatures),
    "header of another chain": header(_other_chain),
    "more power for one": lie(_more_power),
    "no validators": lie(_without_validators),
    "another height": lie(_other_height),
    "no header": lie(_no_json),
    "deep header": lie(_deep_json),
}


def _other_handle(parsed: asc_pb2.LogEntry) -> None:
    parsed.ciphertexts[0].handle = flipped(parsed.ciphertexts[0].handle)


def _other_digest(parsed: asc_pb2.LogEntry) -> None:
    parsed.ciphertexts[0].digest = sha3_256(b"other")


def _another_ciphertext(parsed: asc_pb2.LogEntry) -> None:
    parsed.ciphertexts.add().CopyFrom(parsed.ciphertexts[0])


def _lower_thresholds(parsed: asc_pb2.LogEntry) -> None:
    parsed.thresholds.user_decryption = 1


def _key_generation(parsed: asc_pb2.LogEntry) -> None:
    parsed.kind = asc_pb2.REQUEST_KIND_KEY_GENERATION
    parsed.dealer = True


def _other_domain(parsed: asc_pb2.LogEntry) -> None:
    parsed.domain.chain_id += 1


def _epoch_record(copy: Submission) -> None:
    epoch = config_pb2.Epoch.FromString(copy.epoch.value)
    epoch.parties[1].tls_certificate = flipped(epoch.parties[1].tls_certificate)
    copy.epoch.value = epoch.SerializeToString(deterministic=True)


def _key_record(copy: Submission) -> None:
    record = asc_pb2.MaterialRecord.FromString(copy.key.value)
    record.parameters = "production"
    copy.key.value = record.SerializeToString(deterministic=True)


def _entry_proof(copy: Submission) -> None:
    copy.entry.proof = flipped(copy.entry.proof)


def _swapped_proofs(copy: Submission) -> None:
    copy.entry.proof, copy.epoch.proof = copy.epoch.proof, copy.entry.proof


def _entry_for_epoch(copy: Submission) -> None:
    copy.epoch.CopyFrom(copy.entry)


def _no_key(copy: Submission) -> None:
    copy.ClearField("key")


def _no_entry(copy: Submission) -> None:
    copy.ClearField("entry")


def _garbage_entry(copy: Submission) -> None:
    copy.entry.value = b"\xff" * 100


def _later(copy: Submission) -> None:
    copy.entry.height += 1


def _highest(copy: Submission) -> None:
    copy.entry.height = 2**64 - 1


def _highest_signed(copy: Submission) -> None:
    copy.epoch.height = 2**63 - 1


def _blob_data(copy: Submission) -> None:
    copy.ciphertexts[0].data = flipped(copy.ciphertexts[0].data)


def _blob_digest(copy: Submission) -> None:
    copy.ciphertexts[0].digest = sha3_256(b"other")


def _blob_of_another(copy: Submission) -> None:
    copy.ciphertexts.add(digest=sha3_256(b"other"), data=b"other")


def _too_many_headers(copy: Submission) -> None:
    for _ in range(1024):
        copy.headers.add(height=1)


OTHER_LIES: Final[dict[str, tuple[str, Lie]]] = {
    "another handle": ("proof", entry(_other_handle)),
    "another digest": ("proof", entry(_other_digest)),
    "one ciphertext more": ("proof", entry(_another_ciphertext)),
    "another user": ("proof", field("user", bytes(range(20)))),
    "another user key": ("proof", field("user_public_key", bytes(869))),
    "another key": ("proof", field("key_id", bytes(20))),
    "another epoch": ("proof", field("epoch_id", 2)),
    "another threshold": ("proof", field("threshold", 0)),
    "lower thresholds": ("proof", entry(_lower_thresholds)),
    "another kind": ("proof", field("kind", asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION)),
    "key generation": ("proof", entry(_key_generation)),
    "another domain": ("proof", entry(_other_domain)),
    "another chain": ("proof", field("chain_id", "other-1")),
    "later deadline": ("proof", field("deadline_height", 2**63)),
    "another request id": ("proof", field("request_id", bytes(20))),
    "another sequence": ("proof", field("sequence", 2**64 - 1)),
    "another party's certificate": ("proof", lie(_epoch_record)),
    "another parameter set": ("proof", lie(_key_record)),
    "another proof": ("proof", lie(_entry_proof)),
    "swapped proofs": ("proof", lie(_swapped_proofs)),
    "the entry as epoch": ("proof", lie(_entry_for_epoch)),
    "no key": ("proof", lie(_no_key)),
    "no entry": ("proof", lie(_no_entry)),
    "garbage as entry": ("malformed", lie(_garbage_entry)),
    "unknown height": ("stale", lie(_later)),
    "highest height": ("stale", lie(_highest)),
    "highest signed height": ("stale", lie(_highest_signed)),
    "ciphertext bytes": ("ciphertext-digest", lie(_blob_data)),
    "ciphertext address": ("ciphertext-digest", lie(_blob_digest)),
    "ciphertext of nobody": ("ciphertext-digest", lie(_blob_of_another)),
    "a thousand headers": ("malformed", lie(_too_many_headers)),
}
