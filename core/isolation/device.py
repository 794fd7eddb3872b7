"""The Nitro security module as the enclave sees it: one ioctl on /dev/nsm, CBOR in and out."""

import ctypes
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from core.isolation import cbor
from core.isolation.document import (
    MAX_DOCUMENT_BYTES,
    MAX_NONCE_BYTES,
    MAX_PUBLIC_KEY_BYTES,
    MAX_USER_DATA_BYTES,
)
from core.isolation.errors import DeviceError

NITRO_DEVICE = Path("/dev/nsm")

# _IOWR(0x0A, 0, struct of two iovec), as linux/nsm.h defines it on 64-bit machines.
_ATTEST = 0xC0200A00
_ANSWER_BYTES = MAX_DOCUMENT_BYTES

Control = Callable[[int, int, bytearray], object]


class Attestor(Protocol):
    """Where documents come from: the security module, or a development device."""

    def attest(self, *, public_key: bytes, user_data: bytes, nonce: bytes) -> bytes:
        """A fresh document that holds these three values."""


class _Vector(ctypes.Structure):
    """One struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):
    """Request and response of the driver."""

    _fields_ = (("request", _Vector), ("response", _Vector))


class NitroDevice:
    """Documents from the security module of the enclave that we run in."""

    __slots__ = ("_control", "_path")

    def __init__(self, path: Path = NITRO_DEVICE, control: Control | None = None) -> None:
        """Remember the device; `control` replaces the system call in tests."""
        self._path = path
        self._control = control or fcntl.ioctl

    def attest(self, *, public_key: bytes, user_data: bytes, nonce: bytes) -> bytes:
        """A fresh document.

        Raises
        ------
        DeviceError
            Values too long, no such device, or it says no.
        """
        for value, limit in (
            (public_key, MAX_PUBLIC_KEY_BYTES),
            (user_data, MAX_USER_DATA_BYTES),
            (nonce, MAX_NONCE_BYTES),
        ):
            if len(value) > limit:
                raise DeviceError("longer than a document can hold")
        question: dict[int | str, cbor.Value] = {
            "user_data": user_data,
            "nonce": nonce,
            "public_key": public_key,
        }
        answer = self._ask(cbor.encode({"Attestation": question}))
        try:
            found = cbor.decode(answer)
        except cbor.CborError as error:
            raise DeviceError("the device's answer is not CBOR") from error
        inner = found.get("Attestation") if isinstance(found, dict) else None
        document = inner.get("document") if isinstance(inner, dict) else None
        if not isinstance(document, bytes):
            raise DeviceError("the device gave no document")
        return document

    def _ask(self, question: bytes) -> bytes:
        """One request to the driver."""
        request = ctypes.create_string_buffer(question, len(question))
        response = ctypes.create_string_buffer(_ANSWER_BYTES)
        message = _Message(
            _Vector(ctypes.addressof(request), len(question)),
            _Vector(ctypes.addressof(response), _ANSWER_BYTES),
        )
        # The driver writes the answer's length back: bytes that are changed in place, not a copy.
        raw = bytearray(message)
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
            try:
                self._control(descriptor, _ATTEST, raw)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise DeviceError(f"{self._path}: {error.strerror}") from error
        length = _Message.from_buffer(raw).response.length
        if length > _ANSWER_BYTES:
            raise DeviceError("the device's answer is too long")
        return response.raw[:length]
