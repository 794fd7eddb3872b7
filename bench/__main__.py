"""Run benchmarks and print their table: `python -m bench [GROUP]... [--test]`; all groups by default."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable
from typing import Final

import structlog

from bench import (
    answers,
    chain,
    engine_inprocess,
    engine_transport,
    explorer,
    gas,
    keys,
    node,
    proof,
    relay,
    store,
)
from bench.report import Row, show, write

GROUPS: Final[dict[str, Callable[[], list[Row]]]] = {
    "node": node.measure,
    "gas": gas.measure,
    "store": store.measure,
    "proof": proof.measure,
    "chain": chain.measure,
    "answers": answers.measure,
    "engine": engine_inprocess.measure,
    "engine-transport": engine_transport.measure,
    "keys": keys.measure,
    "relay": relay.measure,
    "explorer": explorer.measure,
}


def main() -> None:
    """Run what is named."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("groups", nargs="*", help=", ".join(GROUPS))
    parser.add_argument(
        "--test", action="store_true", help="answers at the insecure test parameters; not written"
    )
    options = parser.parse_args()
    unknown = sorted(set(options.groups) - set(GROUPS))
    if unknown:
        parser.error(f"there is no group {unknown[0]}; groups: {', '.join(GROUPS)}")
    rows: list[Row] = []
    for name in options.groups or GROUPS:
        if name == "answers" and options.test:
            rows += answers.measure(toy=True)
        else:
            rows += GROUPS[name]()
        show(rows)
    if not options.test:
        write(rows)


if __name__ == "__main__":
    main()
