"""The harness of what a core takes from outside must see what it is for: planted defects are found."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import tkms_kernel as kernel

from core.errors import VaultError
from core.records import Records
from core.vault import Vault
from mpc import broadcast, masked_opening
from mpc.exchange import ProtocolAbort
from mpc.session import AbortReason
from tests.fuzz import documents, kernel_calls, protocols
from tests.fuzz import spoil as spoiling
from tests.fuzz.kernel_samples import samples
from tests.fuzz.peer_streams import peers
from tests.fuzz.spoil import bounded, spoil, spoil_json
from tests.fuzz.targets import TARGETS
from tests.mpc.network import Network


def inputs(seed: int, count: int, first: int | None = None) -> Iterator[bytes]:
    """The same in every run; `first` chooses the case."""
    chance = random.Random(seed)
    for _ in range(count):
        data = chance.randbytes(300)
        yield data if first is None else bytes([first]) + data


def finds(target: Callable[[bytes], None], seed: int, count: int, first: int | None = None) -> bool:
    """Whether one of some inputs shows a defect."""
    for data in inputs(seed, count, first):
        try:
            target(data)
        except Exception:  # noqa: BLE001 - whatever the defect leads to
            return True
    return False


def test_every_kernel_call_is_sometimes_answered_and_sometimes_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither all nonsense nor always the same."""
    seen: Counter[tuple[str, bool]] = Counter()
    place = [""]
    honest = kernel_calls.answer

    def answer(call: Callable[[], Any], typed: Any) -> Any:
        found = honest(call, typed)
        seen[place[0], found is None] += 1
        return found

    monkeypatch.setattr(kernel_calls, "answer", answer)
    names = {call.__name__: call for call in kernel_calls.CALLS}
    for name, call in names.items():
        place[0] = name
        for data in inputs(3, 30):
            call(kernel_calls.Choices(data), samples())
    # It has no bytes to refuse.
    del names["_signatures"]
    missing = [(n, r) for n in names for r in (True, False) if not seen[n, r]]
    assert missing == []


def test_a_kernel_that_panics_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """InternalError is no refusal."""

    def panics(*_: object) -> None:
        raise kernel.InternalError("planted")

    monkeypatch.setattr(kernel, "ordinary_info", panics)
    assert finds(kernel_calls.kernel_calls, 1, 20, 1)


def test_a_protocol_that_trusts_a_length_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that is no abort."""
    monkeypatch.setattr(
        broadcast,
        "_digests",
        lambda payloads, count: {
            p: tuple(data[32 * i : 32 * i + 32] for i in range(count + 0 * data[0]))
            for p, data in payloads.items()
        },
    )
    assert finds(protocols.protocols, 2, 40, protocols.CASES.index(protocols._broadcast))


def test_a_protocol_that_gives_up_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """An abort where a value was promised."""

    def gives_up(*_: object, **__: object) -> object:
        raise ProtocolAbort(AbortReason.TOO_MANY_ERRORS, "planted")

    monkeypatch.setattr(masked_opening, "_find_liars", gives_up)
    assert finds(protocols.protocols, 3, 40, protocols.CASES.index(protocols._preprocessing))


def test_corrupt_parties_do_everything_in_every_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    """In each case messages are changed, left out and made up; most runs are not trivial."""
    changed: Counter[str] = Counter()
    honest = Network.run
    place = [""]

    def run(network: Network[Any]) -> Network[Any]:
        liars = dict(network.liars)

        def watched(liar: Any) -> Any:
            def lie(rng: random.Random, envelope: Any) -> bytes | None:
                sent: bytes | None = liar(rng, envelope)
                kind = "silent" if sent is None else "changed"
                changed[place[0] + kind] += sent != envelope.payload
                return sent

            return lie

        network.liars = {party: watched(liar) for party, liar in liars.items()}
        return honest(network)

    monkeypatch.setattr(Network, "run", run)
    for number, case in enumerate(protocols.CASES):
        place[0] = case.__name__
        for data in inputs(number, 3, number):
            protocols.protocols(data)
    for case in protocols.CASES:
        assert changed[case.__name__ + "changed"]
    assert sum(count for name, count in changed.items() if name.endswith("silent")) > 20


def test_records_that_fail_in_their_task_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what nobody awaits."""

    async def fails(*_: object) -> None:
        raise OSError("planted")

    monkeypatch.setattr(Records, "_answer", fails)
    assert finds(peers, 4, 60)


def test_a_vault_that_does_not_authenticate_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other bytes than those that were sealed."""
    honest = Vault.get

    def careless(vault: Vault, name: str) -> bytes:
        try:
            return honest(vault, name)
        except VaultError:
            return b"anything"

    monkeypatch.setattr(Vault, "get", careless)
    assert finds(documents.documents, 5, 60, documents.KINDS.index(documents._vault))


def test_bounds_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time and memory."""
    with pytest.raises(AssertionError), bounded(seconds=0.001):
        sum(range(10**6))
    sizes = iter((1000, 2000))
    monkeypatch.setattr(
        spoiling.resource, "getrusage", lambda _: SimpleNamespace(ru_maxrss=next(sizes))
    )
    with pytest.raises(AssertionError), bounded(kilobytes=999):
        pass


def test_nothing_chosen_changes_nothing() -> None:
    """So that an input that shrinks to nothing is the good case; each target takes it."""
    for data in (b"", b"good", b'{"a":1}'):
        assert spoil(data, kernel_calls.Choices(b"")) == data
        assert spoil_json(data, kernel_calls.Choices(b""), []).replace(b" ", b"") == data
    for make in TARGETS.values():
        make()(b"")
