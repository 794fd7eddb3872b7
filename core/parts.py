"""What a runner works with, and its limits."""

from dataclasses import dataclass

from core.dealer import Dealer
from core.engine import Engine
from core.flows.table import Flows
from core.host import Host
from core.inbox import Inbox
from core.journal import Journal
from core.ordinary import OrdinaryDecryption
from core.peers import Peers
from core.settings import FaultMode
from core.signer import ResultSigner
from core.vault import Vault

CIPHERTEXT_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What a runner works with."""

    journal: Journal
    vault: Vault
    engine: Engine
    dealer: Dealer
    signer: ResultSigner
    peers: Peers
    inbox: Inbox
    host: Host
    ordinary: OrdinaryDecryption
    flows: Flows


@dataclass(frozen=True, slots=True)
class Limits:
    """Wall timers in seconds and the deliberate fault, if any."""

    request_timeout_s: float = 3600.0
    ciphertext_wait_s: float = CIPHERTEXT_WAIT_S
    fault: FaultMode = FaultMode.NONE
