"""One validator: the real engine and the real node process, in a folder, started and ended at will.

node = ValidatorNode.make(tmp_path)
node.start()
node.await_height(3)
node.kill()                       # both, without warning
node.reading()                    # heights of application, blocks and state at the last handshake
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from google.protobuf import json_format

from abci_app.grammar import Record
from cli.engine.home import EngineIdentity, initialise
from tests.support.chain import CHAIN_ID, genesis
from tests.support.ports import free_port
from wire.pb.tkms.state.v1 import state_pb2

# The engine that is shipped; TKMS_COMETBFT names another, the released one for instance.
ENGINE = Path(os.environ.get("TKMS_COMETBFT", Path.home() / ".cache/tkms/bin/tkms-engine"))
ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 90.0
# What the supervisor waits for an engine that has lost its application.
ORPHAN_SECONDS = 5.0
_POLL_SECONDS = 0.02
_STATEMENTS = ("appHeight", "storeHeight", "stateHeight")


@dataclass
class ValidatorNode:
    """Engine and application of one validator; `engine/` and `app/` in its home can be copied."""

    home: Path
    rpc: str
    p2p_port: int = 0
    settings: dict[str, object] = field(default_factory=dict)
    application: subprocess.Popen[bytes] | None = None
    engine: subprocess.Popen[bytes] | None = None
    # How often the engine had to be killed after its application had ended.
    hung: int = 0
    # What was read of the application's log, how far, and what it says was committed.
    _lines: list[dict[str, Any]] = field(default_factory=list)
    _read: int = 0
    _committed: dict[int, str] = field(default_factory=dict)
    # Loads read the height beside the test.
    _reading: Lock = field(default_factory=Lock, repr=False, compare=False)

    @classmethod
    def make(
        cls,
        home: Path,
        *,
        settings: Mapping[str, object] | None = None,
        config: Mapping[str, str] | None = None,
        parameters: Callable[[dict[str, Any]], None] = lambda _document: None,
        document: state_pb2.Genesis | None = None,
    ) -> ValidatorNode:
        """Make a new chain of one validator.

        Args:
            settings: of node.toml, beside those that every test wants.
            config: values of keys of config.toml, which are unique in it.
            parameters: changes genesis.json.
            document: the application's genesis.
        """
        node = cls(home, f"http://127.0.0.1:{free_port()}", free_port())
        (home / "app").mkdir(parents=True)
        engine = home / "engine"
        subprocess.run([ENGINE, "init", "--home", engine], check=True, capture_output=True)
        path = engine / "config/genesis.json"
        made = json.loads(path.read_text())
        made["chain_id"] = CHAIN_ID
        made["app_state"] = json.loads(json_format.MessageToJson(document or genesis()))
        parameters(made)
        path.write_text(json.dumps(made))
        wanted = {
            "proxy_app": f"unix://{home}/app/app.sock",
            "timeout_commit": "100ms",
            "log_level": "info",
            "log_format": "plain",
            "addr_book_strict": "false",
            **(config or {}),
        }
        for name, value in wanted.items():
            node.set_config(name, value)
        path = engine / "config/config.toml"
        text = path.read_text()
        text = text.replace("tcp://127.0.0.1:26657", node.rpc.replace("http", "tcp"))
        text = text.replace("tcp://0.0.0.0:26656", f"tcp://127.0.0.1:{node.p2p_port}")
        path.write_text(text)
        node.configure(**(settings or {}))
        return node

    def set_config(self, name: str, value: str) -> None:
        """Change a key of config.toml that is unique in it."""
        path = self.home / "engine/config/config.toml"
        shown = value if value in ("true", "false") else f'"{value}"'
        text, count = re.subn(rf"(?m)^{name} = .*$", f"{name} = {shown}", path.read_text())
        assert count == 1, name
        path.write_text(text)

    def configure(self, **settings: object) -> None:
        """Write node.toml, with changes that stay."""
        self.settings |= settings
        values: dict[str, object] = {
            "chain_id": CHAIN_ID,
            "proxy_socket": f"unix://{self.home}/app/app.sock",
            "log_level": "debug",
            "log_format": "json",
            "assert_grammar": True,
            "record_calls": "calls.log",
            **self.settings,
        }
        lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
        (self.home / "app/node.toml").write_text("\n".join(lines) + "\n")

    def plan_fault(self, point: str, height: int, action: str = "kill", seconds: int = 0) -> None:
        """Let the next process of the application die or wait."""
        self.configure(developer_faults=True)
        (self.home / "app/faults.toml").write_text(
            f'point = "{point}"\nheight = {height}\naction = "{action}"\nseconds = {seconds}\n'
        )

    def forget_fault(self) -> None:
        """Let the next process live."""
        (self.home / "app/faults.toml").unlink(missing_ok=True)

    def start(self) -> None:
        """Start the application, then the engine."""
        self.start_application()
        self.start_engine()

    def start_application(self, **environment: str) -> None:
        """Start the node process and wait until it listens."""
        if self.engine is not None and self.engine.poll() is not None:
            self.engine = None
        path = self.home / "app.log"
        with path.open("ab") as log:
            begin = log.tell()
            self.application = subprocess.Popen(
                [sys.executable, "-m", "abci_app.main", str(self.home / "app")],
                cwd=ROOT,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            )
        until(
            lambda: '"event": "ready"' in self._log(begin), "the application listens", self._alive
        )

    def start_engine(self) -> None:
        """Start the engine; it may end by itself."""
        with (self.home / "engine.log").open("ab") as log:
            self.engine = subprocess.Popen(
                [ENGINE, "start", "--home", self.home / "engine"], stdout=log, stderr=log
            )

    def kill(self) -> None:
        """Kill both without warning."""
        for process in (self.application, self.engine):
            if process is not None:
                process.kill()
                process.wait()
        self.application = self.engine = None

    def stop(self) -> None:
        """End the engine, then the application, in an orderly way."""
        for process in (self.engine, self.application):
            if process is not None:
                process.terminate()
        self.await_end()
        self.application = self.engine = None

    def terminate(self) -> int:
        """Ask the application to end; its exit code, when the engine has ended too."""
        assert self.application is not None
        self.application.terminate()
        return self.await_end()

    def await_end(self) -> int:
        """Wait until both have ended; the application's exit code.

        An engine that hangs without its application is killed, as the supervisor does.
        """
        assert self.application is not None
        code = self.application.wait(PATIENCE_SECONDS)
        if self.engine is not None:
            try:
                self.engine.wait(ORPHAN_SECONDS)
            except subprocess.TimeoutExpired:
                self.hung += 1
                self.engine.kill()
                self.engine.wait()
        return code

    def committed(self) -> dict[int, str]:
        """Height to app hash, as the application said in all of its lives."""
        self.lines()
        return self._committed

    def height(self) -> int:
        """What the application committed last."""
        return max(self.committed(), default=0)

    def await_height(self, height: int) -> None:
        """Wait until the application has committed a height."""
        until(lambda: self.height() >= height, f"height {height}", self._alive)

    def lines(self) -> list[dict[str, Any]]:
        """Log of the application; a line that a kill cut is left out."""
        with self._reading:
            return self._read_lines()

    def _read_lines(self) -> list[dict[str, Any]]:
        path = self.home / "app.log"
        if not path.exists():
            return self._lines
        with path.open("rb") as file:
            file.seek(self._read)
            complete, _, _ = file.read().rpartition(b"\n")
        if complete:
            self._read += len(complete) + 1
        for text in complete.split(b"\n"):
            line = _parsed(text)
            if line is None:
                continue
            self._lines.append(line)
            if line.get("event") == "committed":
                known = self._committed.setdefault(line["height"], line["app_hash"])
                assert known == line["app_hash"], line
        return self._lines

    def engine_log(self) -> str:
        """Log of the engine, all of its lives."""
        path = self.home / "engine.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def reading(self) -> tuple[int, int, int]:
        """Heights of application, block store and state at the last handshake."""
        line = [text for text in self.engine_log().splitlines() if "ABCI Replay Blocks" in text][-1]
        values = dict(re.findall(r"(\w+)=(\d+)", line))
        application, store, state = (int(values[name]) for name in _STATEMENTS)
        return application, store, state

    def record(self) -> Record:
        """Calls of the engines; their order is checked."""
        with (self.home / "app/calls.log").open(encoding="ascii") as file:
            record = Record.parse(file)
        record.check()
        return record

    def lives(self) -> list[str]:
        """Calls of each life of an engine, as words of the grammar; their order is checked."""
        return [life.letters for life in self.record().lives]

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """JSON-RPC of the engine."""
        answer = self.post(method, **parameters)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def post(self, method: str, **parameters: object) -> dict[str, Any]:
        """JSON-RPC of the engine, the whole answer."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters})
        request = urllib.request.Request(  # noqa: S310 - the address is our own
            self.rpc, body.encode(), {"content-type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as response:  # noqa: S310 - same
                document: dict[str, Any] = json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                document = json.load(error)
        return document

    def send(self, raw: bytes) -> dict[str, Any]:
        """Give a transaction to the mempool; its verdict."""
        return self.call("broadcast_tx_sync", tx=base64.b64encode(raw).decode())

    def balance(self, address: bytes) -> int:
        """Balance by a query."""
        response = self.call("abci_query", path="/account", data=address.hex())["response"]
        value = base64.b64decode(response["value"])
        return int(state_pb2.AccountView.FromString(value).account.balance)

    def check_hashes(self, first: int = 1) -> int:
        """Compare what was committed with the next header, from `first` on; the number compared."""
        committed = self.committed()
        last = max(committed) - 1
        compared = 0
        for height in range(first, last + 1):
            header = self.call("header", height=str(height + 1))["header"]
            # A process may be killed between its write and its line in the log.
            if height in committed:
                assert header["app_hash"].lower() == committed[height], height
                compared += 1
        return compared

    def copy(self, name: str, part: str) -> Path:
        """Keep a copy of `engine` or `app` of a node that does not run."""
        target = self.home / "kept" / name / part
        shutil.copytree(self.home / part, target, ignore=shutil.ignore_patterns("*.sock"))
        return target

    def restore(self, name: str, part: str) -> None:
        """Take a copy back; the record of calls begins anew with the application's."""
        shutil.rmtree(self.home / part)
        shutil.copytree(self.home / "kept" / name / part, self.home / part)

    def _alive(self) -> str:
        """What is dead, for the wait that would be in vain."""
        for name, process in (("application", self.application), ("engine", self.engine)):
            if process is not None and process.poll() is not None:
                tail = self._log()[-2000:] + self.engine_log()[-2000:]
                return f"the {name} ended with {process.returncode}: {tail}"
        return ""

    def _log(self, begin: int = 0) -> str:
        path = self.home / "app.log"
        if not path.exists():
            return ""
        with path.open("rb") as file:
            file.seek(begin)
            return file.read().decode("utf-8", "replace")


def until(
    condition: Callable[[], bool],
    what: str,
    dead: Callable[[], str] = lambda: "",
    seconds: float = PATIENCE_SECONDS,
) -> None:
    """Poll the outside world until something holds, or can no longer come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        found = dead()
        if found and not condition():
            raise AssertionError(f"{what} never comes: {found}")
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(_POLL_SECONDS)


def _parsed(text: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) else None


def identity_of(home: Path) -> EngineIdentity:
    """Who an engine is, from the keys in its home."""
    return initialise(ENGINE, home)


def signal_all(node: ValidatorNode, number: signal.Signals) -> None:
    """Send a signal to both processes of a node."""
    for process in (node.application, node.engine):
        if process is not None:
            os.kill(process.pid, number)
