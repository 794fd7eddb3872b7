# The verbs of the project. `make demo` and `make test` set up what they need on a machine with Python 3.11, Rust, Go and make.
SHELL := /bin/bash
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tkms
PYTHON ?= python3
BIN := .venv/bin
export CARGO_TARGET_DIR := $(CACHE)/cargo-target
export GOTOOLCHAIN := local
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The engine that runs, and the released one: oracle (`cometbft light`) and fallback.
ENGINE := $(CACHE)/bin/tkms-engine
COMETBFT := $(CACHE)/bin/cometbft-v0.40.0

# Seconds that `make fuzz` gives each target.
FUZZ_SECONDS ?= 600

.PHONY: help sync proto fix check test test-slow fuzz bench localnet demo clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

sync: .venv/.synced $(ENGINE) $(COMETBFT) ## environment, kernel, engine

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

$(ENGINE): tools/go.mod tools/go.sum $(wildcard tools/engine/*.go tools/abciclient/*.go)
	mkdir -p $(dir $@)
	cd tools && CGO_ENABLED=0 go build -trimpath -o $@ ./engine

proto: .venv/.python ## generate wire/pb and docs/reference
	$(BIN)/python tools/generate_protobuf.py
	$(BIN)/python tools/generate_reference.py

fix: .venv/.python ## format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	cd kernel && cargo fmt

check: sync ## lint, types, layers, drift, clippy, vet
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/generate_protobuf.py --check
	$(BIN)/python tools/generate_reference.py --check
	cd kernel && cargo fmt --check
	cd kernel && cargo clippy --release --locked --all-targets -- -D warnings
	test -z "$$(gofmt -l tools)"
	cd tools && go vet ./...

test: check ## everything that CI runs
	cd kernel && cargo test --release --locked
	cd tools && CGO_ENABLED=0 go test ./...
	$(BIN)/python -m pytest -m "not slow"

test-slow: sync ## production parameters, minutes
	$(BIN)/python -m pytest -m slow

fuzz: sync ## every fuzz target for FUZZ_SECONDS=600, guided by coverage
	$(BIN)/python -m pip install --quiet --require-hashes --cache-dir $(CACHE)/pip -r requirements/fuzz.txt
	for target in framing transactions handlers queries kernel peers protocols documents facts; do \
	  $(BIN)/python -m tests.fuzz.run $$target --seconds $(FUZZ_SECONDS) || exit 1; \
	done

bench: sync ## print the tables that the README quotes
	$(BIN)/python -m bench

localnet: sync ## start a local network and leave it running
	$(BIN)/tkms localnet up

demo: sync ## the main job at production parameters, from nothing
	$(BIN)/tkms demo

clean: ## remove what was built in the checkout
	rm -rf .venv node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
