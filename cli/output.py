"""One way out for every command: results to stdout, everything else to stderr.

Text mode draws tables with rich. JSON mode (`-o json`) prints exactly one object, or JSON lines
for streams, and nothing else on stdout.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol, Self

from cli.errors import CliError

if TYPE_CHECKING:
    from rich.console import Console


class Progress(Protocol):
    """What a long command tells while it works."""

    def step(self, text: str, done: int | None = None, total: int | None = None) -> None:
        """Show the present step and, where known, how much of it is done."""


class _QuietProgress:
    """Prints one line on stderr when the step changes: logs, pipes and JSON mode."""

    def __init__(self) -> None:
        self._last = ""

    def step(self, text: str, done: int | None = None, total: int | None = None) -> None:
        line = text if total is None else f"{text} {done}/{total}"
        if line != self._last:
            self._last = line
            sys.stderr.write(f"tkms: {line}\n")
            sys.stderr.flush()


class _RichProgress:
    """A bar on a terminal."""

    def __init__(self, console: "Console") -> None:
        from rich.progress import (  # noqa: PLC0415 - only drawn on terminals
            BarColumn,
            MofNCompleteColumn,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
        )
        from rich.progress import Progress as Bar  # noqa: PLC0415

        self._bar = Bar(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def step(self, text: str, done: int | None = None, total: int | None = None) -> None:
        self._bar.update(self._task, description=text, completed=done or 0, total=total)


class Terminal:
    """The object every command writes through (`ctx.obj`)."""

    def __init__(self, *, as_json: bool = False) -> None:
        """Start in text or JSON mode; `-o` may switch later."""
        self.as_json = as_json

    def result(
        self, document: Mapping[str, object], text: Callable[[], object] | None = None
    ) -> None:
        """Print the one result: the document in JSON mode, else what `text` returns."""
        if self.as_json:
            sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
            sys.stdout.flush()
        elif text is None:
            self.show(fields(document))
        else:
            self.show(text())

    def line(self, document: Mapping[str, object], text: str) -> None:
        """Print one element of a stream: a JSON line or a line of text."""
        sys.stdout.write(
            (json.dumps(document, ensure_ascii=False) if self.as_json else text) + "\n"
        )
        sys.stdout.flush()

    def show(self, renderable: object) -> None:
        """Draw something on stdout (text mode only)."""
        if renderable is None:
            return
        if isinstance(renderable, str):
            sys.stdout.write(renderable + "\n")
            return
        console(stderr=False).print(renderable)

    def note(self, text: str) -> None:
        """Say something on stderr: never part of the result."""
        sys.stderr.write(f"tkms: {text}\n")
        sys.stderr.flush()

    def warn(self, text: str) -> None:
        """Say something loudly on stderr."""
        loud = f"\x1b[1;33mwarning:\x1b[0m {text}" if sys.stderr.isatty() else f"warning: {text}"
        sys.stderr.write(f"tkms: {loud}\n")
        sys.stderr.flush()

    def progress(self) -> AbstractContextManager[Progress]:
        """Return a bar on a terminal, else lines on stderr."""
        if self.as_json or not sys.stderr.isatty():
            return nullcontext(_QuietProgress())
        return _RichProgress(console(stderr=True))

    def failure(self, error: CliError) -> None:
        """Print an error: as the one JSON object, or as lines on stderr."""
        if self.as_json:
            sys.stdout.write(json.dumps(error.as_document(), ensure_ascii=False) + "\n")
            sys.stdout.flush()
            return
        head = f"\x1b[1;31merror:\x1b[0m" if sys.stderr.isatty() else "error:"  # noqa: F541
        number = f" {error.code}" if error.code != int(error.exit_code) else ""
        sys.stderr.write(f"tkms: {head} {error.sentence} [{error.reason}{number}]\n")
        for name, value in error.details.items():
            sys.stderr.write(f"tkms:   {name}: {value}\n")
        if error.hint:
            sys.stderr.write(f"tkms: hint: {error.hint}\n")
        sys.stderr.flush()


def console(*, stderr: bool) -> "Console":
    """Return a rich console; narrow pipes get a width at which no table is cut."""
    from rich.console import Console  # noqa: PLC0415 - keeps `--help` quick

    stream = sys.stderr if stderr else sys.stdout
    return Console(
        file=stream, soft_wrap=not stream.isatty(), width=None if stream.isatty() else 160
    )


def fields(document: Mapping[str, object]) -> str:
    """Return a document as aligned lines of `name  value`."""
    width = max((len(name) for name in document), default=0)
    lines: list[str] = []
    for name, value in document.items():
        shown = json.dumps(value) if isinstance(value, dict | list) else value
        lines.append(f"{name.ljust(width)}  {shown}")
    return "\n".join(lines)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> object:
    """Return a rich table of plain cells (no markup is read from the cells)."""
    from rich.table import Table  # noqa: PLC0415 - keeps `--help` quick
    from rich.text import Text  # noqa: PLC0415

    drawn = Table(title=title or None, title_justify="left", header_style="bold")
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(str(cell), style=_style(str(cell))) for cell in row))
    return drawn


def _style(cell: str) -> str:
    good = {"ready", "ok", "fulfilled", "active", "verified", "right"}
    bad = {"crashed", "failed", "expired", "unreachable", "wrong", "back-off"}
    return "green" if cell in good else "red" if cell in bad else ""
