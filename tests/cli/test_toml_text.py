"""Editing TOML as text: comments stay, reasons do not pile up, nothing is changed by accident."""

import tomllib

import pytest

from cli.errors import ConfigError
from cli.home.toml_text import commented, dump, flat, rewrite

_TEXT = """# head
a = 1
[rpc]
laddr = "x" # where
list = ["q#r", "s"] # two
path = 'c:\\new # not a comment' # a comment
[[rpc.more]]
laddr = "untouched"
"""


def test_values_change_and_comments_stay() -> None:
    """Only the named keys differ; comments behind a value stay behind it."""
    changed = rewrite(_TEXT, {"a": 2, "rpc.laddr": 'y"#', "rpc.list": [], "rpc.path": "p"})
    assert changed == (
        '# head\na = 2\n[rpc]\nladdr = "y\\"#" # where\nlist = [] # two\n'
        'path = "p" # a comment\n[[rpc.more]]\nladdr = "untouched"\n'
    )


def test_a_hash_inside_a_string_is_no_comment() -> None:
    """What stands behind the value is found only behind the value."""
    text = 'a = "1 # 2"\nb = "x"\n'
    assert rewrite(text, {"a": "new"}) == 'a = "new"\nb = "x"\n'


def test_reasons_replace_older_ones() -> None:
    """Writing twice leaves one reason above the value; foreign comments stay."""
    once = rewrite("# theirs\na = 1\n", {"a": 2}, {"a": "because"})
    assert once == "# theirs\n# tkms: because\na = 2\n"
    assert rewrite(once, {"a": 3}, {"a": "since"}) == "# theirs\n# tkms: since\na = 3\n"
    assert rewrite(once, {"a": 3}) == "# theirs\n# tkms: because\na = 3\n"


def test_unknown_and_double_keys_are_refused() -> None:
    """A renamed setting of another engine version is noticed, not ignored."""
    with pytest.raises(ConfigError, match="no setting laddr"):
        rewrite(_TEXT, {"laddr": "y"})
    with pytest.raises(ConfigError, match="a is there twice"):
        rewrite("a = 1\na = 2\n", {"a": 3})


def test_what_cannot_be_edited_by_line_is_refused() -> None:
    """A value over several lines would leave garbage: nothing is returned."""
    with pytest.raises(ConfigError, match="would not be TOML"):
        rewrite('a = [\n  "x",\n]\n', {"a": "y"})
    with pytest.raises(ConfigError, match="edit the file by hand"):
        rewrite('a = """\nb = 1\n"""\n[t]\nc = 1\n', {"b": 2})


def test_commented_text_is_what_was_meant() -> None:
    """Comments are comments, tables come last, and the values come back."""
    values = {"name": "x # y", "count": 3, "on": False, "fault": {"mode": "silent"}}
    text = commented(values, {"count": "how many " * 30}, "head")
    assert tomllib.loads(text) == values == tomllib.loads(dump(values))
    assert text.startswith("# head\n\nname = ")
    assert max(len(line) for line in text.splitlines()) <= 100


def test_flat_names() -> None:
    """Sections become prefixes; arrays of tables have no such name."""
    assert flat(tomllib.loads(_TEXT)) == {
        "a": 1,
        "rpc.laddr": "x",
        "rpc.list": ["q#r", "s"],
        "rpc.path": "c:\\new # not a comment",
    }
