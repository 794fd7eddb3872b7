"""What the chain decides about the engine: validators, consensus parameters, version; and what it tells it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from abci_app.errors import GenesisError
from ledger.config import state as config
from ledger.config.validators import MAX_TOTAL_POWER
from tests.ledger.governance import propose, view
from tests.support.chain import (
    ADMIN,
    SERVICE,
    VALIDATOR_POWER,
    Chain,
    consensus_params,
    genesis,
    parameters,
    service_account,
    validator_key,
    validator_update,
)
from wire.pb.tkms.comet.v1 import abci_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.reasons import Reason

FOUR_MEBIBYTES = 4 * 1024 * 1024


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """Four validators, one administrator."""
    chain = Chain.start(tmp_path, validators=4)
    yield chain
    chain.close()


def voters(*powers: tuple[int, int]) -> config_pb2.ValidatorChange:
    """New powers by the number of the validator."""
    return config_pb2.ValidatorChange(
        validators=[
            config_pb2.Validator(public_key=validator_key(index), power=power)
            for index, power in powers
        ]
    )


def powers(chain: Chain) -> dict[bytes, int]:
    """The registry, which must add up."""
    listing = state_pb2.ValidatorList.FromString(chain.query("/config/validators"))
    found = {voter.public_key: voter.power for voter in listing.validators}
    assert listing.total_power == sum(found.values())
    return found


def test_the_registry_begins_with_the_genesis(chain: Chain) -> None:
    """As the engine has it, proven like everything else."""
    assert powers(chain) == {validator_key(index): VALIDATOR_POWER for index in range(1, 5)}
    record = config_pb2.Validator(public_key=validator_key(2), power=VALIDATOR_POWER)
    assert chain.query("/store", config.validator_key(validator_key(2))) == (
        record.SerializeToString()
    )
    listing = state_pb2.ValidatorList.FromString(chain.query("/config/validators"))
    assert listing.consensus.block == config_pb2.BlockLimits(max_bytes=FOUR_MEBIBYTES, max_gas=-1)
    assert listing.consensus.evidence.max_age_seconds == 1_209_600


def test_a_change_of_validators_is_told_once(chain: Chain) -> None:
    """Join, leave and power in one change, with the block of its activation and no other."""
    assert chain.send(ADMIN, propose(4, validators=voters((5, 7), (1, 0), (2, 30)))).ok
    assert chain.validator_updates == {}
    chain.skip(2)
    assert chain.validator_updates == {}
    chain.skip(1)
    assert chain.validator_updates == {
        validator_key(5): 7,
        validator_key(1): 0,
        validator_key(2): 30,
    }
    assert chain.consensus_updates is None
    assert powers(chain) == {
        validator_key(2): 30,
        validator_key(3): 10,
        validator_key(4): 10,
        validator_key(5): 7,
    }
    chain.skip(1)
    assert chain.validator_updates == {}
    told = config.engine_updates(chain.state())
    assert (told.height, len(told.validators)) == (4, 3)


def test_changes_of_one_block_are_told_as_their_sum(chain: Chain) -> None:
    """Somebody who comes and goes is not named: the engine fails at removals of strangers."""
    for change in (voters((5, 7)), voters((1, 20)), voters((1, 10)), voters((2, 0))):
        assert chain.send(ADMIN, propose(9, validators=change)).ok
    assert chain.send(ADMIN, propose(9, validators=voters((5, 0)))).reason is (
        Reason.VALIDATORS_INVALID
    )
    chain.skip(8 - chain.height)
    raw = chain.query("/config/validators")
    chain.skip(1)
    assert chain.validator_updates == {validator_key(5): 7, validator_key(2): 0}
    assert raw != chain.query("/config/validators")
    # Both in the registry now, so both changes can be proposed for one block.
    for change in (voters((5, 0)), voters((5, 9)), voters((3, 0)), voters((3, 10))):
        assert chain.send(ADMIN, propose(20, validators=change)).ok
    chain.skip(20 - chain.height)
    assert chain.validator_updates == {validator_key(5): 9}


@pytest.mark.parametrize(
    "change",
    [
        config_pb2.ValidatorChange(),
        voters((1, 5), (1, 6)),
        voters((9, 0)),
        voters((1, 0), (2, 0), (3, 0), (4, 0)),
        voters((5, MAX_TOTAL_POWER)),
        voters((5, 2**63)),
        voters((1, 0), (5, MAX_TOTAL_POWER - 35)),
        voters(*[(index, 1) for index in range(5, 102)]),
        config_pb2.ValidatorChange(validators=[{"public_key": bytes(31), "power": 1}]),
        # Small order: nobody's key.
        config_pb2.ValidatorChange(validators=[{"public_key": b"\x01" + bytes(31), "power": 1}]),
        config_pb2.ValidatorChange(validators=[{"public_key": b"\xff" * 32, "power": 1}]),
        config_pb2.ValidatorChange(
            validators=[{"public_key": validator_key(5), "power": 1, "name": "a\nb"}]
        ),
    ],
)
def test_what_the_engine_would_fail_at_is_refused(
    chain: Chain, change: config_pb2.ValidatorChange
) -> None:
    """Empty, twice, unknown, nobody left, too much power, too many, no key, odd names."""
    assert chain.send(ADMIN, propose(9, validators=change)).reason is Reason.VALIDATORS_INVALID


def test_the_bounds_themselves_are_allowed(chain: Chain) -> None:
    """The largest total, then the largest number."""
    assert chain.send(ADMIN, propose(3, validators=voters((5, MAX_TOTAL_POWER - 40)))).ok
    chain.skip(1)
    chain.skip(1)
    assert sum(powers(chain).values()) == MAX_TOTAL_POWER
    many = voters((5, 0), *[(index, 1) for index in range(6, 102)])
    refused = chain.send(ADMIN, propose(9, validators=many))
    assert refused.reason is Reason.VALIDATORS_INVALID
    assert chain.send(ADMIN, propose(9, validators=voters((5, 1)))).ok
    chain.skip(9 - chain.height)
    assert chain.send(ADMIN, propose(12, validators=many), max_fee=10**6).ok
    chain.skip(12 - chain.height)
    assert len(powers(chain)) == 100


def test_the_last_validator_is_not_removed_by_two(chain: Chain) -> None:
    """Each change leaves some; together they would leave nobody: the second is dropped."""
    assert chain.send(ADMIN, propose(9, validators=voters((1, 0), (2, 0)))).ok
    assert chain.send(ADMIN, propose(9, validators=voters((3, 0), (4, 0)))).ok
    chain.skip(9 - chain.height)
    assert view(chain, 2).record.reason == int(Reason.VALIDATORS_INVALID)
    assert chain.validator_updates == {validator_key(1): 0, validator_key(2): 0}
    assert sorted(powers(chain)) == sorted([validator_key(3), validator_key(4)])


def test_a_validators_key_is_no_account(chain: Chain) -> None:
    """The key that signs votes sends no transactions."""
    administrator = config_pb2.RoleChange(
        role=config_pb2.ROLE_GENERATOR,
        account=bytes(service_account("validator 1").address),
        granted=True,
    )
    assert chain.send(ADMIN, propose(9, role=administrator)).reason is Reason.KEY_REUSED
    administrator.account = bytes(SERVICE.address)
    assert chain.send(ADMIN, propose(3, role=administrator)).ok
    chain.skip(1)
    joining = config_pb2.ValidatorChange(
        validators=[config_pb2.Validator(public_key=SERVICE.public_key, power=1)]
    )
    assert chain.send(ADMIN, propose(9, validators=joining)).reason is Reason.KEY_REUSED


def consensus(**parts: object) -> config_pb2.ConsensusParameters:
    """A change of consensus parameters."""
    return config_pb2.ConsensusParameters(**parts)


def test_consensus_parameters_are_told_with_the_version(chain: Chain) -> None:
    """Only the part that changed, all of its fields, and always version.app."""
    limits = config_pb2.BlockLimits(max_bytes=8 * 1024 * 1024, max_gas=-1)
    assert chain.send(ADMIN, propose(3, consensus=consensus(block=limits))).ok
    chain.skip(2)
    assert chain.consensus_updates == abci_pb2.ConsensusParams(
        block=abci_pb2.BlockParams(max_bytes=8 * 1024 * 1024, max_gas=-1),
        version=abci_pb2.VersionParams(app=1),
    )
    kept = config.consensus(chain.state())
    assert (kept.block, kept.evidence.max_age_blocks) == (limits, 100_000)
    ages = config_pb2.EvidenceLimits(max_age_blocks=10, max_age_seconds=20, max_bytes=30)
    assert chain.send(ADMIN, propose(5, consensus=consensus(evidence=ages))).ok
    chain.skip(1)
    assert chain.consensus_updates is not None
    assert not chain.consensus_updates.HasField("block")
    assert chain.consensus_updates.evidence.max_age_duration.seconds == 20
    assert chain.consensus_updates.version.app == 1
    chain.skip(1)
    assert chain.consensus_updates is None


@pytest.mark.parametrize(
    "change",
    [
        consensus(),
        consensus(block={"max_bytes": 0, "max_gas": -1}),
        consensus(block={"max_bytes": FOUR_MEBIBYTES, "max_gas": -1}),
        consensus(block={"max_bytes": 100 * 1024 * 1024 + 1, "max_gas": -1}),
        consensus(block={"max_bytes": -2, "max_gas": -1}),
        consensus(block={"max_bytes": -1, "max_gas": -2}),
        consensus(block={"max_bytes": -1, "max_gas": 999_999}),
        consensus(evidence={"max_age_blocks": 9, "max_age_seconds": 60, "max_bytes": 1}),
        consensus(evidence={"max_age_blocks": 10, "max_age_seconds": 9, "max_bytes": 1}),
        consensus(evidence={"max_age_blocks": 10, "max_age_seconds": 60, "max_bytes": 2**23}),
        consensus(evidence={"max_age_blocks": 2**63, "max_age_seconds": 60, "max_bytes": 1}),
    ],
)
def test_other_consensus_parameters_are_refused(
    chain: Chain, change: config_pb2.ConsensusParameters
) -> None:
    """Nothing set, or outside the engine's ranges or below our own limits."""
    assert chain.send(ADMIN, propose(9, consensus=change)).reason is Reason.CONSENSUS_INVALID


def test_our_limits_stay_below_the_engines(tmp_path: Path, chain: Chain) -> None:
    """In a change of parameters, and in a genesis."""
    wanted = parameters()
    wanted.max_block_bytes = FOUR_MEBIBYTES
    assert chain.send(ADMIN, propose(9, parameters=wanted)).reason is Reason.PARAMETERS_INVALID
    document = genesis()
    document.parameters.CopyFrom(wanted)
    with pytest.raises(GenesisError, match="engine's limits"):
        Chain.start(tmp_path / "other", document)


@pytest.mark.parametrize(
    "validators",
    [
        [],
        [validator_update(1), validator_update(1)],
        [validator_update(1, power=0)],
        [validator_update(1, power=-1)],
        [validator_update(1, power=2**63 - 1)],
        [abci_pb2.ValidatorUpdate(pub_key={"secp256k1": bytes(33)}, power=1)],
    ],
)
def test_a_genesis_names_validators_that_the_chain_can_govern(
    tmp_path: Path, validators: list[abci_pb2.ValidatorUpdate]
) -> None:
    """Some, once each, with power, ed25519."""
    chain = Chain(tmp_path, genesis())
    chain.open()
    request = abci_pb2.RequestInitChain(
        chain_id=chain.chain_id,
        validators=validators,
        consensus_params=consensus_params(),
        app_state_bytes=chain.app_state(),
    )
    with pytest.raises(GenesisError, match="validator"):
        chain.call(init_chain=request)
    chain.close()


def test_upgrades_follow_each_other(chain: Chain) -> None:
    """No version is left out or repeated."""
    for version in (0, 1, 3):
        upgrade = config_pb2.Upgrade(app_version=version)
        assert chain.send(ADMIN, propose(9, upgrade=upgrade)).reason is Reason.UPGRADE_INVALID
    assert chain.send(ADMIN, propose(900, upgrade=config_pb2.Upgrade(app_version=2))).ok
