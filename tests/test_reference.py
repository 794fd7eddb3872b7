"""docs/reference says what the schema, the command line and the reasons say."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from wire.reasons import Reason

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """The tool, loaded from its file."""
    place = ROOT / "tools" / "generate_reference.py"
    spec = importlib.util.spec_from_file_location("generate_reference", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(generator: ModuleType) -> dict[str, str]:
    """Every page as it should be now."""
    made: dict[str, str] = generator.pages()
    return made


def test_the_pages_are_new(pages: dict[str, str]) -> None:
    """Whoever changes a comment, a help text or a reason writes the pages anew."""
    there = {path.name: path.read_text() for path in (ROOT / "docs" / "reference").glob("*.md")}
    assert pages.keys() == there.keys()
    assert [name for name in pages if pages[name] != there[name]] == []


def test_nothing_is_left_out(pages: dict[str, str]) -> None:
    """Every message, enumeration and method of the schema, every section of commands, every reason."""
    for path in (ROOT / "proto").rglob("*.proto"):
        text = path.read_text()
        package = re.findall(r"^package (.+);", text, re.MULTILINE)[0]
        page = pages[f"{package}.md"]
        for name in re.findall(r"^(?:message|enum) (\w+)", text, re.MULTILINE):
            assert f"\n### {name}\n" in page
        for name in re.findall(r"^\s+rpc (\w+)", text, re.MULTILINE):
            assert f"\n| `{name}` |" in page
    assert all(f"| {int(reason)} | `{reason.name}` |" in pages["reasons.md"] for reason in Reason)
    for command in ("tkms relay", "tkms explorer run", "tkms governance propose epoch"):
        assert f"\n### {command}\n" in pages["commands.md"]


def test_an_old_page_is_named(
    generator: ModuleType,
    pages: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """--check changes nothing and fails; without it the page is new and strangers are gone."""
    for name, text in pages.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "reasons.md").write_text("old")
    (tmp_path / "stranger.md").write_text("left over")
    monkeypatch.setattr(generator, "TARGET", tmp_path)
    monkeypatch.setattr(generator, "pages", lambda: pages)
    monkeypatch.setattr(sys, "argv", ["generate_reference.py", "--check"])
    with pytest.raises(SystemExit, match=r"reasons\.md, stranger\.md"):
        generator.main()
    assert (tmp_path / "reasons.md").read_text() == "old"
    monkeypatch.setattr(sys, "argv", ["generate_reference.py"])
    generator.main()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == pages
