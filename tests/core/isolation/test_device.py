"""The security module's device, with a driver of our own behind the system call."""

import ctypes
from pathlib import Path

import pytest

from core.isolation import cbor
from core.isolation.device import NitroDevice
from core.isolation.errors import DeviceError

CODE = 0xC0200A00


class Driver:
    """Plays the kernel's part: reads the request's memory and writes the response's."""

    def __init__(self, answer: bytes) -> None:
        """Answer every question with the same bytes."""
        self.answer = answer
        self.questions: list[object] = []

    def __call__(self, descriptor: int, code: int, message: bytearray) -> int:
        """One ioctl."""
        assert (descriptor > 2, code, len(message)) == (True, CODE, 32)
        words = (ctypes.c_uint64 * 4).from_buffer(message)
        self.questions.append(cbor.decode(ctypes.string_at(words[0], words[1])))
        assert words[3] >= len(self.answer)
        ctypes.memmove(words[2], self.answer, len(self.answer))
        words[3] = len(self.answer)
        return 0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file in the place of the device."""
    path = tmp_path / "nsm"
    path.touch()
    return path


def test_a_document_comes_back(path: Path) -> None:
    """The question holds all three values; the answer is unpacked."""
    driver = Driver(cbor.encode({"Attestation": {"document": b"doc" * 1000}}))
    device = NitroDevice(path, driver)
    assert device.attest(public_key=b"k", user_data=b"u", nonce=b"n") == b"doc" * 1000
    assert driver.questions == [
        {"Attestation": {"user_data": b"u", "nonce": b"n", "public_key": b"k"}}
    ]


@pytest.mark.parametrize(
    "answer",
    [b"", b"\xff", cbor.encode({"Error": "InputTooLarge"}), cbor.encode({"Attestation": {}})],
)
def test_refusals_of_the_device(path: Path, answer: bytes) -> None:
    """Errors and nonsense are told as such."""
    with pytest.raises(DeviceError, match="the device"):
        NitroDevice(path, Driver(answer)).attest(public_key=b"", user_data=b"", nonce=b"")


def test_no_device_and_values_too_long(path: Path) -> None:
    """A machine without enclave, and values that no document can hold."""
    with pytest.raises(DeviceError, match="No such file"):
        NitroDevice(path.with_name("none")).attest(public_key=b"", user_data=b"", nonce=b"")
    with pytest.raises(DeviceError, match="longer"):
        NitroDevice(path).attest(public_key=bytes(1025), user_data=b"", nonce=b"")
