"""Bearer tokens and quotas: who may call, and how much."""

from __future__ import annotations

import os
from pathlib import Path

import grpc
import pytest

from client.settings import SettingsError
from connector.relay.errors import RelayError
from connector.relay.tokens import Grant, Quotas, Tokens, read_tokens
from tests.connector.relay.test_service import refused
from tests.connector.relay.world import world
from wire.digests import sha256
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb

SECRET = "correct horse battery staple"


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        """Noon of some day."""
        self.now = 1_000 * 86_400.0 + 43_200

    def __call__(self) -> float:
        """Seconds since 1970."""
        return self.now


def write(path: Path, *rows: str, name: str = "gateway", secret: str = SECRET) -> Path:
    """A file with one token."""
    digest = sha256(secret.encode()).hex()
    path.write_text("\n".join(["[[token]]", f'name = "{name}"', f'sha256 = "{digest}"', *rows]))
    return path


def why(tokens: Tokens, authorization: str) -> str:
    """Reason of a refusal."""
    with pytest.raises(RelayError) as caught:
        tokens.client(authorization)
    assert caught.value.code == grpc.StatusCode.UNAUTHENTICATED
    assert SECRET not in str(caught.value)
    return caught.value.reason


def test_only_known_tokens_come_in_until_their_time_is_over(tmp_path: Path) -> None:
    """Scheme, digest and time."""
    clock = Clock()
    path = write(tmp_path / "tokens.toml", "expires_at = 1972-09-28T00:00:00Z")
    tokens = Tokens(path, clock)
    assert tokens.client(f"Bearer {SECRET}").name == "gateway"
    for wrong in ("", SECRET, "Bearer ", "Bearer x", f"Basic {SECRET}", "Bearer " + "x" * 10**6):
        assert why(tokens, wrong) == "TOKEN_INVALID"
    clock.now += 365 * 86_400
    assert why(tokens, f"Bearer {SECRET}") == "TOKEN_EXPIRED"


def test_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    """A revoked token does not come in; a broken file changes nothing."""
    clock = Clock()
    path = write(tmp_path / "tokens.toml")
    tokens = Tokens(path, clock)
    write(path, name="other", secret="other secret")
    os.utime(path, (5, 5))
    clock.now += 2
    assert why(tokens, f"Bearer {SECRET}") == "TOKEN_INVALID"
    assert tokens.client("Bearer other secret").name == "other"
    path.write_text("nonsense")
    clock.now += 2
    assert tokens.client("Bearer other secret").name == "other"


@pytest.mark.parametrize(
    "row",
    [
        "expires_at = 1972-09-28T00:00:00",
        "burst = -1",
        "burst = 1.5",
        "submissions_per_second = inf",
        "unknown = 1",
        'max_in_flight = "1"',
    ],
)
def test_wrong_rows_are_named(tmp_path: Path, row: str) -> None:
    """Settings that cannot be right stop the start."""
    with pytest.raises(SettingsError, match="token 1"):
        read_tokens(write(tmp_path / "tokens.toml", row))


def exhausted(quotas: Quotas, grant: Grant, units: int = 1) -> tuple[str, float]:
    """Reason and seconds until it may go."""
    with pytest.raises(RelayError) as caught:
        quotas.take(grant, units)
    assert caught.value.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    retry = caught.value.facts.retry_s
    assert retry is not None
    return caught.value.reason, retry


def test_quotas_are_counted_and_given_back() -> None:
    """Rate with burst, undecided submissions, units of a day."""
    clock = Clock()
    quotas = Quotas({}, {}, clock)
    quick = Grant("quick", submissions_per_second=2.0, burst=3)
    for _ in range(3):
        quotas.take(quick, 1)
    assert exhausted(quotas, quick) == ("RATE_EXCEEDED", 0.5)
    clock.now += 0.5
    quotas.take(quick, 1)
    quotas.give_back(quick, 1)
    quotas.take(quick, 1)
    few = Grant("few", max_in_flight=1)
    quotas.take(few, 1)
    assert exhausted(quotas, few)[0] == "TOO_MANY_IN_FLIGHT"
    quotas.learn_in_flight({})
    quotas.take(few, 1)
    thrifty = Grant("thrifty", units_per_day=10)
    quotas.take(thrifty, 10)
    assert exhausted(quotas, thrifty) == ("UNITS_EXCEEDED", 43_199.5)
    clock.now += 43_200
    quotas.take(thrifty, 10)


async def test_calls_need_a_token_and_keep_to_its_limits(tmp_path: Path) -> None:
    """Through the door: UNAUTHENTICATED, RESOURCE_EXHAUSTED with RetryInfo, and each client its own list."""
    async with world(tmp_path) as here:
        here.register("a")
        home = tmp_path / "relay"
        home.mkdir()
        write(home / "tokens.toml", "submissions_per_second = 0.01", "burst = 2")
        async with here.relay(token_file="tokens.toml") as desk:
            code, found = await refused(desk.stub.GetChainInfo(pb.GetChainInfoRequest()))
            assert code == grpc.StatusCode.UNAUTHENTICATED
            assert found["ErrorInfo"].reason == "TOKEN_INVALID"
            stream = desk.stub.WatchRequests(pb.WatchRequestsRequest())
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stream.read()
            assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
            metadata = (("authorization", f"Bearer {SECRET}"),)
            nonce = bytes(16)
            first = here.submission("a", nonce=nonce)
            await desk.stub.Submit(first, metadata=metadata)
            # A repeated call costs nothing.
            for _ in range(4):
                assert (await desk.stub.Submit(first, metadata=metadata)).duplicate
            await desk.stub.Submit(here.submission("a"), metadata=metadata)
            code, found = await refused(desk.stub.Submit(here.submission("a"), metadata=metadata))
            assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert found["ErrorInfo"].reason == "RATE_EXCEEDED"
            assert 90 < found["RetryInfo"].retry_delay.seconds <= 100
            prices = await desk.stub.GetPrices(pb.GetPricesRequest(), metadata=metadata)
            assert prices.limits.client == "gateway"
            assert prices.limits.burst == 2
