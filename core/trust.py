"""The core's own light client: a durable, only rising trusted header and proofs under it."""

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields

from core.errors import Refusal, Refused
from core.journal import Journal
from light.errors import LightError
from light.headers import LightBlock, Policy, TrustedHeader, verify_genesis, verify_next
from light.proofs import verify_value
from wire.ids import Height
from wire.pb.tkms.core.v1 import core_pb2
from wire.pb.tkms.state.v1 import state_pb2

# Validators' clocks are the median of many; ours may lag by this much.
DRIFT_S = 30


class Trust:
    """What this core believes about the chain. Safe to call from several threads."""

    __slots__ = ("_clock_ns", "_journal", "_lock", "_policy", "_trusted", "_validators_hash")

    def __init__(
        self,
        policy: Policy,
        validators_hash: bytes,
        journal: Journal,
        clock_ns: Callable[[], int],
    ) -> None:
        """Start from the journal, or from the pinned validator set at the first header."""
        self._policy = policy
        self._validators_hash = validators_hash
        self._journal = journal
        self._clock_ns = clock_ns
        self._lock = threading.Lock()
        stored = journal.trusted()
        self._trusted = _decode(stored) if stored else None

    @property
    def height(self) -> Height:
        """Height of the trusted header; 0 before the first."""
        trusted = self._trusted
        return Height(trusted.height if trusted else 0)

    def advance(self, blocks: Sequence[core_pb2.LightBlock]) -> None:
        """Verify headers in ascending order, each from the one before; lower ones are skipped.

        Raises
        ------
        Refused
            HEADER for the first that does not verify; nothing of the call is kept then.
        """
        with self._lock:
            trusted = self._newest()
            verified: list[tuple[int, bytes]] = []
            for block in blocks:
                if trusted is not None and block.height <= trusted.height:
                    continue
                trusted = self._verify(trusted, block)
                verified.append((trusted.height, trusted.app_hash))
            if trusted is None or not verified:
                return
            self._journal.trust(_encode(trusted), verified)
            self._trusted = trusted

    def _newest(self) -> TrustedHeader | None:
        """Ours, or what another core of this party has verified since."""
        stored = self._journal.trusted()
        found = _decode(stored) if stored else None
        if found is not None and found.height > self.height:
            self._trusted = found
        return self._trusted

    def require_value(self, proven: state_pb2.ProvenValue, key: bytes) -> bytes:
        """The value that the chain had under a key after block `proven.height`.

        Raises
        ------
        Refused
            STALE when the header above the proof is not verified, PROOF when it does not hold.
        """
        if proven.key != key:
            raise Refused(Refusal.PROOF, "the proof is about another key")
        # The state after block H is committed to by the header of H + 1.
        root = self._journal.app_hash(proven.height + 1)
        if root is None:
            raise Refused(Refusal.STALE, f"header {proven.height + 1} is not verified here")
        try:
            verify_value(root, key, proven.value, proven.proof)
        except LightError as error:
            raise Refused(Refusal.PROOF, str(error)) from error
        return proven.value

    def _verify(self, trusted: TrustedHeader | None, block: core_pb2.LightBlock) -> TrustedHeader:
        """One step of the light client."""
        light_block = LightBlock(block.signed_header, block.validators, block.next_validators)
        now_ns = self._clock_ns()
        try:
            if trusted is None:
                found = verify_genesis(self._policy, self._validators_hash, light_block, now_ns)
            else:
                found = verify_next(self._policy, trusted, light_block, now_ns)
        except LightError as error:
            raise Refused(Refusal.HEADER, f"height {block.height}: {error}") from error
        if found.height != block.height:
            raise Refused(Refusal.HEADER, "the header has another height than it is said to have")
        return found


def _encode(trusted: TrustedHeader) -> bytes:
    """JSON with byte fields in hexadecimal."""
    record = {
        name: value.hex() if isinstance(value, bytes) else value
        for name, value in asdict(trusted).items()
    }
    return json.dumps(record, sort_keys=True).encode()


def _decode(encoded: bytes) -> TrustedHeader:
    """Inverse of `_encode`; the journal is ours, so its content is taken as it is."""
    record = json.loads(encoded)
    values = {
        field.name: bytes.fromhex(value) if isinstance(value, str) else value
        for field in fields(TrustedHeader)
        for value in [record[field.name]]
    }
    return TrustedHeader(**values)  # type: ignore[arg-type]  # fields were written by _encode
