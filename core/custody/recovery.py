"""Recovery of a core from its backup: the same steps for a restore and for its rehearsal.

begin      an ephemeral key and a request for the custodians
collect    answers, each judged by itself; a wrong one costs its sender, not the recovery
open       the backup's secret, judged against the context's key
restore    into an empty vault; a crash at any write leaves a vault that a core refuses to run with
rehearse   everything but the writing, compared with the vault that is there
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.custody import sharing
from core.custody.backup import (
    AUTHENTICATION,
    SEED_BYTES,
    names,
    object_purpose,
    require_own,
)
from core.custody.custodian import ANSWER_PURPOSE, require_material
from core.custody.documents import (
    Answer,
    Context,
    Material,
    Request,
    read_context,
    verify_ed25519,
)
from core.custody.errors import BackupError, DocumentError, RecoveryError
from core.custody.store import Backups, Store
from core.isolation.sealing import SealError, SealingKey
from core.vault import Vault
from wire.signing import Secp256k1Signer

PENDING = "restore/pending"
_SIGNING_ONLY = "signing"


@dataclass(frozen=True, slots=True)
class Recovery:
    """One attempt: the ephemeral key that answers are sealed to, and the request that names it."""

    context: Context
    request: Request
    key: SealingKey

    def collect(self, answers: Sequence[bytes]) -> tuple[dict[int, bytes], list[str]]:
        """Right shares by custodian, and what is wrong with the other answers."""
        shares: dict[int, bytes] = {}
        problems: list[str] = []
        for data in answers:
            try:
                number, share = self._open(data)
            except DocumentError as error:
                problems.append(str(error))
            else:
                shares[number] = share
        return shares, problems

    def secret(self, answers: Sequence[bytes]) -> bytes:
        """The backup's secret.

        Raises
        ------
        RecoveryError
            Too few right answers, or the secret is not that of the context's key.
        """
        shares, problems = self.collect(answers)
        needed = self.context.threshold + 1
        if len(shares) < needed:
            wrong = f" ({'; '.join(problems)})" if problems else ""
            raise RecoveryError(f"{len(shares)} right answers, {needed} are needed{wrong}")
        try:
            custodians = len(self.context.setups)
            secret = sharing.join(shares, custodians, self.context.threshold)
        except ValueError as error:
            raise RecoveryError("the shares do not fit together") from error
        if SealingKey(secret[:SEED_BYTES]).public != self.context.backup_key:
            raise RecoveryError("the shares give another key than the context's")
        return secret

    def _open(self, data: bytes) -> tuple[int, bytes]:
        """Custodian and share of one answer."""
        answer, signature = Answer.read(data)
        if answer.request != self.request.digest():
            raise DocumentError("an answer to another request")
        custodians = self.context.custodians
        if not 1 <= answer.custodian <= len(custodians):
            raise DocumentError("an answer of nobody")
        verify_ed25519(answer, signature, custodians[answer.custodian - 1].verification_key)
        try:
            opened = self.key.open(answer.sealed, ANSWER_PURPOSE + self.request.digest())
        except SealError as error:
            raise DocumentError(
                f"the answer of custodian {answer.custodian} does not open"
            ) from error
        material, _ = Material.read(opened)
        require_material(material, self.context, answer.custodian)
        return answer.custodian, material.share


def begin(store: Store, seed: bytes, purpose: str, made_ms: int) -> Recovery:
    """An attempt whose ephemeral key follows from `seed`, so that it can be taken up again.

    Raises
    ------
    CustodyError
        There is no backup in the folder.
    """
    context = read_context(store.context())
    key = SealingKey(seed)
    request = Request(context.backup_id, context.digest(), purpose, key.public, made_ms)
    return Recovery(context, request, key)


def open_all(store: Store, context: Context, secret: bytes) -> dict[str, bytes]:
    """Every secret of a backup.

    Raises
    ------
    BackupError
        The folder is damaged or was altered.
    """
    key, authentication = SealingKey(secret[:SEED_BYTES]), secret[SEED_BYTES:]
    found = {}
    for name, entry in store.entries(authentication, context.backup_id).items():
        try:
            found[name] = key.open(store.sealed(entry), object_purpose(context, name))
        except SealError as error:
            raise BackupError(f"{name} does not open") from error
    return found


def rehearse(backups: Backups, vault: Vault, recovery: Recovery, answers: Sequence[bytes]) -> int:
    """Open the whole backup and compare it with the vault; nothing is written but that it was done.

    Raises
    ------
    CustodyError
        A restore would fail, or would give something else.
    """
    secret = recovery.secret(answers)
    store, context, authentication = require_own(backups, vault)
    if authentication != secret[SEED_BYTES:]:
        raise RecoveryError("the custodians hold the key of another backup")
    found = open_all(store, context, secret)
    wanted = {name: vault.get(name) for name in names(vault)}
    if found != wanted:
        different = sorted(n for n in wanted.keys() | found.keys() if wanted.get(n) != found.get(n))
        raise BackupError(f"not as in the vault: {', '.join(different)}")
    shares, _ = recovery.collect(answers)
    store.note_rehearsal(
        {
            "backup_id": context.backup_id.hex(),
            "time_ms": time.time_ns() // 1_000_000,
            "custodians": sorted(shares),
        }
    )
    return len(found)


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did."""

    secrets: int
    # Shares of epochs that are over: not restored.
    refused: tuple[str, ...]


def restore(
    store: Store,
    vault: Vault,
    recovery: Recovery,
    answers: Sequence[bytes],
    current_epoch: int,
) -> Restored:
    """Fill an empty vault. The same again after a crash ends it.

    Shares of epochs before `current_epoch` are of no use to anybody honest and stay out: such a core comes
    back in by resharing. A share that is restored is judged again by the chain's proofs before it serves.

    Raises
    ------
    CustodyError
        Too few answers, a damaged backup, or a vault with something else in it.
    """
    secret = recovery.secret(answers)
    found = open_all(store, recovery.context, secret)
    _require_signing_key(found, recovery.context)
    present = [name for name in vault.names("") if name != PENDING]
    if not vault.has(PENDING) and present:
        raise RecoveryError("the vault is not empty")
    refused = tuple(
        sorted(name for name in found if _epoch_of(name, current_epoch) < current_epoch)
    )
    # From the first write to the last no core starts with this vault (`require_complete`).
    vault.put(PENDING, recovery.context.backup_id)
    for name, content in sorted(found.items()):
        if name not in refused:
            vault.put(name, content)
    vault.put(AUTHENTICATION, recovery.context.backup_id + secret[SEED_BYTES:])
    vault.remove(PENDING)
    return Restored(len(found) - len(refused), refused)


def require_complete(vault: Vault) -> None:
    """Refuse a vault that is half restored.

    Raises
    ------
    RecoveryError
        A restore did not end.
    """
    if vault.has(PENDING):
        raise RecoveryError("a restore into this vault did not end: give the command again")


def _require_signing_key(found: Mapping[str, bytes], context: Context) -> None:
    """The operator that signed the context is the one in the backup."""
    try:
        key = Secp256k1Signer(found[_SIGNING_ONLY]).verification_key
    except (KeyError, ValueError) as error:
        raise BackupError("the backup holds no signing key") from error
    if key != context.operator_key:
        raise BackupError("the backup holds another operator's signing key")


def _epoch_of(name: str, otherwise: int) -> int:
    """Epoch of a share or of an epoch's secrets: keys/<key>/<epoch>, epochs/<epoch>..."""
    parts = name.split("/")
    position = {"keys": 2, "epochs": 1}.get(parts[0], 0)
    if position and len(parts) > position and parts[position].isdigit():
        return int(parts[position])
    return otherwise
