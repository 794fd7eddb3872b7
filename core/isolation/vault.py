"""The vault of an isolated core: the device, the service and the folder put together."""

import datetime as dt

from core import vault as vaults
from core.isolation.development import Device, load, registers_of
from core.isolation.device import Attestor, NitroDevice
from core.isolation.release_client import OperatorRelease, Service
from core.settings import IsolationSettings, Settings
from core.tls import Identity
from core.vault import Vault

IMAGE_FILE = "image"


def open_for(settings: Settings, identity: Identity) -> Vault:
    """The vault of these settings, by attestation where they ask for it.

    Raises
    ------
    VaultError, ReleaseError, DeviceError
        It does not open.
    """
    isolation = settings.isolation
    if isolation is None:
        return vaults.from_settings(settings)
    service = Service(isolation.release_address, isolation.release_certificate)
    source = OperatorRelease(service, identity, attestor(isolation), isolation.vault_name)
    return vaults.open_released(settings.vault, source)


def attestor(isolation: IsolationSettings) -> Attestor:
    """Where documents come from: the settings say it, nothing else does."""
    if isolation.development_root is None:
        return NitroDevice()
    root = load(isolation.development_root)
    image = (isolation.development_root / IMAGE_FILE).read_bytes()
    return Device(root, registers_of(image), lambda: dt.datetime.now(dt.UTC))
