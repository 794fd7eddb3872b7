"""Assembly and life of one core process."""

import asyncio
import signal
import sys
import time
from collections.abc import Awaitable
from pathlib import Path

import structlog

from core.authorize import Authorizer, OwnIdentity
from core.certificates import to_der
from core.coordinator import Coordinator, seat_socket
from core.custody.backup import Mirror, keep_identity
from core.custody.recovery import require_complete
from core.custody.store import Backups
from core.dealer import Dealer
from core.engine import Engine
from core.epochs import Epochs
from core.errors import SettingsError
from core.facts import Facts
from core.faults import FAULTS
from core.flows.progress import Progress
from core.flows.table import Flows
from core.flows.tools import Tools
from core.host import Host
from core.inbox import Inbox
from core.isolation.hardening import harden
from core.isolation.vault import open_for
from core.journal import Journal
from core.key_states import KeyStates
from core.logs import configure_logs
from core.parts import Limits, Parts
from core.peers import Peers
from core.preprocessing import Preprocessing
from core.publish import Storage
from core.results import Results
from core.roster import Roster
from core.runner import Runner
from core.seats import ALONE, Seat
from core.sent import SentMessages
from core.service import About, CoreService, Door
from core.settings import FaultMode, Settings, load
from core.shared_peers import SharedPeers
from core.siblings import Siblings
from core.signer import ResultSigner
from core.threads import with_background
from core.tls import Identity
from core.trust import DRIFT_S, Trust
from core.vault import Vault
from light.headers import Policy
from wire.ids import KeyId, PartyId
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.peer.v1 import peer_pb2

__all__ = ["Core", "run"]

_REMIND_S = 600.0

log = structlog.get_logger("core.main")


class Core:
    """One party's core: everything of `settings` wired together."""

    def __init__(self, settings: Settings, seat: Seat = ALONE) -> None:
        """Open vault and journal, and build the parts; nothing listens yet.

        Raises
        ------
        SettingsError, VaultError, JournalError
            What is on disk does not fit the settings.
        """
        identity = read_identity(settings)
        self._settings = settings
        self._seat = seat
        self._door = door_of(settings, identity)
        if not seat.alone:
            self._door = Door(f"unix:{seat_socket(settings.home, seat.number)}")
        self._vault = _open_vault(settings, identity)
        self.service_port = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reminder: asyncio.TimerHandle | None = None
        signer = ResultSigner(settings.party, self._vault.get(settings.signing_key))
        self._journal = Journal(settings.journal, settings.chain_id, settings.party)
        policy = Policy(settings.chain_id, settings.trusting_period_s, DRIFT_S)
        trust = Trust(policy, settings.trusted_validators_hash, self._journal, time.time_ns)
        own = OwnIdentity(settings.party, signer.verification_key, to_der(identity.certificate))
        storage = None
        if settings.storage_url:
            storage = Storage(settings.storage_url, settings.storage_token_file)
        states = KeyStates(self._journal)
        self._engine = Engine(self._vault, storage if settings.squash else None, states.active)
        self._dealer = Dealer(self._vault, storage)
        self._siblings: Siblings | None = None
        if not seat.alone:
            self._siblings = Siblings(settings.home, seat, self._receive)
        self._peers = self._open_peers(identity)
        self._threads = with_background(self._engine.pool)
        sent = SentMessages(time.monotonic, self._vault)
        self.host = Host(self._peers, self._threads, sent)
        self.host.spoil = FAULTS.get(settings.fault)
        self._preprocessing = Preprocessing(
            self.host,
            self._peers,
            self._vault,
            self._engine,
            (settings.journal.parent / "records", settings.pool_blocks),
            None if seat.primary or self._siblings is None else self._siblings.tell_primary,
        )
        self._epochs = Epochs(
            self._journal,
            self._vault,
            self._forget_share,
            self._preprocessing.forget_epoch,
        )
        self._authorizer = Authorizer(
            settings.chain_id, own, trust, self._journal, self._epochs.current
        )
        results = Results()
        self._runner = self._open_runner(signer, storage, results)
        self._service = CoreService(
            self._authorizer,
            Facts(trust, self._journal, self._epochs),
            trust,
            self._journal,
            self._runner,
            self._peers,
            self._vault,
            results,
            About(settings.party, developer=settings.developer or self._vault.clear_text),
        )

    def _open_runner(
        self, signer: ResultSigner, storage: Storage | None, results: Results
    ) -> Runner:
        """Who carries out requests: short ones by itself, long ones as flows."""
        settings = self._settings
        tools = Tools(
            self._journal,
            self._vault,
            self.host,
            self._peers,
            self._epochs,
            self._preprocessing.keys,
            signer,
            Progress(settings.party, results.report),
            self._dealer,
            self._preprocessing.records,
            self._threads.background,
            self._preprocessing.ordinary.prepare,
            storage,
            results.notify,
        )
        parts = Parts(
            self._journal,
            self._vault,
            self._engine,
            self._dealer,
            signer,
            self._peers,
            Inbox(time.monotonic),
            self.host,
            self._preprocessing.ordinary,
            Flows(tools),
        )
        limits = Limits(float(settings.request_timeout_s), fault=settings.fault)
        return Runner(parts, limits, results.notify)

    @property
    def roster(self) -> Roster:
        """Proven epochs."""
        return self._peers.roster

    async def start(self) -> None:
        """Listen, connect to known peers, and resume what was accepted before."""
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._epochs.clean)
        port = await self._peers.start()
        for record in self._journal.epochs():
            epoch = config_pb2.Epoch.FromString(record)
            self._peers.learn(epoch)
            current = epoch.id == self._epochs.states.current
            self._preprocessing.start(epoch, self._journal, current=current)
        # With several cores the coordinator says who goes on with what.
        for permission in self._authorizer.resume() if self._seat.alone else ():
            self._runner.take(permission)
        self.service_port = await self._service.start(self._door)
        log.info("ready", party=self._settings.party, peer_port=port)
        self._remind()

    def _remind(self) -> None:
        """Say again and again what must never run with real secrets: logs rotate."""
        _warn(self._settings, clear_text=self._vault.clear_text)
        loop = asyncio.get_running_loop()
        self._reminder = loop.call_later(_REMIND_S, self._remind)

    async def stop(self) -> None:
        """Stop cleanly; the journal has all that matters."""
        if self._reminder is not None:
            self._reminder.cancel()
        await self._service.stop()
        await self._runner.close()
        await self._preprocessing.close()
        await self.host.close()
        await self._peers.stop()
        self._threads.close()
        self._dealer.close()
        self._engine.close()
        self._journal.close()

    def _open_peers(self, identity: Identity) -> Peers:
        """Our own streams, or those of one core among several."""
        if self._siblings is None:
            return Peers(identity, self._settings.peer_listen, self._receive)
        self._siblings.on_line = self._serve_follower
        self._siblings.on_erased = self._drop_epoch
        return SharedPeers(identity, self._settings.peer_listen, self._siblings)

    def _serve_follower(self, line: bytes) -> None:
        """Another core of this party needs what we make for all of us."""
        self._preprocessing.serve(line)

    def _forget_share(self, key_id: KeyId, epoch_id: int) -> None:
        """A share was erased: nobody of us keeps it in memory. From any thread."""
        self._engine.forget(key_id, epoch_id)
        if self._siblings is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._siblings.erased, epoch_id)

    def _drop_epoch(self, epoch_id: int) -> None:
        """Another core of this party has erased something of an epoch."""
        self._engine.drop(epoch_id)
        self._preprocessing.drop_epoch(epoch_id)

    def _receive(self, sender: PartyId, envelope: peer_pb2.Envelope) -> Awaitable[None] | None:
        if envelope.HasField("round_message"):
            self.host.receive(sender, envelope)
            return None
        if envelope.HasField("record_ask") or envelope.HasField("record_part"):
            self._preprocessing.records.receive(sender, envelope)
            return None
        return self._runner.receive(sender, envelope)


def run(home: Path) -> None:
    """Run the core of a home folder until SIGTERM or SIGINT."""
    configure_logs()
    settings = load(home)
    if settings.isolation is not None:
        harden()
    asyncio.run(_serve(settings))


def run_seat(home: str, number: str, count: str) -> None:
    """Run one of several cores until its coordinator closes our standard input."""
    configure_logs()
    structlog.contextvars.bind_contextvars(core=number)
    settings = load(Path(home))
    if settings.isolation is not None:
        harden()
    asyncio.run(_serve_seat(settings, Seat(int(number), int(count))))


async def _serve(settings: Settings) -> None:
    """Live from start to the first signal."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    process: Core | Coordinator
    if settings.cores > 1:
        process = Coordinator(settings, door_of(settings, read_identity(settings)))
    else:
        process = Core(settings)
    await process.start()
    await stopped.wait()
    log.info("stopping")
    await process.stop()


async def _serve_seat(settings: Settings, seat: Seat) -> None:
    """Live as long as the coordinator does."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    for number in (signal.SIGTERM, signal.SIGINT):
        # A signal to all of us: the coordinator stops and closes our input.
        loop.add_signal_handler(number, lambda: None)
    core = Core(settings, seat)
    await core.start()
    await reader.read()
    await core.stop()


def read_identity(settings: Settings) -> Identity:
    """Peer key and certificate; the key must be private to this user."""
    try:
        if settings.peer_key.stat().st_mode & 0o077:
            raise SettingsError("peer_key: others have access; it must be 0600")
        return Identity(settings.peer_key.read_bytes(), settings.peer_certificate.read_bytes())
    except OSError as error:
        raise SettingsError(f"peer key or certificate: {error}") from error


def _open_vault(settings: Settings, identity: Identity) -> Vault:
    """The vault, with its backup following it."""
    vault = open_for(settings, identity)
    require_complete(vault)
    Mirror(Backups(settings.backup), vault)
    keep_identity(vault, identity)
    return vault


def door_of(settings: Settings, identity: Identity) -> Door:
    """Where our connector comes in, and how it shows that it is ours."""
    address = settings.service_listen or f"unix:{settings.service_socket}"
    if settings.connector_certificate is None:
        return Door(address)
    try:
        return Door(address, identity, settings.connector_certificate.read_bytes())
    except OSError as error:
        raise SettingsError(f"connector_certificate: {error}") from error


def _warn(settings: Settings, *, clear_text: bool) -> None:
    """Say loudly what must never run with real secrets."""
    if settings.developer_mode:
        log.warning("DEVELOPER MODE: not for real secrets")
    if clear_text:
        log.warning("VAULT IS CLEAR TEXT: every secret of this core is readable on disk")
    if settings.isolation is not None and settings.isolation.development_root is not None:
        log.warning("DEVELOPMENT ATTESTATION: no enclave protects this core")
    if settings.fault is not FaultMode.NONE:
        log.warning("FAULT MODE: this core misbehaves on purpose", mode=settings.fault.value)
