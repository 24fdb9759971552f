"""What an agent in a sandbox can do and cannot, by a real one."""

import json
import random
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tachograph.harness._sandbox import require_sandbox
from tachograph.traces import LaunchError, read_calls, read_run, verify

PYTHON_TASK = Path(__file__).parents[2] / "examples" / "tasks" / "mutations" / "python-error-negated"
needs_bubblewrap = pytest.mark.skipif(
    shutil.which("bwrap") is None, reason="bubblewrap is not installed: apt install bubblewrap"
)
FIX = "sed -i 's/while error is None/while error is not None/' retry.py"
LOOK = """
import json, os, pathlib, socket, urllib.request

def reached(host, port):
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True

def written(path):
    try:
        pathlib.Path(path, "written").write_text("x")
    except OSError:
        return False
    return True

ask = {"model": os.environ["OPENAI_MODEL"], "messages": [{"role": "user", "content": "hello"}]}
headers = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "Content-Type": "application/json"}
request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", json.dumps(ask).encode(), headers)
answer = json.load(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request))
print("SEEN " + json.dumps({
    "answer": answer["choices"][0]["message"]["content"],
    "traceparent": os.environ["TRACEPARENT"],
    "secret": os.path.exists(SECRET),
    "store": os.path.exists(STORE),
    "upstream": reached("127.0.0.1", UPSTREAM),
    "written": [path for path in (".", os.environ["HOME"], os.environ["TMPDIR"], "/tmp", "/usr", "/etc", "/") if written(path)],
    "processes": len([name for name in os.listdir("/proc") if name.isdigit()]),
}))
"""


def agent(*, secret: Path, store: Path, upstream: str) -> list[str]:
    port = upstream.rpartition(":")[2].removesuffix("/v1")
    known = f"SECRET, STORE, UPSTREAM = {str(secret)!r}, {str(store)!r}, {port}\n"
    return [sys.executable, "-c", known + LOOK]


@needs_bubblewrap
def test_a_sandbox_has_one_way_out(tachograph: Any, rule_upstream: Any, tmp_path: Path) -> None:
    """The proxy is reached and the task is done; other files, other ports and other processes are not there."""
    upstream = rule_upstream(lambda _: "hello yourself")
    secret = tmp_path / "secret"
    secret.write_text("x")
    look = agent(secret=secret, store=tmp_path / "runs", upstream=upstream.url)
    options = [
        "--task",
        PYTHON_TASK,
        "--upstream",
        upstream.url,
        "--model",
        "m",
        "--store",
        "runs",
        "--json",
        "--sandbox",
    ]
    done = tachograph("run", *options, "--", "sh", "-c", f'"$@" && {FIX}', "sh", *look)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "runs" / json.loads(done.stdout)["run_id"]
    said = "".join(json.loads(line)[2] for line in (folder / "terminal.cast").read_text().splitlines()[1:])
    seen = json.loads(said.partition("SEEN ")[2].replace("\r\n", ""))
    assert seen["answer"] == "hello yourself"
    (agents,) = (span for span in read_run(folder).spans if span.attributes["tachograph.span"] == "agent")
    assert seen["traceparent"] == f"00-{agents.trace_id}-{agents.span_id}-01"
    assert not seen["secret"]
    assert not seen["store"]
    assert not seen["upstream"]
    assert len(seen["written"]) == 4, "workdir, HOME, its temporary folder, and a /tmp of its own"
    assert seen["processes"] < 8
    assert [call.outcome for call in read_calls(folder)] == ["completed"]
    assert verify(folder).state == "sealed"


@needs_bubblewrap
@pytest.mark.parametrize(("line", "code"), [("exit 7", 7), ("kill -9 $$", -9), ("no-such-program", 127)])
def test_how_it_ended_comes_out(tachograph: Any, rule_upstream: Any, line: str, code: int) -> None:
    """An exit code is an exit code, and a signal one or what a shell makes of it."""
    upstream = rule_upstream(lambda _: "hi")
    options = [
        "--task",
        PYTHON_TASK,
        "--upstream",
        upstream.url,
        "--model",
        "m",
        "--store",
        "runs",
        "--json",
        "--sandbox",
    ]
    done = tachograph("run", *options, "--", "sh", "-c", line)
    told = json.loads(done.stdout)["agent_exit_code"]
    assert told == (code if code > 0 else 128 - code)


@needs_bubblewrap
def test_it_may_tidy_up_when_its_time_is_up(tachograph: Any, rule_upstream: Any, tmp_path: Path) -> None:
    """SIGTERM comes first in a sandbox, too."""
    upstream = rule_upstream(lambda _: "hi")
    shutil.copytree(PYTHON_TASK, tmp_path / "task")
    task = tmp_path / "task" / "task.toml"
    task.write_text("timeout = 3\n" + task.read_text().replace("\ntimeout", "\n# timeout", 1))
    options = ["--task", "task", "--upstream", upstream.url, "--model", "m", "--store", "runs", "--json", "--sandbox"]
    line = "trap 'echo tidied up; exit 3' TERM; echo ready; while :; do sleep 0.05; done"
    done = tachograph("run", *options, "--", "sh", "-c", line)
    told = json.loads(done.stdout)
    assert told["status"] == "timeout", done.stderr
    assert "tidied up" in (tmp_path / "runs" / told["run_id"] / "terminal.cast").read_text()


@needs_bubblewrap
def test_nothing_is_left_of_it(tachograph: Any, rule_upstream: Any) -> None:
    """A process that detaches itself ends with the sandbox, whatever its environment says."""
    upstream = rule_upstream(lambda _: "hi")
    mark = f"31536{random.randrange(1000):03}"
    options = [
        "--task",
        PYTHON_TASK,
        "--upstream",
        upstream.url,
        "--model",
        "m",
        "--store",
        "runs",
        "--json",
        "--sandbox",
    ]
    done = tachograph("run", *options, "--", "sh", "-c", f"env -i setsid sleep {mark} >/dev/null 2>&1 & echo started")
    assert json.loads(done.stdout)["agent_exit_code"] == 0
    commands = [path.read_bytes().split(b"\0") for path in Path("/proc").glob("[0-9]*/cmdline") if _lives(path)]
    assert not [command for command in commands if mark.encode() in command]


def _lives(path: Path) -> bool:
    try:
        path.read_bytes()
    except OSError:
        return False
    return True


def test_without_bubblewrap_it_is_refused(
    tachograph: Any, rule_upstream: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks for a sandbox does not get a run without one; nothing is recorded."""
    (tmp_path / "bin").mkdir()
    for program in ("sh", "python3"):
        (tmp_path / "bin" / program).symlink_to(shutil.which(program) or program)
    upstream = rule_upstream(lambda _: "hi")
    options = ["--task", PYTHON_TASK, "--upstream", upstream.url, "--model", "m", "--store", "runs", "--sandbox"]
    done = tachograph("run", *options, "--", "sh", "-c", "true", PATH=str(tmp_path / "bin"))
    assert done.returncode != 0
    assert "needs bubblewrap" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "runs").glob("*/trace.jsonl"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(LaunchError, match="apt install bubblewrap"):
        require_sandbox()
