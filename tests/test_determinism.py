"""Consensus code holds nothing that differs between machines: a lint over the syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("wire", "light", "ledger", "isc", "asc")
# Of the node, what runs inside a block.
NODE_FILES = (
    "ante",
    "consensus",
    "deliver",
    "fees",
    "gas",
    "genesis",
    "known",
    "lane",
    "modules",
    "proposal",
    "replay",
    "results",
)
# Files that may use the outside world, and why.
MAY_IMPORT = {
    # Holds the database, which threads share, and makes its replacement durable.
    "ledger/store.py": frozenset({"threading", "os"}),
    # A lock around what only saves time.
    "abci_app/known.py": frozenset({"threading"}),
    # One call at a time.
    "abci_app/consensus.py": frozenset({"threading"}),
}
FORBIDDEN_MODULES = frozenset(
    [
        "asyncio",
        "datetime",
        "locale",
        "math",
        "multiprocessing",
        "os",
        "platform",
        "random",
        "secrets",
        "socket",
        "ssl",
        "statistics",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
        "uuid",
        "zoneinfo",
        "decimal",
        "fractions",
    ]
)
FORBIDDEN_CALLS = frozenset({"hash", "id", "float", "eval", "exec", "input", "open", "print"})
SET_CALLS = frozenset({"set", "frozenset"})
# What takes over the order of its arguments.
ORDERED_CALLS = frozenset(
    {"list", "tuple", "iter", "next", "enumerate", "zip", "map", "filter", "reversed"}
)


def consensus_files() -> list[Path]:
    """All files of consensus code; generated code is left out."""
    found = [
        path
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if "pb" not in path.relative_to(ROOT).parts
    ]
    return found + [ROOT / "abci_app" / f"{name}.py" for name in NODE_FILES]


def findings(tree: ast.AST, allowed: frozenset[str] = frozenset()) -> Iterator[str]:
    """What must not be there, with its line."""
    sets = _names_of_sets(tree)
    for node in ast.walk(tree):
        for words in _of_node(node, allowed, sets):
            yield f"line {getattr(node, 'lineno', 0)}: {words}"


def _of_node(node: ast.AST, allowed: frozenset[str], sets: frozenset[str]) -> Iterator[str]:
    yield from _arithmetic(node)
    if isinstance(node, ast.Import):
        yield from _imports([alias.name for alias in node.names], allowed)
    if isinstance(node, ast.ImportFrom):
        yield from _imports([node.module or ""], allowed)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        yield from _call(node, node.func.id, sets)
    source = None
    if isinstance(node, ast.For | ast.comprehension):
        source = node.iter
    if isinstance(node, ast.Starred):
        source = node.value
    if source is not None and _is_set(source, sets):
        yield "iteration over a set"


def _arithmetic(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
        yield f"float {node.value}"
    if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
        yield "true division"
    is_power = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)
    if is_power and isinstance(node.right, ast.UnaryOp):
        yield "negative power"


def _imports(names: list[str], allowed: frozenset[str]) -> Iterator[str]:
    for name in names:
        top = name.split(".", 1)[0]
        if top in FORBIDDEN_MODULES - allowed:
            yield f"import of {name}"


def _call(node: ast.Call, name: str, sets: frozenset[str]) -> Iterator[str]:
    if name in FORBIDDEN_CALLS:
        yield f"call of {name}"
    if name in ORDERED_CALLS and any(_is_set(argument, sets) for argument in node.args):
        yield f"{name} of a set"


def _is_set(node: ast.AST, sets: frozenset[str]) -> bool:
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    if isinstance(node, ast.Name):
        return node.id in sets
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd | ast.BitOr | ast.Sub):
        return _is_set(node.left, sets) or _is_set(node.right, sets)
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SET_CALLS
    )


def _names_of_sets(tree: ast.AST) -> frozenset[str]:
    """Names that are assigned a set somewhere in the file."""
    found = []
    for node in ast.walk(tree):
        value = getattr(node, "value", None)
        if isinstance(node, ast.Assign) and _is_set(value, frozenset()):
            found += [target.id for target in node.targets if isinstance(target, ast.Name)]
        is_annotated = isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        if is_annotated and value is not None and _is_set(value, frozenset()):
            found.append(node.target.id)
    return frozenset(found)


@pytest.mark.parametrize("path", consensus_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_consensus_code_is_deterministic(path: Path) -> None:
    """No float, no division, no order of sets, no identity hashes, no clock, chance or outside world."""
    allowed = MAY_IMPORT.get(str(path.relative_to(ROOT)), frozenset())
    assert list(findings(ast.parse(path.read_text()), allowed)) == []


@pytest.mark.parametrize(
    "source",
    [
        "x = 1.5",
        "x = a / b",
        "x /= 2",
        "x = 2 ** -1",
        "import time",
        "import os.path",
        "from random import choice",
        "x = hash(y)",
        "x = float(y)",
        "for x in {1, 2}: pass",
        "for x in set(y): pass",
        "s = frozenset(y)\nfor x in s: pass",
        "s: object = {a for a in b}\nz = [x for x in s]",
        "x = list({1, 2})",
        "x = tuple(set(y) - set(z))",
        "f(*{1, 2})",
    ],
)
def test_the_lint_finds_what_it_forbids(source: str) -> None:
    """Each rule fires."""
    assert list(findings(ast.parse(source))) != []


@pytest.mark.parametrize(
    "source",
    ["x = a // b", "x = sorted({1, 2})", "x = len(set(y))", "if x in {1, 2}: pass", "x = 2**64"],
)
def test_the_lint_allows_what_is_deterministic(source: str) -> None:
    """No false alarm."""
    assert list(findings(ast.parse(source))) == []
