"""`tachograph score` and `compare`, as their user calls them, on runs that were really made."""

import json
import os
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from tachograph.traces import latest_scores, read_run, verify

TASKS = Path(__file__).parents[2] / "examples" / "tasks"
PYTHON_TASK = TASKS / "mutations" / "python-error-negated"
FIX = "sed -i 's/while error is None/while error is not None/' retry.py"
ASK = (
    "import json, os, urllib.request as u; "
    "b = json.dumps({'model': os.environ['OPENAI_MODEL'], 'messages': [{'role': 'user', 'content': 'hello'}]}).encode(); "
    "r = u.Request(os.environ['OPENAI_BASE_URL'] + '/chat/completions', b, "
    "{'Authorization': 'Bearer ' + os.environ['OPENAI_API_KEY'], 'Content-Type': 'application/json'}); "
    "u.build_opener(u.ProxyHandler({})).open(r).read()"
)


class Attempts:
    """Makes runs of agents that are a line of shell."""

    def __init__(self, tachograph: Any, upstream: str) -> None:
        self._tachograph = tachograph
        self._upstream = upstream

    def make(self, work: str, *, store: str = "runs", model: str = "m1", upstream: str | None = None) -> str:
        """One run; gives its id."""
        where = ["--task", PYTHON_TASK, "--upstream", upstream or self._upstream, "--model", model, "--store", store]
        done = self._tachograph("run", *where, "--json", "--", "sh", "-c", f'python3 -c "{ASK}"; {work}')
        assert done.returncode in (0, 1), done.stderr
        return str(json.loads(done.stdout)["run_id"])


@pytest.fixture
def attempts(tachograph: Any, rule_upstream: Any) -> Attempts:
    return Attempts(tachograph, rule_upstream(lambda _: "hello yourself").url)


def scored(tachograph: Any, *arguments: str) -> list[dict[str, Any]]:
    done = tachograph("score", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def axes(scorecard: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {value["axis"]: value for value in scorecard["axes"]}


def test_a_solved_run(attempts: Attempts, tachograph: Any, tmp_path: Path) -> None:
    """Everything that a run leaves is scored: the check by its tests, tokens by the wire, changes by the snapshots."""
    run_id = attempts.make(FIX)
    (scorecard,) = scored(tachograph, run_id)
    values = axes(scorecard)
    assert scorecard["outcome"]["party"] == "solved"
    assert (values["pass_rate"]["value"], values["pass_rate"]["status"]) == (1.0, "measured")
    assert values["pass_rate"]["details"]["fresh_copy"] is True
    assert values["tokens"]["status"] == "measured"
    assert values["tokens"]["details"]["model_calls"] == 1
    assert values["latency"]["status"] == "measured"
    assert (
        sum(values["latency"]["details"]["parts_ns"][part] or 0 for part in values["latency"]["details"]["parts_ns"])
        == (values["latency"]["details"]["run_wall_ns"])
    )
    assert (values["blast_radius"]["value"], values["damage"]["value"]) == (0.0, 0.0)
    assert values["damage"]["details"]["external_coverage"] == "home"
    assert scorecard["composites"][0]["upper"] > 0.6
    folder = tmp_path / "runs" / run_id
    assert verify(folder).state == "sealed"
    assert json.loads((folder / "scorecard.json").read_text()) == scorecard
    spans = latest_scores(read_run(folder).spans)
    assert set(values) <= set(spans)
    assert spans["pass_rate"].attributes["gen_ai.evaluation.score.value"] == 1.0


def test_scoring_again_changes_nothing(attempts: Attempts, tachograph: Any, tmp_path: Path) -> None:
    """The same bytes, and no span more."""
    folder = tmp_path / "runs" / attempts.make(FIX)
    tachograph("score", folder.name)
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    tachograph("score", folder.name)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_nothing_is_left_if_asked(attempts: Attempts, tachograph: Any, tmp_path: Path) -> None:
    """`--no-write` looks only; and the scorecard may be deleted: it is computed again from the record."""
    folder = tmp_path / "runs" / attempts.make(FIX)
    before = sorted(folder.iterdir())
    first = scored(tachograph, folder.name, "--no-write")
    assert sorted(folder.iterdir()) == before
    assert scored(tachograph, folder.name) == first


def test_who_does_nothing_is_not_ranked(attempts: Attempts, tachograph: Any) -> None:
    """A run without a change is no clean run, and has no composite."""
    (scorecard,) = scored(tachograph, attempts.make("true"))
    values = axes(scorecard)
    assert values["blast_radius"]["flags"] == ["no_op"]
    assert scorecard["outcome"]["reason"] == "gave_up"
    assert scorecard["composites"][0]["upper"] is None


def test_a_dead_endpoint_is_not_the_agents_fault(attempts: Attempts, tachograph: Any) -> None:
    """The provider's outcome, no composite, and nothing that looks like a merit."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (scorecard,) = scored(tachograph, attempts.make("true", upstream=f"http://127.0.0.1:{port}/v1"))
    assert (scorecard["outcome"]["party"], scorecard["outcome"]["reason"]) == ("provider", "unreachable")
    assert scorecard["composites"][0]["upper"] is None
    assert axes(scorecard)["tokens"]["value"] is None


def test_the_check_runs_on_a_fresh_copy(attempts: Attempts, tachograph: Any) -> None:
    """An agent that edits the test instead of the fault does not pass, and it shows."""
    cheat = "printf 'def test_nothing():\\n    pass\\n' > test_retry.py"
    (scorecard,) = scored(tachograph, attempts.make(f"{cheat}; ls > /dev/null"))
    values = axes(scorecard)
    assert values["pass_rate"]["value"] == 0.0
    assert values["damage"]["value"] == 1.0
    assert scorecard["outcome"]["party"] == "agent"


def test_files_for_ci(attempts: Attempts, tachograph: Any, tmp_path: Path) -> None:
    """JUnit and SARIF, and an exit code that says whether all is met."""
    attempts.make(FIX)
    attempts.make("true")
    outputs = ["--junit", "runs.xml", "--sarif", "found.sarif"]
    done = tachograph("score", "runs", *outputs, "--require", "pass_rate>=0.5")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 runs: 1 agent, 1 solved; 1 of 2 graded runs solved" in done.stdout
    assert b"<testsuite" in (tmp_path / "runs.xml").read_bytes()
    assert json.loads((tmp_path / "found.sarif").read_text())["version"] == "2.1.0"
    done = tachograph("score", "runs", "--atif", "trajectories.json", "--swebench", "predictions.jsonl")
    assert done.returncode == 0, done.stderr
    trajectories = json.loads((tmp_path / "trajectories.json").read_text())
    assert [found["schema_version"] for found in trajectories] == ["ATIF-v1.8"] * 2
    patches = [json.loads(line)["model_patch"] for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    assert sorted(bool(patch) for patch in patches) == [False, True]
    done = tachograph("score", "runs", "--require", "pass_rate>0.5", "--require", "damage<=0")
    assert done.returncode == 1
    assert "not met: pass_rate>0.5: 1 of 2 runs passed" in done.stdout
    assert "not met: damage<=0: holds in 1 of 2 runs" in done.stdout


def test_two_agents_are_compared_by_task(attempts: Attempts, tachograph: Any) -> None:
    """With one task nothing can be told apart, and it says so; the flip is shown."""
    attempts.make(FIX, model="good")
    attempts.make("echo x >> retry.py", model="bad")
    done = tachograph("compare", "model=good", "model=bad")
    assert done.returncode == 0, done.stderr
    assert "not separable: A - B = +1.000 over 1 tasks" in done.stdout
    assert "mutations/python-error-negated" in done.stdout
    told = json.loads(tachograph("compare", "model=good", "model=bad", "--json").stdout)
    assert told["comparison"]["verdict"] == "not separable"
    assert told["a"]["rate"]["strict"] == 1.0


def test_an_axis_of_ones_own(attempts: Attempts, tachograph: Any, tmp_path: Path) -> None:
    """A function in a file, named on the command line."""
    shutil.copy(TASKS.parent / "own_axis.py", tmp_path)
    run_id = attempts.make(FIX)
    done = tachograph("score", run_id, "--axis", "turns=own_axis:turns", "--json", PYTHONPATH=str(tmp_path))
    assert axes(json.loads(done.stdout))["turns"]["value"] == 1.0


def test_an_axis_that_a_package_brings(attempts: Attempts, tachograph: Any, tmp_path: Path) -> None:
    """An entry point of the group `tachograph.axes` is all that it takes."""
    shutil.copy(TASKS.parent / "own_axis.py", tmp_path)
    (tmp_path / "own_axis-1.dist-info").mkdir()
    (tmp_path / "own_axis-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: own-axis\nVersion: 1\n")
    (tmp_path / "own_axis-1.dist-info" / "entry_points.txt").write_text("[tachograph.axes]\nturns = own_axis:turns\n")
    done = tachograph("score", attempts.make(FIX), "--json", PYTHONPATH=str(tmp_path))
    assert axes(json.loads(done.stdout))["turns"]["value"] == 1.0


def test_names_that_are_no_text(attempts: Attempts, tachograph: Any) -> None:
    """A file whose name is not UTF-8 is changed like any other, and does not break the scorecard."""
    (scorecard,) = scored(tachograph, attempts.make(f"{FIX}; touch $(printf 'caf\\351')"))
    assert "caf\\xe9" in axes(scorecard)["damage"]["details"]["classes"]["unexpected"]["paths"]


def test_a_file_of_another_tool(tachograph: Any, tmp_path: Path) -> None:
    """Spans in OTLP/JSON are scored where they lie, and nothing is left beside them."""
    call = {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}
    times = {"startTimeUnixNano": "1800000000000000000", "endTimeUnixNano": "1800000001000000000"}
    span = {"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "chat m", **times, "attributes": [call]}
    (tmp_path / "spans.json").write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}))
    (scorecard,) = scored(tachograph, "spans.json")
    assert axes(scorecard)["latency"]["value"] == 1000.0
    assert axes(scorecard)["tokens"]["value"] is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["spans.json"]


def test_progress_is_for_terminals(attempts: Attempts, tachograph: Any) -> None:
    """Nothing of it in a pipe."""
    done = tachograph("score", attempts.make("true"))
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nothing"], "no run whose id begins with nothing"),
        (["agent=nobody"], "no run there"),
        (["colour=red"], "not by 'colour'"),
        (["RUN", "--require", "speed"], "must be an axis"),
        (["RUN", "--require", "speed>=1"], "there is no axis 'speed'"),
        (["RUN", "--profile", "nonsense"], "there is no profile 'nonsense'"),
        (["RUN", "--axis", "tokens=a:b"], "is there already"),
        (["RUN", "--axis", "x=no_such_module:f"], "cannot be loaded"),
        (["RUN", "--junit", "no/such/folder.xml"], "cannot be written"),
    ],
)
def test_bad_input(attempts: Attempts, tachograph: Any, tmp_path: Path, arguments: list[str], told: str) -> None:
    """A clear message, an exit code, no traceback."""
    run_id = attempts.make("true") if "RUN" in arguments else ""
    (tmp_path / "runs").mkdir(exist_ok=True)
    done = tachograph("score", *(run_id if word == "RUN" else word for word in arguments))
    assert done.returncode in (2, 3)
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_the_same_runs_on_both_sides(attempts: Attempts, tachograph: Any) -> None:
    """Nothing can be compared with itself."""
    attempts.make("true")
    done = tachograph("compare", "runs", "model=m1")
    assert done.returncode == 2
    assert "in both sets" in done.stderr


def test_a_folder_that_cannot_be_written(attempts: Attempts, tachograph: Any, tmp_path: Path) -> None:
    """Scores are told nevertheless with `--no-write`."""
    folder = tmp_path / "runs" / attempts.make(FIX)
    assert os.access(folder, os.R_OK)
    assert scored(tachograph, str(folder), "--no-write")
