# Two commands for a person: `make demo` and `make test`. For a change: `make check` (style and types), `make docs` (the
# pages that the code writes), and `make ci`, which is all that a change must pass.
PYTHON ?= python3.11
# Another Python than the usual one has an environment of its own: `make test PYTHON=python3.12` makes .venv-3.12.
ifeq ($(origin PYTHON),command line)
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
ifeq ($(VERSION),)
$(error PYTHON=$(PYTHON) does not run here; give the path of a Python 3.11, 3.12 or 3.13)
endif
VENV := .venv-$(VERSION)
MAKE_VENV := $(PYTHON) -m venv $(VENV)
else
VENV := .venv
MAKE_VENV := $(PYTHON) -m venv $(VENV) || python3 -m venv $(VENV)
endif
BIN := $(VENV)/bin
# A .venv is made once and again when what it should hold changes.
INSTALLED := $(VENV)/.installed
# An index with torch's build for CPUs, or a folder of its wheels: `make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu`.
TORCH_INDEX ?=
TORCH_FROM := $(if $(TORCH_INDEX),$(if $(wildcard $(TORCH_INDEX)/.),--find-links,--extra-index-url) $(TORCH_INDEX))
# HASHED=1 installs from locks/development.txt: every file that is fetched must have the hash written there (Linux x86-64).
HASHED ?=

# What reads the source and the locks for faults that are known; in an environment of its own.
AUDIT := .venv-audit/bin
AUDITORS := bandit==1.9.4 cyclonedx-bom==7.5.0 pip-audit==2.10.1

.PHONY: demo test check docs audit sbom ci clean
.DEFAULT_GOAL := demo

demo: $(INSTALLED)
	$(BIN)/corpuscle demo

test: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(INSTALLED)
	$(BIN)/python -m tests.docs.write

# Both are asked, whatever the first says.
audit: $(AUDIT)/.installed
	$(AUDIT)/bandit --quiet --recursive --configfile pyproject.toml corpus corpuscle_command.py pipelines tokenizer train; code=$$?; \
	$(AUDIT)/pip-audit --strict --require-hashes --disable-pip --requirement locks/development.txt && exit $$code

sbom: $(AUDIT)/.installed
	$(AUDIT)/cyclonedx-py requirements locks/container.txt --pyproject pyproject.toml --output-reproducible --output-file container.cdx.json

# The script calls make itself; the flags of this one (-j, -n) are not its own.
ci:
	MAKEFLAGS= .ci/run

clean:
	rm -rf .venv .venv-3.* .venv-audit container.cdx.json demo .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(AUDIT)/.installed: Makefile
	test -x $(AUDIT)/python || $(PYTHON) -m venv .venv-audit || python3 -m venv .venv-audit
	$(AUDIT)/python -m pip install --quiet $(AUDITORS)
	touch $@

$(INSTALLED): pyproject.toml constraints.txt
	@echo "make: installing into $(VENV), once. On Linux PyPI's torch is the build for CUDA: some 3 GB to fetch, 6.7 GB on disk."
	@echo "make: torch for CPUs saves more than half of both: make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu"
	test -x $(BIN)/python || $(MAKE_VENV)
ifeq ($(HASHED),)
	$(BIN)/python -m pip install --quiet --editable '.[gcp,train,dev]' --constraint constraints.txt $(TORCH_FROM)
else
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps --requirement locks/development.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
endif
# What the stages use as machine code; the readers too, if there is a C compiler. It says what came of it, and nothing
# depends on it.
	-$(BIN)/corpuscle doctor --compile
	touch $@
