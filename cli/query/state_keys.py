"""State keys as people write them: `account:alice`, `asc/log/7`, or the raw bytes in hexadecimal.

A path is the key with its binary parts in text: numbers in decimal, ids and accounts in hexadecimal
(accounts also by name). A short form is a name and, after a colon, the parts that the path leaves open.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cli.errors import UsageError
from cli.session import Session, accounts_of, parse_handle, parse_request

_PART = re.compile(r"\{(\w+)\}")
_ALIAS = re.compile(r"^([a-z-]+)(?::(.*))?$")


@dataclass(frozen=True, slots=True)
class Family:
    """Keys of one form."""

    alias: str
    # Path with the kinds of its open parts in braces.
    path: str
    # Module and message of the value; empty for a number or bytes without a message.
    message: str = ""

    @property
    def kinds(self) -> list[str]:
        """Kinds of the open parts."""
        return _PART.findall(self.path)


FAMILIES = (
    Family("account", "bank/account/{account}", "bank.Account"),
    Family("escrow", "bank/escrow/{id}"),
    Family("supply", "bank/supply", "bank.Supply"),
    Family("request", "asc/status/{id}", "asc.RequestStatus"),
    Family("log", "asc/log/{u64}", "asc.LogEntry"),
    Family("log-last", "asc/sequence", "number"),
    Family("answer", "asc/answer/{id}/{u32}", "asc.Answer"),
    Family("key", "asc/key/{id}", "asc.MaterialRecord"),
    Family("crs", "asc/crs/{id}", "asc.MaterialRecord"),
    Family("preprocessing", "asc/preprocessing/{id}", "asc.MaterialRecord"),
    Family("generating", "asc/generating/{id}"),
    Family("destroying", "asc/destroying/{id}"),
    Family("progress", "asc/progress/{id}/{u32}", "asc.Progress"),
    Family("pool", "asc/pool/{u64}", "number"),
    Family("audit", "asc/audit/{u64}", "asc.AuditRecord"),
    Family("audit-last", "asc/audit-sequence", "number"),
    Family("evidence", "asc/evidence/{u64}", "asc.EvidenceRecord"),
    Family("evidence-last", "asc/evidence-sequence", "number"),
    Family("application", "isc/application/{text}", "isc.Application"),
    Family("domain", "isc/domain/{bytes32}"),
    Family("handle", "isc/handle/{text}/{handle}", "isc.Ciphertext"),
    Family("delegate", "isc/acl/{text}/delegate/{account}", "isc.Permission"),
    Family("grant", "isc/acl/{text}/grant/{handle}/{account}", "isc.Permission"),
    Family("public", "isc/acl/{text}/public/{handle}", "isc.Permission"),
    Family("epoch", "config/epoch/{u64}", "config.Epoch"),
    Family("epoch-current", "config/epoch-current", "number"),
    Family("epoch-last", "config/epoch-last", "number"),
    Family("epoch-pending", "config/epoch-pending", "config.PendingEpoch"),
    Family("epoch-since", "config/epoch-since", "number"),
    Family("parameters", "config/parameters", "config.Parameters"),
    Family("prices", "config/prices", "config.Prices"),
    Family("role", "config/role/{u64}", "config.RoleHolders"),
    Family("validator", "config/validator/{bytes32}", "config.Validator"),
    Family("consensus", "config/consensus", "config.ConsensusParameters"),
    Family("genesis-allowed", "config/genesis-allowed", "config.GenesisAllowed"),
    Family("engine-updates", "config/engine-updates", "config.EngineUpdates"),
    Family("proposal", "config/proposal/{u64}", "config.Proposal"),
    Family("proposal-last", "config/proposal-last", "number"),
    Family("due", "config/due/{u64}/{u64}"),
    Family("closed", "config/closed/{u64}", "number"),
    Family("history", "config/history/{u64}", "config.ConfigRecord"),
    Family("history-last", "config/history-last", "number"),
    Family("version", "chain/version", "number"),
    Family("clock", "clock/time", "clock.Clock"),
    Family("seen", "ante/seen/{u64}/{u64}"),
)
_WIDTHS = {"u64": 8, "u32": 4, "id": 20, "account": 20, "handle": 32, "bytes32": 32}


def parse_key(session: Session, text: str) -> bytes:
    """Return the key's bytes; UsageError for what cannot be one."""
    if text.startswith("0x"):
        try:
            key = bytes.fromhex(text[2:])
        except ValueError as error:
            raise UsageError(f"{text} is not hexadecimal") from error
    else:
        key = _by_alias(session, text) or _by_path(session, text) or text.encode()
    if not key:
        raise UsageError("a key is not empty")
    if key.startswith(b"~"):
        raise UsageError(
            "keys that begin with ~ are derived by every node for itself: nothing proves them"
        )
    return key


def family_of(key: bytes) -> Family | None:
    """Return the family that a key belongs to, if any."""
    for family in FAMILIES:
        pattern = b""
        for literal, kind in _parts(family.path):
            pattern += re.escape(literal.encode())
            if kind:
                pattern += b"[^/]+" if kind == "text" else b".{%d}" % _WIDTHS[kind]
        if re.fullmatch(pattern, key, re.DOTALL):
            return family
    return None


def record_of(key: bytes, value: bytes) -> dict[str, Any] | None:
    """Return the value as fields where the key says what it is.

    VerificationFailed when it does not fit: the chain has another schema than this client.
    """
    family = family_of(key)
    if family is None or not family.message:
        return None
    if family.message == "number":
        return {"number": int.from_bytes(value, "big")}
    from google.protobuf.message import DecodeError  # noqa: PLC0415 - slow import

    from client.errors import VerificationFailed  # noqa: PLC0415
    from wire.documents import document  # noqa: PLC0415

    try:
        return document(_message(family.message).FromString(value))
    except DecodeError as error:
        raise VerificationFailed(f"the value is no {family.message} of this schema") from error


def _message(name: str) -> Any:
    from importlib import import_module  # noqa: PLC0415

    module, _, message = name.partition(".")
    return getattr(import_module(f"wire.pb.tkms.{module}.v1.{module}_pb2"), message)


def _by_alias(session: Session, text: str) -> bytes | None:
    found = _ALIAS.match(text)
    family = next((entry for entry in FAMILIES if found and entry.alias == found[1]), None)
    if family is None or found is None:
        return None
    given = found[2].split("/") if found[2] else []
    if len(given) != len(family.kinds):
        form = "/".join(kind.upper() for kind in family.kinds)
        raise UsageError(f"{text}: write {family.alias}{':' + form if form else ''}")
    return _assemble(session, family, given)


def _by_path(session: Session, text: str) -> bytes | None:
    for family in FAMILIES:
        pattern = "".join(
            re.escape(literal) + ("([^/]+)" if kind else "")
            for literal, kind in _parts(family.path)
        )
        found = re.fullmatch(pattern, text)
        if found:
            return _assemble(session, family, list(found.groups()))
    return None


def _assemble(session: Session, family: Family, given: list[str]) -> bytes:
    key = b""
    left = list(given)
    for literal, kind in _parts(family.path):
        key += literal.encode()
        if kind:
            key += _encode(session, kind, left.pop(0))
    return key


def _parts(path: str) -> list[tuple[str, str]]:
    """Literal text and the kind of the open part after it; the last kind may be empty."""
    pieces = _PART.split(path)
    return list(zip(pieces[::2], [*pieces[1::2], ""], strict=True))


def _encode(session: Session, kind: str, text: str) -> bytes:
    if kind in {"u64", "u32"}:
        return _number(text, _WIDTHS[kind])
    encoders: dict[str, Callable[[str], bytes]] = {
        "id": lambda part: bytes(parse_request(part)),
        "account": lambda part: accounts_of(session, [part])[0],
        "handle": parse_handle,
        "bytes32": lambda part: _hex(part, 32),
        "text": str.encode,
    }
    return encoders[kind](text)


def _number(text: str, width: int) -> bytes:
    if not text.isdecimal() or int(text) >= 1 << 8 * width:
        raise UsageError(f"{text} is not a number of {width} bytes")
    return int(text).to_bytes(width, "big")


def _hex(text: str, length: int) -> bytes:
    try:
        value = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        value = b""
    if len(value) != length:
        raise UsageError(f"{text} is not {length} bytes in hexadecimal")
    return value
