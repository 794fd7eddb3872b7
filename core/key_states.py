"""States of keys as the chain proved them to this core: the newest record counts."""

from core.journal import Journal
from wire.ids import KeyId
from wire.pb.tkms.asc.v1 import asc_pb2


class KeyStates:
    """What a core may do with a key. Blocks for the disk; call it off the loop."""

    __slots__ = ("_journal",)

    def __init__(self, journal: Journal) -> None:
        """Read the records that were proven."""
        self._journal = journal

    def active(self, key_id: KeyId) -> bool:
        """Whether the key may decrypt. A permission without any record is older than records."""
        raw = self._journal.key(key_id.value)
        if raw is None:
            return True
        return asc_pb2.MaterialRecord.FromString(raw).status == asc_pb2.KEY_STATUS_ACTIVE
