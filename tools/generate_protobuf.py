"""Generate `wire/pb` from `proto/`; with `--check` only say whether the checked-in code is current.

protoc writes imports from the root of the schema (`from tkms.asc.v1 import ...`); generated code lives
under `wire.pb`, so these imports are rewritten and nothing is installed under a foreign name.
"""

from __future__ import annotations

import filecmp
import re
import shutil
import sys
import tempfile
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
TARGET = ROOT / "wire" / "pb"
SERVICES = ("core", "gateway", "release")
HEADER = '"""Generated from `proto/` by `tools/generate_protobuf.py`; never edited."""\n'


def generate(target: Path) -> None:
    """Write all generated modules below `target`."""
    sources = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    common = ["protoc", f"-I{PROTO}", f"-I{well_known}"]
    messages = [*common, f"--python_out={target}", f"--pyi_out={target}"]
    if protoc.main([*messages, *sources]) != 0:
        raise SystemExit("protoc failed")
    with_services = [source for source in sources if source.split("/")[1] in SERVICES]
    if protoc.main([*common, f"--grpc_python_out={target}", *with_services]) != 0:
        raise SystemExit("protoc failed on services")
    for module in sorted([*target.rglob("*.py"), *target.rglob("*.pyi")]):
        text = module.read_text()
        text = re.sub(r"^from tkms\.", "from wire.pb.tkms.", text, flags=re.MULTILINE)
        module.write_text(text)
    packages = {target}
    for module in target.rglob("*_pb2.py"):
        packages |= {parent for parent in module.parents if target in parent.parents}
    for folder in sorted(packages):
        (folder / "__init__.py").write_text(HEADER)


def differences(left: Path, right: Path) -> list[str]:
    """Names of files that differ or exist on one side only."""

    def names(root: Path) -> set[str]:
        return {
            str(path.relative_to(root))
            for path in root.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }

    found = sorted(names(left) ^ names(right))
    for name in sorted(names(left) & names(right)):
        if not filecmp.cmp(left / name, right / name, shallow=False):
            found.append(name)
    return found


def main() -> int:
    """Regenerate, or compare with `--check`."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "pb"
        fresh.mkdir()
        generate(fresh)
        if "--check" in sys.argv[1:]:
            found = differences(fresh, TARGET)
            for name in found:
                print(
                    f"wire/pb/{name} is not what proto/ generates; run `make proto`",
                    file=sys.stderr,
                )
            return 1 if found else 0
        if TARGET.exists():
            shutil.rmtree(TARGET)
        shutil.copytree(fresh, TARGET)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
