"""A change of epoch: all shares move to the next one, for the same parties (refresh) or others (rotation).

Order, so that at any moment exactly one epoch serves new requests
1. The journal says that the next epoch is pending. Pending shares serve nothing but rule 4.
2. The next epoch's parties make its pseudorandom keys.
3. One resharing a key, all parties of both epochs in one run; its messages are sealed, so that it
   can be repeated after any crash. The new share is sealed as pending, then the step is noted.
4. The parties of the next epoch decrypt the key's check ciphertext together with the new shares.
5. They answer with the digest of all public transcripts. The chain makes the epoch current at n - t
   equal answers; cores believe that by proof (`core.facts`), and only then erase what is old.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog
import tkms_kernel as kernel

from core import keystore
from core.authorize import Permission
from core.circles import Circle, of_two_epochs
from core.epochs import CHANGE
from core.errors import VaultError, WorkFailed
from core.flows import checks
from core.flows.tools import Tools
from mpc.committee import Committee
from mpc.dealing import Deal, Material
from mpc.exchange import Setting, Steps
from mpc.names import run_name
from mpc.resharing import Plan, Reshared, reshare
from wire.digests import sha3_256
from wire.ids import KeyId, PartyId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.core.v1 import core_pb2

KIND = "resharing"
RUN = "resharing"

_DOMAIN = b"tkms/resharing/v1"
_PAUSE_S = 1.0

log = structlog.get_logger("core.flows.epoch_change")


@dataclass(frozen=True, slots=True)
class _Change:
    """Both epochs, and who takes part under which number of the run."""

    old: config_pb2.Epoch
    new: config_pb2.Epoch
    circle: Circle
    old_members: Committee
    new_members: Committee

    @classmethod
    def of(cls, permission: Permission) -> "_Change":
        """The change that a permission is about."""
        old, new = permission.epoch, permission.next_epoch
        both = (old.threshold, new.threshold)
        found = of_two_epochs(old, new, permission.certificate, sum(both))
        same = len(found.circle.addresses) == len(old.parties) == len(new.parties)
        if same:
            found = of_two_epochs(old, new, permission.certificate, max(both))
        return cls(
            old,
            new,
            found.circle,
            Committee(found.old, old.threshold),
            Committee(found.new, new.threshold),
        )

    @property
    def party(self) -> PartyId:
        """Our number in the run."""
        return self.circle.setting.party

    def accusable(self, party: PartyId) -> PartyId | None:
        """Number in the next epoch, whose parties the chain hears and names, of a party of the run."""
        return self.new_members.number(party) if party in self.new_members else None


class EpochChange:
    """One core's part in changes of epoch."""

    def __init__(self, tools: Tools) -> None:
        """Bind to one core."""
        self._tools = tools

    async def answer(self, permission: Permission) -> core_pb2.Result | None:
        """Reshare all keys and sign the digest; nothing where we leave with the old epoch."""
        change = _Change.of(permission)
        tools = self._tools
        tools.peers.learn(change.new)
        newcomer = change.party in change.new_members
        if newcomer:
            await asyncio.to_thread(tools.epochs.began, change.new.id, permission.request_id)
        prss = await tools.epoch_keys.get(change.new.id) if newcomer else None
        digests = await self._keys(permission, change, prss)
        if not newcomer:
            return None
        if digests:
            tools.prepare(change.new.id)
        return tools.signer.generation(permission, [Material(KIND, digest_of(digests), 0)])

    async def _keys(
        self,
        permission: Permission,
        change: _Change,
        prss: kernel.PrssKeys | None,
    ) -> list[tuple[KeyId, bytes]]:
        """Digest of each key's transcript, in the order of the entry."""
        key_ids = [KeyId(raw) for raw in permission.entry.key_ids]
        digests = []
        for index, key_id in enumerate(key_ids):
            self._tools.progress.tell(permission, RUN, index, len(key_ids))
            digest = await self._tools.step(permission, key_id.hex)
            if digest is None:
                digest = await self._key(permission, change, prss, key_id)
                await self._tools.finish_step(permission, key_id.hex, digest)
            digests.append((key_id, digest))
        self._tools.progress.tell(permission, RUN, len(key_ids), len(key_ids))
        return digests

    async def _key(
        self,
        permission: Permission,
        change: _Change,
        prss: kernel.PrssKeys | None,
        key_id: KeyId,
    ) -> bytes:
        """Move one key and seal the pending share; the same again after a crash."""
        tools = self._tools
        record = await asyncio.to_thread(self._record, key_id)
        old = None
        if change.party in change.old_members:
            old = await asyncio.to_thread(self._old_share, key_id, change.old.id)
        name = run_name(RUN, change.new.id, permission.request_id.value, key_id.value)
        plan = Plan(name, record.parameters, change.old_members, change.new_members)
        reshared = await tools.host.run(
            name,
            CHANGE + change.new.id,
            _steps(plan, change.party, old, prss),
            background=True,
            round_timeout_s=tools.round_timeout_s(change.old.id, change.new.id),
            durable=True,
            accuse=tools.accuse(permission, change.accusable),
            circle=change.circle,
        )
        if reshared.share is None or prss is None:
            return b""
        deal = Deal(
            reshared.share.to_bytes(),
            prss.to_bytes(),
            record.parameters,
            tuple(Material(m.kind, m.digest, m.size) for m in record.digests),
        )
        await asyncio.to_thread(
            tools.epochs.keep, key_id, change.new.id, deal, dealer=record.dealer
        )
        await self._try(permission, change, key_id, reshared.share, prss)
        log.info("key is reshared", key=key_id.hex, epoch=change.new.id, absent=reshared.absent)
        return reshared.digest

    async def _try(
        self,
        permission: Permission,
        change: _Change,
        key_id: KeyId,
        share: kernel.KeyShare,
        prss: kernel.PrssKeys,
    ) -> None:
        """Rule 4. Dealt keys have no check ciphertext; newcomers take it from the others."""
        tools, epoch_id = self._tools, change.new.id
        check = await checks.known(tools, key_id, change.old.id)
        if check is not None:
            await checks.keep(tools, key_id, epoch_id, check)
        elif self._has_check(key_id):
            check = await self._taken(key_id, epoch_id)
        if check is None:
            return
        name = checks.run_of(key_id, epoch_id, permission.request_id.value)
        value = await tools.host.run(
            name,
            epoch_id,
            partial(checks.decrypt, keys=prss, share=share, check=check, name=name),
            background=True,
            round_timeout_s=tools.round_timeout_s(epoch_id),
            durable=True,
            accuse=tools.accuse(permission),
        )
        if value != checks.VALUE:
            raise WorkFailed(asc_pb2.FAILURE_CODE_PROTOCOL, "the new shares decrypt wrongly")

    async def _taken(self, key_id: KeyId, epoch_id: int) -> bytes:
        """The check ciphertext from peers, who keep it before they begin."""
        while True:
            check = await checks.taken(self._tools, key_id, epoch_id)
            if check is not None:
                return check
            await asyncio.sleep(_PAUSE_S)

    def _has_check(self, key_id: KeyId) -> bool:
        return any(m.kind == checks.KIND for m in self._record(key_id).digests)

    def _record(self, key_id: KeyId) -> asc_pb2.MaterialRecord:
        """The proven record of a key of the change."""
        raw = self._tools.journal.key(key_id.value)
        if raw is None:
            raise WorkFailed(asc_pb2.FAILURE_CODE_UNKNOWN_KEY, "no record of a key of the change")
        return asc_pb2.MaterialRecord.FromString(raw)

    def _old_share(self, key_id: KeyId, epoch_id: int) -> kernel.KeyShare | None:
        """Our share of the old epoch; a party that lost it takes part and gets a new one."""
        try:
            return keystore.load(self._tools.vault, key_id, epoch_id).share
        except VaultError as error:
            log.warning("no share of the old epoch", key=key_id.hex, reason=str(error))
            return None


def _steps(
    plan: Plan, party: PartyId, share: kernel.KeyShare | None, prss: kernel.PrssKeys | None
) -> Callable[[Setting], Steps[Reshared]]:
    """The protocol for the host, whose numbers are the common ones already."""

    def steps(_setting: Setting) -> Steps[Reshared]:
        return reshare(plan, party, share, prss)

    return steps


def digest_of(digests: list[tuple[KeyId, bytes]]) -> bytes:
    """What all honest parties of the next epoch answer with."""
    return sha3_256(_DOMAIN + b"".join(key_id.value + digest for key_id, digest in digests))
