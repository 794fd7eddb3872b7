"""Two nodes of one chain: one makes every block, the other only replays it; both must agree about everything.

    twins = Twins.start()                # a copy of a prepared chain, once a process
    twins.block(choices)                 # transactions by choice, one block, compared byte by byte
    twins.close()

The first checks, prepares and judges before it executes; the second executes only. A finding is an assertion that
fails, an exception out of the application, or a log line that says "bug". Everything since the start is in
`twins.calls`, which `tests.support.replay` runs again.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
from collections.abc import MutableMapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import structlog

from asc import state as asc_state
from ledger.config import state as config
from ledger.errors import VersionError
from tests.fuzz.choices import Choices
from tests.fuzz.mutation import Dictionary, mutate
from tests.fuzz.templates import TEMPLATES, Known
from tests.support.chain import (
    ADMIN,
    ALICE,
    BOB,
    SERVICE,
    STRANGER,
    Chain,
    message,
    party_account,
    party_key,
)
from tests.support.shop import APPLICATION, ciphertext
from tests.support.traffic import Traffic, traffic_genesis
from wire.answers import signed_digest
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.comet.v1 import abci_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.reasons import Reason
from wire.signing import Signer

SIGNERS: tuple[Signer, ...] = (
    ADMIN,
    ALICE,
    BOB,
    SERVICE,
    STRANGER,
    *(party_account(index) for index in range(1, 5)),
)
_MOST_TRANSACTIONS = 6
_MOST_MESSAGES = 4
_WARM_BLOCKS = 25
_SEED = 7
_ENTRIES = 8
_PREFIX = "tkms-fuzz-"


class BugReportedError(AssertionError):
    """The application caught a bug of its own and said so in its log."""


def watch_logs() -> None:
    """Make the log's word of a caught bug an exception here; say nothing else."""
    structlog.configure(processors=[structlog.processors.format_exc_info, _stop_at_bugs])


def _stop_at_bugs(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    if "bug" in str(event.get("event", "")) or event.get("event") == "metrics lost":
        _BUGS.append(dict(event))
    raise structlog.DropEvent


# What the log reported since the last look: the application must not see our exception.
_BUGS: list[dict[str, Any]] = []


def require_no_bugs() -> None:
    """Raise for what the log reported."""
    if _BUGS:
        found = _BUGS.copy()
        _BUGS.clear()
        raise BugReportedError(found)


@dataclass(frozen=True)
class Prepared:
    """A chain on disk from which copies are made."""

    folder: Path
    key_id: bytes
    height: int
    app_hash: bytes
    nonce: int
    registered: int


@cache
def prepared() -> Prepared:
    """The prepared chain: a key, requests in every state, proposals; made once a process."""
    base = Path("/dev/shm") if Path("/dev/shm").is_dir() else None  # noqa: S108 - memory, if there is
    base = base or Path(tempfile.gettempdir())
    _remove_leftovers(base)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=base))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    template = folder / "template"
    template.mkdir()
    traffic = Traffic.start(template, _SEED)
    traffic.run(_WARM_BLOCKS)
    chain = traffic.chain
    for number in range(1, traffic._names + 1):
        grant = isc_pb2.GrantAccess(
            application=APPLICATION,
            handle=ciphertext(f"traffic {number}", traffic.key_id)[0].handle,
            account=bytes(STRANGER.address),
        )
        # What was never registered cannot be granted.
        chain.run(chain.build(ALICE, message(grant_access=grant)))
    chain.close()
    return Prepared(
        template, traffic.key_id, chain.height, chain.app_hash, chain._nonce, traffic._names
    )


def _remove_leftovers(base: Path) -> None:
    """Folders of processes that are gone: a fuzzer that ends does not clean up."""
    for folder in base.glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdecimal() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Twins:
    """The two nodes."""

    maker: Chain
    follower: Chain
    folder: Path
    key_id: bytes
    registered: int
    calls: list[abci_pb2.Request] = field(default_factory=list)
    halted: bool = False

    @classmethod
    def start(cls) -> Twins:
        """Open two copies of the prepared chain."""
        made = prepared()
        folder = Path(tempfile.mkdtemp(dir=made.folder.parent))
        pair = []
        for name in ("maker", "follower"):
            shutil.copytree(made.folder, folder / name)
            chain = Chain(folder / name, traffic_genesis())
            chain.open()
            chain.height, chain.app_hash, chain._nonce = made.height, made.app_hash, made.nonce
            pair.append(chain)
        return cls(pair[0], pair[1], folder, made.key_id, made.registered)

    def close(self) -> None:
        """Compare everything that is stored, and remove it."""
        if not self.halted:
            one, other = (dict(chain.store.iterate(b"")) for chain in (self.maker, self.follower))
            assert one == other
        self.maker.close()
        self.follower.close()
        shutil.rmtree(self.folder)

    def block(self, choices: Choices) -> None:
        """Offer transactions, make a block of them, let the other one follow."""
        known = self.known(choices)
        count = 1 + choices.below(_MOST_TRANSACTIONS)
        offered = [self.transaction(choices, known) for _ in range(count)]
        for raw in offered:
            assert self.maker.check(raw).reason is not Reason.INTERNAL
        chosen = self.maker.prepare(*offered)
        assert self.maker.process(*chosen), "a node refuses its own proposal"
        # An engine that is not ours may decide a block that nobody of us would have proposed.
        decided = offered if choices.chance(64) else chosen
        self.decide(decided)
        for raw in [] if self.halted else offered:
            assert self.maker.check(raw, recheck=True).reason is not Reason.INTERNAL
        require_no_bugs()

    def decide(self, decided: list[bytes]) -> None:
        """Execute a block on both and compare the whole answers."""
        request = abci_pb2.RequestFinalizeBlock(
            txs=decided,
            hash=self.maker._hash(decided),
            height=self.maker.height + 1,
            time=self.maker._time(),
        )
        self.calls.append(abci_pb2.Request(finalize_block=request))
        answers = [self._finalize(chain, request) for chain in (self.maker, self.follower)]
        assert answers[0] == answers[1], "two nodes disagree about a block"
        if self.halted:
            return
        for chain in (self.maker, self.follower):
            chain.call(commit=abci_pb2.RequestCommit())
            chain.height += 1
        if self.maker.application._mempool._block is None:
            # The next block follows rules that this program does not know: both nodes must stop at it.
            self.decide([])
            assert self.halted, "a node goes on under rules that it does not know"

    def _finalize(self, chain: Chain, request: abci_pb2.RequestFinalizeBlock) -> bytes:
        try:
            answer = chain.call(finalize_block=request)
        except VersionError as error:
            # An upgrade to rules that no program knows: a node stops by intention.
            self.halted = True
            return str(error).encode()
        return answer.SerializeToString(deterministic=True)

    def known(self, choices: Choices) -> Known:
        """What there is now, with the newest requests."""
        state = self.maker.state()
        last = asc_state.last_sequence(state)
        entries = tuple(
            asc_state.require_log_entry(state, sequence)
            for sequence in range(max(1, last - _ENTRIES + 1), last + 1)
        )
        return Known(
            self.key_id,
            self.maker.height,
            entries,
            choices.byte(),
            self.registered,
            config.next_proposal_id(state) - 1,
        )

    def transaction(self, choices: Choices, known: Known) -> bytes:
        """A signed transaction of good, changed or senseless messages."""
        if choices.chance(8):
            return choices.some(100)
        messages = [
            self.message(choices, replace(known, number=choices.byte()))
            for _ in range(1 + (choices.below(_MOST_MESSAGES) if choices.chance(80) else 0))
        ]
        return self.maker.build(self._signer(choices, messages[0]), *messages)

    def message(self, choices: Choices, known: Known) -> tx_pb2.Message:
        """A good message, changed a few times or not."""
        made = choices.pick(TEMPLATES)(known)
        dictionary = dictionary_of(known)
        for _ in range(choices.pick((0, 0, 1, 1, 2, 4))):
            mutate(made, choices, dictionary)
        if made.WhichOneof("kind") is None:
            return choices.pick(TEMPLATES)(known)
        if made.WhichOneof("kind") == "fulfil" and choices.chance(140):
            _sign_again(made.fulfil, known)
        return made

    def _signer(self, choices: Choices, first: tx_pb2.Message) -> Signer:
        """Who may send it, mostly; else anybody."""
        kind = str(first.WhichOneof("kind"))
        party = getattr(getattr(first, kind), "party", 0)
        if choices.chance(40):
            return choices.pick(SIGNERS)
        if 1 <= party <= 4:
            return party_account(party)
        if kind.endswith(("approve_change", "withdraw_change")):
            return choices.pick((BOB, ADMIN))
        if kind.endswith(("_generation", "_change")) or kind == "register_application":
            return ADMIN
        return ALICE


def _sign_again(fulfil: asc_pb2.Fulfil, known: Known) -> None:
    """A changed answer that its party signed: only what is behind the signature can refuse it."""
    for entry in known.entries:
        if entry.request_id == fulfil.request_id and fulfil.WhichOneof("result"):
            party = fulfil.party if 1 <= fulfil.party <= 4 else 1
            # Nobody can sign what has no digest: a result of another kind, a material without a name.
            with contextlib.suppress(KeyError, IndexError, ValueError):
                fulfil.signature = party_key(party).sign_digest(signed_digest(entry, fulfil))
            return


def dictionary_of(known: Known) -> Dictionary:
    """Byte strings and numbers that mean something on this chain now."""
    records = [ciphertext(f"fuzz {number}", known.key_id)[0] for number in range(4)]
    values = [
        b"",
        known.key_id,
        *(bytes(signer.address) for signer in SIGNERS),
        *(entry.request_id for entry in known.entries),
        *(record.handle for record in records),
        *(record.digest for record in records),
        party_key(1).verification_key,
        APPLICATION.encode(),
    ]
    numbers = [known.height, known.height + 1, known.height + 3, 20, 4096, 65536, 2**20]
    return Dictionary(values, numbers)
