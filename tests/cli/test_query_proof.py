"""`tkms query state` and `header`: a real application behind a node that may lie."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from cli import session as session_module
from cli.errors import ExitCode, UsageError
from cli.keystore import Keystore
from cli.main import run
from cli.network import Network
from cli.output import Terminal
from cli.query import state_keys
from cli.session import Sending, Session
from tests.support.chain import ALICE, BOB, Chain
from tests.support.rpc_node import RpcNode
from tests.support.shop import ciphertext, request_messages, start_shop


class Served:
    """A node over a test chain, served on a thread of its own."""

    def __init__(self, chain: Chain, node: RpcNode) -> None:
        """Serve until `stop`."""
        self.chain, self.node = chain, node
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._loop.run_until_complete, args=(self._serve(ready),)
        )
        self._thread.start()
        ready.wait()

    async def _serve(self, ready: threading.Event) -> None:
        async with self.node.serve():
            ready.set()
            await self._end.wait()

    def stop(self) -> None:
        """Stop serving."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A served chain; the environment names it and its validators."""
    # What commands do, but before the application of this test logs for the first time.
    # Another test may have left a log on stdout, and this one leaves a configured log alone.
    structlog.reset_defaults()
    session_module._log_to_stderr()
    chain = Chain.start(tmp_path / "chain")
    made = Served(chain, RpcNode(chain))
    monkeypatch.setenv("TKMS_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("TKMS_LOCALNET_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("TKMS_NODE", made.node.url)
    monkeypatch.setenv("TKMS_TRUSTED_VALIDATORS_HASH", made.node.validators_hash.hex())
    while made.chain.height < 6:
        time.sleep(0.02)
    yield made
    made.stop()
    chain.close()
    structlog.reset_defaults()


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any]]:
    """Run a query; exit code and document."""

    def asked(*words: str) -> tuple[int, Any]:
        code = run(["query", *words, "-o", "json"])
        return code, json.loads(capsys.readouterr().out)

    return asked


def test_present_and_absent_are_proven(served: Served, ask: Any, tmp_path: Path) -> None:
    """Value, record, header and app hash; absence says so; the newest header is kept."""
    code, found = ask("state", "account:" + str(ALICE.address), "--prove")
    assert code == ExitCode.OK
    assert (found["verified"], found["present"], found["kind"]) == (True, True, "account")
    assert found["record"]["balance"] == served.chain.balance(ALICE)
    assert found["header_height"] == found["height"] + 1
    signed = json.loads(json.dumps(served.node._on_commit(str(found["header_height"]))))
    header = signed["signed_header"]["header"]
    assert found["app_hash"] == header["app_hash"].lower()
    assert len(found["header_hash"]) == 64
    assert found["trusted"] == f"validators {served.node.validators_hash.hex()}"
    assert len(list((tmp_path / "config/headers").iterdir())) == 1
    code, found = ask("state", "asc/log/7", "--prove")
    assert (code, found["verified"], found["present"]) == (0, True, False)
    assert (found["value"], found["record"]) == (None, None)
    assert found["key_bytes"] == "0x" + (b"asc/log/" + (7).to_bytes(8, "big")).hex()


def test_a_height_of_the_past(served: Served, ask: Any) -> None:
    """The state of an earlier height is proven under the header after it; unknown heights are refused."""
    code, found = ask("state", "parameters", "--prove", "--height", "1")
    assert (code, found["height"], found["header_height"]) == (0, 1, 2)
    code, found = ask("state", "parameters", "--prove", "--height", "100000")
    assert (code, found["error"]["reason"]) == (ExitCode.REJECTED, "NOT_FOUND")


def test_a_trusted_header_as_root(served: Served, ask: Any) -> None:
    """Height and hash of a header replace the pinned validators; a wrong hash is refused."""
    _, header = ask("header", "1", "--prove")
    assert (header["verified"], header["height"], header["signed_by"]) == (True, 1, 4)
    words = ("state", "prices", "--prove", "--trust-height", "1", "--trust-hash")
    code, found = ask(*words, header["hash"])
    assert (code, found["trusted"]) == (0, f"header 1 {header['hash']}")
    code, found = ask(*words, "ab" * 32)
    assert (code, found["error"]["reason"]) == (ExitCode.VERIFICATION, "VERIFICATION_FAILED")
    code, found = ask("header", "--trust-height", "1", "--prove")
    assert (code, found["error"]["reason"]) == (ExitCode.USAGE, "USAGE")


def test_without_prove_it_is_said(served: Served, ask: Any) -> None:
    """The node's word is shown as such, and options of trust are not silently ignored."""
    code, found = ask("state", "prices")
    assert (code, found["verified"], found["present"]) == (0, False, True)
    code, found = ask("header")
    assert (code, found["verified"]) == (0, False)
    for words in (("state", "prices"), ("header",)):
        code, found = ask(*words, "--witness", "http://127.0.0.1:9")
        assert (code, found["error"]["reason"]) == (ExitCode.USAGE, "USAGE")


@pytest.mark.parametrize(
    "lie",
    [
        {"value": "AAAA"},
        {"value": ""},
        {"proofOps": None},
        {"height": "1"},
        {"proofOps": {"ops": [{"type": "tkms:ics23", "key": "", "data": "AAAA"}]}},
    ],
)
def test_lies_have_an_exit_code(
    served: Served, ask: Any, monkeypatch: pytest.MonkeyPatch, lie: dict[str, Any]
) -> None:
    """Another value, a hidden one, no proof, a broken one, a proof of another height."""
    # The node makes blocks by itself; one made here would come into the middle of one of them.
    height = served.chain.height
    while served.chain.height <= height:
        time.sleep(0.02)
    honest = served.node._on_abci_query

    def lying(**question: Any) -> dict[str, Any]:
        return {"response": honest(**question)["response"] | lie}

    monkeypatch.setattr(served.node, "_on_abci_query", lying)
    words = ["state", "account:" + str(ALICE.address), "--prove"]
    if "height" in lie:
        words += ["--height", "2"]
    code, found = ask(*words)
    assert (code, found["error"]["reason"]) == (ExitCode.VERIFICATION, "VERIFICATION_FAILED")


def test_witnesses(
    served: Served, ask: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agreeing witness, a dead one, the node itself, and one with another history."""
    witness = RpcNode(served.chain)
    witness._maker, witness._app_hashes = served.node._maker, served.node._app_hashes
    monkeypatch.setattr(witness, "make_block", lambda: None)
    other = Served(served.chain, witness)
    try:
        code, found = ask("header", "2", "--prove", "--witness", witness.url)
        assert (code, found["verified"]) == (0, True)
        code, found = ask("header", "3", "--prove", "--witness", "http://127.0.0.1:9")
        assert (code, found["error"]["reason"]) == (ExitCode.UNREACHABLE, "WITNESSES_SILENT")
        code, found = ask("header", "3", "--prove", "--witness", served.node.url)
        assert (code, found["error"]["reason"]) == (ExitCode.USAGE, "USAGE")
        # Header 2 is the common one; the witness's state differs from block 3 on.
        true = served.node._app_hashes
        witness._app_hashes = {**true, **dict.fromkeys(range(3, 1000), b"\x01" * 32)}
        code, found = ask("header", "4", "--prove", "--witness", witness.url)
        error = found["error"]
        assert (code, error["reason"]) == (ExitCode.VERIFICATION, "CONFLICTING_HEADERS")
        assert (error["primary"], error["witness"]) == (served.node.url, witness.url)
        evidence = json.loads(Path(error["evidence_file"]).read_text())
        assert evidence["against_primary"]["kind"] == "lunatic"
    finally:
        other.stop()


def session(folder: Path) -> Session:
    """A session that needs no network to read keys."""
    network = Network(*[""] * 7, keystore=Keystore(folder), passphrase_file=None, home=None)
    return Session(Terminal(), network, Sending())


def test_every_key_of_a_state_has_a_name(tmp_path: Path) -> None:
    """Whatever the chain stores and proves, this client can name and read."""
    chain, key_id = start_shop(tmp_path, delegate=bytes(BOB.address))
    record, _ = ciphertext("one", key_id)
    assert chain.send(ALICE, *request_messages(record)).ok
    content = {key: value for key, value in chain.content().items() if not key.startswith(b"~")}
    aliases = {getattr(state_keys.family_of(key), "alias", "") for key in content}
    assert aliases >= {"escrow", "answer", "log", "key", "handle", "delegate", "public", "seen"}
    for key, value in content.items():
        family = state_keys.family_of(key)
        assert family is not None, key
        record = state_keys.record_of(key, value)
        assert (record is None) == (not family.message), key
    chain.close()


def test_forms_of_a_key(tmp_path: Path) -> None:
    """Short form, path and bytes name the same key; nonsense is refused with the right form."""
    identity, address = "ab" * 20, "0x" + "11" * 20
    for forms in (
        ("log:7", "asc/log/7", "0x6173632f6c6f672f0000000000000007"),
        (f"request:{identity}", f"asc/status/{identity}", "0x" + b"asc/status/".hex() + identity),
        (
            f"answer:{identity}/3",
            f"asc/answer/{identity}/3",
            "0x" + b"asc/answer/".hex() + identity + "2f00000003",
        ),
        (
            f"account:{address}",
            f"bank/account/{address}",
            "0x" + b"bank/account/".hex() + "11" * 20,
        ),
        ("supply", "bank/supply", "0x" + b"bank/supply".hex()),
        (f"delegate:shop/{address}", f"isc/acl/shop/delegate/{address}"),
    ):
        assert len({state_keys.parse_key(session(tmp_path), form) for form in forms}) == 1
    assert state_keys.parse_key(session(tmp_path), "something/else") == b"something/else"
    for bad in ("log:", "log:x", "log:-1", f"log:{2**64}", "log:1/2", "supply:1", "request:ab",
                "0x", "0xz", "~asc/prune", "0x7e61", "validator:00", "answer:" + identity):  # fmt: skip
        with pytest.raises(UsageError):
            state_keys.parse_key(session(tmp_path), bad)
