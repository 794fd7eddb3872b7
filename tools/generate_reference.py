"""Write docs/reference from the schema, the command line and the reason codes; --check compares instead.

Pages are never edited: comments of the .proto files, help texts of commands and sentences of reasons are.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from google.protobuf import descriptor_pb2
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "reference"
sys.path.insert(0, str(ROOT))
_SCALARS = {
    getattr(descriptor_pb2.FieldDescriptorProto, name): name.removeprefix("TYPE_").lower()
    for name in descriptor_pb2.FieldDescriptorProto.Type.keys()  # noqa: SIM118 - no mapping
}
# Field numbers in FileDescriptorProto and below, as paths of comments name them (descriptor.proto).
_MESSAGES, _ENUMS, _SERVICES, _PARTS = 4, 5, 6, 2
_GENERATED = "<!-- Written by tools/generate_reference.py. -->"


def descriptors() -> list[descriptor_pb2.FileDescriptorProto]:
    """All files of the schema with their comments."""
    sources = sorted(
        str(path.relative_to(ROOT / "proto")) for path in ROOT.glob("proto/**/*.proto")
    )
    include = str(import_module("importlib.resources").files("grpc_tools") / "_proto")
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "set"
        options = [f"-I{ROOT / 'proto'}", f"-I{include}", "--include_source_info"]
        if protoc.main(["protoc", *options, f"--descriptor_set_out={found}", *sources]):
            raise SystemExit("protoc refuses the schema")
        listed = descriptor_pb2.FileDescriptorSet.FromString(found.read_bytes()).file
    return sorted(listed, key=lambda file: str(file.package))


class Comments:
    """Comments of one file by the path of what they stand at."""

    def __init__(self, file: descriptor_pb2.FileDescriptorProto) -> None:
        """Read them."""
        self._found = {tuple(at.path): at for at in file.source_code_info.location}

    def at(self, *path: int) -> str:
        """What stands above, or behind, on one line."""
        location = self._found.get(path)
        if location is None:
            return ""
        return " ".join((location.leading_comments or location.trailing_comments).split())


def type_of(field: descriptor_pb2.FieldDescriptorProto, package: str) -> str:
    """Type as people write it."""
    if field.type_name:
        name = field.type_name.removeprefix(f".{package}.").removeprefix(".")
    else:
        name = _SCALARS[field.type]
    repeated = field.label == descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
    return f"repeated {name}" if repeated else name


def cell(text: str) -> str:
    """Text within a table."""
    return text.replace("|", "\\|")


def message_lines(
    message: descriptor_pb2.DescriptorProto, comments: Comments, path: tuple[int, ...], package: str
) -> Iterator[str]:
    """A message with its fields."""
    yield from ("", f"### {message.name}", "")
    said = comments.at(*path)
    if said:
        yield from (said, "")
    if not message.field:
        yield "No fields."
        return
    yield from ("| number | field | type | |", "|---|---|---|---|")
    for index, field in enumerate(message.field):
        words = comments.at(*path, _PARTS, index)
        if field.HasField("oneof_index"):
            group = message.oneof_decl[field.oneof_index].name
            if not group.startswith("_"):
                words = f"One of `{group}`. {words}".strip()
        kind = type_of(field, package)
        yield f"| {field.number} | `{field.name}` | `{kind}` | {cell(words)} |"


def package_page(package: str, files: list[descriptor_pb2.FileDescriptorProto]) -> str:
    """Services, messages and enumerations of a package."""
    lines = [f"# {package}", "", _GENERATED]
    for file in files:
        comments = Comments(file)
        lines += ["", f"Source: `proto/{file.name}`"]
        for index, service in enumerate(file.service):
            lines += ["", f"## Service {service.name}", "", comments.at(_SERVICES, index), ""]
            lines += ["| method | takes | gives | |", "|---|---|---|---|"]
            for place, method in enumerate(service.method):
                takes = method.input_type.rpartition(".")[2]
                gives = method.output_type.rpartition(".")[2]
                gives = f"stream of `{gives}`" if method.server_streaming else f"`{gives}`"
                words = cell(comments.at(_SERVICES, index, _PARTS, place))
                lines.append(f"| `{method.name}` | `{takes}` | {gives} | {words} |")
        if file.message_type:
            lines += ["", "## Messages"]
        for index, message in enumerate(file.message_type):
            lines += message_lines(message, comments, (_MESSAGES, index), package)
        if file.enum_type:
            lines += ["", "## Enumerations"]
        for index, enum in enumerate(file.enum_type):
            lines += ["", f"### {enum.name}", "", comments.at(_ENUMS, index), ""]
            lines += ["| number | value | |", "|---|---|---|"]
            for place, value in enumerate(enum.value):
                words = cell(comments.at(_ENUMS, index, _PARTS, place))
                lines.append(f"| {value.number} | `{value.name}` | {words} |")
    return _page(lines)


def commands() -> Iterator[tuple[str, str, click.Command]]:
    """Every command: section, full name, command."""
    from cli.main import SECTIONS  # noqa: PLC0415 - the path is set first

    for section, listed in SECTIONS.items():
        for name, place, _ in listed:
            module, _, attribute = place.partition(":")
            command = getattr(import_module(module), attribute)
            yield from _below(section, f"tkms {name}", command)


def _below(
    section: str, name: str, command: click.Command
) -> Iterator[tuple[str, str, click.Command]]:
    if command.hidden:
        return
    yield section, name, command
    if isinstance(command, click.Group):
        for child in sorted(command.commands):
            yield from _below(section, f"{name} {child}", command.commands[child])


def command_page() -> str:
    """The command line."""
    lines = ["# The command line", "", _GENERATED, ""]
    lines.append(
        "Every command also takes `-o json` and the options that `tkms <command> --help` lists at the end."
    )
    section = ""
    for at, name, command in commands():
        if at != section:
            section = at
            lines += ["", f"## {section}"]
        lines += ["", f"### {name}", "", *_paragraphs(command.help or "")]
        shown = [_parameter(parameter) for parameter in command.params]
        shown = [row for row in shown if row]
        if shown:
            lines += ["", "| argument, option | |", "|---|---|", *shown]
        example = getattr(command, "example", "")
        if example:
            lines += ["", "```sh", *example.splitlines(), "```"]
    return _page(lines)


def _paragraphs(text: str) -> list[str]:
    return [line.strip() for line in text.replace("\b", "").strip().splitlines()]


def _parameter(parameter: click.Parameter) -> str:
    if isinstance(parameter, click.Argument):
        return f"| `{parameter.human_readable_name}` | |"
    if not isinstance(parameter, click.Option) or parameter.hidden or not parameter.help:
        return ""
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    return f"| {names} | {cell(' '.join(parameter.help.split()))} |"


def reason_page() -> str:
    """Why the chain refuses."""
    from wire.reasons import Reason  # noqa: PLC0415 - the same

    lines = ["# Reasons", "", _GENERATED, ""]
    lines.append(
        "Stable numbers, never used again for anything else; the command line, the relay and the explorer show all three."
    )
    lines += ["", "| code | name | what it says | what to do |", "|---|---|---|---|"]
    lines += [
        f"| {int(reason)} | `{reason.name}` | {cell(reason.sentence)} | {cell(reason.hint)} |"
        for reason in sorted(Reason, key=int)
    ]
    return _page(lines)


def _page(lines: list[str]) -> str:
    """Text without runs of empty lines."""
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    return "\n".join(kept).rstrip() + "\n"


def pages() -> dict[str, str]:
    """Every page by its file name."""
    packages: dict[str, list[Any]] = {}
    for file in descriptors():
        packages.setdefault(file.package, []).append(file)
    found = {f"{name}.md": package_page(name, files) for name, files in packages.items()}
    found["commands.md"] = command_page()
    found["reasons.md"] = reason_page()
    index = [
        "# Reference",
        "",
        _GENERATED,
        "",
        "- [The command line](commands.md)",
        "- [Reasons](reasons.md)",
    ]
    index += [f"- [`{name}`]({name}.md)" for name in sorted(packages)]
    found["README.md"] = _page(index)
    return found


def main() -> None:
    """Write or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="change nothing; fail where a page is old"
    )
    check = parser.parse_args().check
    made = pages()
    there = {path.name: path.read_text("utf-8") for path in TARGET.glob("*.md")}
    if check:
        old = sorted(
            name for name in made.keys() | there.keys() if made.get(name) != there.get(name)
        )
        if old:
            raise SystemExit(
                f"old pages in docs/reference: {', '.join(old)}; run tools/generate_reference.py"
            )
        return
    TARGET.mkdir(parents=True, exist_ok=True)
    for name in there.keys() - made.keys():
        (TARGET / name).unlink()
    for name, text in made.items():
        (TARGET / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
