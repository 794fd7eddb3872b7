"""Four operators under mixed traffic while one is frozen, one is killed and one is behind a pulled cable.

At the end: equal blocks and app hashes at every height, nothing lost, nothing twice, supply constant.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import closing

import pytest

from abci_app.grammar import Record
from cli.localnet import life
from cli.localnet.topology import Topology
from ledger.bank import state as bank
from ledger.state import State
from ledger.store import Store
from tests.localnet import chaos
from tests.localnet.chaos import CUT, KILLED, Chaos, Traffic
from tests.localnet.harness import READY_S, Network, processes_of
from tests.localnet.world import World
from tests.support import grammar_oracle, namespace
from tests.support.namespace import Forwarder, Namespace
from wire.ids import Address
from wire.pb.tkms.state.v1 import state_pb2

pytestmark = pytest.mark.localnet

SHORT_S, SHORT_CUT_S = 90.0, 20.0
LONG_S, LONG_CUT_S = 600.0, 60.0
SETTLE_S = 240.0


@pytest.fixture(scope="module")
def cable() -> Iterator[Namespace | None]:
    """A namespace for one engine, where namespaces may be made; else that engine is frozen instead."""
    if not namespace.possible():
        yield None
        return
    made = Namespace()
    made.create()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory, cable: Namespace | None) -> Iterator[Network]:
    """A running network whose fourth engine lives behind the cable."""
    home = tmp_path_factory.mktemp("chaos") / "home"
    plan, _ = life.create_or_load(home, Topology(parameters="test"))
    chaos.with_records(plan)
    forwarder = None
    if cable is not None:
        plan = chaos.behind_a_cable(plan, cable)
        port = plan.operators[CUT - 1].rpc_port
        forwarder = Forwarder(port, (cable.address, port))
    plan.save()
    life.start(plan, os.getpid())
    try:
        life.wait_ready(plan, READY_S)
        yield Network(home, plan)
    finally:
        if cable is not None:
            cable.heal()
        life.end(home)
        if forwarder is not None:
            forwarder.close()
        assert processes_of(home) == []


def test_chaos(network: Network, prepared: list[tuple[str, int]], cable: Namespace | None) -> None:
    """A minute and a half."""
    drill(World(network, prepared), cable, SHORT_S, SHORT_CUT_S)


@pytest.mark.slow
def test_long_chaos(
    network: Network, prepared: list[tuple[str, int]], cable: Namespace | None
) -> None:
    """Ten minutes."""
    drill(World(network, prepared), cable, LONG_S, LONG_CUT_S)


def drill(world: World, cable: Namespace | None, seconds: float, cut_seconds: float) -> None:
    """Disturb, settle, compare."""
    disturbed = Chaos(world.home, cable, seconds, cut_seconds)
    traffic = Traffic(world)
    asyncio.run(both(disturbed, traffic, seconds))
    life.wait_ready(world.network.plan, READY_S)
    asyncio.run(traffic.settle(SETTLE_S))
    report(world, disturbed, traffic)
    check_effects(world, traffic)
    check_blocks(world)
    check_value(world)
    check_disks(world)


async def both(disturbed: Chaos, traffic: Traffic, seconds: float) -> None:
    """Traffic before, during and a little after."""
    async with asyncio.TaskGroup() as group:
        group.create_task(traffic.run(seconds + 10))
        group.create_task(disturbed.run())


def report(world: World, disturbed: Chaos, traffic: Traffic) -> None:
    """Figures of the drill, for people (`pytest -s`)."""
    print(  # noqa: T201
        json.dumps(
            {
                "disturbed": disturbed.done,
                "cut_by": "freeze of the engine" if disturbed.namespace is None else "namespace",
                "blocks": traffic.height,
                "included": len(traffic.included),
                "expired": len(traffic.lost),
                "requests": len(traffic.requests),
                "refused": traffic.refused,
                "restarts": {
                    state["name"]: state["restarts"]
                    for state in life.ask(world.home, "status")
                    if state["restarts"]
                },
            },
            indent=1,
        )
    )


def check_effects(world: World, traffic: Traffic) -> None:
    """Each transfer once, with its amount; each request closed once, and answered."""
    assert len(traffic.included) > traffic.height / 4
    codes = {code for _, code in traffic.included.values()}
    # Whatever a proposer checked may meet another ground, but our traffic gives no reason for it.
    assert 0 in codes

    async def asked() -> None:
        async with world.chain() as chain:
            raw = await chain.query("/account", traffic.sink)
            account = state_pb2.AccountView.FromString(raw).account
            assert account.balance == traffic.transferred
            mine = {r for r in traffic.requests if r in traffic.closed}
            assert {traffic.closed[request] for request in mine} == {1}
            ends = await chaos.statuses(chain, sorted(mine))
            assert set(ends) <= {"STATUS_FULFILLED", "STATUS_EXPIRED", "STATUS_FAILED"}
            assert ends["STATUS_FULFILLED"] >= 0.9 * len(mine), ends

    asyncio.run(asked())
    # What was answered with code 0 was offered until it was in a block, long before it expired.
    assert [sent for sent in traffic.lost if sent.accepted] == []


def check_blocks(world: World) -> None:
    """Block hash and app hash of every height are those of all nodes."""
    reached = min(asyncio.run(chaos.heights(world)))
    first = asyncio.run(chaos.headers(world, 1, reached))
    assert [height for height, _, _ in first] == list(range(1, reached + 1))
    for operator in range(2, len(world.network.plan.operators) + 1):
        assert asyncio.run(chaos.headers(world, operator, reached)) == first, operator


def check_value(world: World) -> None:
    """The network still does what it is for."""
    handle, value = world.prepared[0]
    assert world.network.tkms("decrypt", handle)["values"][0]["value"] == value


def check_disks(world: World) -> None:
    """On every disk: as many units as were ever made, an equal sum, and calls in the right order."""
    life.ask(world.home, "stop", [f"node{op.index}" for op in world.network.plan.operators])
    sums = set()
    for operator in world.network.plan.operators:
        folder = world.network.plan.folder(operator) / "app"
        with closing(Store(folder / "state.db")) as store:
            state = State(store)
            assert bank.total(state) == bank.minted(state)
            sums.add(bank.minted(state))
            assert bank.balance(state, Address(bank.FEE_ACCOUNT.value)) >= 0
        with (folder / "calls.log").open(encoding="ascii") as file:
            record = Record.parse(file)
        record.check()
        if operator.index == KILLED:
            assert len(record.lives) > 1
        if grammar_oracle.AVAILABLE:
            lives = [
                (not life.committed and not n, life.letters) for n, life in enumerate(record.lives)
            ]
            lives = [(clean, word) for clean, word in lives if word]
            assert grammar_oracle.verdicts(lives) == ["good"] * len(lives)
    assert len(sums) == 1
    life.resume(world.network.plan)
