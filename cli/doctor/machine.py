"""Checks of the machine under a home: ports, clock, disk, files, versions."""

import ctypes
import email.utils
import os
import resource
import shutil
import statistics
import sys
import time
import urllib.request
from pathlib import Path

from cli.engine import binary as engine_binary
from cli.engine import home as engine_home
from cli.findings import Finding, error, note, ok, warning
from cli.home.files import OperatorFiles, read_toml
from cli.home.toml_text import flat
from cli.supervision import leftovers

_GIB = 2**30
_LEAST_FREE_GIB = 1
_FSYNC_BYTES, _FSYNC_ROUNDS = 4096, 20
_HOPELESS_FSYNC_MS = 200.0
_TICK_S, _LARGEST_JUMP_S = 0.2, 0.05
_LARGEST_SKEW_S = 5.0
# What the engine keeps open beside connections: logs, databases, sockets.
_OTHER_FILES = 1000
# adjtimex: the kernel's clock is not disciplined by anybody.
_TIME_ERROR = 5
_TIMEX_BYTES = 512


def ports(files: OperatorFiles) -> list[Finding]:
    """Whether each address that this home listens on is free, or held by this home."""
    found = []
    for what, host, port in listeners(files):
        holders = _holders(port)
        if any(leftovers.belongs_to(pid, files.home) for pid in holders):
            found.append(ok("ports", f"{what} {host}:{port} is held by this home"))
        elif holders or not _can_bind(host, port):
            by = _who(holders)
            found.append(
                error(
                    "ports",
                    f"{what} {host}:{port} is taken by {by}",
                    f"end that process, or give {what} another port (tkms config set)",
                )
            )
        else:
            found.append(ok("ports", f"{what} {host}:{port} is free"))
    return found


def listeners(files: OperatorFiles) -> list[tuple[str, str, int]]:
    """Return (setting, host, port) of everything that this home listens on."""
    values = flat(read_toml(files.engine_config))
    wanted = [
        ("engine.rpc.laddr", values.get("rpc.laddr")),
        ("engine.p2p.laddr", values.get("p2p.laddr")),
    ]
    if values.get("instrumentation.prometheus"):
        name = "instrumentation.prometheus_listen_addr"
        wanted.append((f"engine.{name}", values.get(name)))
    for kind, path in files.own_settings().items():
        for key, value in read_toml(path).items():
            if "listen" in key:
                # A relay may have several.
                wanted += [(f"{kind}.{key}", address) for address in str(value).split()]
    found = []
    for name, address in wanted:
        host, _, port = str(address).removeprefix("tcp://").rpartition(":")
        if port.isdecimal() and int(port):
            found.append((name, host.strip("[]") or "0.0.0.0", int(port)))
    return found


def clock(files: OperatorFiles, peers: tuple[str, ...]) -> list[Finding]:
    """Whether the clock runs evenly, is disciplined, and agrees with blocks and other machines."""
    found = [_steady(), _disciplined()]
    urls = [(files.rpc_url(), True), *((peer, False) for peer in peers)]
    for url, own in urls:
        try:
            found.append(_against(url, own))
        except (OSError, ValueError, KeyError) as problem:
            if not own:
                found.append(warning("clock", f"{url} does not answer: {problem}", "name another"))
    return found


def disk(files: OperatorFiles, least_free_gib: float, longest_fsync_ms: float) -> list[Finding]:
    """Whether there is room, and how long a synced write takes."""
    usage = shutil.disk_usage(files.home)
    free = usage.free / _GIB
    room = f"{free:.1f} GiB of {usage.total / _GIB:.0f} GiB are free"
    if free < min(_LEAST_FREE_GIB, least_free_gib):
        first = error("disk", room, "make room now: a full disk stops the node")
    elif free < least_free_gib:
        first = warning("disk", room, "make room, or prune: tkms prune, docs/operator.md")
    else:
        first = ok("disk", room)
    took = _fsync_ms(files.home / "data")
    speed = f"a synced write of 4 KiB takes {took:.1f} ms (median of {_FSYNC_ROUNDS})"
    if took > max(_HOPELESS_FSYNC_MS, longest_fsync_ms):
        return [first, error("disk", speed, "each block waits for several: use a local SSD")]
    if took > longest_fsync_ms:
        return [first, warning("disk", speed, "each block waits for several: use a local SSD")]
    return [first, ok("disk", speed)]


def descriptors(files: OperatorFiles) -> list[Finding]:
    """Whether this user may open as many files as the engine's settings allow connections."""
    values = flat(read_toml(files.engine_config))
    names = (
        "rpc.max_open_connections",
        "p2p.max_num_inbound_peers",
        "p2p.max_num_outbound_peers",
    )
    wanted = _OTHER_FILES + sum(int(values.get(name, 0)) for name in names)  # type: ignore[call-overload] # numbers
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        return [
            error(
                "descriptors",
                f"{soft} open files are allowed (at most {hard}), {wanted} may be needed",
                f"ulimit -n {wanted}, or LimitNOFILE in the unit (tkms deploy systemd writes it)",
            )
        ]
    return [ok("descriptors", f"{soft} open files are allowed, {wanted} may be needed")]


def versions() -> list[Finding]:
    """Whether engine, Python and libraries are those that this version was tested with."""
    found = []
    build = engine_binary.build_of(engine_home.find_binary())
    if build.cometbft != engine_binary.WANTED:
        found.append(
            error(
                "versions",
                f"{build.path} is built from CometBFT {build.cometbft or 'nobody knows what'}",
                f"make sync builds {engine_binary.WANTED}; or point TKMS_COMETBFT at one",
            )
        )
    else:
        said = f"engine {build.path.name}: CometBFT {build.cometbft}, go {build.go}"
        found.append(ok("versions", f"{said} (prints 0.39.0: known)"))
    major, minor = sys.version_info[:2]
    if (major, minor) < (3, 11):
        found.append(error("versions", f"Python {major}.{minor}", "Python 3.11 or newer"))
    from cli.version import details  # noqa: PLC0415 - slow import

    known = details()
    rest = ", ".join(f"{name} {known[name]}" for name in ("python", "kernel", "protobuf", "plyvel"))
    return [*found, ok("versions", rest)]


def _steady() -> Finding:
    wall, even = time.time(), time.monotonic()
    time.sleep(_TICK_S)
    jump = (time.time() - wall) - (time.monotonic() - even)
    if abs(jump) > _LARGEST_JUMP_S:
        return error(
            "clock",
            f"the clock jumped by {jump * 1000:.0f} ms within {_TICK_S} s",
            "let one time service slew it; two of them fight",
        )
    return ok("clock", "wall clock and monotonic clock run alike")


def _disciplined() -> Finding:
    """Ask the kernel whether a time service steers the clock."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return note("clock", "whether a time service runs is not known here")
    if state == _TIME_ERROR:
        return note(
            "clock",
            "the kernel does not know of a time service that steers the clock",
            "run chrony or systemd-timesyncd (in a virtual machine the host may do it)",
        )
    return ok("clock", "a time service steers the clock")


def _against(url: str, own: bool) -> Finding:
    """Compare with the time that a node puts into its answer, and with its latest block."""
    import json  # noqa: PLC0415

    asked = time.time()
    with urllib.request.urlopen(f"{url}/status", timeout=3) as answer:  # noqa: S310 - http only
        sent = email.utils.parsedate_to_datetime(answer.headers["Date"]).timestamp()
        document = json.load(answer)
    now = time.time()
    block = _rfc3339(document["result"]["sync_info"]["latest_block_time"])
    ahead = block - now
    # The header has whole seconds, and the answer took its time.
    skew = 0.0 if own else (sent + 0.5) - (asked + now) / 2
    if ahead > 1.0:
        return error(
            "clock",
            f"the latest block of {url} lies {ahead:.1f} s in our future: our clock is behind",
            "set the clock: blocks that are too far ahead are refused",
        )
    if abs(skew) > _LARGEST_SKEW_S:
        return error(
            "clock",
            f"{url} has another time: {skew:+.1f} s",
            "set the clock here or there: block time is the median of validators' clocks",
        )
    return ok("clock", f"agrees with {url}: latest block {-ahead:.1f} s ago")


def _rfc3339(text: str) -> float:
    """Return seconds since the epoch; nine digits after the point are more than Python reads."""
    import datetime as dt  # noqa: PLC0415

    head, _, fraction = text.rstrip("Z").partition(".")
    moment = dt.datetime.fromisoformat(head).replace(tzinfo=dt.UTC)
    return moment.timestamp() + float(f"0.{fraction or 0}")


def _fsync_ms(folder: Path) -> float:
    probe = folder / ".doctor-fsync"
    took = []
    try:
        with probe.open("wb", buffering=0) as file:
            for _ in range(_FSYNC_ROUNDS):
                begun = time.perf_counter()
                file.write(bytes(_FSYNC_BYTES))
                os.fsync(file.fileno())
                took.append(time.perf_counter() - begun)
    finally:
        probe.unlink(missing_ok=True)
    return statistics.median(took) * 1000


def _can_bind(host: str, port: int) -> bool:
    import socket  # noqa: PLC0415

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _holders(port: int) -> list[int]:
    """Return the processes that listen on a port, as far as we may see them."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    return [pid for pid in _pids() if inodes and _opens(pid, inodes)]


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _opens(pid: int, inodes: set[str]) -> bool:
    try:
        return any(str(link.readlink()) in inodes for link in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def _who(pids: list[int]) -> str:
    for pid in pids:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        return f"process {pid} ({words.strip()[:80]})"
    return "another process"
