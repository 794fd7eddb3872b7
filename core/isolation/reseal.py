"""Moves a vault to another key: from a key file to attestation, or to another file or passphrase.

The new vault is complete beside the old one before they change places; the same again after a crash ends
the move. Nothing may run on the vault meanwhile.

    <vault>.new   being filled: made anew if a crash left it
    <vault>.old   only between the two renames and its deletion
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from core.errors import VaultError
from core.vault import Vault

Open = Callable[[Path], Vault]


def reseal(root: Path, open_old: Open, open_new: Open) -> int:
    """Move all secrets; returns how many there are.

    Raises
    ------
    VaultError
        The old vault does not open, or the new one does not give back what was put.
    """
    new, old = root.with_name(f"{root.name}.new"), root.with_name(f"{root.name}.old")
    if not root.exists() and old.exists() and new.exists():
        new.rename(root)
    if old.exists() and root.exists():
        # Both renames were done: the vault is the new one.
        shutil.rmtree(old)
        return len(open_new(root).names(""))
    shutil.rmtree(new, ignore_errors=True)
    source, target = open_old(root), open_new(new)
    names = source.names("")
    for name in names:
        target.put(name, source.get(name))
    again = open_new(new)
    if not names or any(again.get(name) != source.get(name) for name in names):
        raise VaultError("the new vault is not what the old one was")
    root.rename(old)
    new.rename(root)
    shutil.rmtree(old)
    return len(names)
