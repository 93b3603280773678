# Every target sets up what it needs: Python 3.11 and make are enough.

PYTHON ?= python3
STORE ?=
EVENTS ?=
ONLY ?=
FIGURES ?=
SIZE ?= full

BIN := .venv/bin
# Twice quiet: errors only. What is imported is compiled then, most never is.
INSTALL := $(BIN)/python -m pip install -qq --no-compile --disable-pip-version-check \
  --editable
RUNTIME := .venv/.installed-runtime
DEVELOPMENT := .venv/.installed-development
PEERS := .venv/.installed-peers
NODE := .venv/.installed-node
# More than a small machine has processors: each waits a third of its time.
JOBS ?= 5
# Which of the steps are taken where only some are: others with the next commit.
TURN ?= $(shell git rev-list --count HEAD 2>/dev/null)
PYTEST = METERING_TEST_TURN=$(or $(TURN),0) $(BIN)/python -m pytest --quiet \
  -p no:benchmark --numprocesses=$(JOBS) --dist=worksteal
# Those of the everyday path lie in a folder, and go by its name: everyday, everyday_reads.
QUESTIONS = $(wildcard bench/bench_$(ONLY)*.py $(if $(filter everyday%,$(ONLY)), \
  bench/everyday/bench_$(patsubst everyday_%,%,$(patsubst everyday,,$(ONLY)))*.py))
BENCHMARKS = METERING_BENCH_SIZE=smoke $(BIN)/python -m pytest --quiet --benchmark-quiet bench
# Tests start dozens of interpreters, which would each compile all that they import.
unexport PYTHONDONTWRITEBYTECODE
RESULTS := .benchmarks/$(or $(ONLY),all)-$(SIZE).json

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: bench check clean demo docs help prove test

help: ## list the targets
	@echo "make <target>, where the target is one of"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1  \2/p' Makefile | \
	  awk '{ name = $$1; $$1 = ""; printf "  %-6s%s\n", name, $$0 }'

demo: $(RUNTIME) ## meter a day of traffic and show it (STORE=path or URL, EVENTS=number)
	@$(BIN)/metering demo $(if $(STORE),--store "$(STORE)") $(if $(EVENTS),--events "$(EVENTS)")

# In parallel, and without benchmarks, which would measure nothing then. What a profile
# selects is in tests/profiles.py.
test: $(DEVELOPMENT) $(NODE) ## run the tests (FAST=1 in two minutes, JOBS=processes, ARGS=for pytest)
	@METERING_TEST_PROFILE=$(if $(FAST),fast,test) $(PYTEST) $(ARGS)

check: $(PEERS) ## check formatting, lint, types and the direction of imports
	@$(BIN)/ruff format --check --quiet || { echo "run: $(BIN)/ruff format"; exit 1; }
	@$(BIN)/ruff check --quiet
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: $(PEERS) ## measure and print the ratios (ONLY=append, SIZE=smoke or full)
	@case "$(SIZE)" in smoke|full) ;; *) echo "SIZE is smoke or full, not $(SIZE)" >&2; exit 2;; esac
	@test -n "$(QUESTIONS)" || { \
	  echo "no benchmark named $(ONLY); there are:" bench/bench_*.py \
	    bench/everyday/bench_*.py >&2; exit 2; }
	@mkdir -p .benchmarks && rm -f "$(RESULTS)"
	@status=0; \
	METERING_BENCH_SIZE=$(SIZE) $(BIN)/python -m pytest --quiet --benchmark-quiet --timeout 0 \
	  --benchmark-json="$(RESULTS)" $(ARGS) \
	  $(if $(ONLY),$(QUESTIONS),bench) || status=$$?; \
	test ! -s "$(RESULTS)" || $(BIN)/python -m bench.report "$(RESULTS)" || status=$$?; \
	exit $$status

prove: $(PEERS) $(NODE) ## run the rest: both databases, every step, long sweeps (PART=rest: bounded, PART=counted FIGURES=file: what is counted)
	@METERING_TEST_PROFILE=$(or $(PART),prove) METERING_TEST_FIGURES=$(FIGURES) \
	  $(PYTEST) $(ARGS)
	@$(if $(ARGS)$(filter counted,$(PART)),:,$(BENCHMARKS))

docs: $(DEVELOPMENT) ## rewrite what is generated in the pages: tables of routes, errors, limits
	@$(BIN)/python -m tests.documentation

clean: ## remove the virtual environment and the caches, but no store and no result
	@rm -rf .venv .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUNTIME): pyproject.toml | $(BIN)/python
	@echo "Installing metering into .venv"
	@$(INSTALL) '.[postgresql]'
	@touch $@

$(DEVELOPMENT): pyproject.toml | $(BIN)/python
	@echo "Installing metering and its development tools into .venv"
	@$(INSTALL) '.[dev]'
	@touch $(RUNTIME) $@

$(PEERS): pyproject.toml | $(BIN)/python
	@echo "Installing metering, its development tools and its benchmarks' peers into .venv"
	@$(INSTALL) '.[dev,bench]'
	@touch $(RUNTIME) $(DEVELOPMENT) $@

# Nothing depends on it but tests, which say so where they are skipped for want of it.
$(NODE): tests/server/npm/package.json tests/server/npm/package-lock.json | $(BIN)/python
	@if ! command -v npm >/dev/null; then \
	  echo "There is no npm: what Stripe's Node client would test is skipped"; \
	else \
	  echo "Installing Stripe's Node client into .venv/npm"; \
	  mkdir -p .venv/npm && cp $^ .venv/npm && \
	  npm ci --prefix .venv/npm --silent --ignore-scripts --no-audit --no-fund \
	    --fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-timeout=30000 && touch $@ || \
	  echo "It cannot be installed, perhaps for want of the network:" \
	    "what it would test is skipped"; \
	fi

# A half-made environment would be taken for a whole one by the next run.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, $(PYTHON) is not;" \
	    "name another: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Creating .venv"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }
