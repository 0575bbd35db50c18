# Needs Python 3.11 to 3.13 and a package registry; everything else is put into .venv.
PYTHON ?= python3
VENV := .venv
OUT := runs/demo
BIN := $(VENV)/bin
COMPILE := --compile-bytecode
export KERAS_BACKEND := tensorflow
export TF_CPP_MIN_LOG_LEVEL := 2
# Fewer arenas of malloc: threads of TensorFlow and OpenVINO otherwise keep memory of their own that a test has freed.
export MALLOC_ARENA_MAX := 2

.PHONY: demo smoke test test-long check docs-cli requirements clean

$(VENV)/ready: requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "tellapart needs Python 3.11 to 3.13, this is " + sys.version.split()[0] + ": make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	$(BIN)/uv pip install --quiet $(COMPILE) --python $(BIN)/python --require-hashes -r requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

demo: $(VENV)/ready
	PATH="$(abspath $(BIN)):$$PATH" sh demo.sh "$(OUT)"

# What must work on every Python: make smoke PYTHON=python3.13 VENV=.venv-3.13. The files are named, since
# collecting all tests takes as long as running these. Few of the modules are imported, so none is compiled beforehand.
smoke: COMPILE :=
smoke: SMOKE := models/graphs/test_convert.py models/classical/test_estimators.py bundles/test_predictor.py exporting/test_formats.py
smoke: SMOKE += workflows/test_stories.py cli/test_report.py serving/test_service.py
smoke: $(VENV)/ready
	scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && $(MAKE) demo OUT="$$scratch/demo"
	$(BIN)/python -m pytest -m "not long" -n auto --maxprocesses 2 --dist loadscope $(addprefix tests/,$(SMOKE))

test: $(VENV)/ready
	$(BIN)/python -m pytest -m "not long" -n auto --maxprocesses 4 --dist loadscope

test-long: $(VENV)/ready
	$(BIN)/python -m pytest -m long

check: $(VENV)/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy src tests
	$(BIN)/lint-imports

# After changing a command's options or their help.
docs-cli: $(VENV)/ready
	$(BIN)/python docs/generate_cli.py

# After changing dependencies in pyproject.toml: pin them anew, for every platform, with hashes.
requirements: PINNED := --quiet --universal --generate-hashes --no-emit-index-url --no-header
requirements: LOCKS := src/tellapart/exporting/templates
requirements:
	$(BIN)/uv pip compile $(PINNED) --extra train --extra onnx --extra litert --extra int8 --extra parquet --extra quality --extra ray --extra heif --group dev pyproject.toml -o requirements/dev.txt
	$(BIN)/uv pip compile $(PINNED) --no-annotate -c requirements/dev.txt pyproject.toml -o $(LOCKS)/requirements.txt
	printf 'scikit-learn>=1.9\nskops>=0.14\n' | $(BIN)/uv pip compile $(PINNED) --no-annotate -c requirements/dev.txt pyproject.toml - -o $(LOCKS)/requirements-forest.txt

clean:
	rm -rf .venv .venv-3.* build dist
