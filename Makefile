# make demo, make test and the rest set up what they need in a virtual environment of their own.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
ENGINE := $(shell find engine -name '*.h' -o -name '*.cpp' -o -name CMakeLists.txt)

.PHONY: demo demo-all plan test test-slow test-cuda test-cuda-compile test-aarch64 test-versions lint lint-python lint-format \
	lint-tidy format wheel sanitize account fuzz benchmark scaling targets history stubs docs clean
.DEFAULT_GOAL := test

# An environment's engine is built in one place, so that only what has changed is compiled again.
BUILD := --config-settings build-dir='build/{wheel_tag}' --config-settings cmake.define.ELMAN_WARNINGS_AS_ERRORS=ON

demo: plan $(INSTALLED)
	@BIN=$(BIN) sh examples/demo.sh

demo-all: demo
	@BIN=$(BIN) sh examples/demo_all.sh

plan:
	@cat examples/demo.txt

# A worker for each processor, up to four: each takes whole files, for many share what they set up.
test: $(INSTALLED) lint
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

test-slow: $(INSTALLED)
	$(BIN)/python -m pytest -m slow --timeout 3600

# What only a machine with an NVIDIA GPU can show: tools/cuda_check.sh also measures.
test-cuda: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --editable '.[cuda]' $(BUILD)
	$(BIN)/python -m pytest -m gpu tests/cuda

# All kernels for GPUs compiled for all architectures, which needs none: five minutes of processor time.
test-cuda-compile: $(INSTALLED)
	$(BIN)/python -m pytest -n auto -m 'slow or not slow' tests/cuda/test_compiler.py tests/cuda/test_device.py

test-aarch64: $(INSTALLED)
	VENV=$(VENV) sh tools/test_aarch64.sh

# The layer with other PyTorches, the runtime on other Pythons: each in an environment of its own.
TORCH ?= 2.4.1 2.15.0
PYTHONS ?= $(foreach minor,10 11 12 13 14,$(shell python3.$(minor) -c 'print("python3.$(minor)")' 2>/dev/null))
test-versions:
	PYTHON=$(PYTHON) TORCH="$(TORCH)" PYTHONS="$(PYTHONS)" sh tools/versions.sh

# .pre-commit-config.yaml calls the same three.
lint: lint-python lint-format lint-tidy

lint-python: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

CPP = $(shell find engine examples src tests -name '*.h' -o -name '*.cpp')
lint-format: $(INSTALLED)
	@$(BIN)/clang-format --dry-run --Werror $(CPP)

lint-tidy: $(INSTALLED)
	VENV=$(VENV) sh tools/tidy.sh

format: $(INSTALLED)
	$(BIN)/ruff format
	@$(BIN)/clang-format -i $(CPP)

# The sdist, and a wheel for this processor under any Linux with glibc 2.28 or later, tried where there is no compiler.
WHEEL := .venv-wheel
wheel: $(WHEEL)/bin/python
	$(WHEEL)/bin/python -m pip install --quiet --requirement tools/wheel.txt
	VENV=$(WHEEL) sh tools/wheel.sh

sanitize: $(INSTALLED)
	VENV=$(VENV) sh tools/sanitize.sh

SHAPES ?= 100,1,32,64 100,32,256,256
account: $(INSTALLED)
	VENV=$(VENV) sh tools/account.sh $(SHAPES)

# There is no atheris for some Pythons: then the inputs are changed at random.
SECONDS ?= 60
fuzz: $(INSTALLED)
	-$(BIN)/python -m pip install --quiet --constraint constraints.txt 'elman[fuzz]'
	$(BIN)/python -m fuzz --seconds $(SECONDS)

# Speed beside the other libraries: some ten minutes a cell on an idle machine of 2 cores, CELL='gru lstm' for some,
# ROUNDS=5 for all three in less than half an hour. What is measured lies in benchmarks/results, by the instruction set
# that the engine uses on this kind of processor, and is written into benchmarks/RESULTS.md and the README.
PEERS := .venv-benchmark
CELL ?= rnn gru lstm
ROUNDS ?= 11
# A kernel that the environment forces on OpenBLAS would be no measure of the machine.
MEASURE := env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(PEERS)/bin
RESULTS := benchmarks/results
KIND = $(shell $(PEERS)/bin/python -c 'from elman import _engine; print(_engine.instruction_set())')

benchmark: $(PEERS)/installed
	for cell in $(CELL); do \
		$(MEASURE)/elman bench --cell $$cell --rounds $(ROUNDS) --json $(RESULTS)/table-$$cell-$(KIND).json \
			--plot docs/images/speed-$$cell-$(KIND).png --overwrite || exit; \
	done
	$(PEERS)/bin/python benchmarks/results.py

# How the layer scales: some six minutes.
scaling: $(PEERS)/installed
	$(MEASURE)/python benchmarks/scaling.py --json $(RESULTS)/scaling-$(KIND).json
	$(PEERS)/bin/python benchmarks/results.py

# What else its speed is held to: some five minutes.
targets: $(PEERS)/installed
	for cell in $(CELL); do \
		$(MEASURE)/python benchmarks/targets.py --cell $$cell --json $(RESULTS)/targets-$$cell-$(KIND).json || exit; \
	done
	$(PEERS)/bin/python benchmarks/results.py

# A line of benchmarks/history.jsonl for this commit on this kind of processor, and the picture of all: two minutes on an
# idle machine.
history: $(PEERS)/installed
	$(MEASURE)/python benchmarks/history.py

$(PEERS)/installed: $(PEERS)/bin/python benchmarks/requirements.txt pyproject.toml constraints.txt CMakeLists.txt $(ENGINE)
	$(PEERS)/bin/python -m pip install --quiet --constraint constraints.txt --requirement benchmarks/requirements.txt \
		--editable '.[bench,plot,train]' $(BUILD)
	@touch $@

stubs: $(INSTALLED)
	$(BIN)/python -m nanobind.stubgen -m elman._engine -o src/elman/_engine.pyi

# The site, English and Chinese, in build/docs: nothing is fetched, any warning is an error.
SITE = $(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going --fresh-env
docs: $(INSTALLED)
	$(SITE) --doctree-dir build/doctrees/en docs build/docs
	$(SITE) --doctree-dir build/doctrees/zh --tag zh docs build/docs/zh
	@echo 'build/docs/index.html and build/docs/zh/index.html'

# Debian's python3 has no ensurepip: there the environment gets its pip from the system's.
$(BIN)/python $(PEERS)/bin/python $(WHEEL)/bin/python:
	$(PYTHON) -m venv $(@:/bin/python=) 2>/dev/null || { $(PYTHON) -m venv --clear --without-pip $(@:/bin/python=) && \
		$(PYTHON) -m pip --python $@ install --quiet pip; }

$(INSTALLED): $(BIN)/python pyproject.toml constraints.txt CMakeLists.txt $(ENGINE)
	@echo 'Installing into $(VENV): builds the engine, fetches PyTorch; some 3 minutes'
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]' $(BUILD)
	@touch $@

clean:
	rm -rf build $(VENV) .venv-*
