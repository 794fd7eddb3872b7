"""Recovery with custodians of whom some are silent, mistaken or malicious."""

import dataclasses
from itertools import combinations
from pathlib import Path

import pytest

from core.custody import backup, recovery, sharing
from core.custody.backup import Mirror
from core.custody.custodian import ANSWER_PURPOSE, Custodian
from core.custody.documents import Answer, Context, Material, sign_context
from core.custody.errors import BackupError, DocumentError, RecoveryError
from core.custody.recovery import Recovery
from core.epochs import Epochs
from core.isolation.sealing import seal
from core.journal import Journal
from core.vault import Vault
from tests.support.core_network import signing_secret
from tests.support.custody import KEY, NOW_MS, SECRETS, Crash, Operator, crash_at
from wire.ids import PartyId
from wire.signing import Secp256k1Signer

DAY_MS = 24 * 3600 * 1000


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Operator:
    """An operator with five custodians, two of whom may be bad, and a backup."""
    made = Operator(tmp_path_factory.mktemp("operator"))
    made.create()
    return made


@pytest.fixture
def fresh(operator: Operator, tmp_path: Path) -> Vault:
    """The empty vault of a new machine."""
    return elsewhere(operator, tmp_path).open("vault")


def elsewhere(operator: Operator, folder: Path) -> Operator:
    """The same operator at another place, with nothing there."""
    other = Operator.__new__(Operator)
    other.__dict__.update(operator.__dict__, folder=folder)
    return other


def test_any_three_of_five_restore_and_two_do_not(operator: Operator) -> None:
    """Every choice of custodians; fewer learn nothing that helps."""
    attempt = operator.begin()
    answers = operator.answers(attempt, range(1, 6))
    secrets = {attempt.secret(list(chosen)) for chosen in combinations(answers, 3)}
    assert len(secrets) == 1
    for chosen in combinations(answers, 2):
        with pytest.raises(RecoveryError, match="2 right answers, 3 are needed"):
            attempt.secret(list(chosen))
    with pytest.raises(RecoveryError, match="1 right answers"):
        attempt.secret([answers[0]] * 5)


def test_shares_of_different_secrets_do_not_pass() -> None:
    """Three points always lie on one polynomial: a foreign one makes of it what is no secret of ours."""
    shares = sharing.split(bytes(range(64)), 5, 2)
    assert sharing.join({1: shares[0], 3: shares[2], 5: shares[4]}, 5, 2) == bytes(range(64))
    other = sharing.split(bytes(64), 5, 2)
    mixed = {1: shares[0], 2: shares[1], 3: other[2]}
    with pytest.raises(ValueError, match="not of scalars"):
        sharing.join(mixed, 5, 2)


def forged(operator: Operator, attempt: Recovery, number: int, share: bytes) -> bytes:
    """A well signed answer of a custodian that holds another share."""
    custodian = operator.custodians[number - 1]
    good = custodian.material(attempt.context)
    material = dataclasses.replace(good, share=share)
    sealed = seal(
        attempt.request.recipient, material.text(), ANSWER_PURPOSE + attempt.request.digest()
    )
    return custodian._signed(Answer(attempt.request.digest(), number, sealed))


def test_bad_answers_cost_their_senders_only(operator: Operator) -> None:
    """Two liars beside three honest custodians change nothing, and each is named."""
    attempt = operator.begin()
    good = operator.answers(attempt, [1, 2, 3])
    stale = operator.answers(operator.begin(seed=b"f" * 32), [4])[0]
    other = Operator(operator.folder / "other")
    other.create()
    liar = forged(operator, attempt, 4, bytes(sharing.SHARE_BYTES))
    answer, signature = Answer.read(operator.answers(attempt, [5])[0])
    stranger = Custodian(b"s" * 32)
    bad = {
        liar: "share of custodian 4 is not the committed one",
        stale: "an answer to another request",
        dataclasses.replace(answer, custodian=4).text(signature): "not signed by its custodian",
        dataclasses.replace(answer, custodian=6).text(signature): "an answer of nobody",
        stranger._signed(answer): "not signed by its custodian",
        operator.custodians[4]._signed(
            dataclasses.replace(answer, sealed=answer.sealed[:-1])
        ): "answer of custodian 5 does not open",
        b"nonsense": "not a answer",
    }
    for data, reason in bad.items():
        shares, problems = attempt.collect([data, *good])
        assert (sorted(shares), len(problems)) == ([1, 2, 3], 1)
        assert reason in problems[0]
        assert (
            recovery.open_all(operator.store, attempt.context, attempt.secret([data, *good]))
            == operator.contents()
        )
    with pytest.raises(RecoveryError, match=r"2 right answers, 3 are needed \(the share of"):
        attempt.secret([*good[:2], liar])


def test_a_custodian_answers_only_what_was_confirmed(operator: Operator) -> None:
    """Another code, an old request, one from the future, another backup's, a recipient that is none."""
    custodian = operator.custodians[0]
    attempt = operator.begin()
    request, context = attempt.request, attempt.context
    code = request.code()
    assert custodian.answer(context, request, f" {code.upper()}\n", NOW_MS + DAY_MS)
    other = dataclasses.replace(request, recipient=b"x" * 1216)
    with pytest.raises(DocumentError, match="somebody else made it"):
        custodian.answer(context, other, code, NOW_MS)
    for now_ms in (NOW_MS + DAY_MS + 1, NOW_MS - 700_000):
        with pytest.raises(DocumentError, match="older than a day"):
            custodian.answer(context, request, code, now_ms)
    for changed in (
        dataclasses.replace(request, backup_id=b"j" * 32),
        dataclasses.replace(request, context=b"d" * 32),
    ):
        with pytest.raises(DocumentError, match="another backup"):
            custodian.answer(context, changed, changed.code(), NOW_MS)
    short = dataclasses.replace(request, recipient=b"short")
    with pytest.raises(DocumentError, match="recipient is no key"):
        custodian.answer(context, short, short.code(), NOW_MS)


def test_a_custodian_notices_what_its_operator_did_wrong(operator: Operator) -> None:
    """A share that is not committed to, of another custodian, or sealed to somebody else."""
    context = operator.begin().context
    with pytest.raises(DocumentError, match="other custodians"):
        Custodian(b"s" * 32).material(context)
    swapped = (context.shares[1], context.shares[0], *context.shares[2:])
    with pytest.raises(DocumentError, match="does not open"):
        operator.custodians[0].material(dataclasses.replace(context, shares=swapped))
    wrong = (b"w" * 32, *context.commitments[1:])
    with pytest.raises(DocumentError, match="not the committed one"):
        operator.custodians[0].material(dataclasses.replace(context, commitments=wrong))


def replaced_share(operator: Operator, context: Context) -> bytes:
    """A context, well signed, whose first share is of another party's backup."""
    material = operator.custodians[0].material(context)
    foreign: Material = dataclasses.replace(material, party=2)
    sealed = seal(
        context.custodians[0].sealing_key,
        foreign.text(),
        b"tkms/custody/share/v1/" + context.backup_id,
    )
    changed = dataclasses.replace(
        context,
        shares=(sealed, *context.shares[1:]),
        commitments=(foreign.commitment(), *context.commitments[1:]),
    )
    return sign_context(changed, operator.signer)


def test_a_share_says_itself_whose_it_is(operator: Operator) -> None:
    """Also a committed share of another party is refused."""
    changed, _ = Context.read(replaced_share(operator, operator.begin().context))
    with pytest.raises(DocumentError, match="of another backup"):
        operator.custodians[0].material(changed)


def test_a_rehearsal_compares_everything_and_writes_nothing(operator: Operator) -> None:
    """It is noted; a backup that is behind or of other custodians fails it."""
    attempt = operator.begin("rehearsal")
    answers = operator.answers(attempt, [2, 3, 5])
    before = operator.contents()
    count = recovery.rehearse(operator.backups, operator.vault, attempt, answers)
    assert (count, operator.contents()) == (len(SECRETS), before)
    facts = backup.verify(operator.backups, operator.vault, operator.signer)
    assert facts["rehearsed_ms"]
    operator.vault.put("epochs/2", b"changed")
    with pytest.raises(BackupError, match="not as in the vault: epochs/2"):
        recovery.rehearse(operator.backups, operator.vault, attempt, answers)
    operator.vault.put("epochs/2", SECRETS["epochs/2"])
    with pytest.raises(RecoveryError, match="0 right answers"):
        recovery.rehearse(operator.backups, operator.vault, attempt, [])


def test_restore_fills_an_empty_vault(operator: Operator, fresh: Vault) -> None:
    """All secrets are back, the backup goes on, and a vault with something in it is left alone."""
    attempt = operator.begin()
    answers = operator.answers(attempt, [1, 2, 3])
    done = recovery.restore(operator.store, fresh, attempt, answers, 1)
    assert (done.secrets, done.refused) == (len(SECRETS), ())
    assert operator.contents(fresh) == SECRETS
    recovery.require_complete(fresh)
    Mirror(operator.backups, fresh)
    backup.verify(operator.backups, fresh, operator.signer)
    with pytest.raises(RecoveryError, match="not empty"):
        recovery.restore(operator.store, fresh, attempt, answers, 1)


def test_shares_of_an_old_epoch_are_refused(
    operator: Operator, fresh: Vault, tmp_path: Path
) -> None:
    """At the restore, and by the core itself: the chain's current epoch decides what serves."""
    attempt = operator.begin()
    answers = operator.answers(attempt, [1, 2, 3])
    done = recovery.restore(operator.store, fresh, attempt, answers, 3)
    assert done.refused == ("epochs/2", f"keys/{KEY}/1", f"keys/{KEY}/2")
    assert operator.contents(fresh) == {"signing": SECRETS["signing"]}
    # Somebody who names a wrong epoch gets the shares, and the core does not use them: it has seen no
    # epoch yet, learns the current one from the chain, and erases what is older.
    vault = elsewhere(operator, tmp_path).open("second")
    recovery.restore(operator.store, vault, attempt, answers, 1)
    epochs = Epochs(Journal(tmp_path / "journal.db", "made-1", PartyId(1)), vault)
    epochs.current(3)
    assert not epochs.states.serves(2)
    assert epochs.states.lost(2)
    epochs.clean()
    assert vault.names("keys") == []


def test_a_crash_at_any_write_of_a_restore(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No core starts with half a vault; the same command ends it."""
    attempt = operator.begin()
    answers = operator.answers(attempt, [1, 2, 3])
    count = 0
    while True:
        vault = elsewhere(operator, tmp_path).open(f"vault{count}")
        ended = False
        try:
            with crash_at(monkeypatch, count):
                recovery.restore(operator.store, vault, attempt, answers, 1)
                ended = True
        except Crash:
            pass
        if vault.names("") and operator.contents(vault) != SECRETS:
            with pytest.raises(RecoveryError, match="did not end"):
                recovery.require_complete(vault)
        if ended:
            break
        if vault.names("") == [] or vault.has(recovery.PENDING):
            recovery.restore(operator.store, vault, attempt, answers, 1)
        assert operator.contents(vault) == SECRETS
        recovery.require_complete(vault)
        count += 1
    assert count > 10


def test_another_operators_backup_is_told(operator: Operator, tmp_path: Path) -> None:
    """A backup whose signing key is not the one that signed its context."""
    other = Operator(tmp_path / "made")
    other.vault.put("signing", signing_secret(2))
    other.create()
    attempt = other.begin()
    answers = other.answers(attempt, [1, 2, 3])
    assert Secp256k1Signer(signing_secret(2)).verification_key != other.signer.verification_key
    with pytest.raises(BackupError, match="another operator's signing key"):
        recovery.restore(other.store, other.open("new"), attempt, answers, 1)
