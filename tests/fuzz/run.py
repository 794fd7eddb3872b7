"""`python -m tests.fuzz.run TARGET --seconds N`: fuzzing guided by coverage, with atheris.

The corpus stays in the cache between runs. A finding ends the run: its input lies in FOLDER/TARGET, for `handlers` with
all blocks since the two nodes began (FOLDER/TARGET.calls, for tests.support.replay). Put the input into
tests/fuzz/found/TARGET when it is fixed: it is run for ever.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import atheris

_OURS = ["abci_app", "asc", "core", "isc", "ledger", "light", "mpc", "wire", "tests.fuzz"]

# Everything that is imported below is instrumented; our own choices too, so that inputs which choose differently are kept.
with atheris.instrument_imports(include=_OURS):
    from tests.fuzz import targets, twins
    from tests.support import replay


def main() -> None:
    """Fuzz one target."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target", choices=sorted(targets.TARGETS))
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--folder", type=Path, default=_cache())
    arguments = parser.parse_args()
    twins.watch_logs()
    target = targets.TARGETS[arguments.target]()
    corpus = arguments.folder / arguments.target
    findings = arguments.folder / "findings"
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(exist_ok=True)
    for number, data in enumerate(targets.seeds()):
        (corpus / f"seed-{number:02}").write_bytes(data)
    found = Path(__file__).parent / "found"
    for number, data in enumerate(targets.corpus_of(arguments.target, found)):
        (corpus / f"found-{number:02}").write_bytes(data)

    def one(data: bytes) -> None:
        try:
            target(data)
        except Exception:
            if isinstance(target, targets.Handlers):
                calls = findings / f"{arguments.target}.calls"
                replay.write(calls, target.calls())
                sys.stderr.write(f"all calls since the start: {calls}\n")
            raise

    atheris.Setup(
        [
            sys.argv[0],
            str(corpus),
            f"-max_total_time={arguments.seconds}",
            "-max_len=2000",
            "-len_control=0",
            "-rss_limit_mb=3000",
            "-timeout=60",
            "-print_final_stats=1",
            f"-artifact_prefix={findings}/{arguments.target}-",
        ],
        one,
    )
    atheris.Fuzz()


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tkms" / "fuzz"


if __name__ == "__main__":
    main()
