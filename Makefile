# make demo, make test and the rest set up what they need in a virtual environment of their own.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
ENGINE := $(shell find engine -name '*.h' -o -name '*.cpp' -o -name CMakeLists.txt)

.PHONY: demo test test-slow lint sanitize account fuzz benchmark stubs clean
.DEFAULT_GOAL := test

demo: $(INSTALLED)
	@BIN=$(BIN) sh examples/demo.sh

test: $(INSTALLED) lint
	$(BIN)/python -m pytest

test-slow: $(INSTALLED)
	$(BIN)/python -m pytest -m slow --timeout 3600

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

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

benchmark: $(INSTALLED)
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/accuracy.py
	$(BIN)/python benchmarks/runtime.py

stubs: $(INSTALLED)
	$(BIN)/python -m nanobind.stubgen -m elman._engine -o src/elman/_engine.pyi

# Debian's python3 has no ensurepip: there the environment gets its pip from the system's.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV) 2>/dev/null || { $(PYTHON) -m venv --clear --without-pip $(VENV) && \
		$(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }

$(INSTALLED): $(BIN)/python pyproject.toml constraints.txt CMakeLists.txt $(ENGINE)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]' \
		--config-settings cmake.define.ELMAN_WARNINGS_AS_ERRORS=ON
	@touch $@

clean:
	rm -rf build $(VENV) .venv-*
