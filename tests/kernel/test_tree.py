"""The state tree of the kernel against the published roots and the slow twin."""

from __future__ import annotations

import random
from hashlib import sha256

import pytest
import tkms_kernel as kernel

from tests.support import tree_twin

# Roots published with the `jmt` crate (src/tests/sha2_256_vectors.json).
PUBLISHED = [
    ({}, "5350415253455f4d45524b4c455f504c414345484f4c4445525f484153485f5f"),
    (
        {b"hello": b"world"},
        "6b97115f56e533f2fd443f7e76e4d1ff94d34e6b2e233f2dbdf5cfd1ec39a30c",
    ),
    (
        {b"hello": b"world", b"goodbye": b"world"},
        "e1e1e220d4b4a9611a9a09dbcee964b4a6c3a40f6f4dee265ad45cf64568790b",
    ),
]


class Store:
    """A store as a caller keeps it: nodes by node key, values by key, keys by key hash."""

    def __init__(self) -> None:
        """Start empty."""
        self.nodes: dict[bytes, bytes] = {}
        self.history: list[dict[bytes, bytes]] = []
        self.preimages: dict[bytes, bytes] = {}
        self.shown = -1

    @property
    def content(self) -> dict[bytes, bytes]:
        """Values of the version that reads refer to."""
        return self.history[self.shown] if self.history else {}

    def read(self, kind: int, key: bytes) -> bytes | None:
        """Answer a read of the kernel."""
        if kind == kernel.TREE_NODE:
            return self.nodes.get(key)
        if kind == kernel.TREE_VALUE:
            return self.content.get(key)
        assert kind == kernel.TREE_PREIMAGE
        return self.preimages.get(key)

    def update(self, changes: list[tuple[bytes, bytes | None]]) -> bytes:
        """Make the next version and return its root."""
        version = len(self.history)
        root, nodes, stale = kernel.tree_update(self.read, version, changes)
        assert all(key in self.nodes for key in stale)
        self.nodes.update(nodes)
        content = dict(self.history[-1]) if self.history else {}
        for key, value in changes:
            if value is None:
                content.pop(key, None)
            else:
                content[key] = value
                self.preimages[sha256(key).digest()] = key
        self.history.append(content)
        return root


def filled(count: int) -> tuple[Store, bytes]:
    """A store whose version 0 has ``count`` keys, and the root."""
    store = Store()
    root = store.update([(b"key%d" % n, b"value%d" % n) for n in range(count)])
    return store, root


@pytest.mark.parametrize(("content", "root"), PUBLISHED)
def test_published_roots(content: dict[bytes, bytes], root: str) -> None:
    """The kernel and the twin give the roots published for the tree rule."""
    assert tree_twin.tree_root(content).hex() == root
    assert Store().update(list(content.items())).hex() == root
    assert kernel.tree_build(7, list(content.items()))[0].hex() == root


def random_changes(
    rng: random.Random, content: dict[bytes, bytes]
) -> list[tuple[bytes, bytes | None]]:
    """A few changes: new keys, overwrites, deletions of present and of absent keys, or nothing."""
    changes: dict[bytes, bytes | None] = {}
    for _ in range(rng.choice([0, 0, 1, 2, 5, 12])):
        key = b"k%d" % rng.randrange(60)
        changes[key] = None if rng.random() < 0.45 else rng.randbytes(rng.randint(1, 40))
    if content and rng.random() < 0.03:
        changes = dict.fromkeys(content)
    return list(changes.items())


def test_random_versions_agree_with_the_twin() -> None:
    """200 versions with deletions: roots, and proofs at the newest version, agree with the twin."""
    rng = random.Random(20260101)
    store = Store()
    emptied = 0
    for version in range(200):
        root = store.update(random_changes(rng, store.content))
        assert root == tree_twin.tree_root(store.content)
        assert root == kernel.tree_root(store.read, version)
        if not store.content:
            emptied += 1
            continue
        for key in (b"k%d" % rng.randrange(60), rng.choice(sorted(store.content))):
            check_proof(store, version, root, key)
    assert emptied > 0


def check_proof(store: Store, version: int, root: bytes, key: bytes) -> None:
    """Prove a key; kernel and twin must accept the proof, and only for what it says."""
    proof = kernel.tree_prove(store.read, version, key)
    value = store.content.get(key)
    if value is None:
        kernel.verify_non_membership(proof, root, key)
        neighbours = tree_twin.absence_neighbours(proof)
        assert neighbours
        assert all(found == root for _, _, found in neighbours)
        with pytest.raises(kernel.VerificationFailed):
            kernel.verify_membership(proof, root, key, b"x")
        return
    kernel.verify_membership(proof, root, key, value)
    assert tree_twin.existence_holds(proof, root, key, value)
    with pytest.raises(kernel.VerificationFailed):
        kernel.verify_membership(proof, root, key, value + b"x")
    with pytest.raises(kernel.VerificationFailed):
        kernel.verify_non_membership(proof, root, key)


def test_older_versions_stay_provable() -> None:
    """A version is provable as long as its nodes and values are kept."""
    rng = random.Random(5)
    store = Store()
    roots = [store.update(random_changes(rng, store.content)) for _ in range(40)]
    for version, root in enumerate(roots):
        store.shown = version
        assert kernel.tree_root(store.read, version) == root
        for key in sorted(store.content)[:3]:
            check_proof(store, version, root, key)


def test_stale_nodes_can_be_deleted() -> None:
    """After deletion of everything stale the newest version is complete and nothing else is left."""
    rng = random.Random(9)
    store = Store()
    for _ in range(80):
        version = len(store.history)
        changes = random_changes(rng, store.content)
        root, nodes, stale = kernel.tree_update(store.read, version, changes)
        store.update(changes)
        for key in stale:
            del store.nodes[key]
        for key in store.content:
            proof = kernel.tree_prove(store.read, version, key)
            kernel.verify_membership(proof, root, key, store.content[key])
    # Nodes of a tree of n leaves: fewer than n inner nodes on each level of nibbles.
    assert len(store.nodes) <= 4 * max(1, len(store.content)) + 1
    assert nodes


def test_empty_update_keeps_root_and_stays_provable() -> None:
    """A version without changes has the same root and its own root node."""
    store, root = filled(20)
    for version in range(1, 6):
        assert store.update([]) == root
        assert kernel.tree_root(store.read, version) == root
        check_proof(store, version, root, b"key3")
        check_proof(store, version, root, b"nothing")
    assert len([key for key in store.nodes if key[8] == 0]) == 6


def test_order_of_updates_has_no_effect() -> None:
    """Root and nodes are the same for each order of the update list."""
    changes = [(b"key%d" % n, b"v") for n in range(50)]
    assert kernel.tree_update(Store().read, 0, changes) == kernel.tree_update(
        Store().read, 0, changes[::-1]
    )


def test_build_gives_root_and_nodes_of_a_version() -> None:
    """A snapshot restored at a later version has the root of the chain and continues from there."""
    store, _ = filled(300)
    store.update([(b"key7", None), (b"more", b"stuff")])
    root = store.update([(b"again", b"1")])
    restored = Store()
    restored.history = [{}, {}, dict(store.content)]
    restored.preimages = store.preimages
    built, nodes = kernel.tree_build(2, list(store.content.items()))
    restored.nodes = dict(nodes)
    assert built == root
    check_proof(restored, 2, root, b"key8")
    check_proof(restored, 2, root, b"key7")
    assert restored.update([(b"key9", None)]) == store.update([(b"key9", None)])


def test_missing_version_is_refused() -> None:
    """No silent start from an empty tree when the previous version is not there."""
    store, _ = filled(3)
    with pytest.raises(kernel.InvalidInput, match="version 4"):
        kernel.tree_update(store.read, 5, [(b"a", b"b")])
    for call in (kernel.tree_root, lambda read, version: kernel.tree_prove(read, version, b"key1")):
        with pytest.raises(kernel.InvalidInput, match="version 9"):
            call(store.read, 9)


@pytest.mark.parametrize(
    "changes",
    [
        [(b"", b"v")],
        [(b"k", b"")],
        [(b"k" * 1025, b"v")],
        [(b"k", b"v" * (2**20 + 1))],
        [(b"k", b"v"), (b"k", None)],
    ],
    ids=["empty key", "empty value", "long key", "long value", "twice"],
)
def test_bad_updates_are_refused(changes: list[tuple[bytes, bytes | None]]) -> None:
    """What cannot be proved later is not taken in."""
    with pytest.raises(kernel.InvalidInput):
        kernel.tree_update(Store().read, 0, changes)


def test_empty_tree_has_no_proof() -> None:
    """ICS-23 cannot say anything about an empty tree."""
    store = Store()
    store.update([])
    with pytest.raises(kernel.InvalidInput, match="empty tree"):
        kernel.tree_prove(store.read, 0, b"k")


class BrokenError(Exception):
    """An error of the caller's own store."""


def test_exception_of_the_reader_arrives_unchanged() -> None:
    """The caller sees its own exception, from each read kind."""
    store, _ = filled(100)
    for broken in (kernel.TREE_NODE, kernel.TREE_VALUE, kernel.TREE_PREIMAGE):
        error = BrokenError("disk")

        def read(
            kind: int, key: bytes, broken: int = broken, error: BrokenError = error
        ) -> bytes | None:
            if kind == broken:
                raise error
            return store.read(kind, key)

        with pytest.raises(BrokenError) as caught:
            kernel.tree_prove(read, 0, b"absent")
        assert caught.value is error


def test_reader_must_return_bytes() -> None:
    """A reader of the wrong type is a TypeError, as in any Python call."""
    with pytest.raises(TypeError):
        kernel.tree_root(lambda _kind, _key: "text", 0)  # type: ignore[arg-type,return-value]


def test_corrupt_store_gives_an_error_and_no_proof() -> None:
    """Wrong values or damaged nodes never become a proof."""
    store, _ = filled(30)
    store.history[0][b"key4"] = b"changed"
    with pytest.raises(kernel.InternalError, match="does not hold the values"):
        kernel.tree_prove(store.read, 0, b"key4")
    store.nodes = {key: node[:-1] for key, node in store.nodes.items()}
    with pytest.raises(kernel.InternalError):
        kernel.tree_root(store.read, 0)


def verify_proof(proof: bytes, root: bytes, key: bytes, value: bytes | None) -> None:
    """Verify presence of a value or, for None, absence."""
    if value is None:
        kernel.verify_non_membership(proof, root, key)
    else:
        kernel.verify_membership(proof, root, key, value)


def test_every_flipped_bit_of_a_proof_is_refused() -> None:
    """No single changed bit leaves a proof that shows something else."""
    store, root = filled(40)
    for key, value in ((b"key5", b"value5"), (b"absent", None)):
        proof = kernel.tree_prove(store.read, 0, key)
        for position in range(8 * len(proof)):
            forged = bytearray(proof)
            forged[position // 8] ^= 1 << position % 8
            with pytest.raises(kernel.VerificationFailed):
                verify_proof(bytes(forged), root, key, value)


def test_a_proof_is_bound_to_key_value_and_root() -> None:
    """Proofs do not carry over to another key, value or root."""
    store, root = filled(40)
    present = kernel.tree_prove(store.read, 0, b"key5")
    absent = kernel.tree_prove(store.read, 0, b"absent")
    other = store.update([(b"key6", b"new")])
    for arguments in (
        (other, b"key5", b"value5"),
        (root, b"key6", b"value6"),
        (root, b"key5", b""),
    ):
        with pytest.raises(kernel.VerificationFailed):
            kernel.verify_membership(present, *arguments)
    for claimed, key in ((other, b"absent"), (root, b"key5"), (root, b"absent2"), (root, b"")):
        with pytest.raises(kernel.VerificationFailed):
            kernel.verify_non_membership(absent, claimed, key)
    with pytest.raises(kernel.InvalidInput):
        kernel.verify_membership(present, root[:31], b"key5", b"value5")


def test_no_neighbours_around_a_present_key() -> None:
    """Two true neighbours that are not adjacent do not prove absence of what lies between."""
    store, root = filled(40)
    ordered = sorted(store.content, key=lambda key: sha256(key).digest())
    left, victim, right = ordered[10:13]
    halves = [kernel.tree_prove(store.read, 0, key)[1:] for key in (left, right)]
    # ExistenceProof bytes: CommitmentProof is one field 1 with a length prefix.
    inner = [half[tree_twin.varint(half, 0)[1] :] for half in halves]
    body = field(1, victim) + field(2, inner[0]) + field(3, inner[1])
    with pytest.raises(kernel.VerificationFailed):
        kernel.verify_non_membership(field(2, body), root, victim)


def field(number: int, data: bytes) -> bytes:
    """Encode a length-delimited protobuf field."""
    length = bytearray()
    rest = len(data)
    while rest > 0x7F:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    length.append(rest)
    return bytes([number << 3 | 2]) + bytes(length) + data


@pytest.mark.parametrize(
    "proof", [b"", b"\x00", b"\xff" * 40, b"\x0a\x00", b"\x12\x00", b"\x1a\x00"]
)
def test_garbage_is_refused(proof: bytes) -> None:
    """Malformed proofs, and proof kinds that this tree does not make, are refused."""
    root = bytes(32)
    with pytest.raises(kernel.VerificationFailed):
        kernel.verify_membership(proof, root, b"k", b"v")
    with pytest.raises(kernel.VerificationFailed):
        kernel.verify_non_membership(proof, root, b"k")
