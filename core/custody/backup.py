"""Backup of one core: made once with custodians, then kept up to date with every secret that changes.

A fresh 64-byte secret is shared among the custodians and forgotten. Its first half is the seed of the
sealing key, of which only the public part stays; its second half authenticates the folder and stays in
the vault as well, so that nobody who can write into the folder can put something into a restored core.
"""

import hashlib
import secrets
import time
from collections.abc import Mapping, Sequence

import structlog

from core.custody import sharing
from core.custody.custodian import SHARE_PURPOSE
from core.custody.documents import Context, Material, read_context, read_setup, sign_context
from core.custody.errors import BackupError, CustodyError
from core.custody.store import Backups, Entry, Store, secret_tag
from core.errors import CoreError
from core.isolation.sealing import SealingKey, seal
from core.tls import Identity
from core.vault import Vault
from wire.signing import Secp256k1Signer

AUTHENTICATION = "backup/authentication"
IDENTITY = ("identity/peer-key", "identity/peer-certificate")
SEED_BYTES = 32
_OBJECT_PURPOSE = b"tkms/custody/object/v1/"
# Messages of runs are of use for hours only; what a backup knows of itself does not belong into it.
_LEFT_OUT = ("runs/", "backup/", "restore/")

log = structlog.get_logger("core.custody")


def create(
    backups: Backups,
    vault: Vault,
    signer: Secp256k1Signer,
    about: tuple[str, int],
    custodians: Sequence[bytes],
    threshold: int,
) -> Context:
    """Make a backup of everything in the vault. An existing one counts until the new one is complete.

    `about` is chain id and party; `custodians` are the files of their setups.

    Raises
    ------
    CustodyError
        Setups that are none, too few of them, or one twice.
    """
    secret = secrets.token_bytes(sharing.SECRET_BYTES)
    context_file = _deal(secret, signer, about, custodians, threshold)
    context = read_context(context_file)
    authentication = secret[SEED_BYTES:]
    with backups.locked():
        store = backups.of(context.backup_id)
        store.begin(context_file)
        wanted = {name: vault.get(name) for name in names(vault)}
        _write(store, context, authentication, {}, wanted)
        vault.put(AUTHENTICATION, context.backup_id + authentication)
        backups.select(context.backup_id)
    return context


def keep_identity(vault: Vault, identity: Identity) -> None:
    """Have the peer key and certificate in the vault as well, so that they are in the backup."""
    pair = (identity.key, identity.certificate)
    for name, content in zip(IDENTITY, pair, strict=True):
        if not vault.has(name) or vault.get(name) != content:
            vault.put(name, content)


def update(backups: Backups, vault: Vault, only: str | None = None) -> int:
    """Bring the backup up to date with the vault, or one secret of it; returns how many changed.

    Raises
    ------
    BackupError
        The folder is damaged or not this vault's.
    """
    with backups.locked():
        store, context, authentication = require_own(backups, vault)
        before = store.entries(authentication, context.backup_id)
        if only is None:
            backups.select(context.backup_id)
            wanted = {name: vault.get(name) for name in names(vault)}
            return _write(store, context, authentication, before, wanted)
        others = {name: entry for name, entry in before.items() if name != only}
        wanted = {only: vault.get(only)} if vault.has(only) else {}
        return _write(store, context, authentication, before, wanted, others)


def names(vault: Vault) -> list[str]:
    """Secrets that belong into a backup."""
    return [name for name in vault.names("") if not name.startswith(_LEFT_OUT)]


def require_own(backups: Backups, vault: Vault) -> tuple[Store, Context, bytes]:
    """Folder, context and authentication key of this vault's backup.

    Raises
    ------
    BackupError
        There is none, or the folder is that of another vault.
    """
    if not vault.has(AUTHENTICATION):
        raise BackupError("this core has no backup")
    known = vault.get(AUTHENTICATION)
    store = backups.of(known[:SEED_BYTES])
    context = read_context(store.context())
    if known[:SEED_BYTES] != context.backup_id:
        raise BackupError("the folder holds the backup of another vault")
    return store, context, known[SEED_BYTES:]


class Mirror:
    """Follows a vault: every secret that is put or removed reaches the backup before the call returns.

    A backup that cannot be written does not stop the core: it is said loudly and made good at the next
    write or start.
    """

    __slots__ = ("_backups", "_vault", "behind")

    def __init__(self, backups: Backups, vault: Vault) -> None:
        """Follow `vault` once a backup was created for it."""
        self._backups = backups
        self._vault = vault
        self.behind = False
        if vault.has(AUTHENTICATION):
            self._update(None)
        vault.watch(self)

    def __call__(self, name: str) -> None:
        """A secret was put or removed."""
        if not name.startswith(_LEFT_OUT) and self._vault.has(AUTHENTICATION):
            self._update(None if self.behind else name)

    def _update(self, only: str | None) -> None:
        try:
            update(self._backups, self._vault, only)
            self.behind = False
        except (CoreError, OSError) as error:
            self.behind = True
            log.error("THE BACKUP IS BEHIND THE VAULT", reason=str(error))  # noqa: TRY400 - no trace


def verify(backups: Backups, vault: Vault, signer: Secp256k1Signer) -> dict[str, object]:
    """Facts of a backup that is whole, authentic and up to date; what only custodians know is not judged.

    Raises
    ------
    CustodyError
        What is wrong.
    """
    store, context, authentication = require_own(backups, vault)
    if context.operator_key != signer.verification_key:
        raise BackupError("the context is signed by another key than this core's")
    entries = store.entries(authentication, context.backup_id)
    for entry in entries.values():
        store.sealed(entry)
    wanted = {name: secret_tag(authentication, name, vault.get(name)) for name in names(vault)}
    found = {name: entry.tag for name, entry in entries.items()}
    if wanted != found:
        different = sorted(n for n in wanted.keys() | found.keys() if wanted.get(n) != found.get(n))
        raise BackupError(f"not as in the vault: {', '.join(different)}")
    rehearsed = store.rehearsed()
    return {
        "backup_id": context.backup_id.hex(),
        "secrets": len(entries),
        "custodians": [each.name for each in context.custodians],
        "needed": context.threshold + 1,
        "rehearsed_ms": rehearsed.get("time_ms", 0)
        if rehearsed.get("backup_id") == context.backup_id.hex()
        else 0,
    }


def object_purpose(context: Context, name: str) -> bytes:
    """What a secret of this backup is sealed for."""
    return _OBJECT_PURPOSE + context.backup_id + name.encode()


def _deal(
    secret: bytes,
    signer: Secp256k1Signer,
    about: tuple[str, int],
    custodians: Sequence[bytes],
    threshold: int,
) -> bytes:
    """A signed context in which every custodian has a share of `secret`."""
    setups = [read_setup(each) for each in custodians]
    if not 2 * threshold < len(setups) <= sharing.MAX_CUSTODIANS or threshold < 1:
        raise CustodyError("there are 3 to 15 custodians, and fewer than half of them may be bad")
    backup_id = secrets.token_bytes(32)
    shares = sharing.split(secret, len(setups), threshold)
    materials = [
        Material(backup_id, *about, signer.verification_key, number, setup.verification_key, share)
        for number, (setup, share) in enumerate(zip(setups, shares, strict=True), start=1)
    ]
    sealed = [
        seal(setup.sealing_key, material.text(), SHARE_PURPOSE + backup_id)
        for setup, material in zip(setups, materials, strict=True)
    ]
    context = Context(
        backup_id=backup_id,
        chain_id=about[0],
        party=about[1],
        operator_key=signer.verification_key,
        backup_key=SealingKey(secret[:SEED_BYTES]).public,
        threshold=threshold,
        made_ms=time.time_ns() // 1_000_000,
        setups=tuple(custodians),
        commitments=tuple(material.commitment() for material in materials),
        shares=tuple(sealed),
    )
    return sign_context(context, signer)


def _write(
    store: Store,
    context: Context,
    authentication: bytes,
    before: Mapping[str, Entry],
    wanted: Mapping[str, bytes],
    others: Mapping[str, Entry] | None = None,
) -> int:
    """Write what changed; `others` stay as they are."""
    entries: dict[str, Entry] = dict(others or {})
    objects: dict[bytes, bytes] = {}
    for name, secret in wanted.items():
        tag = secret_tag(authentication, name, secret)
        old = before.get(name)
        if old is not None and old.tag == tag and _intact(store, old):
            entries[name] = old
            continue
        sealed = seal(context.backup_key, secret, object_purpose(context, name))
        object_hash = hashlib.sha256(sealed).digest()
        entries[name], objects[object_hash] = Entry(object_hash, tag), sealed
    dropped = len(before.keys() - entries.keys())
    if objects or dropped or not before:
        store.write(authentication, context.backup_id, entries, objects)
    return len(objects) + dropped


def _intact(store: Store, entry: Entry) -> bool:
    try:
        store.sealed(entry)
    except BackupError:
        return False
    return True
