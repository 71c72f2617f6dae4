# make demo: the whole job on made-up data.   make test: every test.   make check: style and types.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo test check bench lock clean

demo: $(VENV)/runtime.stamp
	@$(BIN)/basketwise sample --out demo/raw --baskets 20000 --seed 42 --overwrite
	@$(BIN)/basketwise run --data demo/raw --workspace demo/workspace

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest

check: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks

# Writes the locks anew from pyproject.toml; run it when dependencies change.
lock: $(VENV)/dev.stamp
	$(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-header --upgrade \
	    pyproject.toml --group build -o requirements/runtime.lock
	$(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-header --upgrade \
	    pyproject.toml --group build --group dev -c requirements/runtime.lock -o requirements/dev.lock

clean:
	rm -rf $(VENV) demo test-artifacts bench-results

$(VENV)/bin/pip:
	@sh scripts/make-venv.sh "$(PYTHON)" "$(VENV)"

$(VENV)/runtime.stamp: requirements/runtime.lock pyproject.toml | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.lock $(VENV)/runtime.stamp
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@touch $@
