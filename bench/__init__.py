"""Benchmarks: `python -m bench` prints every number that the README quotes and writes `bench/results.json`."""
