"""Real networks for end-to-end tests: real engine, nodes, cores, connectors, toy parameters."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli.localnet import life
from cli.localnet.topology import Topology
from tests.localnet.harness import READY_S, Network, processes_of


@pytest.fixture(scope="module")
def start_network(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., Network]]:
    """Start networks; at the end of a module none of their processes, sockets or folders stays."""
    homes: list[Path] = []

    def start(*, chain_only: bool = False, **settings: Any) -> Network:
        home = tmp_path_factory.mktemp("net") / "home"
        homes.append(home)
        # The two doors only where a test goes through them.
        settings = {"relay": False, "explorer": False, "parameters": "test", **settings}
        plan, made = life.create_or_load(home, Topology(**settings))
        assert made
        if chain_only:
            kept = [entry for entry in plan.processes if entry.name.startswith(("node", "engine"))]
            plan = replace(plan, processes=tuple(kept))
            plan.save()
        # Ends with this process even if that is killed.
        life.start(plan, os.getpid())
        life.wait_ready(plan, READY_S)
        return Network(home, plan)

    yield start
    for home in homes:
        if home.exists():
            life.end(home)
        assert processes_of(home) == []
        if home.exists():
            left = [path for path in home.rglob("*") if path.is_socket() and path.parent == home]
            assert left == []
            life.remove(home)


@pytest.fixture(scope="module")
def prepared(network: Network, request: pytest.FixtureRequest) -> list[tuple[str, int]]:
    """A key, and ten prepared public values that alice may see: (handle, value).

    A module that needs them in another form than the default names it in `FORM`.
    """
    form = getattr(request.module, "FORM", "default")
    network.tkms("keygen", "--crs-bits", "256", "--dealer")
    expected = [3, 1, 4, 15, 92, 65, 35, 89, 79, 200]
    arguments = [part for value in expected for part in ("--type", "euint8", "--value", str(value))]
    encrypted = network.tkms("encrypt", *arguments)
    handles = [str(entry["handle"]) for entry in encrypted["handles"]]
    network.tkms("prepare", "--form", form, *handles)
    network.tkms("public", *handles)
    network.tkms("grant", "alice", *handles)
    return list(zip(handles, expected, strict=True))
