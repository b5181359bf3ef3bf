# `make demo` and `make test` work on a bare machine with Python 3.11, make and a C compiler.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SOURCES := cli.py crawler distill index publish rewards

.PHONY: demo test test-system lint bench man clean

$(READY): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	# torch first and by itself: a CPU build where one is at hand, see README.
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

demo: $(READY)
	@sh docs/demo/run.sh $(CURDIR)/$(BIN)

test: $(READY)
	$(BIN)/python -m pytest -m 'not system' -n 2 --dist loadfile

test-system: $(READY) tests/npm/node_modules/.package-lock.json tests/npm/agents/node_modules/.package-lock.json \
		$(VENV)/fastmcp/.ready tests/servers/.venv/.ready
	$(BIN)/python -m pytest -m system

tests/npm/node_modules/.package-lock.json: tests/npm/package.json
	cd tests/npm && npm install --no-audit --no-fund --silent

tests/npm/agents/node_modules/.package-lock.json: tests/npm/agents/package.json
	cd tests/npm/agents && npm install --no-audit --no-fund --silent

# In an environment of its own: it asks for other versions of what we use.
$(VENV)/fastmcp/.ready:
	$(PYTHON) -m venv $(VENV)/fastmcp
	$(VENV)/fastmcp/bin/python -m pip install --quiet 'fastmcp>=4,<5'
	touch $@

man: $(READY)
	$(BIN)/precipitate man -o build/man1

# Servers that the tests of networks read, with packages that must not meet ours.
tests/servers/.venv/.ready: tests/servers/requirements.txt
	test -x tests/servers/.venv/bin/python || $(PYTHON) -m venv tests/servers/.venv
	tests/servers/.venv/bin/python -m pip install --quiet --requirement tests/servers/requirements.txt
	touch $@

lint: $(READY)
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

bench: $(READY)
	$(BIN)/python -m bench

clean:
	rm -rf $(VENV) tests/servers/.venv tests/npm/node_modules tests/npm/sourcecred build dist
