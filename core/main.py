"""Assembly and life of one core process."""

import asyncio
import signal
import sys
import time
from pathlib import Path

import structlog

from core import vault as vaults
from core.authorize import Authorizer, OwnIdentity
from core.certificates import to_der
from core.dealer import Dealer
from core.engine import Engine
from core.errors import SettingsError
from core.inbox import Inbox
from core.journal import Journal
from core.links import Identity
from core.peers import Peers
from core.publish import Storage
from core.roster import Roster
from core.runner import Limits, Parts, Runner
from core.service import CoreService, Results
from core.settings import FaultMode, Settings, load
from core.signer import ResultSigner
from core.trust import DRIFT_S, Trust
from light.headers import Policy
from wire.ids import PartyId
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.peer.v1 import peer_pb2

__all__ = ["Core", "run"]

log = structlog.get_logger("core.main")


class Core:
    """One party's core: everything of `settings` wired together."""

    def __init__(self, settings: Settings) -> None:
        """Open vault and journal, and build the parts; nothing listens yet.

        Raises
        ------
        SettingsError, VaultError, JournalError
            What is on disk does not fit the settings.
        """
        identity = _read_identity(settings)
        self._settings = settings
        self._vault = vaults.from_settings(settings)
        _warn(settings, clear_text=self._vault.clear_text)
        signer = ResultSigner(settings.party, self._vault.get(settings.signing_key))
        self._journal = Journal(settings.journal, settings.chain_id, settings.party)
        policy = Policy(settings.chain_id, settings.trusting_period_s, DRIFT_S)
        trust = Trust(policy, settings.trusted_validators_hash, self._journal, time.time_ns)
        own = OwnIdentity(settings.party, signer.verification_key, to_der(identity.certificate))
        self._authorizer = Authorizer(settings.chain_id, own, trust, self._journal)
        storage = None
        if settings.storage_url:
            storage = Storage(settings.storage_url, settings.storage_token_file)
        self._engine = Engine(self._vault, storage if settings.squash else None)
        self._dealer = Dealer(self._vault, storage)
        self._peers = Peers(identity, settings.peer_listen, self._receive)
        results = Results()
        parts = Parts(
            self._journal,
            self._vault,
            self._engine,
            self._dealer,
            signer,
            self._peers,
            Inbox(time.monotonic),
        )
        limits = Limits(float(settings.request_timeout_s), fault=settings.fault)
        self._runner = Runner(parts, limits, results.notify)
        self._service = CoreService(
            self._authorizer,
            trust,
            self._journal,
            self._runner,
            self._peers,
            self._vault,
            results,
            settings.party,
        )

    @property
    def roster(self) -> Roster:
        """Proven epochs."""
        return self._peers.roster

    async def start(self) -> None:
        """Listen, connect to known peers, and resume what was accepted before."""
        port = await self._peers.start()
        for record in self._journal.epochs():
            self._peers.learn(config_pb2.Epoch.FromString(record))
        for permission in self._authorizer.resume():
            self._runner.take(permission)
        await self._service.start(self._settings.service_socket)
        log.info("ready", party=self._settings.party, peer_port=port)

    async def stop(self) -> None:
        """Stop cleanly; the journal has all that matters."""
        await self._service.stop()
        await self._runner.close()
        await self._peers.stop()
        self._dealer.close()
        self._engine.close()
        self._journal.close()

    async def _receive(self, sender: PartyId, envelope: peer_pb2.Envelope) -> None:
        await self._runner.receive(sender, envelope)


def run(home: Path) -> None:
    """Run the core of a home folder until SIGTERM or SIGINT."""
    _configure_logs()
    asyncio.run(_serve(load(home)))


async def _serve(settings: Settings) -> None:
    """Live from start to the first signal."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    core = Core(settings)
    await core.start()
    await stopped.wait()
    log.info("stopping")
    await core.stop()


def _read_identity(settings: Settings) -> Identity:
    """Peer key and certificate; the key must be private to this user."""
    try:
        if settings.peer_key.stat().st_mode & 0o077:
            raise SettingsError("peer_key: others have access; it must be 0600")
        return Identity(settings.peer_key.read_bytes(), settings.peer_certificate.read_bytes())
    except OSError as error:
        raise SettingsError(f"peer key or certificate: {error}") from error


def _warn(settings: Settings, *, clear_text: bool) -> None:
    """Say loudly what must never run with real secrets."""
    if settings.developer_mode:
        log.warning("DEVELOPER MODE: not for real secrets")
    if clear_text:
        log.warning("VAULT IS CLEAR TEXT: every secret of this core is readable on disk")
    if settings.fault is not FaultMode.NONE:
        log.warning("FAULT MODE: this core misbehaves on purpose", mode=settings.fault.value)


def _configure_logs() -> None:
    """Key-value lines on stderr."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
