"""Every command that a how-to page shows is run, in the page's order, on a live network."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.localnet.harness import ROOT, Network
from tests.localnet.reader import Reader, commands, commands_of

pytestmark = pytest.mark.localnet

_BACKGROUND = ("-f",)


@pytest.fixture(scope="module")
def network(start_network: Callable[..., Network]) -> Network:
    """Four honest operators."""
    return start_network()


def test_submitter(network: Network, tmp_path: Path) -> None:
    """The page for people who submit transactions, from account to revocation."""
    secret = tmp_path / "passphrase.txt"
    secret.write_text("only for this test\n")
    secret.chmod(0o600)
    reader = Reader(network, tmp_path)
    typed = commands("submitter.md")
    assert len(typed) > 20
    documents = [reader.types(arguments) for arguments in typed]
    revealed = {
        arguments[0]: document["values"][0]["value"]
        for arguments, document in zip(typed, documents, strict=True)
        if arguments[0] in {"decrypt", "reencrypt"}
    }
    assert revealed == {"decrypt": 12, "reencrypt": 12}


def test_operator(network: Network, tmp_path: Path) -> None:
    """The part of the operators' page that looks at a local network, and the fault drills, which end well.

    The rest of the page is typed in test_operator_page.py.
    """
    reader = Reader(network, tmp_path)
    page = (ROOT / "docs" / "operator.md").read_text()
    one, two = (operator.rpc_url for operator in network.plan.operators[:2])
    places = {"http://HOST:26657": one, "http://OTHER:26657": two, "account:NAME": "account:demo"}
    typed = [
        [places.get(word, word) for word in arguments]
        for arguments in commands_of(page[page.index("## Look at a whole network") :])
        if not set(arguments) & set(_BACKGROUND) and arguments[:2] != ["localnet", "up"]
    ]
    assert ["localnet", "stop", "core3"] in typed
    assert ["status", "--node", one] in typed
    for arguments in typed:
        reader.types(arguments)
    reader.types(["localnet", "start"])
