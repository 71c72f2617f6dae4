# make demo: the whole job on made-up data.   make test: every test, with coverage.
# make check: style, types, spelling.         make test-oldest: every test, oldest dependencies.
PYTHON ?= python3
VENV   := .venv
OLDEST := .venv-oldest
BIN    := $(VENV)/bin
WORKERS ?= 3
TESTS ?=
# A part of the tests is not held to the floor of the whole.
COVERAGE ?= --cov $(if $(TESTS),--cov-fail-under=0)

.PHONY: demo test test-spark fuzz hostile test-oldest test-image check hooks bench lock dist sbom licences clean

demo: $(VENV)/runtime.stamp
	@$(BIN)/basketwise sample --out demo/raw --baskets 20000 --seed 42 --overwrite
	@$(BIN)/basketwise run --data demo/raw --workspace demo/workspace

# Python keeps what it has compiled, whatever the environment says: each of the tests' many processes
# would compile the package again.
test test-spark test-oldest fuzz hostile: export PYTHONDONTWRITEBYTECODE =
# Each worker has a core, or waits for servers and jobs: with three on two cores, none idles.
test test-spark test-oldest fuzz hostile: export POLARS_MAX_THREADS ?= 1

# In the order of collection, doctests that train and the slow tests of aws/ come first, so that no
# worker idles at the end.
test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(COVERAGE) $(TESTS)

# The oldest versions that pyproject.toml allows, in an environment of their own.
test-oldest: $(OLDEST)/stamp
	$(OLDEST)/bin/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS)

# Damaged files of every format, 50,000 of them; make test tries 2,000.
fuzz: $(VENV)/dev.stamp
	BASKETWISE_TEST_FUZZ=12500 $(BIN)/python -m pytest -n $(WORKERS) tests/etl/test_fuzz.py

# What make test tries a few times of tests/hostile, thousands of times.
hostile: $(VENV)/dev.stamp
	BASKETWISE_TEST_HOSTILE=1 $(BIN)/python -m pytest -n $(WORKERS) --timeout 3600 tests/hostile

# Scoring on Spark itself, which needs Java: make test does the same on Sail, without a JVM.
test-spark: $(VENV)/dev.stamp
	BASKETWISE_TEST_SPARK=1 $(BIN)/python -m pytest tests/engines/spark

# Builds the image and runs every command in it, then those of deployed models, which are asked for an
# answer; as root, with buildah and debootstrap.
test-image: $(VENV)/dev.stamp
	scripts/test-image.sh $(BIN)
	scripts/test-deploy-image.sh $(BIN)

check: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive src scripts
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

# Runs what .pre-commit-config.yaml names before every commit.
hooks: $(VENV)/dev.stamp
	$(BIN)/pre-commit install

bench: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks

# Writes the locks anew from pyproject.toml; run it when dependencies change. `make lock UPGRADE=`
# moves nothing that is pinned already. The first three are for every platform; the next two are for
# AWS's images, which have Python 3.12 on Linux, and the last ones for images of deployed models: these
# are shipped with the package. (One that applies XGBoost by its shared library needs no SciPy.) Extras stay named:
# pip 23 does not apply the pin of `coverage` to `coverage[toml]`, and takes the newest release.
UPGRADE ?= --upgrade
COMPILE := $(BIN)/uv pip compile -q --generate-hashes --no-strip-extras --no-header $(UPGRADE) pyproject.toml
lock: $(VENV)/dev.stamp
	$(COMPILE) --universal --python-version 3.11 \
	    --extra aws --extra sagemaker-mlflow --extra serve --extra spark --group build --group dev \
	    -o requirements/dev.lock
	$(COMPILE) --universal --python-version 3.11 \
	    --extra serve --group build -c requirements/dev.lock -o requirements/runtime.lock
	$(COMPILE) --universal --python-version 3.11 --resolution lowest-direct \
	    --extra aws --extra sagemaker-mlflow --extra serve --extra spark --group build --group dev \
	    -o requirements/oldest.lock
	$(COMPILE) --python-version 3.12 --python-platform x86_64-manylinux_2_28 --no-annotate --extra serve \
	    -c requirements/dev.lock -o src/basketwise/aws/container/requirements.lock
	$(COMPILE) --python-version 3.12 --python-platform x86_64-manylinux_2_28 --no-annotate --extra aws \
	    --group spark-image -c src/basketwise/aws/container/requirements.lock -o src/basketwise/aws/container/spark.lock
	for library in tree xgboost sklearn sklearn-xgboost; do \
	    $(BIN)/uv pip compile -q --generate-hashes --no-header --no-annotate $(UPGRADE) \
	        --universal --python-version 3.11 --group deploy-$$library -c requirements/dev.lock \
	        $$([ $$library = xgboost ] && echo --no-emit-package scipy) \
	        -o src/basketwise/deploy/locks/$$library.lock || exit; \
	done

# The wheel, the source archive, and the list of components.
dist: $(VENV)/dev.stamp
	rm -rf dist
	$(BIN)/python -m hatchling build
	$(MAKE) sbom

# What the locked environment is made of, with digests (CycloneDX); the same lock, the same bytes.
sbom: $(VENV)/dev.stamp
	mkdir -p dist
	$(BIN)/cyclonedx-py requirements requirements/runtime.lock --pyproject pyproject.toml \
	    --output-reproducible --output-file dist/basketwise.cdx.json

# The licence of each package that the runtime lock installs.
licences: $(VENV)/dev.stamp
	@$(BIN)/python scripts/licences.py requirements/runtime.lock

clean:
	rm -rf $(VENV) $(OLDEST) dist demo test-artifacts bench-results

$(VENV)/bin/pip:
	@sh scripts/make-venv.sh "$(PYTHON)" "$(VENV)"

$(VENV)/runtime.stamp: requirements/runtime.lock pyproject.toml | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.lock $(VENV)/runtime.stamp
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@touch $@

$(OLDEST)/stamp: requirements/oldest.lock $(VENV)/dev.stamp
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(OLDEST)
	$(BIN)/uv pip install --quiet --python $(OLDEST) --require-hashes -r requirements/oldest.lock
	$(BIN)/uv pip install --quiet --python $(OLDEST) --no-deps --no-build-isolation -e .
	@touch $@
