"""Registering an application, or giving it other settings, as a change that the registrars decide."""

from __future__ import annotations

from typing import Final

from isc import registry
from ledger.config.kinds import ChangeKind
from ledger.context import Context
from ledger.state import State
from wire.pb.tkms.config.v1.config_pb2 import ROLE_REGISTRAR
from wire.pb.tkms.isc.v1 import isc_pb2


def _apply(state: State, record: isc_pb2.Application, _context: Context) -> None:
    registry.put_application(state, record)


CHANGES: Final = (ChangeKind("application", ROLE_REGISTRAR, registry.check_application, _apply),)
