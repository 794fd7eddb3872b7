"""One validator of the real engine and the real node process, killed and started again."""

from __future__ import annotations

import base64
import json
import os
import re
import selectors
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format

from tests.support.chain import ALICE, CHAIN_ID, STRANGER, genesis, message
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.tx import build

ENGINE = Path(os.environ.get("TKMS_COMETBFT", Path.home() / ".cache/tkms/bin/cometbft"))
ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 90

pytestmark = [
    pytest.mark.localnet,
    pytest.mark.skipif(not ENGINE.exists(), reason="the engine is not built"),
]


class Node:
    """Engine and application of one validator."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.rpc = f"http://127.0.0.1:{_free_port()}"
        # Height to app hash, as the application committed them in all of its lives.
        self.committed: dict[int, str] = {}
        self._processes: list[subprocess.Popen[bytes]] = []
        self._initialise()

    def _initialise(self) -> None:
        engine = self.home / "engine"
        subprocess.run([ENGINE, "init", "--home", engine], check=True, capture_output=True)
        path = engine / "config/genesis.json"
        document = json.loads(path.read_text())
        document["chain_id"] = CHAIN_ID
        document["app_state"] = json.loads(json_format.MessageToJson(genesis()))
        path.write_text(json.dumps(document))
        path = engine / "config/config.toml"
        text = path.read_text()
        for name, value in (
            ("proxy_app", f"unix://{self.home}/app.sock"),
            ("timeout_commit", "100ms"),
        ):
            text, count = re.subn(rf'(?m)^{name} = ".*"', f'{name} = "{value}"', text)
            assert count == 1
        text = text.replace("tcp://127.0.0.1:26657", self.rpc.replace("http", "tcp"))
        text = text.replace("tcp://0.0.0.0:26656", f"tcp://127.0.0.1:{_free_port()}")
        path.write_text(text)
        (self.home / "node.toml").write_text(
            f'chain_id = "{CHAIN_ID}"\nproxy_socket = "unix://{self.home}/app.sock"\n'
            'log_level = "debug"\nlog_format = "json"\n'
        )

    def start(self) -> None:
        """Start the application, then the engine."""
        command = [sys.executable, "-m", "abci_app.main", str(self.home)]
        application = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
        self._processes.append(application)
        self._await_line(lambda line: line["event"] == "ready")
        with (self.home / "engine.log").open("ab") as log:
            engine = subprocess.Popen(
                [ENGINE, "start", "--home", self.home / "engine"], stdout=log, stderr=log
            )
        self._processes.append(engine)

    def kill(self) -> None:
        """Kill both without warning."""
        for process in self._processes:
            process.kill()
            process.wait()
            if process.stderr is not None:
                process.stderr.close()
        self._processes.clear()

    def terminate(self) -> int:
        """Ask the application to end; return its exit code."""
        application, engine = self._processes
        application.terminate()
        code = application.wait(PATIENCE_SECONDS)
        engine.wait(PATIENCE_SECONDS)
        self.kill()
        return code

    def await_height(self, height: int) -> None:
        """Wait until the application has committed a height."""
        self._await_line(lambda _line: height in self.committed)

    def call(self, method: str, **parameters: str) -> dict[str, Any]:
        """JSON-RPC of the engine."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters})
        request = urllib.request.Request(  # noqa: S310 - the address is our own
            self.rpc, body.encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as response:  # noqa: S310 - same
            answer = json.load(response)
        assert "error" not in answer, answer
        return answer["result"]

    def balance(self, address: bytes) -> int:
        """Balance by an ABCI query."""
        response = self.call("abci_query", path="/account", data=address.hex())["response"]
        value = base64.b64decode(response["value"])
        return state_pb2.AccountView.FromString(value).account.balance

    def _await_line(self, wanted: Callable[[dict[str, Any]], bool]) -> None:
        """Read log lines of the application until one is wanted."""
        stream = self._processes[0].stderr
        selector = selectors.DefaultSelector()
        selector.register(stream, selectors.EVENT_READ)
        deadline = time.monotonic() + PATIENCE_SECONDS
        with selector:
            while selector.select(max(0, deadline - time.monotonic())):
                text = stream.readline()
                assert text, "the application ended"
                line = json.loads(text)
                if line["event"] == "committed":
                    self.committed[line["height"]] = line["app_hash"]
                if wanted(line):
                    return
        engine_log = self.home / "engine.log"
        raise AssertionError(engine_log.read_text()[-3000:] if engine_log.exists() else "no engine")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A started validator."""
    node = Node(tmp_path)
    node.start()
    yield node
    node.kill()


def test_a_validator_survives_the_death_of_both_processes(node: Node) -> None:
    """A transfer is committed; after kill -9 heights grow and all app hashes agree with the headers."""
    node.await_height(2)
    amount = 321
    transfer = bank_pb2.Transfer(recipient=bytes(STRANGER.address), amount=amount)
    raw = build(
        ALICE,
        CHAIN_ID,
        [message(transfer=transfer)],
        expires_at_height=90,
        max_fee=10_000,
        nonce=bytes(16),
    )
    accepted = node.call("broadcast_tx_sync", tx=base64.b64encode(raw).decode())
    assert accepted["code"] == 0, accepted
    node.await_height(max(node.committed) + 3)
    assert node.balance(bytes(STRANGER.address)) == amount
    again = node.call("broadcast_tx_sync", tx=base64.b64encode(raw[:-1]).decode())
    assert (again["code"], again["codespace"]) == (1001, "tkms")

    node.kill()
    before = max(node.committed)
    node.start()
    node.await_height(before + 3)
    assert node.balance(bytes(STRANGER.address)) == amount

    # Without a gap, but for what the killed process committed and could not say.
    for height, app_hash in sorted(node.committed.items())[:-1]:
        header = node.call("commit", height=str(height + 1))["signed_header"]["header"]
        assert header["app_hash"].lower() == app_hash
        assert header["version"]["app"] == "1"
    assert node.terminate() == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
