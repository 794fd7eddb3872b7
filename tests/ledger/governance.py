"""A chain with three administrators, and words for proposing changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.chain import ADMIN, ALICE, BOB, Chain, Result, genesis, message
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.signing import Signer

ADMINS = (ADMIN, ALICE, BOB)


def change(**kind: Any) -> config_pb2.Change:
    """One change by the name of its kind."""
    return config_pb2.Change(**kind)


def propose(height: int, title: str = "", **kind: Any) -> tx_pb2.Message:
    """ProposeChange."""
    return message(
        propose_change=config_pb2.ProposeChange(
            change=change(**kind), activation_height=height, title=title
        )
    )


def approve(proposal_id: int, digest: bytes = b"") -> tx_pb2.Message:
    """ApproveChange."""
    return message(
        approve_change=config_pb2.ApproveChange(proposal_id=proposal_id, change_digest=digest)
    )


def withdraw(proposal_id: int) -> tx_pb2.Message:
    """WithdrawChange."""
    return message(withdraw_change=config_pb2.WithdrawChange(proposal_id=proposal_id))


def role(
    holder: Signer, *, granted: bool, number: config_pb2.Role = config_pb2.ROLE_ADMIN
) -> config_pb2.RoleChange:
    """RoleChange."""
    return config_pb2.RoleChange(role=number, account=bytes(holder.address), granted=granted)


def quorum(count: int, number: config_pb2.Role = config_pb2.ROLE_ADMIN) -> config_pb2.RoleQuorum:
    """RoleQuorum."""
    return config_pb2.RoleQuorum(role=number, quorum=count)


def council(path: Path, count: int, **options: Any) -> Chain:
    """A chain on which `count` of three administrators decide."""
    document = genesis()
    for holder in (ALICE, BOB):
        document.roles.append(role(holder, granted=True))
    document.role_quorums.append(quorum(count))
    return Chain.start(path, document, **options)


def view(chain: Chain, proposal_id: int) -> state_pb2.ProposalView:
    """Answer of /config/proposal."""
    return state_pb2.ProposalView.FromString(chain.query("/config/proposal", number(proposal_id)))


def history(chain: Chain, first: int = 0, limit: int = 0) -> state_pb2.ConfigHistory:
    """Answer of /config/history."""
    return state_pb2.ConfigHistory.FromString(chain.query("/config/history", page(first, limit)))


def number(value: int) -> bytes:
    """Query data of one number."""
    return value.to_bytes(8, "big")


def page(first: int, limit: int) -> bytes:
    """Query data of a page."""
    return number(first) + limit.to_bytes(4, "big")


def only_event(result: Result, event_type: str) -> dict[str, str]:
    """Attributes of the only event of a type."""
    (found,) = [attributes for name, attributes in result.events if name == event_type]
    return found
