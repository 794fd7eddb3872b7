"""`preprocess`, `keygen`, `refresh`, `epoch` and `fhe-key`: a real chain whose parties are played."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from asc import state as asc_state
from cli import session as session_module
from cli.errors import ExitCode
from cli.keystore import Keystore
from cli.main import run
from client import requests
from tests.support.chain import Chain, genesis, message, party_account, party_key
from tests.support.generated import generated
from tests.support.rpc_node import RpcNode
from wire.digests import sha256
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.tx.v1 import tx_pb2

PASSPHRASE = "only for this test"
# Blocks after which parties answer though nobody asked how far they are.
PATIENCE_BLOCKS = 100


class PlayedParties(RpcNode):
    """Four parties that report, wait until somebody has seen it, and answer, as long as they are told to."""

    speak = True
    seen: frozenset[bytes] = frozenset()
    content: Callable[[int], str] = staticmethod(lambda _party: "same")

    def make_block(self) -> None:
        """Add what the parties say to the next block."""
        if self.speak:
            state = self.chain.state()
            for request_id in list(asc_state.open_requests(state)):
                status = asc_state.status(state, request_id.value)
                assert status is not None
                self._play(asc_state.require_log_entry(state, status.sequence), status)
        super().make_block()

    def _play(self, entry: asc_pb2.LogEntry, status: asc_pb2.RequestStatus) -> None:
        age = self.chain.height - entry.height
        for party in range(1, entry.parties + 1):
            if age == 1:
                told = asc_pb2.ReportProgress(
                    request_id=entry.request_id, party=party, phase="bits", done=party, total=9
                )
                self._say(party, message(report_progress=told))
            ready = entry.request_id in self.seen or age >= PATIENCE_BLOCKS
            if ready and party not in status.answered:
                content = self.content(party)
                fulfil = generated(entry, party, party_key(party), content)
                self._say(party, message(fulfil=fulfil))

    def _on_abci_query(self, path: str, data: str, height: str, prove: bool) -> dict[str, Any]:
        answer = super()._on_abci_query(path, data, height, prove)
        if path == "/asc/progress" and answer["response"]["value"]:
            self.seen |= {bytes.fromhex(data)}
        return answer

    def _say(self, party: int, told: tx_pb2.Message) -> None:
        raw = self.chain.build(party_account(party), told)
        self._pool[sha256(raw)] = raw


class Served:
    """Serves a node on a thread of its own until `stop`."""

    def __init__(self, node: RpcNode) -> None:
        """Wait until it answers."""
        self._node = node
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        ready = threading.Event()
        work = (self._serve(ready),)
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=work)
        self._thread.start()
        ready.wait()

    async def _serve(self, ready: threading.Event) -> None:
        async with self._node.serve():
            ready.set()
            await self._end.wait()

    def stop(self) -> None:
        """Stop serving."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlayedParties]:
    """A chain without keys; the environment names it, its validators and the administrator's account."""
    # Another test may have left a log on stdout, and this one leaves a configured log alone.
    structlog.reset_defaults()
    session_module._log_to_stderr()
    monkeypatch.setattr(requests, "_PHASE_POLL_S", 0.1)
    Keystore(tmp_path / "keys").add("admin", sha256(b"test account admin"), PASSPHRASE, light=True)
    (tmp_path / "passphrase").write_text(PASSPHRASE + "\n")
    (tmp_path / "passphrase").chmod(0o600)
    document = genesis()
    limits = document.parameters
    limits.max_ttl_blocks = 2000
    limits.generation_deadline_blocks = limits.epoch_change_deadline_blocks = 5000
    limits.proposal_ttl_blocks = 5000
    chain = Chain.start(tmp_path / "chain", document)
    node = PlayedParties(chain, block_seconds=0.02)
    served = Served(node)
    for name, value in {
        "TKMS_CONFIG_HOME": tmp_path / "config",
        "TKMS_LOCALNET_HOME": tmp_path / "none",
        "TKMS_KEYSTORE": tmp_path / "keys",
        "TKMS_PASSPHRASE_FILE": tmp_path / "passphrase",
        "TKMS_FROM": "admin",
        "TKMS_NODE": node.url,
        "TKMS_TRUSTED_VALIDATORS_HASH": node.validators_hash.hex(),
    }.items():
        monkeypatch.setenv(name, str(value))
    yield node
    served.stop()
    chain.close()
    structlog.reset_defaults()


@pytest.fixture
def tkms(
    node: PlayedParties, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, Any, str]]:
    """Run a command; exit code, document and what was said on stderr."""
    assert node.url

    def typed(*words: str) -> tuple[int, Any, str]:
        code = run([*words, "-o", "json"])
        found = capsys.readouterr()
        return code, json.loads(found.out), found.err

    return typed


def made_key(tkms: Any) -> dict[str, Any]:
    """What `keygen` says of a key without reference string."""
    code, made, _ = tkms("keygen", "--parameters", "test", "--crs-bits", "0")
    assert code == ExitCode.OK, made
    return dict(made)


def settle(tkms: Any, made: dict[str, Any]) -> None:
    """Wait until a proposal is closed."""
    while tkms("governance", "show", str(made["proposal"]))[1]["status"] != "closed":
        pass


def test_keygen_does_all_three(tkms: Any) -> None:
    """Preprocessing, key, reference string: their ids, no dealer, and the phases on the way."""
    code, made, said = tkms("keygen", "--parameters", "test", "--crs-bits", "64")
    assert code == ExitCode.OK
    assert (made["dealer"], made["parameters"], made["epoch_id"]) == (False, "test", 1)
    assert sorted(made["digests"]) == ["check", "public-key", "server-key"]
    assert len({made[name] for name in ("preprocessing_id", "key_id", "crs_id")}) == 3
    assert "preprocessing: bits (4 of 4 parties) 1/9" in said
    assert "a toy" in said
    assert "insecure" not in said
    code, found, _ = tkms("query", "state", f"key:{made['key_id']}", "--prove")
    assert (code, found["record"]["preprocessing_id"]) == (0, made["preprocessing_id"])


def test_a_preprocessing_is_used_once(tkms: Any) -> None:
    """The chain's reason and exit code 5 the second time."""
    _, made, _ = tkms("preprocess", "--parameters", "test")
    words = ("keygen", "--parameters", "test", "--crs-bits", "0", "--preprocessing")
    code, key, _ = tkms(*words, made["preprocessing_id"])
    assert (code, key["preprocessing_id"]) == (0, made["preprocessing_id"])
    code, refused, _ = tkms(*words, made["preprocessing_id"])
    assert (code, refused["error"]["reason"]) == (ExitCode.REJECTED, "PREPROCESSING_CONSUMED")


def test_a_dealer_is_asked_for_and_loud(tkms: Any) -> None:
    """Only with the option, and said on stderr."""
    code, made, said = tkms("keygen", "--parameters", "test", "--crs-bits", "0", "--dealer")
    assert (code, made["dealer"]) == (0, True)
    assert "one core dealt this key and has seen it: insecure" in said


def test_refresh_waits_for_the_epoch(tkms: Any) -> None:
    """When it returns the new shares serve; before there is a key it is refused."""
    code, refused, _ = tkms("refresh")
    assert (code, refused["error"]["reason"]) == (ExitCode.REJECTED, "NOTHING_TO_REFRESH")
    key = made_key(tkms)
    code, made, said = tkms("refresh")
    assert code == ExitCode.OK
    assert (made["epoch_id"], made["previous_epoch_id"], made["keys"]) == (2, 1, [key["key_id"]])
    assert "new shares: bits (4 of 4 parties)" in said
    _, shown, _ = tkms("epoch", "show")
    assert (shown["epoch"]["id"], "pending" in shown) == (2, False)
    _, found, _ = tkms("fhe-key", "show", key["key_id"])
    record = found["keys"][0]["record"]
    assert (record["epoch_id"], record["born_epoch_id"], record["status"]) == (2, 1, "active")


def test_silence_is_a_timeout_that_names_the_request(tkms: Any, node: PlayedParties) -> None:
    """Exit code 6; the pending change is shown; when the parties speak, it goes on by itself."""
    made_key(tkms)
    node.speak = False
    code, error, _ = tkms("refresh", "--ready-timeout", "0.5")
    assert (code, error["error"]["reason"]) == (ExitCode.TIMEOUT, "TIMEOUT")
    request = error["error"]["request"]
    _, shown, _ = tkms("epoch", "show")
    assert (shown["pending"]["request_id"], shown["pending"]["answered"]) == (request, [])
    assert (shown["pending"]["epoch_id"], shown["pending"]["needed"]) == (2, 3)
    code, refused, _ = tkms("refresh")
    assert (code, refused["error"]["reason"]) == (ExitCode.REJECTED, "EPOCH_PENDING")
    node.speak = True
    code, waited, _ = tkms("request", "wait", request)
    assert (code, waited["kind"], waited["status"]) == (0, "epoch-change", "fulfilled")


def test_disagreement_is_a_failure(tkms: Any, node: PlayedParties) -> None:
    """Exit code 1 and who answered; the old epoch goes on."""
    made_key(tkms)
    node.content = lambda party: str(party % 2)
    code, error, _ = tkms("refresh")
    assert (code, error["error"]["reason"]) == (ExitCode.FAILURE, "REQUEST_FAILED")
    _, shown, _ = tkms("epoch", "show")
    assert shown["epoch"]["id"] == 1


def test_abort(tkms: Any, node: PlayedParties) -> None:
    """A pending preprocessing ends; waiting for it then says why."""
    node.speak = False
    _, error, _ = tkms("preprocess", "--parameters", "test", "--ready-timeout", "0.3")
    request = error["error"]["request"]
    assert tkms("request", "abort", request)[0] == ExitCode.OK
    code, failed, _ = tkms("request", "wait", request)
    assert (code, failed["error"]["failure"]) == (ExitCode.FAILURE, "aborted")
    code, refused, _ = tkms("request", "abort", request)
    assert (code, refused["error"]["reason"]) == (ExitCode.REJECTED, "REQUEST_DECIDED")


def test_states(tkms: Any, node: PlayedParties) -> None:
    """Suspended, resumed, revoked, destroyed by proposals; the parties say that they erased it."""
    key_id = made_key(tkms)["key_id"]
    for action, options, state in (
        ("suspend", (), "suspended"),
        ("resume", (), "active"),
        ("revoke", ("--yes",), "revoked"),
        ("destroy", ("--yes",), "destroyed"),
    ):
        code, made, _ = tkms("fhe-key", action, key_id, *options, "--in", "100")
        assert code == ExitCode.OK, made
        assert (made["kind"], made["scheduled"]) == ("key", True)
        settle(tkms, made)
        _, found, _ = tkms("fhe-key", "show", key_id)
        assert found["keys"][0]["record"]["status"] == state
    record = found["keys"][0]["record"]
    code, waited, _ = tkms("request", "wait", record["destruction_id"])
    assert (code, waited["kind"]) == (0, "key-destruction")
    code, refused, _ = tkms("fhe-key", "resume", key_id, "--in", "30")
    assert (code, refused["error"]["reason"]) == (ExitCode.REJECTED, "KEY_STATE_INVALID")
    code, error, _ = tkms("fhe-key", "show", "ab" * 20)
    assert (code, error["error"]["reason"]) == (ExitCode.REJECTED, "NOT_FOUND")
    assert node.chain.height > 0


def test_destruction_asks_first(tkms: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --yes and without an answer nothing is proposed."""
    key_id = made_key(tkms)["key_id"]
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    code, error, said = tkms("fhe-key", "destroy", key_id)
    assert (code, error["error"]["reason"]) == (ExitCode.INTERRUPTED, "INTERRUPTED")
    assert "lost for ever" in said
    assert tkms("governance", "list")[1]["proposals"] == []
