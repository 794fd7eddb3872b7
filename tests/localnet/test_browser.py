"""A browser walks through the explorer of a living network: search, request, block, key and party pages."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.localnet.harness import Network, until
from tests.support.node import NODE, install

pytestmark = pytest.mark.localnet

WALK = Path(__file__).resolve().parents[1] / "browser"
BROWSER = shutil.which("chromium") or ""
if not BROWSER and os.environ.get("TKMS_REQUIRE_BROWSER") != "1":
    pytest.skip("there is no chromium", allow_module_level=True)


@pytest.fixture(scope="module")
def network(start_network: Callable[..., Network]) -> Network:
    """Four operators and an explorer."""
    return start_network(explorer=True)


def api(network: Network, path: str) -> Any:
    """A document of the explorer's API."""
    done = subprocess.run(
        ["curl", "--silent", "--fail", f"{network.plan.explorer_url}/api/v1/{path}"],
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(done.stdout) if done.returncode == 0 else None


def test_a_reader_finds_nothing_to_complain_about(
    network: Network, prepared: list[tuple[str, int]], tmp_path: Path
) -> None:
    """All pages at phone and desk width, light and dark; clicks; without scripts; live."""
    install(WALK)
    handle = prepared[0][0]
    request = str(network.tkms("decrypt", handle)["request"])
    private = str(network.tkms("reencrypt", handle, "--from", "alice")["request"])
    network.tkms("localnet", "stop", "core1", "core3")
    pending = str(network.tkms("decrypt", handle, "--no-wait")["request_ids"][0])
    until(lambda: api(network, f"request/{pending}") is not None, "the index has the request")
    shown = api(network, f"request/{request}")
    key, opened = shown["summary"]["key_id"], shown["summary"]["opened_height"]
    account = network.plan.accounts["demo"]
    transaction = shown["transaction"]
    block = api(network, f"block/{opened}")
    pages = ["/", "/blocks", f"/block/{opened}", "/transactions", f"/transaction/{transaction}"]
    pages += ["/requests", f"/request/{request}", f"/request/{private}", f"/request/{pending}"]
    pages += ["/keys", f"/key/{key}", "/reference-strings", "/applications", "/application/demo"]
    pages += [f"/handle/{handle}", f"/account/{account}", "/parties", "/party/2", "/validators"]
    pages += ["/config", "/consensus", "/charts", "/audit", "/evidence", "/search?q=demo"]
    searches = [
        [request, f"/request/{request}"],
        [str(opened), f"/block/{opened}"],
        [block["summary"]["hash"], f"/block/{opened}"],
        [transaction, f"/transaction/{transaction}"],
        # The key and the request that made it have one id.
        [key, f"/search?q={key}"],
        [account, f"/account/{account}"],
    ]
    plan = tmp_path / "plan.json"
    pictures = Path(os.environ.get("TKMS_PICTURES") or tmp_path)
    document = {
        "browser": BROWSER,
        "base": network.plan.explorer_url,
        "folder": str(pictures),
        "pages": pages,
        "searches": searches,
        "request": request,
        "pending": pending,
    }
    plan.write_text(json.dumps(document))
    with subprocess.Popen(
        [NODE, str(WALK / "walk.cjs"), str(plan)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as walk:
        assert walk.stdin is not None
        assert walk.stdout is not None
        findings: list[str] = ["the walk ended early"]
        for line in walk.stdout:
            said = json.loads(line)
            if "waiting" in said:
                network.tkms("localnet", "start", "core1", "core3")
                print("answered", file=walk.stdin, flush=True)
            findings = said.get("findings", findings)
    assert findings == [], "\n".join(findings)
    assert len(list(pictures.glob("*.png"))) >= 4 * (len(pages) - 2)
