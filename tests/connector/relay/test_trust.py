"""A caller believes what it asked for and the chain proves, whatever a relay hands out."""

from __future__ import annotations

from pathlib import Path

import pytest

from client.decrypt import new_user_key
from client.errors import VerificationFailed
from tests.connector.relay.test_service import trust
from tests.connector.relay.world import VALUE, world
from tests.support.shop import APPLICATION
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb


async def test_a_true_result_of_something_else_is_not_believed(tmp_path: Path) -> None:
    """A relay that was asked for one value hands out the proven result of another."""
    async with world(tmp_path) as here:
        here.register("a", "b")
        async with here.relay() as desk:
            made = (await desk.stub.Submit(here.submission("b"))).submission.request_id
            wait = pb.WaitRequestRequest(request_id=made, until=pb.WAIT_UNTIL_INCLUDED)
            await desk.stub.WaitRequest(wait)
            here.answer(made)
            wait = pb.WaitRequestRequest(request_id=made, include_result=True)
            result = (await desk.stub.WaitRequest(wait)).result
        assert trust(here).public(result, APPLICATION, here.handles("b")).values == (VALUE,)
        for application, asked in (
            (APPLICATION, here.handles("a")),
            (APPLICATION, here.handles("b", "a")),
            (APPLICATION, []),
            ("another", here.handles("b")),
        ):
            for read in (
                lambda *what: trust(here).public(result, *what),
                lambda *what: trust(here).user(result, *what, new_user_key()),
            ):
                with pytest.raises(VerificationFailed, match="other values than those asked for"):
                    read(application, asked)
