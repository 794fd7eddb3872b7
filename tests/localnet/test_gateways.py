"""Gateways in two languages: the relay dies between submission and answer, and nothing is lost."""

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.localnet.harness import ROOT, Network
from tests.localnet.reader import Reader, commands
from tests.support import node
from tests.support.node import NODE, install
from wire.signing import Secp256k1Signer

pytestmark = pytest.mark.localnet

EXAMPLES = ROOT / "examples" / "gateway"
SECRET = b"\x21" * 32
# More than a JavaScript number holds, and another value when its bytes are read backwards.
VALUE = 2**63 + 77


@pytest.fixture(scope="module")
def network(start_network: Callable[..., Network]) -> Network:
    """Four operators and a relay."""
    return start_network(relay=True)


@pytest.fixture(scope="module")
def value(network: Network) -> tuple[str, int]:
    """A value that everybody, and the gateway's user, may see."""
    network.tkms("keygen", "--crs-bits", "256", "--dealer")
    encrypted = network.tkms("encrypt", "--type", "euint64", "--value", str(VALUE))
    handle = str(encrypted["handles"][0]["handle"])
    network.tkms("prepare", handle)
    network.tkms("public", handle)
    network.tkms("grant", Secp256k1Signer(SECRET).address.checksum, handle)
    return handle, VALUE


@pytest.fixture(scope="module")
def buf() -> str:
    """The tool of the locked version."""
    return str(node.buf())


def settings(network: Network, handle: str, name: str) -> dict[str, Any]:
    """What a gateway is told; everything but the relay comes from who is trusted."""
    trusted = network.tkms("application", "trust", "demo")
    secret = {"user_secret": SECRET.hex(), "name": name, "handle": handle}
    return {**trusted, **secret, "relay": network.plan.relay_address}


def python() -> list[str]:
    """Command of the gateway in Python."""
    return [sys.executable, str(EXAMPLES / "python" / "gateway.py")]


def javascript() -> list[str]:
    """Command of the gateway in JavaScript."""
    folder = EXAMPLES / "javascript"
    install(folder)
    return [NODE, str(folder / "gateway.cjs")]


@pytest.mark.parametrize("language", [python, javascript])
def test_a_gateway_outlives_its_relay(
    network: Network, value: tuple[str, int], language: Callable[[], list[str]], tmp_path: Path
) -> None:
    """Submit while too few cores run, kill -9 the relay, let the cores run: both values, verified."""
    handle, expected = value
    path = tmp_path / "gateway.json"
    path.write_text(json.dumps(settings(network, handle, language.__name__)))
    command = language()
    network.tkms("localnet", "stop", "core1", "core3")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*command, str(path)], stdout=subprocess.PIPE, env=environment, text=True
    ) as gateway:
        assert gateway.stdout is not None
        said = []
        try:
            for line in gateway.stdout:
                said.append(json.loads(line))
                if "submitted" in said[-1]:
                    network.tkms("localnet", "kill", "relay")
                    network.tkms("localnet", "start", "core1", "core3")
        finally:
            gateway.kill()
    assert {name: int(v) for found in said for name, v in found.items() if name != "submitted"} == {
        "publicDecryption": expected,
        "userDecryption": expected,
    }
    requests = network.tkms("request", "list")["requests"]
    submitted = {found["submitted"] for found in said if "submitted" in found}
    assert len(submitted) == 2
    assert sum(str(each["request"]).removeprefix("0x") in submitted for each in requests) == 2


def test_a_public_decryption_on_the_command_line(
    network: Network, value: tuple[str, int], buf: str
) -> None:
    """No file of ours but the script: the relay says what it speaks."""
    handle, expected = value
    environment = os.environ | {"PATH": f"{Path(buf).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [str(EXAMPLES / "json" / "public.sh"), network.plan.relay_address, "demo", handle],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    opened = {base64.b64decode(a["fulfil"]["publicDecryption"]["decryptedResult"]) for a in answers}
    assert opened == {expected.to_bytes(32, "big")}
    assert len(answers) >= 2


def sdk(network: Network, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run an example of the SDK; the relay's account pays."""
    files = [str(network.home / "localnet.json"), str(network.home / "relay" / "account.key")]
    return subprocess.run(
        [sys.executable, str(ROOT / "examples" / "sdk" / program), *files, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_programs_with_the_sdk(network: Network, value: tuple[str, int], tmp_path: Path) -> None:
    """A public and a user decryption; who may not see the value is told so."""
    handle, expected = value
    public = sdk(network, "public.py", handle)
    assert json.loads(public.stdout)["values"] == [expected], public.stderr
    assert "Decided" in public.stderr
    keys = {"user": SECRET, "stranger": bytes(31) + bytes([9])}
    for name, secret in keys.items():
        (tmp_path / name).write_text(secret.hex())
        (tmp_path / name).chmod(0o600)
    user = sdk(network, "user.py", str(tmp_path / "user"), handle)
    assert json.loads(user.stdout) == {"values": [expected], "liars": []}, user.stderr
    stranger = sdk(network, "user.py", str(tmp_path / "stranger"), handle)
    assert stranger.returncode == 1
    assert "not allowed" in stranger.stderr


def test_the_page_for_gateway_developers(network: Network, tmp_path: Path) -> None:
    """Every command of docs/gateway.md, and every reason that it names."""
    typed = commands("gateway.md")
    assert len(typed) >= 2
    reader = Reader(network, tmp_path)
    for arguments in typed:
        reader.types(arguments)
    page = (ROOT / "docs" / "gateway.md").read_text()
    for name in re.findall(r"^\| `([A-Z_]+)`", page, re.MULTILINE):
        assert hasattr(grpc.StatusCode, name)


def test_the_examples_are_short() -> None:
    """Each is read in one go."""
    for path in (EXAMPLES / "python" / "gateway.py", EXAMPLES / "javascript" / "gateway.cjs"):
        assert len(path.read_text().splitlines()) < 80
