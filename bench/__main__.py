"""Run benchmarks and print their table: `python -m bench [node] [chain] [answers] [--test]`."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable

import structlog

from bench import answers, chain, node
from bench.report import Row, show, write


def main() -> None:
    """Run what is named, all by default."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("groups", nargs="*", choices=["node", "chain", "answers", []])
    parser.add_argument(
        "--test", action="store_true", help="answers at the insecure test parameters; not written"
    )
    options = parser.parse_args()
    groups: dict[str, Callable[[], list[Row]]] = {
        "node": node.measure,
        "chain": chain.measure,
        "answers": lambda: answers.measure("test" if options.test else "production"),
    }
    rows = []
    for name in options.groups or groups:
        rows += groups[name]()
        show(rows)
    if not options.test:
        write(rows)


if __name__ == "__main__":
    main()
