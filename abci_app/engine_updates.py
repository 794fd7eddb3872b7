"""Validators and consensus parameters between the engine's words and the Config contract's."""

from __future__ import annotations

from typing import Final

from google.protobuf.duration_pb2 import Duration

from abci_app.errors import GenesisError
from ledger import migrations
from ledger.config import consensus, updates, validators
from ledger.config import state as config
from ledger.errors import InvariantError
from ledger.state import State
from wire.pb.tkms.comet.v1 import abci_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.reasons import Rejection

_KEY_TYPE: Final = "ed25519"


def load_engine_genesis(state: State, request: abci_pb2.RequestInitChain) -> None:
    """Write what the engine begins with; GenesisError when the chain could not govern it."""
    keys = [_public_key(update.pub_key) for update in request.validators]
    if any(key is None for key in keys):
        raise GenesisError("a validator's key is not ed25519")
    if any(update.power <= 0 for update in request.validators):
        raise GenesisError("a validator has no power")
    voters = [
        config_pb2.Validator(public_key=key or b"", power=update.power)
        for key, update in zip(keys, request.validators, strict=True)
    ]
    try:
        validators.load_genesis(state, voters)
    except Rejection as rejection:
        raise GenesisError(f"the genesis validators are not valid: {rejection}") from rejection
    config.set_consensus(state, _parameters(request.consensus_params))


def check_engine_import(state: State, request: abci_pb2.RequestInitChain) -> None:
    """The engine must begin with the validators and parameters of the state that it imports; GenesisError."""
    told = {_public_key(update.pub_key): update.power for update in request.validators}
    known = {voter.public_key: voter.power for voter in config.validators(state)}
    if told != known:
        raise GenesisError("the validators are not those of the exported state")
    present, given = config.consensus(state), _parameters(request.consensus_params)
    for part in ("block", "evidence"):
        if present.HasField(part) and getattr(present, part) != getattr(given, part):
            raise GenesisError(f"the {part} parameters are not those of the exported state")


def check_engine_genesis(state: State) -> None:
    """The engine's block limits against the chain's, once both are there; GenesisError."""
    try:
        consensus.check_fits(state, config.parameters(state))
    except Rejection as rejection:
        raise GenesisError(f"the engine's limits do not fit: {rejection}") from rejection


def validator_updates(state: State, height: int) -> list[abci_pb2.ValidatorUpdate]:
    """New powers that block `height` decided."""
    changed = updates.of_block(state, height).validators
    # The engine could not go on without one; no change may get this far.
    if changed and not config.validators(state):
        raise InvariantError("the last validator was removed")
    return [
        abci_pb2.ValidatorUpdate(
            pub_key=abci_pb2.PublicKey(ed25519=voter.public_key), power=voter.power
        )
        for voter in changed
    ]


def consensus_updates(state: State, height: int) -> abci_pb2.ConsensusParams | None:
    """New consensus parameters that block `height` decided, with the version of the rules; or None."""
    decided = updates.of_block(state, height)
    if not decided.HasField("consensus") and not decided.app_version:
        return None
    changed = abci_pb2.ConsensusParams(
        version=abci_pb2.VersionParams(app=migrations.version(state))
    )
    if decided.consensus.HasField("block"):
        block = decided.consensus.block
        changed.block.CopyFrom(
            abci_pb2.BlockParams(max_bytes=block.max_bytes, max_gas=block.max_gas)
        )
    if decided.consensus.HasField("evidence"):
        evidence = decided.consensus.evidence
        changed.evidence.CopyFrom(
            abci_pb2.EvidenceParams(
                max_age_num_blocks=evidence.max_age_blocks,
                max_age_duration=Duration(seconds=evidence.max_age_seconds),
                max_bytes=evidence.max_bytes,
            )
        )
    return changed


def _public_key(key: abci_pb2.PublicKey) -> bytes | None:
    """The 32 bytes of an ed25519 key, None for any other kind."""
    return key.ed25519 if key.WhichOneof("sum") == _KEY_TYPE else None


def _parameters(given: abci_pb2.ConsensusParams) -> config_pb2.ConsensusParameters:
    found = config_pb2.ConsensusParameters()
    if given.HasField("block"):
        found.block.max_bytes, found.block.max_gas = given.block.max_bytes, given.block.max_gas
    if given.HasField("evidence"):
        evidence = given.evidence
        found.evidence.max_age_blocks = evidence.max_age_num_blocks
        found.evidence.max_age_seconds = evidence.max_age_duration.seconds
        found.evidence.max_bytes = evidence.max_bytes
    return found
