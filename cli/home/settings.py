"""The settings files of a home by name: engine, node, core, connector, relay, explorer.

A setting is called `<file>.<key>`: `node.keep_versions`, `engine.p2p.laddr`. Our own files are judged
by each process's own loader, the engine's by types and by `engine_lint`.
"""

import dataclasses
import json
import re
import tempfile
import typing
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from cli.errors import ConfigError, UsageError
from cli.home.files import OperatorFiles, read_toml
from cli.home.meaning import MEANINGS
from cli.home.toml_text import commented, flat, rewrite

ENGINE = "engine"
_CLASSES = {
    "node": ("abci_app.settings", "NodeSettings"),
    "core": ("core.settings", "Settings"),
    "connector": ("connector.settings", "ConnectorSettings"),
    "relay": ("connector.relay.settings", "RelaySettings"),
    "explorer": ("edge.explorer.settings", "ExplorerSettings"),
}
# Their loaders take the file, those of the others its folder.
_BY_FILE = {"relay", "explorer"}
_NOT_SETTINGS = {"home", "fault", "isolation"}
_DURATION = re.compile(r"^(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|ms|s|m|h))+$")
_TRUE, _FALSE = {"true", "yes", "on"}, {"false", "no", "off"}


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """One file of a home that exists."""

    name: str
    path: Path

    def values(self) -> dict[str, object]:
        """Return what the file sets."""
        return flat(read_toml(self.path))

    def defaults(self) -> dict[str, object]:
        """Return what applies where our own processes' files say nothing."""
        if self.name == ENGINE:
            return {}
        return {
            field.name: _shown(field.default)
            for field in _fields(self.name)
            if field.default is not dataclasses.MISSING
        }

    def check(self, text: str | None = None) -> None:
        """Let the process's own loader read the file, or `text` in its place.

        Raises:
            ConfigError, SettingsError: it refuses.
        """
        if self.name == ENGINE:
            read_toml(self.path)
            return
        load = import_module(_CLASSES[self.name][0]).load
        if text is None:
            load(self._given(self.path.parent))
            return
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / self.path.name).write_text(text, encoding="utf-8")
            load(self._given(Path(folder)))

    def _given(self, folder: Path) -> Path:
        return folder / self.path.name if self.name in _BY_FILE else folder

    def changed(self, key: str, words: str) -> tuple[str, object]:
        """Return the whole text with one setting changed, and the value as it was understood."""
        text = self.path.read_text("utf-8")
        present = self.values()
        value = _parse(f"{self.name}.{key}", words, self._example(key, present))
        if key in present:
            return rewrite(text, {key: value}), value
        added = commented({key: value}, MEANINGS[self.name])
        # Before the first table: what follows a table's head belongs to it.
        head, mark, tables = text.partition("\n[")
        return f"{head.rstrip()}\n\n{added}{mark}{tables}", value

    def _example(self, key: str, present: dict[str, object]) -> object:
        """Return a value of the type that the setting has."""
        if key in present:
            return present[key]
        if self.name == ENGINE:
            raise UsageError(
                f"config.toml has no setting {key}", hint="tkms config show engine --all"
            )
        for field in _fields(self.name):
            if field.name == key:
                return _empty(self.name, field)
        raise UsageError(
            f"{self.name} has no setting {key}", hint=f"tkms config show {self.name} --all"
        )


def files_of(home: OperatorFiles) -> dict[str, SettingsFile]:
    """Return all settings files that this home has."""
    own = {name: SettingsFile(name, path) for name, path in home.own_settings().items()}
    return {ENGINE: SettingsFile(ENGINE, home.engine_config), **own}


def split(files: dict[str, SettingsFile], name: str) -> tuple[SettingsFile, str]:
    """Return file and key of a setting's name.

    Raises:
        UsageError: no such file.
    """
    file, _, key = name.partition(".")
    if file not in files or not key:
        raise UsageError(
            f"{name} names no setting of this home",
            hint=f"write <file>.<key> with one of {', '.join(files)}",
        )
    return files[file], key


def _fields(name: str) -> list["dataclasses.Field[Any]"]:
    module, kind = _CLASSES[name]
    cls = getattr(import_module(module), kind)
    return [field for field in dataclasses.fields(cls) if field.name not in _NOT_SETTINGS]


def _empty(name: str, field: "dataclasses.Field[Any]") -> object:
    """Return a value of the field's type in TOML: paths and hashes are text there."""
    module, kind = _CLASSES[name]
    hint = typing.get_type_hints(getattr(import_module(module), kind))[field.name]
    for plain in (bool, int, float):
        if hint is plain or (isinstance(hint, type) and issubclass(hint, plain)):
            return plain()
    return [] if typing.get_origin(hint) is tuple else ""


def _shown(value: object) -> object:
    if isinstance(value, tuple):
        return [str(item) for item in value]
    return value if isinstance(value, bool | int | float) else "" if value is None else str(value)


def _parse(name: str, words: str, example: object) -> object:
    """Return the value that was typed, of the type that is there; UsageError otherwise."""
    if isinstance(example, bool):
        if words.lower() in _TRUE | _FALSE:
            return words.lower() in _TRUE
        raise UsageError(f"{name} is true or false, not {words!r}")
    if isinstance(example, int | float):
        kind = type(example)
        try:
            return kind(words.replace("_", ""))
        except ValueError as error:
            raise UsageError(f"{name} is a number, not {words!r}") from error
    if isinstance(example, list):
        return _parse_list(name, words)
    if isinstance(example, str) and _DURATION.match(example) and not _DURATION.match(words):
        raise UsageError(f"{name} is a duration like 500ms or 3s, not {words!r}")
    return words


def _parse_list(name: str, words: str) -> object:
    try:
        value = json.loads(words)
    except ValueError as error:
        raise UsageError(f'{name} is a list like ["a", "b"]') from error
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UsageError(f'{name} is a list like ["a", "b"]')
    return value


def write(file: SettingsFile, text: str) -> None:
    """Replace the file; a crash leaves the old one or the new one."""
    if not file.path.exists():
        raise ConfigError(f"{file.path} is gone")
    temporary = file.path.with_name(f"{file.path.name}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.chmod(file.path.stat().st_mode & 0o777)
    temporary.replace(file.path)
