"""Write the replay vector: only when the rules of the chain are meant to change.

    python -m tests.vectors.replay.generate

The vector is what the engine sent, byte for byte, and what the state machine answered: genesis, blocks, and after
each its app hash and the codes of its transactions. A test plays it to the present rules. While the first chain
has not started, a change of the rules regenerates it; afterwards it needs a new app version instead.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from google.protobuf.message import Message

from ledger.config import state as config
from tests.ledger.governance import propose
from tests.support.chain import (
    ADMIN,
    ALICE,
    BOB,
    SERVICE,
    STRANGER,
    Chain,
    epoch,
    genesis,
    message,
    parameters,
    party_account,
    party_key,
)
from tests.support.generated import generated
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.pb.tkms.comet.v1 import abci_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.pb.tkms.tx.v1 import tx_pb2

FILE: Final = Path(__file__).parent / "chain.json"
_PEOPLE: Final = (ALICE, BOB, SERVICE)
# Two more than the deadline of a generation, so that one expires.
_QUIET_BLOCKS: Final = 42


@dataclass
class RecordedChain(Chain):
    """Remembers what was asked and answered about the chain's blocks."""

    record: list[dict[str, object]] = field(default_factory=list)

    def call(self, **request: Message) -> Message:
        """Send, and keep genesis and decided blocks."""
        answer = super().call(**request)
        for name, question in request.items():
            if name in ("init_chain", "finalize_block"):
                raw = question.SerializeToString(deterministic=True).hex()
                row: dict[str, object] = {"request": raw, "app_hash": answer.app_hash.hex()}  # type: ignore[attr-defined]
                if isinstance(answer, abci_pb2.ResponseFinalizeBlock):
                    row["codes"] = [result.code for result in answer.tx_results]
                self.record.append(row)
        return answer


def play(chain: RecordedChain) -> None:
    """Traffic of many kinds, refused transactions included."""
    claim = message(faucet=bank_pb2.Faucet(recipient=bytes(STRANGER.address), amount=500))
    for number in range(4):
        chain.decide(
            *(chain.build(who, _pay(number + index)) for index, who in enumerate(_PEOPLE)),
            chain.build(STRANGER, claim),
            chain.build(STRANGER, _pay(10_000_000)),
        )
    changed = parameters()
    changed.inline_limit //= 2
    key = message(
        request_key_generation=asc_pb2.RequestKeyGeneration(parameters="test", dealer=True)
    )
    results = chain.decide(
        chain.build(ADMIN, key),
        chain.build(ADMIN, propose(chain.height + 3, parameters=changed)),
        chain.build(ADMIN, propose(chain.height + 4, role=_role())),
        chain.build(ADMIN, key, key),
        chain.build(ALICE, key),
    )
    request = results[0].request_id
    failures = (
        asc_pb2.ReportFailure(request_id=request, party=party, code=asc_pb2.FAILURE_CODE_INTERNAL)
        for party in (1, 2, 3)
    )
    for party, failure in enumerate(failures, 1):
        raw = chain.build(party_account(party), message(report_failure=failure))
        chain.decide(raw, raw)
    for number in range(_QUIET_BLOCKS):
        chain.decide(*([chain.build(BOB, _pay(number))] if number % 5 == 0 else []))
    _life_of_a_key(chain)


def _life_of_a_key(chain: RecordedChain) -> None:
    """Preprocessing, generation, refresh, other parties, suspension and destruction."""
    asked = message(request_preprocessing=asc_pb2.RequestPreprocessing(parameters="test"))
    preprocessing = chain.send(ADMIN, asked).request_id
    told = asc_pb2.ReportProgress(request_id=preprocessing, party=1, phase="bits", total=9)
    chain.send(party_account(1), message(report_progress=told))
    _agree(chain, preprocessing)
    generate = message(
        request_key_generation=asc_pb2.RequestKeyGeneration(
            parameters="test", preprocessing_id=preprocessing
        )
    )
    # The second finds the preprocessing consumed, and the refresh the generation open.
    refresh = message(request_refresh=asc_pb2.RequestRefresh())
    made = chain.decide(*(chain.build(ADMIN, each) for each in (generate, generate, refresh)))
    key_id = made[0].request_id
    _agree(chain, key_id)
    _agree(chain, chain.send(ADMIN, refresh).request_id)
    aborted = chain.send(ADMIN, asked).request_id
    abort = asc_pb2.AbortGeneration(request_id=aborted)
    chain.send(ADMIN, message(abort_generation=abort))
    chain.send(ADMIN, propose(chain.height + 2, epoch=epoch(7, 0)))
    chain.skip(1)
    pending = config.pending_epoch(chain.state())
    assert pending is not None
    suspend = config_pb2.KeyChange(key_id=key_id, action=config_pb2.KEY_ACTION_SUSPEND)
    destroy = config_pb2.KeyChange(key_id=key_id, action=config_pb2.KEY_ACTION_DESTROY)
    chain.send(ADMIN, propose(chain.height + 2, key=suspend))
    chain.send(ADMIN, propose(chain.height + 2, key=destroy))
    chain.skip(2)
    _agree(chain, pending.request_id)
    chain.skip(1)


def _agree(chain: RecordedChain, request_id: bytes) -> None:
    """All parties that are asked answer alike, each in its own block."""
    view = state_pb2.RequestView.FromString(chain.query("/asc/request", request_id))
    for party in range(1, view.entry.parties + 1):
        answer = generated(view.entry, party, party_key(party))
        assert chain.send(party_account(party), message(fulfil=answer)).ok


def _pay(amount: int) -> tx_pb2.Message:
    return message(transfer=bank_pb2.Transfer(recipient=bytes(STRANGER.address), amount=amount))


def _role() -> config_pb2.RoleChange:
    return config_pb2.RoleChange(
        role=config_pb2.ROLE_GENERATOR, account=bytes(ALICE.address), granted=True
    )


def make(folder: Path) -> list[dict[str, object]]:
    """The record of a new chain."""
    chain = RecordedChain.start(folder, genesis())
    assert isinstance(chain, RecordedChain)
    play(chain)
    chain.close()
    return chain.record


def main() -> None:
    """Write the file."""
    with tempfile.TemporaryDirectory() as folder:
        record = make(Path(folder))
    FILE.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
