"""The parties of a next epoch: what they must be before shares may move to them."""

from __future__ import annotations

from ledger.config import keys
from ledger.config import state as config
from ledger.config.validation import check_epoch
from ledger.state import State
from wire.pb.tkms.config.v1 import config_pb2
from wire.reasons import Reason, Rejection


def next_epoch(state: State, wanted: config_pb2.Epoch) -> config_pb2.Epoch:
    """The epoch under the next id, if it is conformant; Rejection(EPOCH_INVALID, KEY_REUSED).

    A change may leave the id to the chain: refreshes take ids too, so who proposes cannot know it.
    """
    following = config.next_epoch_id(state)
    if wanted.id not in (0, following):
        raise Rejection(Reason.EPOCH_INVALID, f"the next epoch is {following}")
    epoch = config_pb2.Epoch()
    epoch.CopyFrom(wanted)
    epoch.id = following
    check_epoch(epoch)
    keys.check_epoch(state, epoch)
    return epoch


def same_parties(state: State) -> config_pb2.Epoch:
    """The current parties under the next id."""
    epoch = config_pb2.Epoch()
    epoch.CopyFrom(config.current_epoch(state))
    epoch.id = config.next_epoch_id(state)
    return epoch
