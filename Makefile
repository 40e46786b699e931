# Everything a contributor runs, from a bare checkout: each target makes .venv by itself, with the newest Python it finds,
# and installs again only when pyproject.toml or constraints.txt has changed. Works with GNU make 3.81 (macOS) and later.
#
# Variables:  PYTHON=/path/to/python3.13   the interpreter for a new .venv
#             ARGS="-k name"               passed on to pytest, demo and bench
#             PROCESSES=4                  in how many `test` runs its files, each with a broker of its own; 0 for none but itself
#             KILLS=100                    how many kill -9 `test-soak` deals out
#             SECONDS=3600                 for how long `fuzz` fuzzes, all targets together
#             SEEDS=100000             how many cases `simulate` tries
#             MINUTES=10 SEED=7            how long `chaos` goes on, and the seed of an earlier run

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test test-fast test-soak fuzz simulate chaos lint format bench schemas screenshots constraints clean

BIN   := .venv/bin
BASE  := .venv/.base
DEV   := .venv/.dev
KILLS ?= 25
PROCESSES ?= 2
SECONDS ?= 600
SEEDS ?= 10000
MINUTES ?= 10
SEED  ?=
ARGS  ?=

# The demo needs what a user has, nothing more; tests and checks come with the development extras.
USABLE := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))
PYTHON ?= $(shell for name in python3.14 python3.13 python3.12 python3.11 python3 python; do \
	"$$name" -c "$(USABLE)" >/dev/null 2>&1 && { echo "$$name"; break; }; done)

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(BASE) ## Watch a funnel fill live for 20 s; needs neither Kafka nor Docker nor Java
	@$(BIN)/funnelstream demo $(ARGS)

test: $(DEV) ## All tests but the soak; a broker comes from KAFKA_BOOTSTRAP_SERVERS, Docker, or Java 17 with Maven
	$(BIN)/pytest -m "not soak" --require-kafka -n $(PROCESSES) --dist loadfile --no-loadscope-reorder $(ARGS)

test-fast: $(DEV) ## The tests that need no broker; under a minute
	FUNNELSTREAM_FEWER=1 $(BIN)/pytest -m "not kafka and not soak and not acceptance and not fuzz and not simulation and not slow" \
		-n $(PROCESSES) --dist load $(ARGS)

test-soak: $(DEV) ## Kill workers at random while input flows, and compare the result with the oracle
	$(BIN)/pytest -m soak --require-kafka --kills $(KILLS) $(ARGS)

fuzz: $(DEV) ## Fuzz decoders, definitions and configuration for SECONDS; new inputs join tests/fuzz/corpus
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) --save $(ARGS)

simulate: $(BASE) ## Try SEEDS cases of the simulation: any order, crash and duplicate must end as the definitions say
	$(BIN)/python -m processors.simulation --seeds $(SEEDS) $(ARGS)

chaos: $(DEV) ## Mix all faults at random for MINUTES while input flows; SEED= repeats a run
	$(BIN)/python -m tests.chaos --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(ARGS)

lint: $(DEV) ## Style, types, import arrows, the shipped definitions and the published schemas
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports --no-logo
	$(BIN)/funnelstream lint funnels/
	$(BIN)/funnelstream schema --check

format: $(DEV) ## Mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEV) ## Race the other engines and measure the cost of leads and histories; ARGS=--help lists the parts
	$(BIN)/python -m bench $(ARGS)

schemas: $(DEV) ## Write schemas/published/ anew from the models
	$(BIN)/funnelstream schema --write

screenshots: $(DEV) ## Take the pictures of docs/insights.md anew; needs Chromium
	$(BIN)/python -m tests.browser

constraints: $(DEV) ## Resolve all dependencies afresh, for every supported Python, and pin them
	$(BIN)/python -m pip install --quiet uv
	{ grep '^#' constraints.txt; $(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
		--quiet --no-header --no-annotate --no-emit-index-url --no-emit-find-links; } > .venv/constraints.txt
	mv .venv/constraints.txt constraints.txt

clean: ## Remove .venv, caches and build products
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache tests/broker/target bench/work
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A folder .venv from an interrupted run is made anew; `python -m venv` creates the interpreter before pip is in place.
$(BIN)/python:
	@python="$(PYTHON)"; "$$python" -c "$(USABLE)" 2>/dev/null || { echo "funnelstream needs Python 3.11 to 3.14 with venv\
	 and none was found: install one (on Debian and Ubuntu with its python3-venv package), or name one as in\
	 'make $(MAKECMDGOALS) PYTHON=/path/to/python3.13'." >&2; exit 1; }; \
	echo "Making .venv with $$("$$python" --version)"; "$$python" -m venv --clear .venv

$(BASE): $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing funnelstream into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(DEV): $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing funnelstream with its tests and checks into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[insights,test,dev,fuzz]'
	@touch $(BASE) $@
