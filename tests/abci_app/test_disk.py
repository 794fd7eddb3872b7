"""A disk that is full or fails: the node says so and ends, and goes on when the disk is well again."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import plyvel
import pytest

from abci_app import disk
from abci_app.disk import DiskFailure
from cli.errors import ExitCode
from ledger.errors import StoreError
from ledger.store import Store
from tests.support.load import Load
from tests.support.validator import ENGINE, ValidatorNode, until

pytestmark = [
    pytest.mark.localnet,
    pytest.mark.skipif(not ENGINE.exists(), reason="the engine is not built"),
]

# Room for the empty database, its log and some blocks.
SMALL_BYTES = 8 * 1024 * 1024

# fsync and fdatasync fail while the file that TKMS_FSYNC_FAILS names is there.
SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int fails(void) {
    const char *path = getenv("TKMS_FSYNC_FAILS");
    return path != NULL && access(path, F_OK) == 0;
}

int fsync(int file) {
    if (fails()) { errno = EIO; return -1; }
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(file);
}

int fdatasync(int file) {
    if (fails()) { errno = EIO; return -1; }
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(file);
}
"""


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ValidatorNode]:
    """A validator."""
    node = ValidatorNode.make(tmp_path / "node")
    yield node
    node.kill()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes."""
    path = tmp_path / "disk"
    path.mkdir()
    options = f"size={SMALL_BYTES}"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", path],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"file systems cannot be mounted here: {mounted.stderr.strip()}")
    yield path
    # Somebody who looks at all disks of the machine may hold it for a moment.
    subprocess.run(["umount", "--lazy", path], check=True)


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that makes fsync fail."""
    folder = tmp_path_factory.mktemp("shim")
    (folder / "fail.c").write_text(SHIM)
    target = folder / "fail.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", target, folder / "fail.c", "-ldl"], check=True)
    return target


def failure(node: ValidatorNode) -> dict[str, object]:
    """What the node said last about its disk."""
    found = [line for line in node.lines() if line["event"] == "STOPPING: the disk fails"]
    assert found, node.lines()[-1]
    return found[-1]


def goes_on(node: ValidatorNode, load: Load, died_at: int) -> None:
    """Everything that was accepted gets into a block, and all hashes are those of the headers."""
    node.await_height(died_at + 2)
    load.settle()
    node.check_hashes()
    assert node.record().check() >= died_at + 1
    assert load.included


def fill(path: Path, left: int) -> None:
    """Leave at most so many bytes of a disk on which others write meanwhile."""
    with (path / "filler").open("ab", buffering=0) as filler, suppress(OSError):
        while (free := disk._free_bytes(path) or 0) > left:
            filler.write(bytes(free - left))


def test_a_full_disk_stops_the_node_and_space_heals_it(
    small_disk: Path, node: ValidatorNode
) -> None:
    """No block is half written; the message names disk, cause, free bytes and remedy; a restart before is refused."""
    node.configure(database=str(small_disk / "state.db"))
    node.start()
    node.await_height(3)
    load = Load(node)
    load.start()
    fill(small_disk, 16 * 1024)
    assert node.await_end() == ExitCode.DISK
    load.stop()
    said = failure(node)
    assert said["disk"] == str(small_disk / "state.db")
    assert "No space left on device" in str(said["error"])
    assert "make space" in str(said["hint"])
    free = said["free_bytes"]
    assert isinstance(free, int)
    assert free < 64 * 1024
    died_at = node.height()
    # As the supervisor does, in vain.
    fill(small_disk, 0)
    assert refused_start(node) == ExitCode.DISK
    assert "No space left on device" in str(failure(node)["error"])
    (small_disk / "filler").unlink()
    node.start()
    goes_on(node, load, died_at)


def refused_start(node: ValidatorNode) -> int:
    """Exit code of an application that cannot start."""
    with pytest.raises(AssertionError, match="the application ended with"):
        node.start_application()
    assert node.application is not None
    return node.application.wait()


def test_a_failing_fsync_stops_the_node_and_a_good_one_heals_it(
    node: ValidatorNode, shim: Path
) -> None:
    """What may not be on the disk is never reported as committed."""
    fails = node.home / "fails"
    environment = {"LD_PRELOAD": str(shim), "TKMS_FSYNC_FAILS": str(fails)}
    node.start_application(**environment)
    node.start_engine()
    node.await_height(3)
    load = Load(node)
    load.start()
    fails.touch()
    assert node.await_end() == ExitCode.DISK
    load.stop()
    said = failure(node)
    assert "Input/output error" in str(said["error"])
    died_at = node.height()
    fails.unlink()
    node.start_application(**environment)
    node.start_engine()
    goes_on(node, load, died_at)


def test_the_engines_disk_stops_blocks_and_leaves_the_node_well(
    small_disk: Path, node: ValidatorNode
) -> None:
    """CometBFT stays half dead: its RPC answers, no block comes. A restart with space heals it, nothing is lost."""
    data = node.home / "engine/data"
    for path in data.iterdir():
        (small_disk / path.name).write_bytes(path.read_bytes())
    data.rename(node.home / "engine/old")
    data.symlink_to(small_disk)
    node.start()
    node.await_height(3)
    load = Load(node)
    load.start()
    fill(small_disk, 0)
    until(lambda: "CONSENSUS FAILURE!!!" in node.engine_log(), "the engine fails")
    load.stop()
    assert "no space left on device" in node.engine_log()
    # What a liveness probe must not be satisfied with.
    died_at = int(node.call("status")["sync_info"]["latest_block_height"])
    assert node.application is not None
    assert node.application.poll() is None
    (small_disk / "filler").unlink()
    node.stop()
    assert node.height() in (died_at - 1, died_at)
    node.start()
    goes_on(node, load, died_at)


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        OSError(30, "Read-only file system"),
        plyvel.IOError("IO error: /state.db/000003.log: Input/output error"),
    ],
)
def test_failures_of_the_disk_are_told_apart(tmp_path: Path, error: OSError) -> None:
    """From bugs and from broken connections, also below other errors."""
    wrapped = StoreError("cannot write")
    wrapped.__cause__ = error
    free = disk._free_bytes(tmp_path)
    assert free is not None
    for given in (error, wrapped):
        found = disk.find(given, tmp_path)
        assert isinstance(found, DiskFailure)
        assert (found.path, found.error) == (tmp_path, str(error))
    assert disk.find(ValueError("a bug"), tmp_path) is None
    assert disk.find(BrokenPipeError(), tmp_path) is None
    assert disk.find(TimeoutError(), tmp_path) is None
    assert disk.find(PermissionError(13, "Permission denied"), tmp_path) is None
    with closing(Store(tmp_path / "held")), pytest.raises(StoreError) as held:
        Store(tmp_path / "held")
    assert disk.find(held.value, tmp_path) is None
    gone = disk.find(error, tmp_path / "none")
    assert gone is not None
    assert gone.free_bytes is None
