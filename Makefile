# Everything a person or CI does here.  `make` alone prints this list.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# What the editor suite installs lies outside the clone, by version, and is kept.
EDITORS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/fim-lsp-tests
NODE_CLIENT := $(EDITORS)/node-$(firstword $(shell cksum tests/editors/node/package-lock.json))
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help demo test test-editors check bench format clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

demo: $(VENV)/.base  ## install, and complete a real file with the embedded model, offline
	@$(BIN)/fim-lsp complete examples/inventory.py:29:9

test: $(VENV)/.dev  ## install what tests need, and run every test that needs no editor
	$(BIN)/python -m pytest -m "not editor and not gpu"

test-editors: $(VENV)/.dev $(NODE_CLIENT)/.installed  ## install clients and editors, and test with them
	FIM_LSP_NODE_MODULES=$(NODE_CLIENT)/node_modules $(BIN)/python -m pytest -m editor

check: $(VENV)/.dev  ## lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev  ## the benchmarks, into benchmarks/results
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.prefix_reuse
	$(BIN)/python -m benchmarks.event_loop
	$(BIN)/python -m benchmarks.training

format: $(VENV)/.dev  ## rewrite the code in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(NODE_CLIENT)/.installed: tests/editors/node/package-lock.json
	@mkdir -p $(@D)
	cp tests/editors/node/package.json tests/editors/node/package-lock.json $(@D)
	cd $(@D) && npm ci --silent --no-audit --no-fund
	@touch $@

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The base install is what a user gets: no torch.
$(VENV)/.base: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) -e .
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) torch==2.13.0
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.base
