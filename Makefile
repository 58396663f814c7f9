# Two commands: `make run` (the demo) and `make test`. Everything lands in .venv and .tools, nothing elsewhere.
SHELL := /bin/sh
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
# The first Python that is new enough; `make PYTHON=/path/to/python setup` takes another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help setup run test lint docs bench faults score wheel lock dev install-test-tools

help: ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{ printf "make %-20s %s\n", $$1, $$2 }'

setup: $(VENV)/.installed ## make .venv with everything pinned
	@:

run: setup ## the demo: a simulated town, the whole system in one process
	@$(BIN)/borough demo

test: dev install-test-tools lint ## lint, then all tests (BOROUGH_REQUIRE=all: nothing may be skipped)
	@$(BIN)/pytest -n 2 --no-loadscope-reorder

lint: dev ## ruff, mypy, import directions, generated reference
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-cache > .lint-imports.log 2>&1 || { cat .lint-imports.log; rm -f .lint-imports.log; exit 1; }
	@rm -f .lint-imports.log
	@$(BIN)/python -m service.reference --check

docs: dev ## write docs/reference from the code
	@$(BIN)/python -m service.reference

faults: dev install-test-tools ## the faults, in nightly numbers
	@BOROUGH_FAULTS=nightly BOROUGH_REQUIRE=all $(BIN)/pytest tests/faults

score: dev ## the scoreboard: NAB, injected faults, machines, roads, the simulated city; writes docs/quality
	@$(BIN)/python -m benchmarks.quality.nab --data $${BOROUGH_DATA_SETS:-../shared/data}/nab --seed 1 --write docs/quality/nab.md
	@$(BIN)/python benchmarks/quality/faults.py --seed 20261126 --write
	@$(BIN)/python benchmarks/quality/assets.py --seeds 10 --held-out
	@$(BIN)/python benchmarks/quality/roads.py --write
	@$(BIN)/python benchmarks/city.py --scenario standard-week --seed 7 --write docs/quality/city.md

bench: dev ## benchmarks; results are checked before times are printed
	@set -e; for name in pipeline gateway simulator forecast maintenance detectors; do $(BIN)/python benchmarks/$$name.py; done

wheel: dev ## dist/borough-*.whl
	@$(BIN)/python -m hatchling build -t wheel

lock: dev ## pin anew: requirements.lock and requirements-dev.lock from pyproject.toml
	@$(BIN)/uv pip compile --quiet --upgrade $(LOCK) --group dev -o requirements-dev.lock pyproject.toml
	@$(BIN)/uv pip compile --quiet $(LOCK) -c requirements-dev.lock -o requirements.lock pyproject.toml

# Universal: one lock for every system and Python >= 3.11; hashes, and no address of any index inside.
LOCK := --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --group build

dev: $(VENV)/.installed-dev

install-test-tools: dev ## a real Kafka and a real InfluxDB for the tests, built into .tools
	@$(BIN)/python tests/native/install.py >/dev/null || [ "$$BOROUGH_REQUIRE" != all ]

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Borough needs Python 3.11 or later; none found. Install it, or: make PYTHON=/path/to/python3 setup" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Borough needs Python 3.11 or later; $(PYTHON) is older" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make environments: install its venv package (Debian: apt install python3-venv)" >&2; exit 2; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(BIN)/python
	@test -f $(VENV)/.installed-dev || { echo "installing requirements.lock"; $(PIP) install --no-deps --require-hashes -r requirements.lock; }
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo "installing requirements-dev.lock"
	@$(PIP) install --no-deps --require-hashes -r requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.installed
