# The verbs of the project. `make demo` and `make test` set up what they need on a machine with Python 3.11, Rust, Go and make.
SHELL := /bin/bash
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tkms
PYTHON ?= python3
BIN := .venv/bin
export CARGO_TARGET_DIR := $(CACHE)/cargo-target
export GOTOOLCHAIN := local
export PIP_DISABLE_PIP_VERSION_CHECK := 1
COMETBFT := $(CACHE)/bin/cometbft-v0.40.0

.PHONY: help sync proto fix check test test-slow bench localnet demo clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

sync: .venv/.synced $(COMETBFT) ## environment, kernel, engine

.venv/.python: requirements/dev.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --cache-dir $(CACHE)/pip -r requirements/dev.txt
	touch $@

.venv/.synced: .venv/.python pyproject.toml kernel/Cargo.toml kernel/pyproject.toml tools/install.py kernel/Cargo.lock kernel/tkms_kernel.pyi $(shell find kernel/src -name '*.rs')
	PATH="$(CURDIR)/$(BIN):$$PATH" VIRTUAL_ENV="$(CURDIR)/.venv" $(BIN)/python tools/install.py
	touch $@

$(COMETBFT): tools/go.mod tools/go.sum
	mkdir -p $(dir $@)
	cd tools && CGO_ENABLED=0 go build -o $@ github.com/cometbft/cometbft/cmd/cometbft

proto: .venv/.python ## generate wire/pb from proto/
	$(BIN)/python tools/generate_protobuf.py

fix: .venv/.python ## format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	cd kernel && cargo fmt

check: sync ## lint, types, layers, drift, clippy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/generate_protobuf.py --check
	cd kernel && cargo fmt --check
	cd kernel && cargo clippy --release --locked --all-targets -- -D warnings

test: check ## everything that CI runs
	cd kernel && cargo test --release --locked
	$(BIN)/python -m pytest -m "not slow"

test-slow: sync ## production parameters, minutes
	$(BIN)/python -m pytest -m slow

bench: sync ## print the tables that the README quotes
	$(BIN)/python -m bench

localnet: sync ## start a local network and leave it running
	$(BIN)/tkms localnet up

demo: sync ## the main job at production parameters, from nothing
	$(BIN)/tkms demo

clean: ## remove what was built in the checkout
	rm -rf .venv node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
