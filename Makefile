# Everything the project needs lives in .venv, which is made when it is missing.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: report test test-deep lint types lab clean

$(VENV)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/.installed-dev: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable ".[test,dev]"
	touch $(VENV)/.installed $@

# Other clients of CloudWatch Logs, against which only a deep test runs.
$(VENV)/.installed-peers: $(VENV)/.installed-dev
	$(BIN)/pip install --quiet --editable ".[test,dev,peers]"
	touch $@

report: $(VENV)/.installed
	$(BIN)/eks-audit report sample --out report

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist worksteal

# 10,000 queries against the oracle, 1,000,000 texts for the parser, 10,000 misbehaving services: more than an hour on two cores.
test-deep: $(VENV)/.installed-peers
	$(BIN)/python -m pytest -m deep -n 2

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

lab: $(VENV)/.installed
	$(BIN)/eks-audit lab sample

clean:
	rm -rf $(VENV) report build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
