"""The endpoint: loopback unless told otherwise, honest codes, bounded, gone after stop."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import pytest

from telemetry.address import parse_address
from telemetry.errors import TelemetryError
from telemetry.health import Health
from telemetry.instruments import Instruments
from telemetry.listener import Listener
from tests.support.scrape import fetch, scrape


class Patient:
    """Something whose health a test decides."""

    def __init__(self) -> None:
        self.health = Health("running", facts={"height": 7})
        self.instruments = Instruments()
        self.listener = Listener("127.0.0.1:0", self.instruments, lambda: self.health)


@pytest.fixture
def patient() -> Iterator[Patient]:
    """A listener that runs."""
    patient = Patient()
    patient.listener.start()
    yield patient
    patient.listener.stop()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:26661", ("127.0.0.1", 26661)),
        (":26661", ("127.0.0.1", 26661)),
        ("[::1]:9", ("::1", 9)),
        ("0.0.0.0:9", ("0.0.0.0", 9)),
    ],
)
def test_address(text: str, address: tuple[str, int]) -> None:
    """A missing host is loopback, never everywhere."""
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "host", "host:", "host:x", "host:65536", "::1:9", "h:-1"])
def test_wrong_address(text: str) -> None:
    """What is no address is refused with words."""
    with pytest.raises(TelemetryError):
        parse_address(text)


def test_health_and_readiness(patient: Patient) -> None:
    """200 only where all is well; the document says why not; ready is stricter."""
    url = patient.listener.url
    status, body = fetch(f"{url}/healthz")
    assert (status, json.loads(body)) == (
        200,
        {"healthy": True, "ready": True, "phase": "running", "problems": [], "height": 7},
    )
    patient.health = Health("replay", ready=False)
    assert [fetch(f"{url}/{path}")[0] for path in ("healthz", "readyz")] == [200, 503]
    patient.health = Health("running", ("height 7 has not grown for 31 s",))
    status, body = fetch(f"{url}/healthz")
    assert status == 503
    assert json.loads(body)["problems"] == ["height 7 has not grown for 31 s"]
    assert fetch(f"{url}/readyz")[0] == 503


def test_numbers_and_other_paths(patient: Patient) -> None:
    """Query strings do not matter, unknown paths are not found, other methods are refused."""
    patient.instruments.counter("tkms_x_total", "x").add(count=5)
    assert scrape(patient.listener.url).value("tkms_x_total") == 5
    assert fetch(f"{patient.listener.url}/metrics?x=1")[0] == 200
    assert fetch(f"{patient.listener.url}/debug")[0] == 404
    host, port = parse_address(patient.listener.url.removeprefix("http://"))
    with socket.create_connection((host, port), 5) as connection:
        connection.sendall(b"POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        assert b" 501 " in connection.recv(100)
    with socket.create_connection((host, port), 5) as connection:
        connection.sendall(b"HEAD /healthz HTTP/1.1\r\n\r\n")
        answer = b""
        while piece := connection.recv(1000):
            answer += piece
        assert answer.startswith(b"HTTP/1.0 200")
        assert answer.endswith(b"\r\n\r\n")


def test_what_cannot_be_read_is_an_error_and_no_end(patient: Patient) -> None:
    """A gauge that fails makes this answer fail, not the next one."""
    broken = [True]

    def refresh() -> None:
        if broken[0]:
            raise ValueError("broken")

    patient.instruments.before_reading(refresh)
    assert fetch(f"{patient.listener.url}/metrics")[0] == 500
    broken[0] = False
    assert fetch(f"{patient.listener.url}/metrics")[0] == 200


def test_silent_peers_do_not_lock_others_out(patient: Patient) -> None:
    """More connections than there is room for are dropped; when they end there is room again."""
    host, port = parse_address(patient.listener.url.removeprefix("http://"))
    silent = [socket.create_connection((host, port), 5) for _ in range(8)]
    with socket.create_connection((host, port), 5) as turned_away:
        assert turned_away.recv(10) == b""
    for connection in silent:
        connection.close()
    for _ in range(100):
        try:
            assert fetch(f"{patient.listener.url}/healthz")[0] == 200
        except OSError:
            time.sleep(0.02)
            continue
        break
    else:
        pytest.fail("no room again")


def test_taken_address() -> None:
    """Two processes with one address: the second says so."""
    patient = Patient()
    taken = patient.listener.url.removeprefix("http://")
    with pytest.raises(TelemetryError, match=r"cannot listen on 127\.0\.0\.1"):
        Listener(taken, Instruments(), lambda: patient.health)
    patient.listener.start()
    patient.listener.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(parse_address(taken), 1)
