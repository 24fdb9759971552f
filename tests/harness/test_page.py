"""`tachograph page`: a run as one file, and the commands that the page prints."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tachograph.scoring.pages import page_document

TASKS = Path(__file__).parents[2] / "examples" / "tasks"
TASK = "mutations/python-error-negated"
FIX = "sed -i 's/while error is None/while error is not None/' retry.py"
ASK = (
    "import json, os, urllib.request as u; "
    "b = json.dumps({'model': os.environ['OPENAI_MODEL'], 'messages': [{'role': 'user', 'content': 'hello there'}]}).encode(); "
    "r = u.Request(os.environ['OPENAI_BASE_URL'] + '/chat/completions', b, "
    "{'Authorization': 'Bearer ' + os.environ['OPENAI_API_KEY'], 'Content-Type': 'application/json'}); "
    "print(u.build_opener(u.ProxyHandler({})).open(r).read().decode())"
)


@pytest.fixture
def recorded(tachograph: Any, rule_upstream: Any, tmp_path: Path) -> tuple[Any, Path]:
    """A run with an agent of one command line, and its upstream."""
    upstream = rule_upstream(lambda _: "hello yourself")
    options = [
        "--task",
        TASKS / TASK,
        "--upstream",
        upstream.url,
        "--model",
        "m1",
        "--store",
        "runs",
        "--sweep",
        "my sweep",
    ]
    command = f'{sys.executable} -c "{ASK}" && {FIX}'
    done = tachograph("run", *options, "--", "sh", "-c", command)
    assert done.returncode == 0, done.stderr
    (journal,) = (tmp_path / "runs").glob("*/trace.jsonl")
    return upstream, journal.parent


def as_printed(line: str, place: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Start a line as a person would who copies it into a shell, where the task lies."""
    tools = place / "bin"
    tools.mkdir()
    (tools / "tachograph").write_text(f'#!/bin/sh\nexec {sys.executable} -m tachograph.harness "$@"\n')
    (tools / "tachograph").chmod(0o755)
    shutil.copytree(TASKS / TASK, place / TASK)
    known = {name: value for name, value in os.environ.items() if not name.endswith(("_KEY", "_PROXY", "_proxy"))}
    return subprocess.run(
        ["/bin/sh", "-c", line],
        cwd=place,
        env={**known, "PATH": f"{tools}:{os.environ['PATH']}", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_exact_command_runs_as_printed(recorded: tuple[Any, Path], tmp_path: Path) -> None:
    """Copied into a shell it makes such a run again: the same task, agent, model, sweep and endpoint."""
    upstream, folder = recorded
    place = tmp_path / "elsewhere"
    place.mkdir()
    exact = page_document(folder)["rerun"]["exact"]
    done = as_printed(exact, place)
    assert done.returncode == 0, f"{exact}\n{done.stdout}{done.stderr}"
    (journal,) = (place / "runs").glob("*/trace.jsonl")
    first, second = (page_document(where)["scorecard"]["identity"] for where in (folder, journal.parent))
    assert first == second
    assert len(upstream.calls) == 2


def test_with_an_endpoint_of_ones_own(recorded: tuple[Any, Path], rule_upstream: Any, tmp_path: Path) -> None:
    """Endpoint, key and model come from the environment; the key reaches the endpoint and not the record."""
    _, folder = recorded
    own = rule_upstream(lambda _: "hello from elsewhere")
    place = tmp_path / "elsewhere"
    place.mkdir()
    key = "sk-" + "o" * 24
    environment = {"OPENAI_BASE_URL": own.url, "MODEL": "another model", "OPENAI_API_KEY": key}
    done = as_printed(page_document(folder)["rerun"]["own"], place, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    (call,) = own.calls
    assert call.authorization == f"Bearer {key}"
    assert call.request["model"] == "another model"
    (journal,) = (place / "runs").glob("*/trace.jsonl")
    document = page_document(journal.parent)
    assert document["calls"][0]["model_asked"] == "another model"
    assert key not in json.dumps(document)


def test_an_agent_that_is_known_by_name(tachograph: Any, rule_upstream: Any, tmp_path: Path) -> None:
    """One that a file describes is not started by its name: the page gives its command line."""
    upstream = rule_upstream(lambda _: "hello")
    (tmp_path / "mine.toml").write_text(f'name = "mine"\nargv = ["sh", "-c", {json.dumps(FIX)}]\n')
    options = ["--task", TASKS / TASK, "--upstream", upstream.url, "--model", "m1", "--store", "runs"]
    done = tachograph("run", *options, "--agent", "mine.toml")
    assert done.returncode == 0, done.stderr
    (journal,) = (tmp_path / "runs").glob("*/trace.jsonl")
    assert " -- sh -c " in page_document(journal.parent)["rerun"]["exact"]


def test_one_file(recorded: tuple[Any, Path], tachograph: Any, tmp_path: Path) -> None:
    """Written whole or not at all, the same bytes each time, and with a published profile where it is asked for."""
    _, folder = recorded
    for name in ("a.html", "b.html"):
        done = tachograph("page", folder, "-o", name)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    done = tachograph("page", folder, "-o", "c.html", "--profile", "cab-2026-05", "--json")
    told = json.loads(done.stdout)
    page = (tmp_path / "c.html").read_text()
    assert told == {"page": "c.html", "bytes": len(page.encode())}
    assert "sweep-level normalisation" in page
    assert "sweep-level normalisation" not in (tmp_path / "a.html").read_text()
    assert not list(tmp_path.glob(".*.html.*"))


def test_a_profile_that_there_is_not(recorded: tuple[Any, Path], tachograph: Any, tmp_path: Path) -> None:
    """A message, and no file."""
    done = tachograph("page", recorded[1], "-o", "a.html", "--profile", "nobodys")
    assert done.returncode != 0
    assert "nobodys" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "a.html").exists()
