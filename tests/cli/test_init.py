"""`tkms init` and `tkms genesis`: from nothing to homes that can start; nothing is overwritten."""

import itertools
import json
import stat
import tomllib
from pathlib import Path

import pytest

from cli.engine.settings import EngineChoices, deliberate
from cli.genesis import checks as genesis_checks
from cli.genesis import document as genesis_document
from cli.home import card as operator_card
from cli.home.toml_text import REASON_MARK, flat
from tests.support.operator import CHAIN_ID, Operator, make_operators, tkms


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> list[Operator]:
    """Four operators that exchanged their cards; nothing runs."""
    return make_operators(tmp_path_factory.mktemp("four"), 4)


def test_every_deliberate_setting_has_its_reason_in_the_file(four: list[Operator]) -> None:
    """Each chosen value stands in config.toml below a comment that says why."""
    lines = (four[0].home / "config" / "config.toml").read_text().splitlines()
    found = flat(tomllib.loads("\n".join(lines)))
    choices = EngineChoices(moniker="op1", one_machine=True)
    for setting in deliberate(choices, four[0].home / "app" / "app.sock"):
        assert setting.name in found
        if not setting.identity and setting.name != "consensus.timeout_commit":
            assert found[setting.name] == setting.value, setting.name
    settings = deliberate(choices, four[0].home)
    marked = [
        line
        for above, line in itertools.pairwise(lines)
        if above.startswith(REASON_MARK) and not line.startswith("#")
    ]
    assert len(marked) == len(settings)


def test_processes_accept_their_settings(four: list[Operator]) -> None:
    """Each process's own loader takes the file; engine and node name the same socket."""
    from abci_app import settings as node
    from connector import settings as connector
    from core import settings as core

    for index, operator in enumerate(four):
        engine = tomllib.loads((operator.home / "config" / "config.toml").read_text())
        assert engine["proxy_app"] == f"unix://{node.load(operator.home / 'app').proxy_socket}"
        kms = core.load(operator.home / "core")
        link = connector.load(operator.home / "connector")
        assert kms.party == link.party == index + 1
        assert kms.developer_mode is False
        assert kms.vault_keyfile is not None
        assert connector.trusted_hash(link) == kms.trusted_validators_hash
        assert link.rpc_url == operator.url


def test_genesis_is_the_same_everywhere_and_valid(four: list[Operator]) -> None:
    """All homes hold the same bytes; all four are validators, parties and peers of each other."""
    texts = {(operator.home / "config" / "genesis.json").read_text() for operator in four}
    assert len(texts) == 1
    document = json.loads(texts.pop())
    assert genesis_checks.problems(document) == []
    assert [entry["name"] for entry in document["validators"]] == ["op1", "op2", "op3", "op4"]
    epoch = document["app_state"]["epoch"]
    assert (len(epoch["parties"]), epoch["threshold"]) == (4, 1)
    for operator in four:
        ours = operator_card.load(operator.home / "operator.json")
        config = tomllib.loads((operator.home / "config" / "config.toml").read_text())
        peers = config["p2p"]["persistent_peers"].split(",")
        assert len(peers) == 3
        assert ours.peer not in peers


def test_secrets_are_closed_to_others(four: list[Operator]) -> None:
    """Keys have mode 600, folders with keys 700; the card holds no secret."""
    home = four[0].home
    for name in ("config", "data", "app", "core", "connector", "core/vault"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o700, name
    secrets = [
        "config/priv_validator_key.json",
        "config/node_key.json",
        "core/vault.key",
        "core/peer-key.pem",
        "connector/account.key",
    ]
    card = (home / "operator.json").read_text()
    for name in secrets:
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600, name
    private = json.loads((home / secrets[0]).read_text())["priv_key"]["value"]
    assert private not in card
    assert (home / "connector/account.key").read_text().strip() not in card


def test_nothing_is_overwritten(four: list[Operator], tmp_path: Path) -> None:
    """A second init, a second document and a second begin are refused."""
    home = four[0].home
    before = (home / "config" / "priv_validator_key.json").read_bytes()
    error = tkms("init", "x", "--home", str(home), "--chain-id", "c", code=3)["error"]
    assert error["reason"] == "HOME_EXISTS"
    assert (home / "config" / "priv_validator_key.json").read_bytes() == before
    genesis = str(home.parent / "genesis.json")
    error = tkms("genesis", "new", genesis, "--chain-id", "c", "--storage-url", "http://s", code=3)[
        "error"
    ]
    assert error["reason"] == "FILE_EXISTS"
    error = tkms("genesis", "add-operator", genesis, str(home / "operator.json"), code=3)["error"]
    assert "in the genesis already" in error["sentence"]


def test_a_home_without_genesis_does_not_start(tmp_path: Path) -> None:
    """The engine's own genesis names another chain; it is not left lying about."""
    home = tmp_path / "home"
    made = tkms("init", "x", "--home", str(home), "--chain-id", CHAIN_ID)
    assert made["next"] == f"tkms genesis install FILE --home {home}"
    error = tkms("start", "--home", str(home), code=3)["error"]
    assert error["reason"] == "NO_GENESIS"


def test_joining_an_existing_chain(four: list[Operator], tmp_path: Path) -> None:
    """With --genesis the home is complete; a genesis of another chain is refused before anything."""
    genesis = str(four[0].home / "config" / "genesis.json")
    home = tmp_path / "late"
    made = tkms("init", "x", "--home", str(home), "--chain-id", CHAIN_ID, "--genesis", genesis)
    assert made["next"] == f"tkms start --home {home}"
    assert len(made["trusted_validators_hash"]) == 64
    other = tmp_path / "other"
    error = tkms("init", "x", "--home", str(other), "--chain-id", "c", "--genesis", genesis, code=3)
    assert error["error"]["reason"] == "WRONG_CHAIN"
    assert not other.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--rpc-listen", "nowhere"], "--rpc-listen: 'nowhere' is not host:port"),
        (["--p2p-listen", "h:99999"], "--p2p-listen: 'h:99999' is not host:port"),
        (["--party", "1"], "a party needs --peer-address"),
        (["--party", "1", "--peer-address", "h:1"], "a party needs --storage-url"),
    ],
)
def test_bad_options_are_refused(tmp_path: Path, options: list[str], words: str) -> None:
    """Each mistake has its sentence, and nothing is written."""
    home = tmp_path / "home"
    error = tkms("init", "x", "--home", str(home), "--chain-id", "c", *options, code=2)["error"]
    assert words in error["sentence"]
    assert not home.exists()


def test_roles_differ_where_they_must(tmp_path: Path) -> None:
    """A validator looks for its own signatures; one behind sentries discovers nobody."""

    def values(**choices: object) -> dict[str, object]:
        made = EngineChoices(moniker="x", **choices)  # type: ignore[arg-type]
        return {setting.name: setting.value for setting in deliberate(made, tmp_path)}

    assert values()["consensus.double_sign_check_height"] == 5
    assert values(role="full")["consensus.double_sign_check_height"] == 0
    assert values(one_machine=True)["consensus.double_sign_check_height"] == 0
    assert values()["p2p.pex"] is True
    assert values(behind_sentries=True)["p2p.pex"] is False
    sentry = values(role="sentry", private_peers="ab")
    assert sentry["p2p.private_peer_ids"] == sentry["p2p.unconditional_peer_ids"] == "ab"
    with pytest.raises(Exception, match="there is no role chef"):
        values(role="chef")


def _break(document: dict[str, object], path: list[object], value: object) -> None:
    target: object = document
    for name in path[:-1]:
        target = target[name]  # type: ignore[index]
    target[path[-1]] = value  # type: ignore[index]


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (["chain_id"], "", "chain_id has 1 to 50 characters"),
        (["validators"], [], "there is no validator"),
        (["validators", 0, "power"], "0", "power 0 is not positive"),
        (["validators", 0, "address"], "AB" * 20, "address and key differ"),
        (["consensus_params", "block", "max_bytes"], "-1", "block.max_bytes must be set"),
        (["consensus_params", "abci"], {}, "consensus_params are incomplete"),
        (["app_hash"], "00", "app_hash must be empty"),
        (["app_state", "epoch", "threshold"], 3, "app_state"),
        (["app_state", "surprise"], 3, "app_state"),
    ],
)
def test_broken_documents_are_refused(
    four: list[Operator], tmp_path: Path, path: list[object], value: object, words: str
) -> None:
    """What a node would refuse at its first start is refused here, by name."""
    document = genesis_document.load(four[0].home / "config" / "genesis.json")
    _break(document, path, value)
    found = genesis_checks.problems(document)
    assert any(words in line for line in found), found
    file = tmp_path / "bad.json"
    file.write_text(genesis_document.text(document))
    error = tkms("genesis", "validate", str(file), code=3)["error"]
    assert error["reason"] == "BAD_GENESIS"


def test_three_parties_are_not_enough(four: list[Operator], tmp_path: Path) -> None:
    """A draft may have any number; a network has 3t + 1."""
    file = str(tmp_path / "draft.json")
    tkms("genesis", "new", file, "--chain-id", CHAIN_ID, "--storage-url", "http://s")
    cards = [str(operator.home / "operator.json") for operator in four[:3]]
    drafted = tkms("genesis", "add-operator", file, *cards)
    assert (drafted["validators"], drafted["parties"]) == (3, 3)
    error = tkms("genesis", "validate", file, code=3)["error"]
    assert "app_state" in error["sentence"]


def test_a_damaged_card_is_refused(tmp_path: Path) -> None:
    """Cards come from other people."""
    file = tmp_path / "card.json"
    for text in ("", "[]", "{}", '{"moniker": "x"}'):
        file.write_text(text)
        with pytest.raises(Exception, match="no operator card"):
            operator_card.load(file)
