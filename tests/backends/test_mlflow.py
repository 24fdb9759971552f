"""MLflow, read back through its own API."""

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tachograph.traces import RunStore
from tests.backends.conftest import Backend, Starter, free_port, installed
from tests.record_exported_run import RUN, record

pytestmark = pytest.mark.backends


@pytest.fixture(scope="module")
def mlflow(start: Starter) -> Backend:
    port = free_port()
    server = [
        installed("mlflow") / "bin/mlflow",
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    kept = ["--backend-store-uri", "sqlite:///m.db", "--default-artifact-root", "./artifacts"]
    # It must not reach outside, and start nothing that outlives it.
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    return start([*server, *kept], port, "/health", **quiet)


def trace_of(mlflow: Backend, run: str) -> dict[str, Any]:
    trace = sha256(run.encode()).hexdigest()[:32]
    found: dict[str, Any] = mlflow.ask(f"/api/3.0/mlflow/traces/get?trace_id=tr-{trace}")["trace"]
    return found


def told(span: dict[str, Any]) -> dict[str, str]:
    return {pair["key"]: json.dumps(pair["value"]) for pair in span["attributes"]}


def send(tachograph: Any, mlflow: Backend, store: Path, run: str, *options: str) -> None:
    done = tachograph("export", "--store", store, run, "--to", mlflow.url, "--profile", "mlflow", *options)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
def test_a_run_in_mlflow(mlflow: Backend, tachograph: Any, tmp_path: Path, protocol: str) -> None:
    """Calls with tokens, session and messages, the tree, the scores; sending all of it again doubles nothing."""
    run = f"{RUN}-{protocol[5:]}"
    record(tmp_path, run)
    for _ in range(2):
        send(tachograph, mlflow, tmp_path, run, "--content", "--protocol", protocol)
        trace = trace_of(mlflow, run)
        spans = {span["span_id"]: span for span in trace["spans"]}
        assert len(spans) == len(trace["spans"]) == 11
        by_name = {span["name"]: span for span in trace["spans"]}
        root, agent = by_name["run list-files"], by_name["invoke_agent a-coder"]
        assert "parent_span_id" not in root
        assert agent["parent_span_id"] == root["span_id"]
        calls = [span for span in trace["spans"] if "CHAT_MODEL" in told(span).get("mlflow.spanType", "")]
        assert [span["parent_span_id"] for span in calls] == [agent["span_id"]] * 4
        assert "There is one file." in told(by_name["chat claude-opus-4"])["mlflow.spanOutputs"]
        about = trace["trace_info"]
        assert about["trace_metadata"]["mlflow.trace.session"] == run
        assert json.loads(about["trace_metadata"]["mlflow.trace.tokenUsage"]) == {
            "input_tokens": 300,
            "output_tokens": 70,
            "total_tokens": 370,
            "cache_read_input_tokens": 60,
            "cache_creation_input_tokens": 30,
        }
        assert len(about["assessments"]) == 3
        scores = {one["assessment_name"]: one["feedback"] for one in about["assessments"]}
        assert scores["pass_rate"] == {"value": 1.0}
        assert scores["tokens"] == {"value": 370.0}
        assert scores["cost"]["error"]["error_message"] == "the model has no known price"
        shutil.rmtree(tmp_path / ".exports")


def test_nothing_that_was_said_unless_asked(mlflow: Backend, tachograph: Any, tmp_path: Path) -> None:
    """The messages stay here; the calls are there all the same."""
    record(tmp_path, "quiet")
    send(tachograph, mlflow, tmp_path, "quiet")
    spans = trace_of(mlflow, "quiet")["spans"]
    assert len(spans) == 11
    assert not [name for span in spans for name in told(span) if "messages" in name or "mlflow.spanInputs" in name]


def test_a_run_that_was_killed_in_mlflow(mlflow: Backend, tachograph: Any, tmp_path: Path) -> None:
    """Its root, its agent and the call in flight are there; when it goes on, its root takes the place of the one made up."""
    record(tmp_path, "killed", killed=True)
    send(tachograph, mlflow, tmp_path, "killed")
    trace = trace_of(mlflow, "killed")
    assert len(trace["spans"]) == 7
    assert trace["trace_info"]["state"] == "ERROR"
    run = RunStore(tmp_path).open_run("killed")
    run.close()
    send(tachograph, mlflow, tmp_path, "killed")
    spans = trace_of(mlflow, "killed")["spans"]
    assert len(spans) == 7
    (root,) = [span for span in spans if "parent_span_id" not in span]
    assert root["status"] == {}
