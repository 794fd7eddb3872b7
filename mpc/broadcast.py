"""Reliable broadcast by hashes: what one honest party takes from a sender, all honest parties take.

Every sender broadcasts one message, all in one run; an honest sender's message is always taken,
and a sender without an outcome (None) is corrupt, which all honest parties agree on.

Source: the vote-based broadcast of eprint 2025/699 (after Bracha), with two changes.
- Echoes and votes carry hashes. Who voted for a message pushes it to those that echoed something
  else, so a party that lacks it has it before it is decided.
- The votes alone, with growing thresholds over t + 4 rounds, do not give agreement: a corrupt
  sender's last vote can tip one honest party and not another (a test shows it for n = 4). Here
  the votes feed a binary agreement by phase kings (Berman, Garay, Perry 1989).

Rounds; n and t without the excluded parties, "quorum" is n - t
1. Senders send their message to all, the others an empty one.
2. All echo the hash of what each sender sent.
3. Who sees a quorum of echoes of a hash votes for it, else for nothing, and pushes the message. Honest
   votes for a sender are for one hash, because two quorums share an honest party.
4. Who sees a quorum of votes for a hash confirms it. At most one hash has t + 1 votes.
5. Agreement with input 1 from who sees t + 1 confirmations, t + 1 phases of three rounds: exchange
   of inputs, of values with a quorum, of inputs to follow the king's. An outcome of 1 means that an honest party
   confirmed: t + 1 honest parties voted, so everybody knows the hash and was pushed the message.

Early end: a party is certain of a sender's outcome when all honest inputs must be equal, which the
agreement preserves. That is so with n votes for one hash (everybody sees a quorum), with a quorum of
votes for nothing (nobody sees a quorum for a hash), and with a quorum of confirmations (everybody sees
t + 1). Who is certain of all senders says so, and t + 1 that say the same make everybody certain, for
one of them is honest. A party leaves when a quorum says the same: t + 1 honest ones do, so all others
leave within a message's time, and nobody is left behind by more than a round. Without faults and
with silent parties there are four messages to wait for.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mpc.errors import UsageError
from mpc.exchange import Exchange, Payloads, ProtocolAbort, Setting, Steps, everybody
from mpc.session import AbortReason, Blame, Fault
from wire.ids import PartyId

DIGEST_BYTES = 32

NOTHING = bytes(DIGEST_BYTES)
"""Echo or vote of a party that has nothing to echo or to vote for."""

PUSH_HEAD_BYTES = 5
"""Sender and length in front of a pushed message."""

OPEN, BOTTOM, TAKEN = range(3)
"""What a party says about a sender: not certain, no message, a message."""

UNDECIDED = 2
"""Value of a party that saw no quorum, in the second round of a phase; the others are 0 and 1."""

Acceptable = Callable[[PartyId, bytes], bool]
Outcome = dict[PartyId, bytes | None]


def digest_of(message: bytes) -> bytes:
    """Hash of a message; BLAKE2b, because it costs a fraction of SHA3 and covers every byte."""
    return hashlib.blake2b(message, digest_size=DIGEST_BYTES).digest()


def rounds(setting: Setting, excluded: frozenset[PartyId] = frozenset()) -> int:
    """Rounds of one run, counted as if nobody ended early."""
    return 4 + 3 * (setting.threshold - len(excluded) + 1)


def broadcast(
    setting: Setting,
    own: bytes | None,
    *,
    senders: frozenset[PartyId] | None = None,
    excluded: frozenset[PartyId] = frozenset(),
    acceptable: Acceptable = lambda _sender, _message: True,
) -> Steps[Outcome]:
    """Message of each sender (all parties unless given), or None; the same at all honest parties.

    `own` is ours if we are a sender. A message that is not `acceptable`, by a rule that all parties
    share, counts as none. `excluded` are parties that all agree to be corrupt.

    Raises
    ------
    UsageError
        When a message is given by who is no sender, or none by a sender.
    """
    run = _Run(setting, senders, excluded)
    if (own is not None) != (setting.party in run.senders):
        raise UsageError("exactly the senders have a message")
    yield from _send_and_echo(run, own, acceptable)
    yield from _vote(run)
    yield from _confirm(run)
    for king in run.members[: run.threshold + 1]:
        yield from _phase(run, king)
    return (yield from _take(run))


@dataclass(slots=True)
class _Run:
    """What one party knows in one run; lists have an entry for each sender."""

    setting: Setting
    chosen: frozenset[PartyId] | None
    excluded: frozenset[PartyId]
    members: tuple[PartyId, ...] = ()
    senders: tuple[PartyId, ...] = ()
    threshold: int = 0
    messages: list[dict[bytes, bytes]] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)
    malformed: set[PartyId] = field(default_factory=set)
    echoes: dict[PartyId, tuple[bytes, ...]] = field(default_factory=dict)
    candidates: list[bytes] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    certain: list[int] = field(default_factory=list)
    told: bool = False
    left: bool = False
    ahead: int = 0
    finals: dict[PartyId, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Leave out the excluded."""
        self.members = tuple(p for p in everybody(self.setting) if p not in self.excluded)
        self.senders = tuple(p for p in self.members if self.chosen is None or p in self.chosen)
        self.threshold = self.setting.threshold - len(self.excluded)
        if self.threshold < 0 or self.setting.party in self.excluded:
            raise ProtocolAbort(AbortReason.TOO_MANY_ERRORS, "too many parties are excluded")
        # Rounds from the third to the first one after this run.
        self.ahead = rounds(self.setting, self.excluded) - 2
        self.messages = [{} for _ in self.senders]
        self.received = [NOTHING] * len(self.senders)
        self.certain = [OPEN] * len(self.senders)

    @property
    def quorum(self) -> int:
        """Parties that are certain to answer."""
        return len(self.members) - self.threshold

    @property
    def others(self) -> frozenset[PartyId]:
        """Members but ourselves."""
        return frozenset(self.members) - {self.setting.party}

    @property
    def done(self) -> bool:
        """Whether we are certain of every sender."""
        return OPEN not in self.certain

    def agreed(self, heard: Payloads) -> bool:
        """Take note of who is certain; whether a quorum says the same, ourselves included once we told."""
        self.finals.update(_finals(len(self.senders), heard))
        states, times = self._most_said()
        if not self.done and times > self.threshold:
            self.certain = list(states)
        return times >= self.quorum

    def _most_said(self) -> tuple[bytes, int]:
        """What most parties that are certain say, and how many do."""
        finals = list(self.finals.values())
        if self.told:
            finals.append(bytes(self.certain))
        return max(Counter(finals).items(), key=lambda item: (item[1], item[0]), default=(b"", 0))


def _send_and_echo(run: _Run, own: bytes | None, acceptable: Acceptable) -> Steps[None]:
    """Rounds 1 and 2."""
    sends = dict.fromkeys(run.others, own or b"")
    arrived = dict((yield Exchange(sends, run.others)))
    if own is not None:
        arrived[run.setting.party] = own
    for slot, sender in enumerate(run.senders):
        message = arrived.get(sender)
        if message is not None and not acceptable(sender, message):
            run.malformed.add(sender)
        elif message is not None:
            run.received[slot] = digest_of(message)
            run.messages[slot][run.received[slot]] = message
    payload = b"".join(run.received)
    arrived = dict((yield Exchange(dict.fromkeys(run.others, payload), run.others)))
    arrived[run.setting.party] = payload
    run.echoes = _digests(arrived, len(run.senders))


def _vote(run: _Run) -> Steps[None]:
    """Round 3."""
    votes = [_most(run.echoes, slot, run.quorum) for slot in range(len(run.senders))]
    head = b"".join(votes)
    sends = {p: head + _pushes(run, votes, run.echoes.get(p)) for p in run.others}
    arrived = yield Exchange(sends, run.others)
    heads = {party: payload[: len(head)] for party, payload in arrived.items()}
    for payload in arrived.values():
        _take_pushes(run, payload[len(head) :])
    all_votes = _digests({**heads, run.setting.party: head}, len(run.senders))
    run.candidates = [_most(all_votes, slot, run.threshold + 1) for slot in range(len(run.senders))]
    run.inputs = []
    for slot, candidate in enumerate(run.candidates):
        count = Counter(given[slot] for given in all_votes.values())
        found = candidate != NOTHING
        run.inputs.append(int(found and count[candidate] >= run.quorum))
        if found and count[candidate] == len(run.members):
            run.certain[slot] = TAKEN
        elif count[NOTHING] >= run.quorum:
            run.certain[slot] = BOTTOM


def _confirm(run: _Run) -> Steps[None]:
    """Round 4: confirmations, and what we are certain of."""
    given = yield from _exchange_values(run, run.inputs, TAKEN)
    for slot in range(len(run.senders)):
        count = sum(values[slot] == 1 for values in given.values())
        if run.certain[slot] == OPEN and count >= run.quorum:
            run.certain[slot] = TAKEN
        run.inputs[slot] = int(count >= run.threshold + 1)
    _keep_certain(run)


def _phase(run: _Run, king: PartyId) -> Steps[None]:
    """Three rounds of agreement."""
    given = yield from _exchange_values(run, run.inputs, 1)
    proposals = []
    for slot in range(len(run.senders)):
        count = Counter(values[slot] for values in given.values())
        strong = [value for value in (0, 1) if count[value] >= run.quorum]
        proposals.append(strong[0] if strong else UNDECIDED)
    given = yield from _exchange_values(run, proposals, UNDECIDED)
    firm = [False] * len(run.senders)
    for slot in range(len(run.senders)):
        count = Counter(values[slot] for values in given.values())
        for value in (0, 1):
            if count[value] >= run.threshold + 1:
                run.inputs[slot] = value
                firm[slot] = count[value] >= run.quorum
    royal = (yield from _exchange_values(run, run.inputs, 1)).get(king)
    for slot in range(len(run.senders)):
        if not firm[slot]:
            run.inputs[slot] = 0 if royal is None else royal[slot]
    _keep_certain(run)


def _keep_certain(run: _Run) -> None:
    """Values that we are certain of stay, whatever we do not hear any more."""
    for slot, state in enumerate(run.certain):
        if state != OPEN:
            run.inputs[slot] = int(state == TAKEN)


def _exchange_values(
    run: _Run, own: Sequence[int], largest: int
) -> Steps[dict[PartyId, Sequence[int]]]:
    """One value a sender from everybody, and with it what each is certain of."""
    if run.left:
        yield Exchange()
        return {}
    run.ahead -= 1
    width = len(run.senders)
    sends = dict.fromkeys(run.others, bytes(own) + bytes(run.certain))
    run.told = run.done
    awaited = run.others - frozenset(run.finals)
    leap = run.ahead if run.done else None
    arrived = yield Exchange(sends, awaited, run.agreed, synchronous=True, leap=leap)
    run.left = run.agreed(arrived) and run.told
    given: dict[PartyId, Sequence[int]] = {
        party: payload[:width]
        for party, payload in arrived.items()
        if len(payload) == 2 * width and max(payload[:width], default=0) <= largest
    }
    for party, states in run.finals.items():
        given[party] = bytes(state == TAKEN for state in states)
    return {**given, run.setting.party: tuple(own)}


def _finals(width: int, arrived: Payloads) -> dict[PartyId, bytes]:
    """What the parties that are certain of every sender say."""
    return {
        party: payload[width:]
        for party, payload in arrived.items()
        if len(payload) == 2 * width and all(state in {BOTTOM, TAKEN} for state in payload[width:])
    }


def _take(run: _Run) -> Steps[Outcome]:
    """The outcome, and who deviated as far as we saw it."""
    outcome: Outcome = {}
    for slot, sender in enumerate(run.senders):
        candidate = run.candidates[slot]
        outcome[sender] = None
        if run.inputs[slot] == 1:
            outcome[sender] = run.messages[slot].get(candidate)
            if outcome[sender] is None:
                raise ProtocolAbort(AbortReason.TOO_MANY_ERRORS, "nobody has what was agreed on")
        else:
            candidate = NOTHING
        if sender in run.malformed:
            yield Blame(sender, Fault.MALFORMED)
        elif run.received[slot] not in {NOTHING, candidate}:
            yield Blame(sender, Fault.EQUIVOCATION)
    return outcome


def _digests(payloads: Payloads, count: int) -> dict[PartyId, tuple[bytes, ...]]:
    """Lists of digests; a payload of another length is left out."""
    return {
        party: tuple(
            payload[start : start + DIGEST_BYTES] for start in range(0, len(payload), DIGEST_BYTES)
        )
        for party, payload in payloads.items()
        if len(payload) == count * DIGEST_BYTES
    }


def _most(given: Mapping[PartyId, Sequence[bytes]], slot: int, least: int) -> bytes:
    """The digest that most parties name, if at least `least` do; else NOTHING."""
    count = Counter(digests[slot] for digests in given.values() if digests[slot] != NOTHING)
    if not count:
        return NOTHING
    digest, times = max(count.items(), key=lambda item: (item[1], item[0]))
    return digest if times >= least else NOTHING


def _pushes(run: _Run, votes: Sequence[bytes], echoed: Sequence[bytes] | None) -> bytes:
    """Messages we vote for that a party echoed otherwise: sender u8, length u32, bytes."""
    if echoed is None:
        return b""
    parts = []
    for slot, vote in enumerate(votes):
        message = run.messages[slot].get(vote)
        if message is not None and echoed[slot] != vote:
            parts.append(bytes([run.senders[slot]]) + len(message).to_bytes(4, "big") + message)
    return b"".join(parts)


def _take_pushes(run: _Run, data: bytes) -> None:
    """Remember pushed messages by their hash; what does not parse is left."""
    slots = {sender: slot for slot, sender in enumerate(run.senders)}
    while len(data) >= PUSH_HEAD_BYTES:
        slot, size = slots.get(PartyId(data[0])), int.from_bytes(data[1:PUSH_HEAD_BYTES], "big")
        end = PUSH_HEAD_BYTES + size
        message, data = data[PUSH_HEAD_BYTES:end], data[end:]
        if slot is None or len(message) != size:
            return
        run.messages[slot][digest_of(message)] = message
