"""Changes of prices and parameters."""

from __future__ import annotations

from ledger.config import consensus
from ledger.config import state as config
from ledger.config.validation import INSECURE_PARAMETER_SET, check_parameters, check_prices
from ledger.context import Context
from ledger.state import State
from wire.pb.tkms.config.v1 import config_pb2
from wire.reasons import Reason, Rejection


def check_price_change(_state: State, prices: config_pb2.Prices) -> None:
    """A valid price table."""
    check_prices(prices)


def apply_prices(state: State, prices: config_pb2.Prices, _context: Context) -> None:
    """Put prices in force."""
    config.set_prices(state, prices)


def check_parameter_change(state: State, parameters: config_pb2.Parameters) -> None:
    """Valid parameters that switch nothing on which the genesis had off."""
    check_parameters(parameters)
    consensus.check_fits(state, parameters)
    allowed, wanted = config.genesis_allowed(state), switches(parameters)
    for field in config_pb2.GenesisAllowed.DESCRIPTOR.fields:
        if getattr(wanted, field.name) and not getattr(allowed, field.name):
            raise Rejection(Reason.GENESIS_ONLY, field.name)


def apply_parameters(state: State, parameters: config_pb2.Parameters, _context: Context) -> None:
    """Put parameters in force."""
    config.set_parameters(state, parameters)


def switches(parameters: config_pb2.Parameters) -> config_pb2.GenesisAllowed:
    """Which of the switches that only a genesis may allow are on."""
    return config_pb2.GenesisAllowed(
        faucet=parameters.faucet_enabled,
        insecure_dealing=parameters.insecure_dealing,
        test_parameters=INSECURE_PARAMETER_SET in parameters.parameter_sets,
    )
