# Two commands for a person: `make demo` and `make test`. For a change: `make check` (style and types), `make docs` (the
# pages that the code writes), and `make ci`, which is all that a change must pass.
PYTHON ?= python3.11
BIN := .venv/bin
# A .venv is made once and again when what it should hold changes.
INSTALLED := .venv/.installed

.PHONY: demo test check docs ci clean
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

# The script calls make itself; the flags of this one (-j, -n) are not its own.
ci:
	MAKEFLAGS= .ci/run

clean:
	rm -rf .venv demo .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv || python3 -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[gcp,train,dev]' --constraint constraints.txt
	touch $@
