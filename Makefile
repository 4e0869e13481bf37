# Every target sets itself up: python3 (3.11 to 3.13) with venv is all that must be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2
# Of two cores, for all tests: many wait for a line, a deadline or a board.
TEST_JOBS ?= 3

.PHONY: help demo check test lint format bench bench-compress android-runner clean setup core-setup system-packages

help:
	@echo "make demo    the main job on this machine, from a Keras model to a table"
	@echo "make check   lint, types, unit tests and contracts on this machine; about 3 minutes once set up"
	@echo "make test    everything; what CI runs"
	@echo "make bench   figures: agent against the vendor's tool, push against scp, a serial line against zmodem, start-up, shares of operators,"
	@echo "             intervals of energy and latency, verdicts; goes on where it stopped (MINUTES=90 of verdicts; PARTS='energy coverage')"
	@echo "make bench-compress   figures of compression, docs/compression-figures.md; goes on where it stopped (MINUTES=20; ALL=1 for every recipe, hours)"

$(VENV)/.ready: pyproject.toml
	@echo "edgeprof: setting up $(VENV): downloads about 900 MB of Python packages (TensorFlow), 2.6 GB on disk; 1 to 10 minutes, once"
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else "edgeprof needs Python 3.11 to 3.13, this is %d.%d: make PYTHON=python3.11 ..." % v)'
	@$(PYTHON) -m venv $(VENV) || { echo "hint: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[compress,dev]'
	@touch $@

setup: $(VENV)/.ready

# Debian packages: installed when root, else named.
system-packages:
	@sh tests/system_packages.sh

demo: setup
	@sh tests/system_packages.sh openssh-server || true
	@$(BIN)/python examples/demo.py

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: setup
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

check: lint
	@$(BIN)/pytest -q -n $(JOBS) --dist loadgroup tests/unit tests/contract/agent tests/contract/transport/test_contract.py -k "not (test_contract and (ssh or serial or adb))"

# A test that fails is tried once more, and is named in the summary when it passes then: that is a fault to mend as well.
test: system-packages lint
	@$(BIN)/pytest -n $(TEST_JOBS) --dist loadgroup --no-loadscope-reorder --reruns 1

bench: setup system-packages
	@sh tests/system_packages.sh lrzsz
	@MINUTES=$(MINUTES) $(BIN)/python -m benchmarks.run $(PARTS)

MINUTES ?= $(if $(ALL),600,90)
bench-compress: setup
	@sh tests/system_packages.sh dataset-fashion-mnist
	@$(BIN)/python -m benchmarks.compress $(if $(ALL),--all) --minutes $(MINUTES)

android-runner: setup
	@test -n "$(NDK)" || { echo "make android-runner NDK=/path/to/android-ndk"; exit 2; }
	@$(BIN)/python -m edgeprof.remote.android "$(NDK)"

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
