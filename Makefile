# make demo: the whole job on made-up data.   make test: every test.   make check: style and types.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
WORKERS ?= 2

.PHONY: demo test test-image check bench lock clean

demo: $(VENV)/runtime.stamp
	@$(BIN)/basketwise sample --out demo/raw --baskets 20000 --seed 42 --overwrite
	@$(BIN)/basketwise run --data demo/raw --workspace demo/workspace

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

# Builds the image and runs every command in it; as root, with buildah and debootstrap.
test-image: $(VENV)/dev.stamp
	scripts/test-image.sh $(BIN)

check: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks

# Writes the locks anew from pyproject.toml; run it when dependencies change. The last one is for
# AWS's image, which has Python 3.12; it is shipped with the package.
lock: $(VENV)/dev.stamp
	$(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-header --upgrade \
	    pyproject.toml --extra aws --group build --group dev -o requirements/dev.lock
	$(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-header --upgrade \
	    pyproject.toml --group build -c requirements/dev.lock -o requirements/runtime.lock
	$(BIN)/uv pip compile -q --python-version 3.12 --python-platform x86_64-manylinux_2_28 \
	    --generate-hashes --no-header --no-annotate --upgrade \
	    pyproject.toml -c requirements/dev.lock -o src/basketwise/aws/container/requirements.lock

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
