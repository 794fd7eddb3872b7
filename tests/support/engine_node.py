"""One validator of the real engine with its built-in key-value application, and the engine's own light client."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import os
import re
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.support.light_twin import Maker, address
from tests.support.ports import free_port

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tkms/bin"
ENGINE = Path(os.environ.get("TKMS_COMETBFT", _CACHE / "cometbft-v0.40.0"))
PATIENCE_S = 60


class RpcError(Exception):
    """Error of a JSON-RPC answer."""


class EngineNode:
    """A chain of one validator whose key the test owns; validators join by `val:` transactions."""

    def __init__(self, home: Path, chain_id: str) -> None:
        """Write the home; nothing runs yet."""
        self.home = home
        self.chain_id = chain_id
        self.url = f"http://127.0.0.1:{free_port()}"
        self._process: subprocess.Popen[bytes] | None = None
        subprocess.run([ENGINE, "init", "--home", home], check=True, capture_output=True)
        path = home / "config/genesis.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "chain_id": chain_id}))
        path = home / "config/config.toml"
        text = path.read_text()
        text, count = re.subn(r'(?m)^timeout_commit = ".*"', 'timeout_commit = "50ms"', text)
        assert count == 1
        text = text.replace("tcp://127.0.0.1:26657", self.url.replace("http", "tcp"))
        text = text.replace("tcp://0.0.0.0:26656", f"tcp://127.0.0.1:{free_port()}")
        path.write_text(text)

    def start(self) -> None:
        """Start, and wait for the first blocks."""
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [ENGINE, "start", "--home", self.home, "--proxy_app", "kvstore"],
                stdout=log,
                stderr=log,
            )
        self.await_height(2)

    def stop(self) -> None:
        """Kill it."""
        end(self._process)
        self._process = None

    def words(self) -> str:
        """What it logged."""
        return (self.home / "log").read_text()

    def maker(self) -> Maker:
        """A maker of headers that signs with the validator's own key."""
        return maker_with_keys(self.chain_id, [self.home])

    def height(self) -> int:
        """Newest height."""
        return int(self.call("status")["sync_info"]["latest_block_height"])

    def await_height(self, height: int) -> None:
        """Wait for a height."""
        wait_for(lambda: self.height() >= height, f"height {height} of {self.home}")

    def light_block(self, height: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Signed header and validators."""
        signed = self.call("commit", height=str(height))["signed_header"]
        return signed, self.call("validators", height=str(height))["validators"]

    def send(self, raw: bytes) -> int:
        """Commit a transaction; returns its height."""
        found = self.call("broadcast_tx_commit", tx=base64.b64encode(raw).decode())
        assert found["tx_result"]["code"] == 0, found
        return int(found["height"])

    def call(self, method: str, **parameters: Any) -> Any:
        """JSON-RPC of the node."""
        return call(self.url, method, **parameters)


class EngineLight:
    """The engine's light client as a proxy: what it serves, it has verified."""

    def __init__(self, home: Path, chain_id: str, primary: str, witness: str) -> None:
        """Remember the sources."""
        self.url = f"http://127.0.0.1:{free_port()}"
        self._home = home
        self._command = [ENGINE, "light", chain_id, "-p", primary, "-w", witness]
        self._command += ["--laddr", self.url.replace("http", "tcp"), "--home-dir", home / "db"]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, height: int, digest: str) -> None:
        """Start from a trusted header; `alive` says whether it accepted it."""
        self._home.mkdir(parents=True, exist_ok=True)
        command = [*self._command, "--height", str(height), "--hash", digest]
        with self._log().open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def serving(self) -> bool:
        """Wait until it serves or ends; whether it serves."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                return False
            with contextlib.suppress(OSError, RpcError):
                call(self.url, "status")
                return True
            time.sleep(0.1)
        raise AssertionError(self.words())

    def header_hash(self, height: int) -> str:
        """Hash of a header that it verified."""
        found = call(self.url, "commit", height=str(height))
        return str(found["signed_header"]["commit"]["block_id"]["hash"])

    def words(self) -> str:
        """What it logged."""
        return self._log().read_text()

    def stop(self) -> None:
        """Kill it."""
        end(self._process)
        self._process = None

    def _log(self) -> Path:
        return self._home / "log"


def maker_with_keys(chain_id: str, homes: list[Path]) -> Maker:
    """A maker of headers that signs with the keys of real validators."""
    maker = Maker(chain_id)
    for home in homes:
        key = json.loads((home / "config/priv_validator_key.json").read_text())
        private = Ed25519PrivateKey.from_private_bytes(
            base64.b64decode(key["priv_key"]["value"])[:32]
        )
        maker.keys[address(private.public_key().public_bytes_raw())] = private
    return maker


def pour(source: socket.socket, target: socket.socket) -> None:
    """Copy bytes until one side ends."""
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


def call(url: str, method: str, **parameters: Any) -> Any:
    """JSON-RPC; RpcError for an error."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters})
    request = urllib.request.Request(  # noqa: S310 - the address is our own
        url, body.encode(), {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:  # noqa: S310 - same
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            answer = json.load(error)
    if answer.get("error"):
        raise RpcError(answer["error"])
    return answer["result"]


def end(process: subprocess.Popen[bytes] | None) -> None:
    """Kill a process of ours and wait for it."""
    if process is not None:
        process.kill()
        process.wait()


def wait_for(done: Callable[[], bool], what: str) -> None:
    """Wait until something is so; a server that is not up yet is not so."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, RpcError):
            if done():
                return
        time.sleep(0.05)
    raise AssertionError(f"timed out: {what}")


class LyingNode:
    """The RPC of a node in front of a real one; `forged` maps heights to signed headers of its own."""

    def __init__(self, url: str) -> None:
        """Serve at once."""
        self.forged: dict[int, dict[str, Any]] = {}
        lies = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                question = json.loads(self.rfile.read(int(self.headers["content-length"])))
                self._reply(json.dumps(lies._answer(url, question)).encode())

            def do_GET(self) -> None:
                """Tunnel the websocket that the engine's light client keeps open."""
                lines = [self.requestline, *(f"{k}: {v}" for k, v in self.headers.items())]
                host, port = url.removeprefix("http://").split(":")
                with socket.create_connection((host, int(port))) as upstream:
                    upstream.sendall("\r\n".join([*lines, "", ""]).encode())
                    back = threading.Thread(target=pour, args=(upstream, self.connection))
                    back.start()
                    pour(self.connection, upstream)
                    back.join()
                self.close_connection = True

            def _reply(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, url: str, question: dict[str, Any]) -> dict[str, Any]:
        height = int((question.get("params") or {}).get("height") or 0)
        answer = {"jsonrpc": "2.0", "id": question["id"]}
        if question["method"] == "commit" and height in self.forged:
            return {**answer, "result": {"signed_header": self.forged[height], "canonical": True}}
        try:
            return {**answer, "result": call(url, question["method"], **question["params"])}
        except RpcError as error:
            return {**answer, "error": error.args[0]}
