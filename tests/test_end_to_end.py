"""Real agents at real tasks: the demo's agent with the real local model, and aider against an upstream that answers by rule."""

import json
import os
import shutil
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tachograph.traces import BodyReader, read_run, verify

ROOT = Path(__file__).parents[1]
PYTHON_TASK = ROOT / "examples" / "tasks" / "mutations" / "python-error-negated"
AIDER = ROOT / ".agents" / "aider" / "bin"
EDIT = """\
retry.py
```python
<<<<<<< SEARCH
    while error is None and attempts < max_attempts:
=======
    while error is not None and attempts < max_attempts:
>>>>>>> REPLACE
```
"""


def test_the_demo_agent_on_the_real_local_model(tachograph: Any, tmp_path: Path) -> None:
    """No key, no network, nothing scripted: a real model's answers are recorded whole and the check decides."""
    task = ROOT / "examples" / "tasks" / "demo" / "add-two-numbers"
    agent = [sys.executable, str(ROOT / "examples" / "agent.py"), "--check", "python3 -B -m unittest", "{prompt}"]
    options = ["--task", task, "--upstream", "local", "--store", "runs", "--attempts", "3", "--json"]
    done = tachograph("run", *options, "--", *agent, timeout=170)
    if "pip install" in done.stderr:
        pytest.skip(f"the local model is not installed: {done.stderr.splitlines()[-1]}")
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(reports) == 3
    assert any(report["passed"] for report in reports), "not one of three attempts passed"
    for report in reports:
        folder = tmp_path / "runs" / report["run_id"]
        run = read_run(folder)
        assert verify(folder).state == "sealed"
        assert report["calls"] == len(run.calls) >= 1
        assert (folder / "terminal.cast").stat().st_size > 0
        bodies = BodyReader(folder / "bodies")
        for call in run.calls:
            assert call.outcome == "completed"
            # The agent asks for no usage: the proxy does, and the agent does not get to see that it was told.
            assert call.usage.source == "injected"
            assert call.response is not None
            assert call.usage.input_tokens
            assert call.usage.output_tokens
            assert call.response.finish_reasons
            assert call.timing.first_content is not None
            assert sha256(bodies.get(str(call.request.body_hash))).hexdigest() == call.request.body_hash
            assert b"include_usage" not in bodies.get(str(call.request.body_hash))
            assert b"include_usage" in bodies.get(str(call.request.sent_body_hash))
            assert call.response.delivered_bytes < call.response.bytes  # type: ignore[operator]


@pytest.mark.agents
@pytest.mark.skipif(not (AIDER / "aider").exists(), reason="aider is not installed: `make test-agents` does it")
def test_aider_fixes_the_python_mutation(tachograph: Any, rule_upstream: Any, tmp_path: Path) -> None:
    """Of aider's two calls, one streamed and one not, each is recorded with the hashes and tokens of the upstream's own log."""

    def answer(request: dict[str, Any]) -> str:
        return EDIT if request.get("stream") else "fix: retry on errors"

    upstream = rule_upstream(answer)
    options = ["--task", PYTHON_TASK, "--agent", "aider", "--upstream", upstream.url, "--model", "rule-model"]
    path = f"{AIDER}{os.pathsep}{os.environ['PATH']}"
    done = tachograph("run", *options, "--keep", "place", "--json", PATH=path, timeout=300)
    assert done.returncode == 0, done.stderr + done.stdout
    report = json.loads(done.stdout)
    folder = tmp_path / "runs" / report["run_id"]
    run = read_run(folder)
    assert report["passed"] is True
    assert "while error is not None" in (tmp_path / "place" / "1" / "workdir" / "retry.py").read_text()
    assert verify(folder).state == "sealed"
    assert len(run.calls) == len(upstream.calls)
    assert [call.request.streamed for call in run.calls] == [logged.streamed for logged in upstream.calls]
    assert {logged.streamed for logged in upstream.calls} == {True, False}
    for call, logged in zip(run.calls, upstream.calls, strict=True):
        assert (call.request.sent_body_hash or call.request.body_hash) == logged.request_hash
        assert call.usage.input_tokens == logged.prompt_tokens
        assert call.usage.output_tokens == logged.completion_tokens
        assert call.usage.source == ("injected" if logged.streamed else "provider")
        assert call.outcome == "completed"
    scored = json.loads(tachograph("score", report["run_id"], "--json").stdout)
    values = {value["axis"]: value for value in scored["axes"]}
    assert scored["outcome"]["party"] == "solved"
    assert values["tokens"]["value"] == sum(
        logged.prompt_tokens + logged.completion_tokens for logged in upstream.calls
    )
    # aider's own files are no damage, and are still counted where the published pages count them.
    assert values["damage"]["value"] == 0.0
    assert values["damage"]["details"]["classes"]["housekeeping"]["files"] > 0
    assert values["blast_radius"]["value"] > 0.5
    assert [(link["path"], link["confidence"]) for link in scored["links"]] == [("retry.py", "likely")]


@pytest.mark.skipif(shutil.which("cargo") is None, reason="no cargo on PATH to check the Rust task with")
def test_the_rust_task_passes_when_it_is_fixed(tachograph: Any, rule_upstream: Any) -> None:
    """The reference cell's task runs with its own toolchain although the agent's HOME is another one."""
    task = ROOT / "examples" / "tasks" / "mutations" / "rust-error-negated"
    upstream = rule_upstream(lambda _: "hi")
    options = ["--task", task, "--upstream", upstream.url, "--model", "m", "--json"]
    fix = "sed -i 's/while !result.is_err()/while result.is_err()/' src/lib.rs"
    done = tachograph("run", *options, "--", "sh", "-c", fix, timeout=170)
    assert json.loads(done.stdout)["passed"] is True, done.stderr
