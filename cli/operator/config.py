"""`tkms config`: settings files of a home, with their meaning, checked before they are written."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.errors import ConfigError, ExitCode
from cli.lazy import TkmsCommand, TkmsGroup, home_option, terminal
from cli.output import table

if TYPE_CHECKING:
    from cli.findings import Finding
    from cli.home.files import OperatorFiles
    from cli.home.settings import SettingsFile

_HOME = home_option()


@click.group(cls=TkmsGroup)
def config() -> None:
    """Show, change and check the settings of a home: engine and every process of ours."""


@config.command(
    cls=TkmsCommand,
    example="tkms config show --home DIR\ntkms config show node --all --home DIR",
)
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Settings left at their default too.")
@_HOME
@click.pass_context
def show(context: click.Context, names: tuple[str, ...], everything: bool, home: Path) -> None:
    """Show settings with what they mean; NAMES are files (node) or settings (engine.p2p.laddr)."""
    from cli.home import settings as settings_files  # noqa: PLC0415 - slow import

    files = _files(home)
    known = settings_files.files_of(files)
    rows: list[dict[str, Any]] = []
    for name in names or tuple(known):
        if name in known:
            rows += _rows(files, known[name], everything)
            continue
        file, key = settings_files.split(known, name)
        found = [row for row in _rows(files, file, True) if row["name"] == name]
        if not found:
            raise ConfigError(f"there is no setting {key} in {file.path}", reason="NO_SETTING")
        rows += found
    columns = ("name", "value", "meaning")
    terminal(context).result(
        {"home": str(files.home), "settings": rows},
        lambda: table("", columns, [[_cell(row[c]) for c in columns] for row in rows]),
    )


@config.command(
    "set",
    cls=TkmsCommand,
    example="tkms config set node.keep_versions 2000 --home DIR\n"
    "tkms config set engine.consensus.timeout_commit 1s --home DIR",
)
@click.argument("name")
@click.argument("value")
@_HOME
@click.pass_context
def set_(context: click.Context, name: str, value: str, home: Path) -> None:
    """Change one setting: of the right type, accepted by its process, comments kept.

    Takes effect when the process starts again.
    """
    from cli import findings  # noqa: PLC0415 - slow import
    from cli.engine import lint as engine_lint  # noqa: PLC0415
    from cli.home import settings as settings_files  # noqa: PLC0415

    files = _files(home)
    file, key = settings_files.split(settings_files.files_of(files), name)
    before = file.values().get(key, file.defaults().get(key))
    text, parsed = file.changed(key, value)
    file.check(text)
    settings_files.write(file, text)
    out = terminal(context)
    warned: list[dict[str, object]] = []
    if file.name == settings_files.ENGINE:
        for finding in engine_lint.findings(files):
            if finding.severity >= findings.Severity.WARNING:
                out.warn(f"{finding.sentence}; {finding.remedy}")
                warned.append(finding.document())
    document = {
        "name": name,
        "before": before,
        "value": parsed,
        "file": str(file.path),
        "warnings": warned,
        "next": f"start {file.name} again: it reads its settings only then",
    }
    out.result(document)


@config.command(cls=TkmsCommand, example="tkms config validate --home DIR")
@_HOME
@click.pass_context
def validate(context: click.Context, home: Path) -> None:
    """Check every settings file of a home.

    Exit code 0: good; 8: something warns; 3: a process would refuse its file or do harm.
    """
    from cli import findings  # noqa: PLC0415 - slow import

    files = _files(home)
    found = check_all(files)
    show_findings(context, files, found)
    if findings.worst(found) is findings.Severity.ERROR:
        context.exit(int(ExitCode.CONFIG))
    context.exit(int(findings.exit_code(found)))


@config.command(cls=TkmsCommand, example="tkms config diff --home DIR")
@_HOME
@click.pass_context
def diff(context: click.Context, home: Path) -> None:
    """Show what differs from what `tkms init` would write, and why init writes that."""
    from cli.engine import lint as engine_lint  # noqa: PLC0415 - slow import
    from cli.home import settings as settings_files  # noqa: PLC0415
    from cli.home.meaning import MEANINGS  # noqa: PLC0415
    from cli.operator import new_home  # noqa: PLC0415

    files = _files(home)
    rows: list[dict[str, Any]] = [
        {
            "name": f"engine.{setting.name}",
            "value": value,
            "init": setting.value,
            "why": setting.why,
        }
        for setting, value in engine_lint.differences(files)
    ]
    for file in settings_files.files_of(files).values():
        if file.name == settings_files.ENGINE:
            continue
        written = new_home.POLICY.get(file.name, {})
        base = {**file.defaults(), **written}
        for key, value in file.values().items():
            if key in base and value != base[key] and key not in new_home.IDENTITY:
                rows.append(
                    {
                        "name": f"{file.name}.{key}",
                        "value": value,
                        "init": base[key],
                        "why": MEANINGS[file.name].get(key, ""),
                    }
                )
    columns = ("name", "value", "init", "why")
    terminal(context).result(
        {"home": str(files.home), "differences": rows},
        lambda: (
            table("", columns, [[_cell(row[c]) for c in columns] for row in rows])
            if rows
            else "everything is as `tkms init` writes it"
        ),
    )


def check_all(files: "OperatorFiles") -> "list[Finding]":
    """Return findings of all settings files: each process's own judgement, and the engine's lint."""
    from cli.engine import lint as engine_lint  # noqa: PLC0415 - slow import
    from cli.findings import guarded, ok  # noqa: PLC0415
    from cli.home import settings as settings_files  # noqa: PLC0415

    found = guarded("config.toml", lambda: engine_lint.findings(files))
    for file in settings_files.files_of(files).values():
        if file.name == settings_files.ENGINE:
            continue

        def accepted(file: "SettingsFile" = file) -> "list[Finding]":
            file.check()
            return [ok(file.path.name, "accepted by its process")]

        found += guarded(file.path.name, accepted)
    return found


def show_findings(context: click.Context, files: "OperatorFiles", found: "list[Finding]") -> None:
    """Print findings: one object, or a table with the remedies."""
    from cli import findings  # noqa: PLC0415

    worst = findings.worst(found).name.lower()
    document = {
        "home": str(files.home),
        "worst": worst,
        "findings": [finding.document() for finding in found],
    }
    rows = [
        (finding.severity.name.lower(), finding.check, finding.sentence, finding.remedy)
        for finding in sorted(found, key=lambda finding: -finding.severity)
    ]
    terminal(context).result(
        document, lambda: table("", ("severity", "check", "finding", "remedy"), rows)
    )


def _files(home: Path) -> "OperatorFiles":
    from cli.home.files import OperatorFiles  # noqa: PLC0415

    return OperatorFiles.of(home)


def _rows(files: "OperatorFiles", file: "SettingsFile", everything: bool) -> list[dict[str, Any]]:
    """Return the settings of one file with their meaning."""
    from cli.engine import lint as engine_lint  # noqa: PLC0415
    from cli.engine.settings import deliberate  # noqa: PLC0415
    from cli.home import settings as settings_files  # noqa: PLC0415
    from cli.home.meaning import MEANINGS  # noqa: PLC0415

    values = file.values()
    if file.name == settings_files.ENGINE:
        settings = deliberate(engine_lint.recovered(values, files), files.app / "app.sock")
        meanings = {setting.name: setting.why for setting in settings}
        chosen = {k: v for k, v in values.items() if everything or k in meanings}
    else:
        meanings = MEANINGS[file.name]
        chosen = {**file.defaults(), **values} if everything else values
    return [
        {
            "name": f"{file.name}.{key}",
            "value": value,
            "set": key in values,
            "meaning": meanings.get(key, ""),
        }
        for key, value in chosen.items()
    ]


def _cell(value: object) -> object:
    return "true" if value is True else "false" if value is False else value
