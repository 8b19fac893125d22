# Everything lives in .venv, which the first call makes; the stamps in it let the second one start at once.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8787
# Two test processes: more gain nothing where the slow tests start servers of their own.
JOBS ?= 2
PIP = $(BIN)/python -m pip --disable-pip-version-check
ALL := .[providers,models,postgres,redis,traces,pandas,training]
# Moved by hand: each version comes in several builds, gigabytes apart, and not every place has every one.
HELD := torch==2.13.0

.PHONY: help run demo test quick check bench lock clean

help: ## Show what there is to make
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

run: $(VENV)/run ## Start Guard with the baseline policy, show it at work, and go on serving on PORT (8787)
	@$(BIN)/guard demo --keep --port $(PORT)

demo: $(VENV)/run ## The same, but it ends
	@$(BIN)/guard demo

test: $(VENV)/dev ## Run every test: unit, integration, examples, documentation
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup

quick: $(VENV)/dev ## Run the tests that take milliseconds
	$(BIN)/python -m pytest -q -n $(JOBS) -m "not slow"

check: $(VENV)/dev ## Run what else must hold: lint, types, layers, policy cases, documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/guard policy test guard/policies/builtin
	$(BIN)/python -m pytest -q tests/docs tests/test_house.py

bench: $(VENV)/dev ## Measure all that Guard promises of its cost, beside the limits (about ten minutes)
	$(BIN)/python -m benchmarks

lock: ## Write constraints.txt anew: the newest versions that the project allows, installed into an empty environment
	rm -rf $(VENV)-lock && $(MAKE) $(VENV)-lock/made VENV=$(VENV)-lock
	$(VENV)-lock/bin/python -m pip install -c <(echo '$(HELD)') -e '$(ALL)' --group dev
	{ sed -n '/^#/p' constraints.txt; \
	  $(VENV)-lock/bin/python -m pip freeze --exclude-editable | sed 's/+[a-z0-9.]*$$//' | grep -v '^nvidia-\|^cuda-\|^triton'; \
	} > constraints.new
	mv constraints.new constraints.txt && rm -rf $(VENV)-lock

clean: ## Remove what was made: environment, caches, the demo's events
	rm -rf $(VENV) .venv-litellm .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist guard.db guard.db-* guard.db.spool

$(VENV)/made:
	@python=$$(for each in "$(PYTHON)" python3.11 python3.12 python3.13 python3; do \
	  "$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$each" && break; done); \
	if [ -z "$$python" ]; then echo "Guard needs Python 3.11 or later; install it, or name it: make run PYTHON=/path/to/python3.11"; exit 1; fi; \
	echo "making $(VENV) with $$("$$python" --version)" && "$$python" -m venv $(VENV)
	$(PIP) install --quiet --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/run: $(VENV)/made pyproject.toml constraints.txt
	@echo "installing Guard (once, about a minute)"
	$(PIP) install -c constraints.txt -e '.[providers]'
	@touch $@

$(VENV)/dev: $(VENV)/made pyproject.toml constraints.txt
	@echo "installing Guard with all that its tests need, torch too (once, some minutes)"
	$(PIP) install -c constraints.txt -e '$(ALL)' --group dev
	@touch $@ $(VENV)/run
