"""systemd units of an operator's home: one a process, and a target over them."""

import getpass
import grp
import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from cli.errors import ExitCode
from cli.home.files import OperatorFiles
from cli.home.processes import Entry, table

# Enough for every connection that config.toml allows, databases and logs.
_OPEN_FILES = 65536
# A block in work is finished and answered before the end.
_STOP_S = 60
_FINAL = (ExitCode.CONFIG, ExitCode.DISK, ExitCode.VERSION)

# What a process that only computes, writes its home and talks over sockets can do without.
_HARDENING = (
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "AmbientCapabilities=",
    "ProtectSystem=strict",
    "ProtectHome=read-only",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectControlGroups=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
)
# A process that holds shares must not leave them in a core dump or in swap of a dead process.
_SECRET = ("LimitCORE=0",)


@dataclass(frozen=True, slots=True)
class Deployment:
    """How the processes are found and as whom they run."""

    prefix: str
    command: tuple[str, ...]
    engine: Path
    user: str
    group: str


def owner(home: Path) -> tuple[str, str]:
    """Return user and group that own a home, by name."""
    status = home.stat()
    try:
        return pwd.getpwuid(status.st_uid).pw_name, grp.getgrgid(status.st_gid).gr_name
    except KeyError:
        return getpass.getuser(), str(os.getegid())


def units(files: OperatorFiles, deployment: Deployment) -> dict[str, str]:
    """Return file name -> text of every unit."""
    entries = table(files)
    found = {
        f"{deployment.prefix}-{entry.name}.service": _service(files, deployment, entry, entries)
        for entry in entries
    }
    found[f"{deployment.prefix}.target"] = _target(files, deployment, entries)
    return found


def _service(
    files: OperatorFiles, deployment: Deployment, entry: Entry, entries: tuple[Entry, ...]
) -> str:
    names = {other.name: f"{deployment.prefix}-{other.name}.service" for other in entries}
    target = f"{deployment.prefix}.target"
    unit = [
        f"Description=tkms {entry.name} of {files.home}: {entry.what}",
        "Documentation=man:systemd.service(5)",
        f"PartOf={target}",
        " ".join(["After=network-online.target", *(names[name] for name in entry.after)]),
        "Wants=network-online.target",
    ]
    if entry.bound:
        # An engine without its node ends by itself: it must not be restarted before the node.
        unit.append(f"BindsTo={names[entry.bound]}")
    dependants = [names[other.name] for other in entries if other.bound == entry.name]
    if dependants:
        # What ended with this process comes back with it.
        unit.append(f"Wants={' '.join(dependants)}")
    unit += ["StartLimitIntervalSec=300", "StartLimitBurst=10"]
    command = _quoted((*deployment.command, *entry.arguments))
    service = [
        "Type=exec",
        f"User={deployment.user}",
        f"Group={deployment.group}",
        f"Environment={_quoted((f'TKMS_COMETBFT={deployment.engine}',))}",
        f"ExecStart={command}",
        f"WorkingDirectory={files.home}",
        # A node that ends with 0 has reached its halt height.
        "Restart=on-failure" if entry.may_finish else "Restart=always",
        "RestartSec=2",
        # A wrong setting, a full disk or an old release is not mended by starting again.
        f"RestartPreventExitStatus={' '.join(str(int(code)) for code in _FINAL)}",
        "KillMode=mixed",
        f"TimeoutStopSec={_STOP_S}",
        f"LimitNOFILE={_OPEN_FILES}",
        "UMask=0077",
        f"ReadWritePaths={files.home}",
        *_HARDENING,
        *(_SECRET if entry.name == "core" else ()),
    ]
    return _sections({"Unit": unit, "Service": service, "Install": [f"WantedBy={target}"]})


def _target(files: OperatorFiles, deployment: Deployment, entries: tuple[Entry, ...]) -> str:
    services = " ".join(f"{deployment.prefix}-{entry.name}.service" for entry in entries)
    return _sections(
        {
            "Unit": [f"Description=tkms operator home {files.home}", f"Wants={services}"],
            "Install": ["WantedBy=multi-user.target"],
        }
    )


def _sections(sections: dict[str, list[str]]) -> str:
    blocks = [f"[{name}]\n" + "\n".join(lines) + "\n" for name, lines in sections.items()]
    return "# Written by `tkms deploy systemd`; write again instead of editing.\n" + "\n".join(
        blocks
    )


def _quoted(words: tuple[str, ...]) -> str:
    """Return words as systemd reads a command line; a percent sign would be a specifier."""
    shown = []
    for word in words:
        safe = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
        shown.append(f'"{safe}"' if any(c in word for c in " \t\"'\\;") else safe)
    return " ".join(shown)
