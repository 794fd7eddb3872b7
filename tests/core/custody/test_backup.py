"""The backup folder: complete, authentic, up to date, through a crash at any write."""

import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from core.custody import backup
from core.custody.backup import Mirror
from core.custody.errors import BackupError, CustodyError
from tests.support.custody import KEY, SECRETS, Crash, Operator, crash_at

MORE = f"keys/{KEY}/3"


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    """An operator with five custodians, two of whom may be bad, and a backup."""
    made = Operator(tmp_path)
    made.create()
    return made


def verify(operator: Operator) -> dict[str, object]:
    """Facts of a good backup."""
    return backup.verify(operator.backups, operator.vault, operator.signer)


def test_a_backup_holds_everything_and_nothing_readable(operator: Operator) -> None:
    """It verifies and comes back; no file of the folder holds a secret or its name."""
    facts = verify(operator)
    assert (facts["secrets"], facts["needed"], facts["rehearsed_ms"]) == (len(SECRETS), 3, 0)
    assert operator.recovered() == SECRETS
    folder = operator.folder / "backup"
    for path in folder.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0
        if path.is_file():
            assert not any(secret in path.read_bytes() for secret in SECRETS.values())
    known = operator.vault.get(backup.AUTHENTICATION)
    assert len(known) == 64
    # What the vault keeps authenticates; it does not open.
    assert known[32:] not in b"".join(p.read_bytes() for p in folder.rglob("*") if p.is_file())


def test_every_change_of_the_vault_reaches_the_backup(operator: Operator) -> None:
    """New, changed and erased secrets; what belongs to hours or to the backup itself does not."""
    Mirror(operator.backups, operator.vault)
    operator.vault.put(MORE, b"share of epoch 3")
    operator.vault.put("epochs/2", b"other keys")
    operator.vault.remove(f"keys/{KEY}/1")
    operator.vault.put("runs/ab/0", b"messages")
    assert verify(operator)["secrets"] == len(SECRETS)
    recovered = operator.recovered()
    assert recovered == operator.contents()
    assert recovered[MORE] == b"share of epoch 3"
    assert f"keys/{KEY}/1" not in recovered
    # The object of an erased share is gone from the disk, not only unnamed.
    assert len(list((operator.folder / "backup").glob("*/objects/*"))) == len(SECRETS)


def test_what_happened_while_nobody_followed_is_made_good(operator: Operator) -> None:
    """At the next start: missing, changed, damaged, and surplus secrets."""
    operator.vault.put(MORE, b"share of epoch 3")
    operator.vault.remove("epochs/2")
    path = next((operator.folder / "backup").glob("*/objects/*"))
    path.write_bytes(b"damaged")
    with pytest.raises(BackupError, match="damaged"):
        verify(operator)
    Mirror(operator.backups, operator.vault)
    verify(operator)
    assert operator.recovered() == operator.contents()


def test_verify_names_what_is_different(operator: Operator) -> None:
    """A secret that the backup does not have, or has otherwise."""
    operator.vault.put(MORE, b"new")
    operator.vault.put("epochs/2", b"changed")
    with pytest.raises(BackupError, match=f"not as in the vault: epochs/2, {MORE}"):
        verify(operator)


def test_nobody_can_put_something_into_a_backup(operator: Operator) -> None:
    """The public key is known to everybody, the authentication key is not."""
    folder = next((operator.folder / "backup").glob("*/manifest.json")).parent
    good = (folder / "manifest.json").read_bytes()
    record = json.loads(good)
    names = sorted(record["body"])
    for change in (
        lambda body: body.update({names[0]: body[names[1]]}),
        lambda body: body.pop(names[0]),
        lambda body: body.update({"keys/new/1": body[names[0]]}),
    ):
        altered = json.loads(good)
        change(altered["body"])
        (folder / "manifest.json").write_text(json.dumps(altered))
        with pytest.raises(BackupError, match="was altered"):
            verify(operator)
        with pytest.raises(BackupError, match="was altered"):
            operator.recovered()
    deep = b"[" * 100_000
    for bad in (b"", b"[]", b'{"body":[],"tag":""}', b'{"body":{"a":1},"tag":""}', deep):
        (folder / "manifest.json").write_bytes(bad)
        with pytest.raises(BackupError, match=r"damaged|altered"):
            verify(operator)
    (folder / "rehearsed.json").write_bytes(deep)
    assert operator.store.rehearsed() == {}
    (folder / "manifest.json").write_bytes(good)
    next(folder.glob("objects/*")).unlink()
    with pytest.raises(BackupError, match="missing"):
        verify(operator)


def test_the_folder_of_another_vault_is_not_taken(tmp_path: Path) -> None:
    """Also not with the same operator's name on it."""
    one, two = Operator(tmp_path / "1"), Operator(tmp_path / "2")
    one.create()
    two.create()
    with pytest.raises(BackupError, match="not readable"):
        backup.verify(two.backups, one.vault, one.signer)
    with pytest.raises(BackupError, match="no backup"):
        backup.verify(one.backups, one.open("empty"), one.signer)


def test_custodians_are_enough_and_different(tmp_path: Path) -> None:
    """Fewer than half of them may be bad; nobody counts twice."""
    operator = Operator(tmp_path)
    for setups, threshold in (
        (operator.setups[:2], 1),
        (operator.setups, 3),
        (operator.setups, 0),
        ([*operator.setups[:2], operator.setups[0]], 1),
        ([*operator.setups[:2], b"nonsense"], 1),
    ):
        operator.setups, operator.threshold = setups, threshold
        with pytest.raises(CustodyError):
            operator.create()
        operator.setups = Operator(tmp_path).setups
    assert not (operator.folder / "backup").exists()


def test_a_disk_that_is_full_stops_no_core(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said loudly, and made good with the next write that succeeds."""
    mirror = Mirror(operator.backups, operator.vault)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr("core.custody.store.write_private", full)
        operator.vault.put(MORE, b"new")
    assert mirror.behind
    assert [entry["event"] for entry in logs] == ["THE BACKUP IS BEHIND THE VAULT"]
    operator.vault.put(f"keys/{KEY}/4", b"newer")
    assert not mirror.behind
    verify(operator)


def test_a_crash_at_any_write_of_an_update(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backup is the old one or the new one, both whole; the next start makes it the new one."""
    count = 0
    while True:
        operator = Operator(tmp_path / str(count), custodians=3, threshold=1)
        operator.create()
        old = operator.contents()
        Mirror(operator.backups, operator.vault)
        ended = False
        try:
            with crash_at(monkeypatch, count):
                operator.vault.put(MORE, b"share of epoch 3")
                ended = True
        except Crash:
            pass
        assert operator.recovered() in (old, old | {MORE: b"share of epoch 3"})
        Mirror(operator.backups, operator.vault)
        verify(operator)
        if ended:
            break
        count += 1
    assert count > 5


def test_a_crash_at_any_write_of_a_new_backup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old backup counts until the new one does; there is always one that restores everything."""
    count = 0
    while True:
        operator = Operator(tmp_path / str(count), custodians=3, threshold=1)
        first = operator.create()
        ended = False
        try:
            with crash_at(monkeypatch, count):
                operator.create()
                ended = True
        except Crash:
            pass
        assert operator.recovered() == SECRETS
        Mirror(operator.backups, operator.vault)
        verify(operator)
        assert operator.recovered() == SECRETS
        if ended:
            break
        count += 1
    assert count > 10
    assert operator.begin().context.backup_id != first.backup_id
