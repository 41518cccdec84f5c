# Each target is complete by itself: it makes the environment in .venv first, once. `compare` needs 48 packages of it,
# the other targets add theirs to the same place.
PYTHON ?= python3
BIN := .venv/bin
COMPARE_READY := .venv/.ready-to-compare
READY := .venv/.ready

# `make test` runs in six parts, one after the other: what JAX, Keras and torch's compiler load stays in a process.
RULES := $(addprefix tests/,rules selfcheck)
TORCH := $(addprefix tests/,compiler engines torch)
FRONT_ENDS := $(addprefix tests/,optax keras bridge frontends bench)
DOCS := $(addprefix tests/,docs packaging)
TRAINING := $(addprefix tests/,tasks training workers range_test)
REST := $(addprefix --ignore=,$(RULES) $(TORCH) $(FRONT_ENDS) $(DOCS) $(TRAINING))
PYTEST = $(BIN)/python -m pytest -n auto
CHROMIUM = $(BIN)/python tests/support/chromium.py  # installs it if there is none

FRAMEWORKS := .venv-frameworks/bin
FRAMEWORKS_READY := .venv-frameworks/.ready

.NOTPARALLEL:
.PHONY: compare test test-rules test-torch test-front-ends test-docs test-training test-studies test-frameworks lint docs pictures packages bench clean

compare: $(COMPARE_READY)  ## the tutorial's comparison on real MNIST; add options with ARGS="..."
	$(BIN)/surefoot compare $(ARGS)

test: test-rules test-torch test-front-ends test-docs test-training test-studies  ## every test but those that need TensorFlow

test-rules: $(READY)  ## the rules, beside independent ones, and what Surefoot checks of itself
	$(PYTEST) $(RULES) $(ARGS)

test-torch: $(READY)  ## the compiler, its kernels, and torch
	$(PYTEST) $(TORCH) $(ARGS)

test-front-ends: $(READY)  ## JAX, Keras, what all front-ends share, and their peers
	$(PYTEST) $(FRONT_ENDS) $(ARGS)

test-docs: $(READY)  ## what the docs say and show, each benchmark in its smallest form, and the packages
	$(CHROMIUM)
	$(PYTEST) $(DOCS) $(ARGS)

test-training: $(READY)  ## what is trained, the loops, and the processes that run them
	$(PYTEST) $(TRAINING) $(ARGS)

test-studies: $(READY)  ## all the rest: comparisons, from the store to the report
	$(CHROMIUM)
	$(PYTEST) $(REST) $(ARGS)

test-frameworks: $(FRAMEWORKS_READY)  ## the tests that need TensorFlow, in an environment of their own
	$(FRAMEWORKS)/python -m pytest -m frameworks $(ARGS)

lint: $(READY)  ## style, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(READY)  ## the site, in docs/_site; a warning is an error
	$(BIN)/python -m sphinx -W --keep-going -q docs docs/_site

pictures: $(READY)  ## the pictures of README and site, from stored runs; that of step times is drawn by `make bench`
	$(CHROMIUM)
	$(BIN)/python benchmarks/pictures.py

packages: $(READY)  ## sdist and wheel, in dist; each extra is then tried in an environment of its own, which takes minutes
	$(BIN)/python tests/support/installs.py dist

bench: $(READY)  ## the benchmarks that need no other framework
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/state8.py
	$(BIN)/surefoot bench --chart docs/bench.svg

$(COMPARE_READY): requirements-compare.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Surefoot needs Python 3.11 or newer: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing what a comparison needs, about 1.5 GB with torch's CPU build; this happens once."
	$(BIN)/python -m pip install --quiet --requirement requirements-compare.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(READY): requirements.lock $(COMPARE_READY)
	@echo "Installing what the tests need besides: JAX, Keras, Sphinx and Playwright; this happens once."
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	touch $@

$(FRAMEWORKS_READY): requirements-frameworks.lock pyproject.toml
	test -x $(FRAMEWORKS)/python || $(PYTHON) -m venv .venv-frameworks
	$(FRAMEWORKS)/python -m pip install --quiet --requirement requirements-frameworks.lock
	$(FRAMEWORKS)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

clean:  ## remove the environment and what the tools leave
	rm -rf .venv .venv-frameworks .pytest_cache .mypy_cache .ruff_cache .hypothesis dist docs/_site docs/generated
