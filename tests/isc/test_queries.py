"""Views of isc."""

from __future__ import annotations

import pytest

from isc.module import MODULE
from tests.asc.world import APPLICATION, DELEGATE, OWNER, USER, World, domain
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.reasons import Reason, Rejection


def test_application_view_lists_delegates() -> None:
    """Record and delegates, whole."""
    view = World().query("/isc/application", APPLICATION.encode(), state_pb2.ApplicationView)
    assert view == state_pb2.ApplicationView(
        application=isc_pb2.Application(
            id=APPLICATION,
            kind=isc_pb2.KIND_ACL,
            owner=OWNER.address.value,
            domain=domain(APPLICATION),
        ),
        delegates=[DELEGATE.address.value],
    )


def test_handle_view_lists_permissions() -> None:
    """Ciphertext, public switch and grants, whole."""
    world = World(key_id=bytes(20))
    record = world.register_for(USER.address, "a")
    data = APPLICATION.encode() + b"\0" + record.handle
    assert world.query("/isc/handle", data, state_pb2.HandleView) == state_pb2.HandleView(
        ciphertext=record, public=False, granted=[USER.address.value]
    )


@pytest.mark.parametrize(
    ("path", "data", "reason"),
    [
        ("/isc/application", b"nothing", Reason.NOT_FOUND),
        ("/isc/application", b"\xff", Reason.UNKNOWN_QUERY),
        ("/isc/handle", b"shop", Reason.UNKNOWN_QUERY),
        ("/isc/handle", b"shop\0short", Reason.UNKNOWN_QUERY),
        ("/isc/handle", b"\xff\0" + bytes(32), Reason.UNKNOWN_QUERY),
        ("/isc/handle", b"shop\0" + bytes(32), Reason.NOT_FOUND),
    ],
)
def test_bad_queries_have_reasons(path: str, data: bytes, reason: Reason) -> None:
    """Malformed data and missing records are told apart."""
    with pytest.raises(Rejection) as caught:
        MODULE.queries[path](World().state, data)
    assert caught.value.reason is reason
