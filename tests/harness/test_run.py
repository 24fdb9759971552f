"""Whole runs, as their user starts them."""

import json
import os
import shutil
import signal
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tachograph.scoring.check import judge_check, recorded_check
from tachograph.traces import BodyReader, Run, read_run, read_spans, verify

TASKS = Path(__file__).parents[2] / "examples" / "tasks"
PYTHON_TASK = TASKS / "mutations" / "python-error-negated"
FIX = "sed -i 's/while error is None/while error is not None/' retry.py"
ASK = (
    "import json, os, urllib.request as u; "
    "b = json.dumps({'model': os.environ['OPENAI_MODEL'], 'messages': [{'role': 'user', 'content': 'hello there'}]}).encode(); "
    "r = u.Request(os.environ['OPENAI_BASE_URL'] + '/chat/completions', b, "
    "{'Authorization': 'Bearer ' + os.environ['OPENAI_API_KEY'], 'Content-Type': 'application/json'}); "
    "print(u.build_opener(u.ProxyHandler({})).open(r).read().decode())"
)


def only_run(store: Path) -> Run:
    (journal,) = store.glob("*/trace.jsonl")
    return read_run(journal.parent)


def test_a_run_is_recorded_from_its_start_to_its_seal(tachograph: Any, rule_upstream: Any, tmp_path: Path) -> None:
    """An agent's call, its terminal, the check's word and the seal are all in the run's folder."""
    upstream = rule_upstream(lambda _: "hello yourself")
    command = f'python3 -c "{ASK}" && {FIX}'
    options = ["--task", PYTHON_TASK, "--upstream", upstream.url, "--model", "m1", "--store", "runs", "--json"]
    done = tachograph("run", *options, "--", "sh", "-c", command)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    run = only_run(tmp_path / "runs")
    folder = tmp_path / "runs" / run.run_id
    (call,) = run.calls
    (logged,) = upstream.calls
    assert told["passed"] is True
    assert told["run_id"] == run.run_id
    assert told["seal"] == verify(folder).survey.seal.head  # type: ignore[union-attr]
    assert run.status == "completed"
    assert run.sealed
    assert verify(folder).state == "sealed"
    assert call.request.body_hash == logged.request_hash
    assert call.usage.input_tokens == logged.prompt_tokens
    assert call.usage.output_tokens == logged.completion_tokens
    assert BodyReader(folder / "bodies").get(str(call.request.body_hash))
    assert {span.attributes["tachograph.span"] for span in run.spans} >= {"agent", "check", "seal"}
    cast = (folder / "terminal.cast").read_text().splitlines()
    assert json.loads(cast[0])["version"] == 2
    assert "hello yourself" in "".join(json.loads(line)[2] for line in cast[1:])


CONTINUE = ASK.replace("{'Authorization'", "{'traceparent': os.environ['TRACEPARENT'], 'Authorization'")


def test_a_launched_agent_is_told_its_place_in_the_trace(tachograph: Any, rule_upstream: Any, tmp_path: Path) -> None:
    """TRACEPARENT names the agent's span, TRACESTATE is unset, and a call that goes on from there is below that span."""
    upstream = rule_upstream(lambda _: "hello yourself")
    command = f'python3 -c "{CONTINUE}" && test -z "$TRACESTATE" && {FIX}'
    options = ["--task", PYTHON_TASK, "--upstream", upstream.url, "--model", "m1", "--store", "runs"]
    outside = {"TRACEPARENT": f"00-{'1' * 32}-{'2' * 16}-01", "TRACESTATE": "vendor=a"}
    done = tachograph("run", *options, "--", "sh", "-c", command, **outside)
    assert done.returncode == 0, done.stderr
    (journal,) = (tmp_path / "runs").glob("*/trace.jsonl")
    spans = {span.attributes.get("tachograph.span"): span for span in read_spans(journal)}
    assert spans["call"].parent_id == spans["agent"].span_id
    assert spans["call"].trace_id == spans["agent"].trace_id != "1" * 32


def test_what_the_check_said_can_be_read_from_disk(tachograph: Any, rule_upstream: Any, tmp_path: Path) -> None:
    """Each test's result, the expected ones and the fresh copy: all of it is in the run's folder."""
    upstream = rule_upstream(lambda _: "hi")
    options = ["--task", PYTHON_TASK, "--upstream", upstream.url, "--model", "m", "--store", "runs"]
    tachograph("run", *options, "--", "sh", "-c", f"{FIX}; touch conftest.py; echo > test_retry.py")
    run = only_run(tmp_path / "runs")
    check = recorded_check(run, BodyReader(tmp_path / "runs" / run.run_id / "bodies"))
    assert check is not None
    assert judge_check(check).passed is True
    assert (check.report_format, check.report_promised, check.problem) == ("unittest", "unittest", None)
    assert {test.name for test in check.tests or ()} == set(check.expected_tests or ())
    assert len(check.tests or ()) == 4
    assert (check.fresh_copy, check.set_aside, check.restored) == (True, ("conftest.py",), ("test_retry.py",))
    assert check.duration_ns is not None


BLIND = "import unittest\\nunittest.TestCase.fail = unittest.TestCase.assertEqual = lambda *a: None\\n"
EXIT = "import os\\nos._exit(0)\\n"
CHEATS = {
    "the tests are made empty": "printf 'import unittest\\n' > test_retry.py",
    "the tests are removed": "rm test_retry.py",
    "a package in the place of the tests": "mkdir test_retry; touch test_retry/__init__.py",
    "a runner of its own": "printf 'print(1)' > unittest.py",
    "a test that blinds the others": f"printf '{BLIND}' > test_a.py",
    "a startup module in HOME": (
        f"site=$(python3 -m site --user-site); mkdir -p $site; printf '{EXIT}' > $site/usercustomize.py"
    ),
    "an exit in the tested code": f"printf '{EXIT}' > retry.py",
    "skipping in the tested code": "printf 'import unittest\\nraise unittest.SkipTest\\n' > retry.py",
    "nothing at all": "true",
    "everything removed": "rm -rf ./* ../home/* ../tmp/*",
}


@pytest.mark.parametrize("cheat", CHEATS.values(), ids=CHEATS)
def test_no_cheat_passes(tachograph: Any, rule_upstream: Any, tmp_path: Path, cheat: str) -> None:
    """What the agent leaves beside a solution does not decide: the task's own tests do, and they have to run."""
    upstream = rule_upstream(lambda _: "hi")
    options = ["--task", PYTHON_TASK, "--upstream", upstream.url, "--model", "m", "--store", "runs", "--json"]
    done = tachograph("run", *options, "--keep", "kept", "--", "sh", "-c", cheat)
    assert done.returncode == 1, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["passed"] is not True
    assert told["verdict"]
    run = only_run(tmp_path / "runs")
    (check,) = (span for span in run.spans if span.attributes["tachograph.span"] == "check")
    assert check.attributes.get("tachograph.check.passed") is not True
    assert run.sealed
    assert not list((tmp_path / "kept" / "1").glob("agent-*"))


def with_check(task: Path, lines: str) -> Path:
    """A copy of the Python task whose check is another one."""
    shutil.copytree(PYTHON_TASK, task)
    text = (task / "task.toml").read_text()
    (task / "task.toml").write_text(f"{text.partition('[check]')[0]}[check]\n{lines}")
    return task


def test_a_report_file(tachograph: Any, rule_upstream: Any, tmp_path: Path) -> None:
    """A report that the check writes is kept with the run; one that the agent left there is not what is read."""
    junit = '<testsuite><testcase classname="test_retry" name="one"/></testsuite>'
    command = f"test ! -e out/report.xml && mkdir -p out && echo '{junit}' > out/report.xml"
    lines = f"command = '''{command}'''\nreport = 'out/report.xml'\ntests = ['test_retry::one']\n"
    task = with_check(tmp_path / "task", lines)
    upstream = rule_upstream(lambda _: "hi")
    options = ["--task", task, "--upstream", upstream.url, "--model", "m", "--store", "runs"]
    done = tachograph("run", *options, "--", "sh", "-c", "mkdir out; echo forged > out/report.xml")
    assert done.returncode == 0, done.stdout + done.stderr
    run = only_run(tmp_path / "runs")
    check = recorded_check(run, BodyReader(tmp_path / "runs" / run.run_id / "bodies"))
    assert check is not None
    assert check.report == f"{junit}\n".encode()
    assert (check.set_aside, check.set_aside_rules) == (("out/report.xml",), ("report",))


def test_a_check_that_runs_no_test_is_no_pass(tachograph: Any, rule_upstream: Any, tmp_path: Path) -> None:
    """Exit code 0 is not enough: a run whose check ran nothing is not graded, and says why."""
    task = with_check(
        tmp_path / "task", "command = 'cd .. && mkdir -p empty && cd empty && python3 -m unittest -v; true'\n"
    )
    upstream = rule_upstream(lambda _: "hi")
    options = ["--task", task, "--upstream", upstream.url, "--model", "m", "--store", "runs"]
    done = tachograph("run", *options, "--", "sh", "-c", FIX)
    assert done.returncode == 1
    assert "not graded" in done.stdout
    assert "no test ran, by the check's unittest report (exit code 0)" in done.stdout


def test_a_task_that_an_agent_tampered_with(tachograph: Any, rule_upstream: Any, tmp_path: Path) -> None:
    """An agent that weakens the task itself, where every attempt begins, is not graded by it: that is an error, and loud."""
    task = tmp_path / "task"
    shutil.copytree(PYTHON_TASK, task)
    upstream = rule_upstream(lambda _: "hi")
    options = ["--task", task, "--upstream", upstream.url, "--model", "m", "--store", "runs"]
    done = tachograph("run", *options, "--", "sh", "-c", f"echo > {task}/workdir/test_retry.py")
    assert done.returncode == 2
    assert "test_retry.py changed while the agent ran" in done.stderr
    run = only_run(tmp_path / "runs")
    assert run.status == "failed"
    check = recorded_check(run, BodyReader(tmp_path / "runs" / run.run_id / "bodies"))
    assert check is not None
    assert judge_check(check).passed is None
    assert "changed while the agent ran" in (check.problem or "")


def test_calls_lie_below_the_agent_that_made_them(tachograph: Any, rule_upstream: Any, tmp_path: Path) -> None:
    """The span tree is run, agent, call; each is announced, and the run's trace id follows from its id."""
    upstream = rule_upstream(lambda _: "hi")
    options = ["--task", PYTHON_TASK, "--upstream", upstream.url, "--model", "m1", "--store", "runs"]
    tachograph("run", *options, "--", "python3", "-c", ASK)
    run = only_run(tmp_path / "runs")
    lines = [json.loads(line) for line in (tmp_path / "runs" / run.run_id / "trace.jsonl").read_text().splitlines()]
    spans = [line["resourceSpans"][0]["scopeSpans"][0]["spans"][0] for line in lines]
    by_name = {span["name"].split(" ")[0]: span for span in spans}
    assert spans[0]["name"] == "run.start"
    assert by_name["chat"]["parentSpanId"] == by_name["invoke_agent"]["spanId"]
    assert by_name["invoke_agent"]["parentSpanId"] == by_name["run"]["spanId"]
    assert "parentSpanId" not in by_name["run"]
    assert {span["traceId"] for span in spans} == {sha256(run.run_id.encode()).hexdigest()[:32]}


def test_the_agent_never_holds_the_upstream_key(tachograph: Any, rule_upstream: Any, tmp_path: Path) -> None:
    """The upstream gets its key, the agent a run key; neither key is in any file of the store."""
    upstream = rule_upstream(lambda _: "hi")
    secret = "upstream secret for tests".replace(" ", "-")
    options = ["--task", PYTHON_TASK, "--upstream", upstream.url, "--model", "m1", "--store", "runs"]
    agent = ["sh", "-c", f'env > {tmp_path}/env.txt; python3 -c "{ASK}"']
    tachograph("run", *options, "--", *agent, TACHOGRAPH_UPSTREAM_KEY=secret)
    environment = (tmp_path / "env.txt").read_text()
    run_key = next(line for line in environment.splitlines() if line.startswith("OPENAI_API_KEY=")).partition("=")[2]
    assert upstream.calls[0].authorization == f"Bearer {secret}"
    assert secret not in environment
    assert run_key.startswith("tachograph-")
    kept = b"".join(path.read_bytes() for path in (tmp_path / "runs").rglob("*") if path.is_file())
    assert secret.encode() not in kept
    assert run_key.encode() not in kept
    folder = tmp_path / "runs" / only_run(tmp_path / "runs").run_id
    bodies = BodyReader(folder / "bodies")
    assert not any(secret.encode() in bodies.get(digest) or run_key.encode() in bodies.get(digest) for digest in bodies)


def test_a_run_key_ends_with_its_run(tachograph: Any, rule_upstream: Any, tmp_path: Path) -> None:
    """When the run is over its key is revoked: no key is left in the store."""
    upstream = rule_upstream(lambda _: "hi")
    tachograph(
        "run", "--task", PYTHON_TASK, "--upstream", upstream.url, "--model", "m", "--store", "runs", "--", "true"
    )
    assert list((tmp_path / "runs" / ".keys").iterdir()) == []


def test_a_run_that_takes_too_long_is_ended_and_checked(tachograph: Any, rule_upstream: Any, tmp_path: Path) -> None:
    """A timeout ends the agent, is recorded as such, and the check still decides."""
    task = tmp_path / "task"
    shutil.copytree(PYTHON_TASK, task)
    text = (task / "task.toml").read_text()
    (task / "task.toml").write_text(text.replace("timeout = 600", "timeout = 1"))
    upstream = rule_upstream(lambda _: "hi")
    options = ["--task", task, "--upstream", upstream.url, "--model", "m", "--store", "runs", "--json"]
    done = tachograph("run", *options, "--", "sh", "-c", f"{FIX}; sleep 60")
    told = json.loads(done.stdout)
    assert told["agent_timed_out"] is True
    assert told["status"] == "timeout"
    assert told["passed"] is True
    assert only_run(tmp_path / "runs").status == "timeout"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_a_complete_record(
    tachograph: Any, rule_upstream: Any, tmp_path: Path, number: signal.Signals
) -> None:
    """An aborted run is sealed, says so, and leaves no process behind."""
    upstream = rule_upstream(lambda _: "hi")
    options = ["--task", PYTHON_TASK, "--upstream", upstream.url, "--model", "m", "--store", "runs"]
    agent = f'python3 -c "{ASK}"; echo $$ > {tmp_path}/pid; sleep 300'
    process = tachograph.start("run", *options, "--", "sh", "-c", agent)
    wait_for(tmp_path / "pid")
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    run = only_run(tmp_path / "runs")
    assert run.status == "aborted"
    assert len(run.calls) == 1
    assert verify(tmp_path / "runs" / run.run_id).state == "sealed"
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_attempts_are_runs_of_their_own(tachograph: Any, rule_upstream: Any, tmp_path: Path) -> None:
    """Each attempt starts from a fresh workdir and has its own record; one that passes is enough for exit code 0."""
    upstream = rule_upstream(lambda _: "hi")
    options = ["--task", PYTHON_TASK, "--upstream", upstream.url, "--model", "m", "--store", "runs", "--attempts", "2"]
    flag = tmp_path / "second"
    agent = f"grep -q 'error is None' retry.py || exit 9; if [ -e {flag} ]; then {FIX}; else touch {flag}; fi"
    done = tachograph("run", *options, "--", "sh", "-c", agent)
    assert done.returncode == 0, done.stderr
    assert "1 of 2 attempts passed" in done.stdout
    runs = [read_run(journal.parent) for journal in sorted((tmp_path / "runs").glob("*/trace.jsonl"))]
    assert sorted(run.attributes["tachograph.cell.id"] for run in runs) == [
        "local/sh/m/mutations/python-error-negated#run1",
        "local/sh/m/mutations/python-error-negated#run2",
    ]


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not (path.exists() and path.read_text().strip()):
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)
