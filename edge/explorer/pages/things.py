"""Keys, reference strings, preprocessings, applications, handles, accounts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from edge.explorer.index import model
from edge.explorer.pages.asked import Asked, Shown, found
from edge.explorer.reader import Reader

_ROWS: Final = 25
_FEW: Final = 10
Materials = Callable[[Reader], tuple[model.MaterialSummary, ...]]


def _materials(kind: str, read: Materials) -> Callable[[Reader, Asked], Shown]:
    def show(reader: Reader, _asked: Asked) -> Shown:
        return Shown("materials.html", {"kind": kind, "materials": read(reader)})

    return show


def _material(
    kind: str, read: Callable[[Reader, bytes], model.Material | None]
) -> Callable[[Reader, Asked], Shown]:
    def show(reader: Reader, asked: Asked) -> Shown:
        name = asked.identifier("id", 20)
        material = found(read(reader, name), kind)
        recent = reader.requests(None, _FEW, key_id=name).items if kind == "key" else ()
        return Shown("material.html", {"kind": kind, "material": material, "recent": recent})

    return show


keys: Final = _materials("key", Reader.keys)
key: Final = _material("key", Reader.key)
reference_strings: Final = _materials("reference string", Reader.reference_strings)
reference_string: Final = _material("reference string", Reader.reference_string)
preprocessings: Final = _materials("preprocessing", Reader.preprocessings)
preprocessing: Final = _material("preprocessing", Reader.preprocessing)


def applications(reader: Reader, _asked: Asked) -> Shown:
    """All applications."""
    return Shown("applications.html", {"applications": reader.applications()})


def application(reader: Reader, asked: Asked) -> Shown:
    """One application with its settings and handles."""
    name = asked.application("id")
    shown = found(reader.application(name), "application")
    handles = reader.handles(name, asked.cursor, _ROWS)
    values = {
        "application": shown,
        "handles": handles.items,
        "following": asked.following(handles),
        "recent": reader.requests(None, _FEW, application=name).items,
    }
    return Shown("application.html", values)


def handle(reader: Reader, asked: Asked) -> Shown:
    """A handle, wherever it is registered, and the requests that name it."""
    name = asked.identifier("id", 32)
    listed = reader.requests_of_handle(name, asked.cursor, _ROWS)
    registered = found(reader.handle(name) or None, "handle")
    values = {
        "handle": "0x" + name.hex(),
        "registered": registered,
        "requests": listed.items,
        "following": asked.following(listed),
    }
    return Shown("handle.html", values)


def account(reader: Reader, asked: Asked) -> Shown:
    """An account; every address is one."""
    address = asked.identifier("address", 20)
    values = {
        "account": reader.account(address),
        "transactions": reader.transactions(None, _FEW, sender=address).items,
        "requests": reader.requests(None, _FEW, requester=address).items,
    }
    return Shown("account.html", values)
