# Every target sets up what it needs in .venv first; that happens once, and again when pyproject.toml changes.
PYTHON ?= python3
VENV ?= .venv
READY := $(VENV)/.ready

.PHONY: demo test lint fuzz faults soak mutants audit bench train clean

demo: $(READY)
	$(VENV)/bin/wct demo --overwrite

# Two files at a time, each on one thread: two thirds of the time on two cores.
test: $(READY)
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

lint: $(READY)
	$(VENV)/bin/python -m ruff check .
	$(VENV)/bin/python -m ruff format --check .
	$(VENV)/bin/python -m mypy

# Damaged files, and what comes of them: make fuzz N=50000 SEED=7. A few hundred are among the tests.
N ?= 5000
SEED ?= 0
fuzz: $(READY)
	PYTHONPATH=tests $(VENV)/bin/python -m fuzz --n $(N) --seed $(SEED)

# Verbs that are stopped, or run out of disk or memory, at random moments: make faults N=500
faults: N = 200
faults: $(READY)
	PYTHONPATH=tests $(VENV)/bin/python -m faults --n $(N) --seed $(SEED)

# Long runs: a thousand stylisations, then visitors of the page at once.
soak: $(READY)
	$(VENV)/bin/python tests/soak.py

# Small changes to the algebra, and whether a test sees each; the changed copies are in mutants/.
mutants: $(READY)
	$(VENV)/bin/python -m pip install --quiet 'mutmut>=3.3'
	rm -rf mutants
	CI=1 OMP_NUM_THREADS=1 $(VENV)/bin/python -m mutmut run --max-children 2
	$(VENV)/bin/python -m mutmut results

# What is known of the installed packages; it asks the package index.
audit: $(READY)
	$(VENV)/bin/python -m pip install --quiet pip-audit
	$(VENV)/bin/python -m pip_audit --skip-editable

# Of the other models, VGG-19's weights come from a file: make bench VGG=vgg19.safetensors
bench: $(READY)
	$(VENV)/bin/wct bench --reference $(if $(VGG),--vgg $(VGG))
	$(VENV)/bin/python tests/benchmarks/run.py

# The recipe of the shipped model: make train DATA="photos/ more.tar" VGG=vgg19.safetensors. A stopped run goes on.
RECIPE ?= decoders/recipes/compact.toml
RUN ?= runs/compact
TRAIN = $(RECIPE) $(addprefix --data ,$(DATA)) $(if $(VGG),--vgg $(VGG)) --run $(RUN)
train: $(READY)
	$(VENV)/bin/wct train encoder $(TRAIN) $(if $(wildcard $(RUN)/encoder.pt),--resume)
	$(VENV)/bin/wct train decoders $(TRAIN) $(if $(wildcard $(RUN)/decoder.pt),--resume)

clean:
	rm -rf $(VENV) build dist mutants .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "wct needs Python 3.11 or newer with venv, named $(PYTHON); install it, or name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --editable '.[dev,demo]'
	@touch $@
