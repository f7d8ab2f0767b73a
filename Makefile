# Everything runs inside .venv, which `make setup` creates: nothing else on the machine is changed.
# pip's own configuration (index, proxy, cache) is respected.
PYTHON ?= python3
ARGS ?=
CALLS ?= 1000
NAME ?= linear_regression

VENV := .venv
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
# Present while the environment is being made: an interrupted one is started afresh.
INCOMPLETE := $(VENV)/.incomplete
CONFIG := configs/lstm_ptb.yaml

.PHONY: help setup ops train test fuzz wheel lint format bench experiment clean
.DEFAULT_GOAL := help

help:  ## this list
	@echo 'usage: make TARGET [ARGS="..."] [PYTHON=python3.x]'
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' Makefile

setup: $(INSTALLED)  ## create .venv with the dependencies and the compiled ops
	@$(RUN) -I quant_ops/build.py || echo "set-up: quant_ops has no compiled ops (the reason is above) and \
	uses its TensorFlow-only backend: the same results, more slowly. 'make ops' tries again." >&2

ops: $(INSTALLED)  ## compile the C++ ops (does nothing when they are current)
	@$(RUN) -I quant_ops/build.py

train: setup  ## set-up, then train the LSTM (ARGS="--set train.epochs=2 --run-dir runs/mine")
	$(RUN) -m tq_halp.train --config $(CONFIG) $(ARGS)

# One worker more than cores: tests wait for processes of their own. Four at most: a worker costs one
# import of TensorFlow, whose own threads fill more cores.
WORKERS = $$($(RUN) -c 'import os; print(min(4, 1 + (os.cpu_count() or 1)))')

test: setup  ## set-up, then every test but fuzz (ARGS="tests/formats -x")
	$(RUN) -m pytest --numprocesses=$(WORKERS) --dist=worksteal $(ARGS)

fuzz: setup  ## random calls of the C++ code under the compiler's sanitizers (CALLS=1000)
	QUANT_OPS_FUZZ_CALLS=$(CALLS) $(RUN) -m pytest tests/quant_ops/test_sanitizers.py \
	  tests/quant_ops/test_linear_natively.py $(ARGS)

wheel: $(INSTALLED)  ## build dist/*.whl with the compiled ops, then install and try it elsewhere (minutes)
	rm -rf dist && $(RUN) -m pip wheel --no-deps --wheel-dir dist .
	TQ_HALP_WHEEL="$$(echo dist/*.whl)" $(RUN) -m pytest tests/test_wheel.py $(ARGS)

lint: $(INSTALLED)  ## check the sources, their format and types (make format mends what it can)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

format: $(INSTALLED)  ## rewrite the sources in the project's format
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .
	@if command -v clang-format >/dev/null; then \
	  find quant_ops/cc -name '*.h' -o -name '*.cc' | xargs clang-format -i; \
	else echo "clang-format is not installed: the C++ sources are left as they are"; fi

bench: setup  ## set-up, then the benchmarks (ARGS="ops")
	$(RUN) -m tq_halp.bench $(ARGS)

experiment: setup  ## set-up, then one of experiments/ (NAME=ptb ARGS=--quick)
	$(RUN) -m experiments.$(NAME).run $(ARGS)

clean:  ## remove .venv and everything built (runs/ stays)
	rm -rf $(VENV) build dist *.egg-info quant_ops/lib .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find quant_ops tq_halp tests experiments -name __pycache__ -type d -prune -exec rm -rf {} +

# PIP_USER: `user = true` in a pip configuration cannot work inside a virtual environment.
# A missing interpreter, or a link left dangling by an upgrade of Python, makes the set-up stale.
$(RUN):

$(INSTALLED): setup.cfg setup.py pyproject.toml Makefile $(RUN)
	@if [ -e $(INCOMPLETE) ] || ! [ -x $(RUN) ]; then \
	  command -v "$(PYTHON)" >/dev/null || \
	    { echo "set-up: '$(PYTHON)' was not found; name a Python >= 3.10: make PYTHON=..." >&2; exit 1; }; \
	  "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	    { echo "set-up: Python >= 3.10 is needed, '$(PYTHON)' is $$("$(PYTHON)" -V 2>&1);" \
	      "name another: make PYTHON=..." >&2; exit 1; }; \
	  "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo "set-up: '$(PYTHON)' has no venv module: install it (on Debian and Ubuntu:" \
	      "apt install python3-venv), or name another Python: make PYTHON=..." >&2; exit 1; }; \
	  rm -rf $(VENV)/bin && rm -rf $(VENV) && mkdir $(VENV) && touch $(INCOMPLETE) && "$(PYTHON)" -m venv $(VENV); \
	fi
	@touch $(INCOMPLETE)
	@echo "set-up: installing the dependencies into $(VENV) (TensorFlow is a large download) ..."
	@export PIP_USER=0; \
	$(RUN) -m pip install --quiet 'pip>=21.3' && \
	$(RUN) -m pip install --editable '.[test,lint]' || \
	  { echo "set-up: pip failed, see above. If it found no TensorFlow for this Python," \
	    "name another: make clean && make setup PYTHON=python3.12" >&2; exit 1; }
	@mv $(INCOMPLETE) $(INSTALLED)
