"""The schema as its users see it: linted, and compared with what was published, by buf."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import node

ROOT = Path(__file__).resolve().parents[2]
PROTO = ROOT / "proto"
# What users were given last. After a change that breaks nobody, or everybody knowingly:
# tools/buf/node_modules/.bin/buf build proto --exclude-source-info -o tests/vectors/schema/published.binpb
PUBLISHED = ROOT / "tests" / "vectors" / "schema" / "published.binpb"


@pytest.fixture(scope="module")
def buf() -> str:
    """The tool of the locked version."""
    return str(node.buf())


def run(buf: str, *arguments: str) -> tuple[int, str]:
    """Exit code and what it says."""
    done = subprocess.run([buf, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_lint(buf: str) -> None:
    """STANDARD rules, with the exceptions that buf.yaml explains."""
    assert run(buf, "lint", "proto") == (0, "")


def test_nothing_breaks(buf: str) -> None:
    """Whoever generated code from the published schema goes on."""
    assert run(buf, "breaking", "proto", "--against", str(PUBLISHED)) == (0, "")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("bytes nonce = 10;", "bytes nonce = 21;", "nonce"),
        ("uint64 max_fee = 12;", "string max_fee = 12;", "max_fee"),
        ("  rpc GetPrices", "  rpc GetPrice", "GetPrices"),
    ],
)
def test_a_break_is_found(buf: str, tmp_path: Path, old: str, new: str, words: str) -> None:
    """Another number, another type, another name."""
    shutil.copytree(PROTO, tmp_path / "proto")
    path = tmp_path / "proto" / "tkms" / "gateway" / "v1" / "gateway.proto"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    code, said = run(buf, "breaking", str(tmp_path / "proto"), "--against", str(PUBLISHED))
    assert code != 0
    assert words in said
