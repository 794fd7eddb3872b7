"""The ceremony for the reference string: each party in turn multiplies the secret exponent, by broadcast.

Source: CRS generation of eprint 2025/699. Round j of the ceremony belongs to party j: it contributes
to what was accepted so far and broadcasts that reliably. All honest parties run the same checks on the
same bytes, so they agree on every contribution; a bad or missing one is skipped, and the next party
goes on with what there was. With at least one honest party among the accepted ones nobody knows
the exponent; as many as n - t honest parties always are.

The seed is secret and the caller's: 32 bytes, random, erased when the run is over. The same seed gives the
same messages, so a restart can replay them; once other contributions were accepted it gives others.

Time: a contribution and each check take seconds at full size, between rounds. The round's time must be
longer than both, or an honest contributor is skipped.
"""

from dataclasses import dataclass, field

import tkms_kernel as kernel

from mpc.broadcast import broadcast
from mpc.exchange import ProtocolAbort, Setting, Steps, everybody
from mpc.session import AbortReason, Blame, Fault
from wire.ids import PartyId


@dataclass(frozen=True, slots=True)
class Ceremony:
    """Outcome, the same at all honest parties: `state.finish()` makes the reference string."""

    state: kernel.CrsCeremony = field(repr=False)
    contributors: tuple[PartyId, ...]
    digest: bytes


def generate_reference_string(
    setting: Setting, beginning: kernel.CrsCeremony, seed: bytes
) -> Steps[Ceremony]:
    """All rounds of the ceremony that begins with `beginning`, the same for all parties.

    Raises
    ------
    ProtocolAbort
        When no contribution is accepted.
    """
    state = beginning
    size = beginning.contribution_bytes
    for contributor in everybody(setting):
        ours = contributor == setting.party
        outcome = yield from broadcast(
            setting,
            state.contribute(contributor, seed) if ours else None,
            senders=frozenset({contributor}),
            acceptable=lambda _, message: len(message) == size,
        )
        message = outcome[contributor]
        if message is None:
            continue
        try:
            state = state.accept(contributor, message)
        except (kernel.InvalidInput, kernel.VerificationFailed):
            yield Blame(contributor, Fault.MALFORMED)
    if not state.accepted:
        raise ProtocolAbort(AbortReason.TOO_MANY_ERRORS, "nobody contributed")
    contributors = tuple(PartyId(number) for number in state.accepted)
    return Ceremony(state, contributors, state.digest())
