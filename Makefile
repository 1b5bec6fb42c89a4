# make demo   install, then fine-tune a tiny model on the bundled photographs (about two minutes, no GPU needed)
# make test   every test
# make lint   format, lint, types, direction of imports
# make bench  the figures of the README, as JSON lines

PYTHON ?= python3
PROFILE ?= demo_aya
JOBS ?= 3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt

.PHONY: demo test lint format bench clean

demo: .venv/.train
	$(BIN)/inft-tui --headless --profile $(PROFILE)

# One thread a process: several test processes with a pool of threads each are slower than without. One process more
# than the two cores of a small machine, since many tests wait for processes, signals and clocks. Compiled modules are
# kept even where the environment forbids it, as many images do: the tests start hundreds of processes.
test: .venv/.dev
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal

lint: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/.train
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.collation
	$(BIN)/python -m benchmarks.demo
	$(BIN)/python -m benchmarks.jsonl
	$(BIN)/python -m benchmarks.runs_listing
	$(BIN)/python -m benchmarks.supervisor
	$(BIN)/python -m benchmarks.resume --scratch outputs/benchmark
	$(BIN)/python -m benchmarks.faults
	$(BIN)/python -m benchmarks.charts
	$(BIN)/python -m benchmarks.feeds
	$(BIN)/python -m benchmarks.console

clean:
	rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'error: Python 3.11 or newer is needed; name one, as in: make PYTHON=python3.12' >&2; exit 3; }
	$(PYTHON) -m venv .venv

.venv/.train: .venv/bin/python pyproject.toml constraints.txt
	@echo 'Installing the training libraries into .venv (about 1.7 GB without CUDA) ...'
	$(PIP) -e '.[train]'
	@touch $@

.venv/.dev: .venv/bin/python pyproject.toml constraints.txt
	@echo 'Installing the training and development libraries into .venv ...'
	$(PIP) -e '.[train,dev]'
	@touch $@
