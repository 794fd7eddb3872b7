"""`tkms custodian` and `tkms backup`, as people give the commands."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from cli.main import run
from cli.phrase import from_words, to_words
from core.custody.recovery import PENDING
from core.errors import CoreError
from core.main import Core
from core.settings import load
from core.vault import from_settings
from tests.core.test_process import write_toml
from tests.support.core_network import Network, signing_secret

NAMES = ("ann", "bob", "eve")


class Desk:
    """One operator's core and three custodians, in a folder."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Make the core's home; a share is in its vault."""
        self.folder = folder
        self._capsys = capsys
        settings = Network(folder, 1).settings[1]
        write_toml(settings)
        self.home = settings.home
        self.vault = from_settings(settings)
        self.vault.put("keys/" + "ab" * 20 + "/1", b"share of epoch 1")
        self.said = ""

    def tkms(self, *words: object, code: int = 0) -> Any:
        """Result of one command."""
        self._capsys.readouterr()
        found = run([*map(str, words), "-o", "json"])
        captured = self._capsys.readouterr()
        self.said = captured.err
        assert found == code, captured
        return (
            json.loads(captured.out) if captured.out else json.loads(captured.err.splitlines()[-1])
        )

    def custodians(self) -> list[str]:
        """Three new custodians; the options that name them."""
        options: list[str] = []
        for name in NAMES:
            setup = self.folder / f"{name}.setup"
            phrase = self.folder / f"{name}.phrase"
            self.tkms("custodian", "new", "--name", name, "--phrase-file", phrase, setup)
            assert stat.S_IMODE(phrase.stat().st_mode) == 0o600
            options += ["--custodian", str(setup)]
        return options

    def create(self) -> Any:
        """Make a backup."""
        options = self.custodians()
        return self.tkms("backup", "create", "--home", self.home, "--threshold", 1, *options)

    def answer(self, name: str, code: str, *, exit_code: int = 0) -> Any:
        """One custodian answers what lies in the recovery folder."""
        folder = self.home / "recovery"
        phrase = self.folder / f"{name}.phrase"
        words = ("custodian", "answer", "--phrase-file", phrase, "--code", code)
        files = (folder / "context.json", folder / "request.json", folder / f"{name}.answer")
        return self.tkms(*words, *files, code=exit_code)

    def code(self) -> str:
        """What the operator says on the telephone."""
        return self.said.split("by voice the code ")[1].split()[0]


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A desk."""
    return Desk(tmp_path, capsys)


def test_create_verify_rehearse_restore(desk: Desk) -> None:
    """One command each; the restored core has the same secrets and identity."""
    assert desk.create()["custodians"] == list(NAMES)
    facts = desk.tkms("backup", "verify", "--home", desk.home)
    # Signing key, share, peer key and its certificate.
    assert (facts["secrets"], facts["needed"]) == (4, 2)
    assert "never rehearsed" in desk.said

    rehearse = ("backup", "rehearse", "--home", desk.home, "--wait", 0)
    assert desk.tkms(*rehearse, code=3)["error"]["reason"] == "ANSWERS"
    code = desk.code()
    context = desk.home / "recovery" / "context.json"
    checked = desk.tkms("custodian", "check", "--phrase-file", desk.folder / "ann.phrase", context)
    assert (checked["custodian"], checked["needed"]) == (1, 2)
    assert desk.answer("ann", "0000-0000-0000-0000", exit_code=1)["error"]["reason"] == "DOCUMENT"
    assert desk.answer("ann", code)["purpose"] == "rehearsal"
    desk.answer("eve", code)
    assert desk.tkms(*rehearse) == {"secrets": 4, "rehearsed": True}
    assert desk.tkms("backup", "verify", "--home", desk.home)["rehearsed_ms"]

    before = {name: desk.vault.get(name) for name in desk.vault.names("")}
    identity = (desk.home / "peer-key.pem").read_bytes()
    restore = ("backup", "restore", "--home", desk.home, "--epoch", 1, "--wait", 0, "--replace")
    desk.tkms(*restore, code=3)
    code = desk.code()
    desk.answer("bob", code)
    desk.answer("eve", code)
    (desk.home / "peer-key.pem").write_bytes(b"another")
    assert desk.tkms(*restore)["refused"] == []
    after = from_settings(load(desk.home))
    assert {name: after.get(name) for name in after.names("")} == before
    assert (desk.home / "peer-key.pem").read_bytes() == identity
    assert not list((desk.home / "recovery").glob("*.key"))
    assert signing_secret(1) == after.get("signing")


def test_a_core_does_not_start_with_half_a_vault(desk: Desk) -> None:
    """A restore that did not end is told at the start."""
    desk.vault.put(PENDING, b"backup")
    with pytest.raises(CoreError, match="did not end"):
        Core(load(desk.home))


def test_a_core_keeps_its_backup_up_to_date(desk: Desk) -> None:
    """From its start on, also for what changed while it was down."""
    desk.create()
    desk.vault.put("epochs/1", b"keys")
    core = Core(load(desk.home))
    core._vault.put("epochs/2", b"other keys")
    assert desk.tkms("backup", "verify", "--home", desk.home)["secrets"] == 6
    core._journal.close()
    core._dealer.close()
    core._engine.close()
    core._threads.close()


def test_words_are_judged() -> None:
    """A phrase comes back; a wrong word, order or number is told."""
    seed = bytes(range(32))
    words = to_words(seed)
    assert len(words.split()) == 24
    assert from_words(f"  {words.upper()} \n") == seed
    assert to_words(bytes(32)) == "abandon " * 23 + "art"
    swapped = " ".join(reversed(words.split()))
    for bad in (swapped, words.rsplit(" ", 1)[0], f"{words} art", words.replace("abandon", "tkms")):
        with pytest.raises(Exception, match="24 words"):
            from_words(bad)
