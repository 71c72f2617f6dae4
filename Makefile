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

# Writes the locks anew from pyproject.toml; run it when dependencies change. `make lock UPGRADE=`
# moves nothing that is pinned already. The first two are for every platform and Python; the last
# is for AWS's image, which has Python 3.12 on Linux, and is shipped with the package.
UPGRADE ?= --upgrade
COMPILE := $(BIN)/uv pip compile -q --generate-hashes --no-header $(UPGRADE) pyproject.toml
lock: $(VENV)/dev.stamp
	$(COMPILE) --universal --python-version 3.11 \
	    --extra aws --group build --group dev -o requirements/dev.lock
	$(COMPILE) --universal --python-version 3.11 \
	    --group build -c requirements/dev.lock -o requirements/runtime.lock
	$(COMPILE) --python-version 3.12 --python-platform x86_64-manylinux_2_28 --no-annotate \
	    -c requirements/dev.lock -o src/basketwise/aws/container/requirements.lock

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
