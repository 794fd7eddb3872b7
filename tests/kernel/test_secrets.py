"""Secrets leave the kernel's objects by one door that says so."""

from __future__ import annotations

import ast
from pathlib import Path

STUB = Path(__file__).resolve().parents[2] / "kernel" / "tkms_kernel.pyi"
HOLDERS = ("opaque", "zeroized", "zeroed")
PUBLIC = {"compact_public_key", "server_key"}
TELLING = ("key", "secret", "seed", "raw", "export", "share")


def holders() -> dict[str, list[ast.FunctionDef]]:
    """Classes that say they hold secrets, with their methods."""
    tree = ast.parse(STUB.read_text())
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return {
        one.name: [item for item in one.body if isinstance(item, ast.FunctionDef)]
        for one in classes
        if any(word in (ast.get_docstring(one) or "").lower() for word in HOLDERS)
    }


def test_a21_exports_of_secrets_say_so() -> None:
    """`to_bytes` of a secret is documented as one; no other method hands out what its name calls a secret."""
    found = holders()
    assert {"ClientKey", "KeyShare", "PrssKeys", "Shares"} <= set(found)
    for name, methods in found.items():
        for method in methods:
            if method.returns is None or "bytes" not in ast.unparse(method.returns):
                continue
            text = (ast.get_docstring(method) or "").lower()
            if method.name == "to_bytes":
                assert "secret" in text, f"{name}.to_bytes"
            elif method.name not in PUBLIC:
                assert not any(word in method.name for word in TELLING), f"{name}.{method.name}"


def test_a21_no_secret_object_can_be_copied_into_a_pickle_or_compared_by_bytes() -> None:
    """Nothing in the stub offers to serialise, hash or iterate over what it hides."""
    forbidden = {"__reduce__", "__getstate__", "__bytes__", "__iter__", "__getitem__", "__eq__"}
    for name, methods in holders().items():
        assert not forbidden & {method.name for method in methods}, name
