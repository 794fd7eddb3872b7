"""Second opinions: a header is kept only when a witness has it, and a lie is written down."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from client.errors import ConflictingHeaders, VerificationFailed, WitnessesSilent
from client.header_store import HeaderStore
from client.headers import HeaderChain
from light import AttackKind, PinnedHeader, PinnedValidators, TrustRoot
from tests.support.light_twin import SECOND, validators_hash
from tests.support.linked_chain import LinkedChain
from tests.support.linked_rpc import LinkedRpc

FOUR = {"a": 10, "b": 10, "c": 10, "d": 10}


def honest_chain() -> LinkedChain:
    """Four validators, blocks until just now."""
    return LinkedChain("witness-1", lambda _height: FOUR, time.time_ns() - 200 * SECOND)


def client(
    primary: LinkedRpc,
    *witnesses: LinkedRpc,
    root: TrustRoot | None = None,
    store: HeaderStore | None = None,
    patience_s: float = 0.0,
) -> HeaderChain:
    """A header chain from header 5 of the true chain unless told otherwise."""
    chain = primary.chain
    made = HeaderChain(
        primary,
        chain.policy,
        root or PinnedHeader(5, chain.hash(5)),
        witnesses=witnesses,
        store=store,
    )
    made._witnesses.patience_s = patience_s
    return made


async def refused(headers: HeaderChain, height: int) -> ConflictingHeaders:
    """The conflict that a header ends in."""
    with pytest.raises(ConflictingHeaders) as caught:
        await headers.header(height)
    return caught.value


async def test_one_agreeing_witness_is_enough() -> None:
    """Silence of others, or a witness that proves nothing, does not stop anybody."""
    chain = honest_chain()
    liar = chain.fork(10, app_hash="AA" * 32)
    liar.signers = lambda _height: "a"
    down = LinkedRpc(chain, name="down")
    down.down = True
    good = LinkedRpc(chain, name="good")
    headers = client(LinkedRpc(chain), down, LinkedRpc(liar, name="liar"), good)
    assert (await headers.header(50)).hash == chain.hash(50)
    assert good.fetched == [50]
    assert good.lists == 0


async def test_without_a_second_opinion_nothing_is_believed() -> None:
    """Unreachable, lagging and unproving witnesses confirm nothing; the error names them."""
    chain = honest_chain()
    down = LinkedRpc(chain, name="down")
    down.down = True
    headers = client(LinkedRpc(chain), down, LinkedRpc(chain, top=20, name="behind"))
    with pytest.raises(WitnessesSilent, match=r"header 50: http://down, http://behind"):
        await headers.header(50)
    down.down = False
    assert (await headers.header(50)).height == 50


async def test_a_witness_that_catches_up_is_waited_for() -> None:
    """An honest witness a few blocks behind confirms as soon as it has the block."""
    chain = honest_chain()

    class Growing(LinkedRpc):
        async def status(self) -> Any:
            self.top += 1
            return await super().status()

    headers = client(LinkedRpc(chain), Growing(chain, top=48, name="growing"), patience_s=5)
    assert (await headers.header(50)).height == 50


@pytest.mark.parametrize("witnesses", [1, 3])
async def test_an_attack_is_refused_reported_and_written(tmp_path: Path, witnesses: int) -> None:
    """Both sides are named and accused; the evidence lies beside the store; nothing was kept."""
    chain = honest_chain()
    lie = chain.fork(20, app_hash="AA" * 32)
    primary = LinkedRpc(lie, name="primary")
    others = [LinkedRpc(chain, name=f"witness{number}") for number in range(witnesses)]
    store = HeaderStore(tmp_path / "headers" / "store.json")
    headers = client(primary, *others, store=store)
    error = await refused(headers, 50)
    assert (error.conflict.primary, error.conflict.witness) == ("http://primary", "http://witness0")
    assert error.conflict.height == 50
    assert error.conflict.against_primary.kind is AttackKind.LUNATIC
    assert len(error.conflict.against_primary.byzantine) == 4
    assert error.conflict.against_primary.conflicting.header.hash == lie.hash(50)
    assert error.conflict.against_witness.conflicting.header.hash == chain.hash(50)
    assert "http://primary and http://witness0" in str(error)
    # The root is kept, nothing above it.
    assert json.loads(store.path.read_text())["height"] == 5
    assert error.evidence_file is not None
    document = json.loads(error.evidence_file.read_text())
    assert error.evidence_file.parent == store.path.parent
    assert document["against_primary"]["kind"] == "lunatic"
    assert document["against_primary"]["evidence"] == json.loads(others[0].reported[0])
    assert document["against_witness"]["evidence"] == json.loads(primary.reported[0])
    assert document["reported"] == {"http://primary": "accepted", "http://witness0": "accepted"}
    # From now on nothing is believed any more, not even below the fork.
    assert await refused(headers, 10) is error


async def test_amnesia_is_written_and_not_reported(tmp_path: Path) -> None:
    """Evidence that names nobody would only stop the node that it is given to."""
    chain = honest_chain()
    lie = chain.fork(20, data_hash="AA" * 32)
    lie.round = 1
    witness = LinkedRpc(chain, name="w")
    store = HeaderStore(tmp_path / "store.json")
    error = await refused(client(LinkedRpc(lie), witness, store=store), 50)
    assert error.conflict.against_primary.kind is AttackKind.AMNESIA
    assert witness.reported == []
    assert error.evidence_file is not None
    document = json.loads(error.evidence_file.read_text())
    assert document["reported"]["http://w"] == "not reported: names nobody"


async def test_an_attack_under_pinned_validators() -> None:
    """The pinned set itself signs two headers; the first header of the chain is the common one."""
    chain = honest_chain()
    lie = chain.fork(20, app_hash="AA" * 32)
    root = PinnedValidators(validators_hash(chain.validators(1)))
    error = await refused(client(LinkedRpc(lie), LinkedRpc(chain, name="w"), root=root), 50)
    attack = error.conflict.against_primary
    assert (attack.kind, attack.common_height) == (AttackKind.LUNATIC, 1)
    assert attack.conflicting.header.hash == lie.hash(50)


@pytest.mark.parametrize("fork", [1, 20])
async def test_an_attack_without_a_common_header(fork: int) -> None:
    """A fork from the first header on, or one whose start is pruned, is an attack all the same."""
    chain = honest_chain()
    lie = chain.fork(fork, data_hash="AA" * 32)
    root = PinnedValidators(validators_hash(chain.validators(1)))
    primary = LinkedRpc(lie)
    primary.earliest = 15
    error = await refused(client(primary, LinkedRpc(chain, name="w"), root=root), 50)
    assert error.conflict.against_primary.kind is AttackKind.EQUIVOCATION
    assert error.conflict.against_primary.common_height == 50
    assert error.evidence_file is None


async def test_a_header_above_the_witnesses_chain() -> None:
    """A header higher than the chain, but no younger than its end, is a lie."""
    chain = honest_chain()
    lie = chain.fork(20, app_hash="AA" * 32, time=chain.signed(60)["header"]["time"])
    error = await refused(client(LinkedRpc(lie), LinkedRpc(chain, top=70, name="w")), 90)
    assert error.conflict.against_primary.conflicting.header.hash == lie.hash(90)
    assert error.conflict.against_primary.trusted.height == 70


async def test_witnesses_are_asked_about_the_root_of_pinned_validators_only() -> None:
    """A pinned header and headers below need no opinion: a hash has one header."""
    chain = honest_chain()
    witness = LinkedRpc(chain, name="w")
    headers = client(LinkedRpc(chain), witness, root=PinnedHeader(30, chain.hash(30)))
    assert (await headers.header(30)).hash == chain.hash(30)
    assert (await headers.header(3)).hash == chain.hash(3)
    assert witness.fetched == []
    with pytest.raises(VerificationFailed, match="the trusted one is 30"):
        await client(LinkedRpc(chain), root=PinnedHeader(30, bytes(32))).header(31)


def test_urls_are_names() -> None:
    """Guard of the support: names become the addresses that errors show."""
    names: Sequence[str] = [LinkedRpc(honest_chain(), name=name).url for name in ("x", "y")]
    assert names == ["http://x", "http://y"]
