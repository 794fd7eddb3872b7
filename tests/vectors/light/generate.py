"""Record headers, commits and validator sets of real CometBFT chains for the light client tests.

Usage: ``python tests/vectors/light/generate.py PATH_OF_COMETBFT``. Two chains run on the loopback
interface with the built-in key-value application: one with a single validator, one with four whose
powers change by transaction and of which one stops before the end, so that the record holds a
changed validator set and absent signatures. Output: ``one.json`` and ``four.json`` beside this
file. Every run makes new keys, hence other bytes.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

HEIGHTS = 12
POWER_CHANGE_AT = 3
STOP_AT = 8
FIRST_PORT = 36650
DEADLINE_SECONDS = 120.0
HERE = Path(__file__).parent


def call(port: int, method: str, **arguments: str) -> Any:
    """Call an RPC method by GET and return its ``result``."""
    query = urllib.parse.urlencode(arguments)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{method}?{query}", timeout=5) as response:
        return json.load(response)["result"]


def wait_for(port: int, height: int) -> None:
    """Poll until the chain has committed ``height``."""
    end = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < end:
        try:
            if int(call(port, "status")["sync_info"]["latest_block_height"]) >= height:
                return
        except OSError:
            pass
        time.sleep(0.2)
    message = f"no block {height} within {DEADLINE_SECONDS} s"
    raise TimeoutError(message)


def configure(home: Path, index: int, chain_id: str, peers: str) -> None:
    """Give a node its own loopback ports, quick blocks, the built-in app and its peers."""
    path = home / "config" / "config.toml"
    text = path.read_text()
    for pattern, value in (
        (r"^proxy_app = .*$", 'proxy_app = "kvstore"'),
        (r'^laddr = "tcp://127\.0\.0\.1:26657"$', f'laddr = "tcp://127.0.0.1:{rpc_port(index)}"'),
        (r'^laddr = "tcp://0\.0\.0\.0:26656"$', f'laddr = "tcp://127.0.0.1:{p2p_port(index)}"'),
        (r"^persistent_peers = .*$", f'persistent_peers = "{peers}"'),
        (r"^allow_duplicate_ip = .*$", "allow_duplicate_ip = true"),
        (r"^addr_book_strict = .*$", "addr_book_strict = false"),
        (r"^timeout_commit = .*$", 'timeout_commit = "300ms"'),
        (r"^pprof_laddr = .*$", 'pprof_laddr = ""'),
    ):
        text = re.sub(pattern, value, text, count=1, flags=re.MULTILINE)
    path.write_text(text)
    genesis = home / "config" / "genesis.json"
    document = json.loads(genesis.read_text())
    document["chain_id"] = chain_id
    genesis.write_text(json.dumps(document))


def rpc_port(index: int) -> int:
    """RPC port of node ``index``."""
    return FIRST_PORT + 2 * index


def p2p_port(index: int) -> int:
    """Peer-to-peer port of node ``index``."""
    return FIRST_PORT + 2 * index + 1


def prepare(binary: str, root: Path, validators: int, chain_id: str) -> list[Path]:
    """Create the homes of all nodes and return them."""
    run = [binary, "testnet", "--v", str(validators), "--o", str(root)]
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
    homes = [root / f"node{index}" for index in range(validators)]
    identities = [
        subprocess.run(
            [binary, "show-node-id", "--home", str(home)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for home in homes
    ]
    peers = ",".join(
        f"{identity}@127.0.0.1:{p2p_port(index)}" for index, identity in enumerate(identities)
    )
    for index, home in enumerate(homes):
        configure(home, index, chain_id, peers if validators > 1 else "")
    return homes


def change_power(homes: list[Path]) -> None:
    """Raise the power of the first validator by a transaction of the key-value application."""
    key = json.loads((homes[0] / "config" / "priv_validator_key.json").read_text())["pub_key"]
    answer = call(rpc_port(0), "broadcast_tx_sync", tx=f'"val=ed25519!{key["value"]}!2"')
    if answer["code"] != 0:
        raise RuntimeError(answer["log"])


def record(chain_id: str) -> dict[str, Any]:
    """Fetch what a light client needs of every height."""
    blocks = []
    for height in range(1, HEIGHTS + 1):
        commit = call(rpc_port(0), "commit", height=str(height))
        validators = call(rpc_port(0), "validators", height=str(height), per_page="100")
        blocks.append(
            {
                "signed_header": commit["signed_header"],
                "validators": validators["validators"],
            }
        )
    return {"chain_id": chain_id, "blocks": blocks}


def run_chain(binary: str, validators: int, chain_id: str) -> dict[str, Any]:
    """Run a chain for a few blocks, record it and end all its processes."""
    with tempfile.TemporaryDirectory() as folder:
        homes = prepare(binary, Path(folder), validators, chain_id)
        nodes = [
            subprocess.Popen(
                [binary, "start", "--home", str(home)],
                stdout=(home / "log").open("wb"),
                stderr=subprocess.STDOUT,
            )
            for home in homes
        ]
        try:
            if validators > 1:
                wait_for(rpc_port(0), POWER_CHANGE_AT)
                change_power(homes)
                wait_for(rpc_port(0), STOP_AT)
                nodes[-1].terminate()
            wait_for(rpc_port(0), HEIGHTS + 1)
            return record(chain_id)
        finally:
            for node in nodes:
                node.terminate()
            for node in nodes:
                node.wait(timeout=30)


def main() -> None:
    """Write both vector files."""
    binary = sys.argv[1]
    for name, validators in (("one", 1), ("four", 4)):
        chain = run_chain(binary, validators, f"tkms-light-{validators}")
        text = json.dumps(chain, indent=1, sort_keys=True)
        (HERE / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
