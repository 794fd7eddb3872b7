"""`tkms attestation`: documents by hand, and a root for machines without enclaves."""

import base64
import json
from pathlib import Path

import pytest

from cli.main import run
from core.isolation import development

VECTOR = Path(__file__).parents[1] / "vectors" / "isolation" / "nitro-document.base64"
IMAGE = "517a9ec66c4c8e8f3b309c4a4598e2383dff4ec07dfa48617c2d7ec9b1fbf86a597b4376b18114914a31af2ea12a2db6"


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """A real document in a file."""
    path = tmp_path / "document.bin"
    path.write_bytes(base64.b64decode(VECTOR.read_text()))
    return path


def test_a_document_is_shown_and_verified(
    document: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Verified only where a measurement was named; a wrong one fails with its reason."""
    assert run(["attestation", "show", str(document), "-o", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["verified"], shown["measurements"]["0"]) == (False, IMAGE)
    words = ["attestation", "show", str(document), "-o", "json", "--measurement"]
    assert run([*words, IMAGE]) == 0
    assert json.loads(capsys.readouterr().out)["verified"] is True
    for bad, reason in (("ab" * 48, "measurement"), ("00" * 48, "zeros"), ("xyz", "hexa")):
        assert run([*words, bad]) == 3
        assert reason in capsys.readouterr().out
    assert run([*words, IMAGE, "--root", "ab" * 32]) == 3
    assert "root: the root" in capsys.readouterr().out


def test_a_development_root_is_made_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says loudly what it is worth, and does not replace another."""
    folder = tmp_path / "root"
    assert run(["attestation", "development-root", str(folder), "-o", "json"]) == 0
    captured = capsys.readouterr()
    made = json.loads(captured.out)
    assert "this root protects nothing" in captured.err
    image = (folder / "image").read_bytes()
    assert made["measurement"] == development.registers_of(image)[0].hex()
    assert (folder / "root-key.pem").stat().st_mode & 0o777 == 0o600
    assert run(["attestation", "development-root", str(folder)]) == 3
