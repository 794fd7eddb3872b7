"""Slow second opinion on the light client, and a maker of headers: CometBFT rules in plain Python.

``verify`` and ``genesis`` return a reason for refusal or ``None``. They follow the CometBFT light
client specification (verification, section "light client verification") and the strict extra rules
of the kernel. ``Maker`` signs arbitrary headers with keys of its own.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

Json = dict[str, Any]
SECOND = 1_000_000_000
ABSENT, COMMIT = 1, 2
PRECOMMIT = 2
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def sha256(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()


def merkle(leaves: list[bytes]) -> bytes:
    """RFC 6962 Merkle root."""
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0])
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + merkle(leaves[:split]) + merkle(leaves[split:]))


def varint(value: int) -> bytes:
    """Protobuf varint; negative numbers as 64-bit two's complement."""
    value %= 1 << 64
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(encoded) + bytes([value])


def number(tag: int, value: int) -> bytes:
    """Protobuf varint field; nothing for zero."""
    return varint(tag << 3) + varint(value) if value else b""


def data(tag: int, value: bytes) -> bytes:
    """Protobuf bytes field; nothing for the empty string."""
    return message(tag, value) if value else b""


def message(tag: int, value: bytes) -> bytes:
    """Protobuf embedded message, also when empty."""
    return varint(tag << 3 | 2) + varint(len(value)) + value


def fixed(tag: int, value: int) -> bytes:
    """Protobuf sfixed64 field; nothing for zero."""
    return varint(tag << 3 | 1) + value.to_bytes(8, "little", signed=True) if value else b""


def time_ns(text: str) -> int:
    """Nanoseconds since 1970 of an RFC 3339 time in UTC with up to nine decimals."""
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    moment = dt.datetime.fromisoformat(seconds).replace(tzinfo=dt.UTC)
    whole = (moment - EPOCH) // dt.timedelta(seconds=1)
    return whole * SECOND + int(fraction.ljust(9, "0") or "0")


def time_text(nanoseconds: int) -> str:
    """RFC 3339 text of a time."""
    seconds, rest = divmod(nanoseconds, SECOND)
    return f"{(EPOCH + dt.timedelta(seconds=seconds)).strftime('%Y-%m-%dT%H:%M:%S')}.{rest:09}Z"


def timestamp(text: str) -> bytes:
    """Protobuf Timestamp."""
    seconds, rest = divmod(time_ns(text), SECOND)
    return number(1, seconds) + number(2, rest)


def block_id(value: Json) -> bytes:
    """Protobuf BlockID, which has the same bytes in its canonical form."""
    parts = number(1, int(value["parts"]["total"])) + data(2, bytes.fromhex(value["parts"]["hash"]))
    return data(1, bytes.fromhex(value["hash"])) + message(2, parts)


def header_hash(header: Json) -> bytes:
    """Merkle root over the fourteen encoded fields of a header."""
    version = header["version"]
    hashes = (
        "last_commit_hash",
        "data_hash",
        "validators_hash",
        "next_validators_hash",
        "consensus_hash",
        "app_hash",
        "last_results_hash",
        "evidence_hash",
        "proposer_address",
    )
    leaves = [
        number(1, int(version["block"])) + number(2, int(version.get("app", 0))),
        data(1, header["chain_id"].encode()),
        number(1, int(header["height"])),
        timestamp(header["time"]),
        block_id(header["last_block_id"]),
    ]
    return merkle(leaves + [data(1, bytes.fromhex(header[name])) for name in hashes])


def validators_hash(validators: list[Json]) -> bytes:
    """Merkle root over public keys and powers."""
    return merkle(
        [
            message(1, data(1, base64.b64decode(validator["pub_key"]["value"])))
            + number(2, int(validator["voting_power"]))
            for validator in validators
        ]
    )


def sign_bytes(chain_id: str, commit: Json, entry: Json) -> bytes:
    """What a validator signs in a precommit for the block of ``commit``."""
    vote = (
        number(1, PRECOMMIT)
        + fixed(2, int(commit["height"]))
        + fixed(3, int(commit["round"]))
        + message(4, block_id(commit["block_id"]))
        + message(5, timestamp(entry["timestamp"]))
        + data(6, chain_id.encode())
    )
    return varint(len(vote)) + vote


def address(public_key: bytes) -> str:
    """Address of a validator key, upper-case hexadecimal."""
    return sha256(public_key)[:20].hex().upper()


def signature_holds(validator: Json, entry: Json, chain_id: str, commit: Json) -> bool:
    """Check the ed25519 signature of a commit entry."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(validator["pub_key"]["value"]))
    try:
        key.verify(base64.b64decode(entry["signature"]), sign_bytes(chain_id, commit, entry))
    except InvalidSignature:
        return False
    return True


def refuse_validators(validators: list[Json]) -> str | None:
    """Check order, addresses and uniqueness of a validator list."""
    order = [(-int(item["voting_power"]), item["address"]) for item in validators]
    if order != sorted(order) or not order:
        return "order"
    if len({item["address"] for item in validators}) != len(order):
        return "repeated"
    for item in validators:
        if item["address"] != address(base64.b64decode(item["pub_key"]["value"])):
            return "address"
    return "power" if any(power >= 0 for power, _ in order) else None


def refuse_block(chain_id: str, signed: Json, validators: list[Json]) -> str | None:
    """Check everything of a block that needs no trusted header, except its time."""
    header, commit = signed["header"], signed["commit"]
    if header["chain_id"] != chain_id or commit["height"] != header["height"]:
        return "chain or height"
    if header_hash(header).hex().upper() != commit["block_id"]["hash"]:
        return "header hash"
    if validators_hash(validators).hex().upper() != header["validators_hash"]:
        return "validators hash"
    return refuse_validators(validators) or refuse_commit(chain_id, commit, validators)


def refuse_commit(chain_id: str, commit: Json, validators: list[Json]) -> str | None:
    """Check the signatures of a commit: all right, each at its place, more than two thirds."""
    if len(commit["signatures"]) != len(validators):
        return "number of signatures"
    signed_power = 0
    for entry, validator in zip(commit["signatures"], validators, strict=True):
        if entry["block_id_flag"] != ABSENT and entry["validator_address"] != validator["address"]:
            return "place"
        if entry["block_id_flag"] == COMMIT:
            if not signature_holds(validator, entry, chain_id, commit):
                return "signature"
            signed_power += int(validator["voting_power"])
    total = sum(int(validator["voting_power"]) for validator in validators)
    return None if 3 * signed_power > 2 * total else "two thirds"


def genesis(
    chain_id: str, pinned: bytes, signed: Json, validators: list[Json], now_ns: int, drift_s: int
) -> str | None:
    """Reason to refuse a first block, or None."""
    if validators_hash(validators) != pinned:
        return "pinned set"
    if time_ns(signed["header"]["time"]) >= now_ns + drift_s * SECOND:
        return "future"
    return refuse_block(chain_id, signed, validators)


@dataclass(frozen=True, slots=True)
class Rules:
    """Chain id and clock of a verification."""

    chain_id: str
    now_ns: int
    trusting_period_s: int = 3600
    drift_s: int = 10


def verify(
    rules: Rules, trusted: Json, next_validators: list[Json], signed: Json, validators: list[Json]
) -> str | None:
    """Reason to refuse a block after a trusted header, or None."""
    header, anchor = signed["header"], trusted["header"]
    block_time, trusted_time = time_ns(header["time"]), time_ns(anchor["time"])
    if trusted_time + rules.trusting_period_s * SECOND <= rules.now_ns:
        return "expired"
    if not trusted_time < block_time < rules.now_ns + rules.drift_s * SECOND:
        return "time"
    height, trusted_height = int(header["height"]), int(anchor["height"])
    if height <= trusted_height:
        return "height"
    if height == trusted_height + 1:
        if header["validators_hash"] != anchor["next_validators_hash"]:
            return "announced set"
    elif reason := refuse_overlap(anchor, next_validators, signed["commit"]):
        return reason
    return refuse_block(rules.chain_id, signed, validators)


def refuse_overlap(anchor: Json, known: list[Json], commit: Json) -> str | None:
    """Check that more than a third of the known power signed; signatures are checked elsewhere."""
    if validators_hash(known).hex().upper() != anchor["next_validators_hash"]:
        return "known set"
    signers = {
        entry["validator_address"]
        for entry in commit["signatures"]
        if entry["block_id_flag"] == COMMIT
    }
    power = sum(int(item["voting_power"]) for item in known if item["address"] in signers)
    total = sum(int(item["voting_power"]) for item in known)
    return None if 3 * power > total else "one third"


@dataclass(slots=True)
class Maker:
    """Makes signed headers of a chain that never ran."""

    chain_id: str
    start_ns: int = 1_700_000_000 * SECOND
    keys: dict[str, Ed25519PrivateKey] = field(default_factory=dict)

    def validator(self, name: str, power: int) -> Json:
        """A validator with a key derived from its name."""
        key = Ed25519PrivateKey.from_private_bytes(sha256(name.encode()))
        public = key.public_key().public_bytes_raw()
        self.keys[address(public)] = key
        encoded = base64.b64encode(public).decode()
        return {
            "address": address(public),
            "pub_key": {"type": "tendermint/PubKeyEd25519", "value": encoded},
            "voting_power": str(power),
            "proposer_priority": "0",
        }

    def validators(self, **powers: int) -> list[Json]:
        """A validator list in canonical order."""
        made = [self.validator(name, power) for name, power in powers.items()]
        return sorted(made, key=lambda item: (-int(item["voting_power"]), item["address"]))

    def block(
        self, height: int, validators: list[Json], following: list[Json] | None = None
    ) -> Json:
        """A header at ``height`` seconds after the start, signed by all validators."""
        before = {"hash": "AB" * 32, "parts": {"total": 1, "hash": "CD" * 32}}
        if height == 1:
            before = {"hash": "", "parts": {"total": 0, "hash": ""}}
        header = {
            "version": {"block": "11", "app": "1"},
            "chain_id": self.chain_id,
            "height": str(height),
            "time": time_text(self.start_ns + height * SECOND),
            "last_block_id": before,
            "last_commit_hash": "01" * 32,
            "data_hash": "02" * 32,
            "validators_hash": validators_hash(validators).hex().upper(),
            "next_validators_hash": validators_hash(following or validators).hex().upper(),
            "consensus_hash": "03" * 32,
            "app_hash": "04" * 32,
            "last_results_hash": "05" * 32,
            "evidence_hash": "06" * 32,
            "proposer_address": validators[0]["address"],
        }
        return self.sign(header, validators)

    def sign(self, header: Json, validators: list[Json]) -> Json:
        """Commit to a header with the keys of all validators."""
        commit: Json = {
            "height": header["height"],
            "round": 0,
            "block_id": {
                "hash": header_hash(header).hex().upper(),
                "parts": {"total": 1, "hash": "EF" * 32},
            },
        }
        commit["signatures"] = [self.entry(commit, header, item) for item in validators]
        return {"header": header, "commit": commit}

    def entry(self, commit: Json, header: Json, validator: Json) -> Json:
        """A commit entry."""
        entry: Json = {
            "block_id_flag": COMMIT,
            "validator_address": validator["address"],
            "timestamp": header["time"],
        }
        key = self.keys[validator["address"]]
        signature = key.sign(sign_bytes(header["chain_id"], commit, entry))
        return {**entry, "signature": base64.b64encode(signature).decode()}


def absent_entry() -> Json:
    """The commit entry of a validator that did not vote."""
    return {
        "block_id_flag": ABSENT,
        "validator_address": "",
        "timestamp": "0001-01-01T00:00:00Z",
        "signature": None,
    }
