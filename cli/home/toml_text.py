"""TOML as people edit it: values change, comments and order stay."""

import json
import re
import tomllib
from collections.abc import Mapping

from cli.errors import ConfigError

# Comments that we write begin with this, so that writing again replaces instead of piling up.
REASON_MARK = "# tkms: "
_WIDTH = 100
_SECTION = re.compile(r"^\[+([A-Za-z0-9_.-]+)\]+\s*(#.*)?$")
_ENTRY = re.compile(r"^([A-Za-z0-9_-]+)\s*=\s*(.*)$")
# A value that ends on its own line, and what may follow it there.
_COMMENT = re.compile(
    r"""^((?:"(?:[^"\\]|\\.)*"|'[^']*'|\[[^\]]*\]|[^"'\[#\s][^#]*?)\s*)(\#.*)$""", re.VERBOSE
)


def dump(values: Mapping[str, object]) -> str:
    """Return TOML of plain values, tables last; JSON's strings and numbers are TOML's too."""
    plain = [f"{key} = {json.dumps(v)}" for key, v in values.items() if not isinstance(v, Mapping)]
    tables = [f"\n[{key}]\n{dump(v)}" for key, v in values.items() if isinstance(v, Mapping)]
    return "\n".join(plain + [table.rstrip("\n") for table in tables]) + "\n"


def commented(values: Mapping[str, object], meanings: Mapping[str, str], head: str = "") -> str:
    """Return TOML in which a comment above each value says what it means."""
    blocks = ["\n".join(_wrapped(head, "# "))] if head else []
    tables = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            tables.append(f"[{key}]\n{dump(value).rstrip()}")
            continue
        comment = _wrapped(meanings.get(key, ""), "# ")
        blocks.append("\n".join([*comment, f"{key} = {json.dumps(value)}"]))
    return "\n\n".join(blocks + tables) + "\n"


def rewrite(
    text: str, settings: Mapping[str, object], reasons: Mapping[str, str] | None = None
) -> str:
    """Replace values in a TOML text and keep all comments; a reason becomes a comment above.

    Raises:
        ConfigError: there is no such key (another version of the engine?), or it is there twice.
    """
    left = dict(settings)
    section = ""
    lines: list[str] = []
    for line in text.splitlines():
        header, entry = _SECTION.match(line), _ENTRY.match(line)
        if header:
            section = header.group(1) + "."
        name = section + entry.group(1) if entry else ""
        if entry and name in settings:
            if name not in left:
                raise ConfigError(f"{name} is there twice")
            _give_reason(lines, (reasons or {}).get(name, ""))
            lines.append(_entry(entry, left.pop(name)))
        else:
            lines.append(line)
    if left:
        raise ConfigError(
            f"there is no setting {', '.join(sorted(left))}",
            hint="for config.toml: is this CometBFT v0.40.0?",
        )
    changed = "\n".join(lines) + "\n"
    _check(changed, settings)
    return changed


def flat(document: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Return a parsed document as `section.key` -> value; arrays of tables are left out."""
    found: dict[str, object] = {}
    for key, value in document.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        elif not (isinstance(value, list) and value and isinstance(value[0], Mapping)):
            found[prefix + key] = value
    return found


def _entry(entry: re.Match[str], value: object) -> str:
    comment = _COMMENT.match(entry.group(2))
    behind = f" {comment.group(2)}" if comment else ""
    return f"{entry.group(1)} = {json.dumps(value)}{behind}"


def _give_reason(lines: list[str], reason: str) -> None:
    """Put our comment above the next line, in place of an older one of ours."""
    if not reason:
        return
    while lines and lines[-1].startswith(REASON_MARK):
        lines.pop()
    lines += _wrapped(reason, REASON_MARK)


def _wrapped(text: str, mark: str) -> list[str]:
    """Return comment lines; own line ends are kept."""
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = mark.rstrip()
        for word in paragraph.split(" "):
            if len(line) + 1 + len(word) > _WIDTH:
                lines.append(line)
                line = mark.rstrip()
            line += f" {word}"
        lines.append(line)
    return lines


def _check(text: str, settings: Mapping[str, object]) -> None:
    """Lines were edited as text: read them as TOML before anybody else does."""
    try:
        found = flat(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the changed file would not be TOML: {error}") from error
    wrong = [name for name, value in settings.items() if found.get(name) != value]
    if wrong:
        raise ConfigError(f"{', '.join(wrong)} cannot be changed by line: edit the file by hand")
