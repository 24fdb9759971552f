"""Real agents, unmodified, at a real task: what the proxy recorded of them is what the upstream saw and said."""

import json
import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tachograph.harness._agent import load_agent
from tachograph.harness._launch import Launch, command_line, environment, prepare_home
from tachograph.harness._task import load_task
from tachograph.traces import Call, read_run, verify
from tests.agents.upstream import Fault, Logged, RuleUpstream, rule_upstream

ROOT = Path(__file__).parents[2]
TASK = ROOT / "examples" / "tasks" / "mutations" / "python-error-negated"
PATIENCE = 400.0
"""Seconds for what takes ten."""
AGENTS = shlex.split(
    os.environ.get("TACHOGRAPH_AGENTS", "aider opencode codex claude-code mini-swe-agent pi qwen-code")
)
FAULTS: dict[str, dict[int, Fault]] = {
    "plain": {},
    "429": {1: "429"},
    "500": {2: "500"},
    "cut": {1: "cut"},
    "cut later": {2: "cut"},
}
GIVES_UP = {("gptme", "cut"), ("gptme", "cut later")}
"""It ends at a cut answer, with or without the proxy."""
NOT_ALWAYS_REPEATED = {("opencode", "429"), ("opencode", "cut")}
"""Its first call asks for a title, and it may be through with all else before it asks again."""

pytestmark = [pytest.mark.agents]


@dataclass(frozen=True, slots=True)
class Driven:
    """What came of one agent at the task."""

    fixed: bool
    log: list[Logged]
    exit_code: int | None


def path_of(agent: str) -> str:
    """The PATH with the agent's programs in it."""
    programs = ROOT / ".agents" / agent / "bin"
    if not programs.exists():
        pytest.skip(f"{agent} is not installed: make .agents/{agent}/.installed")
    return f"{programs}{os.pathsep}{os.environ['PATH']}"


def is_fixed(workdir: Path) -> bool:
    return "while error is not None" in (workdir / "retry.py").read_text()


def drive_directly(agent: str, upstream: RuleUpstream, place: Path) -> Driven:
    """The same start of the same agent, without the proxy."""
    folders = [place / name for name in ("workdir", "home", "tmp")]
    shutil.copytree(TASK / "workdir", folders[0])
    for folder in folders[1:]:
        folder.mkdir(parents=True)
    known = load_agent(agent)
    launch = Launch(
        prompt=load_task(TASK).prompt.strip(),
        model="rule-model",
        base_url=upstream.url,
        key="direct",
        workdir=folders[0],
        home=folders[1],
        temporary=folders[2],
        run_id=f"direct-{agent}",
    )
    prepare_home(known, launch)
    env = environment(known, launch) | {"PATH": path_of(agent)}
    for command in (*known.prepare, tuple(command_line(known, launch))):
        filled = [word.replace("{key}", "direct").replace("{model}", "rule-model") for word in command]
        argv = [word.replace("{base_url}", upstream.url) for word in filled]
        argv[0] = shutil.which(argv[0], path=env["PATH"]) or argv[0]
        done = subprocess.run(
            argv, cwd=folders[0], env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False
        )
    return Driven(is_fixed(folders[0]), upstream.log, done.returncode)


@pytest.mark.parametrize(("agent", "fault"), [(agent, fault) for agent in AGENTS for fault in FAULTS])
def test_an_agent_at_the_task(
    tachograph: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], agent: str, fault: str
) -> None:
    """The fault in the code is found, and each call is on record as the upstream logged it: bytes, tokens, how it ended.

    With a fault on the way the agent does as it does without the proxy, and the record tells the attempts apart.
    """
    options = ["--task", TASK, "--agent", agent, "--model", "rule-model", "--keep", "place", "--json"]
    with rule_upstream(FAULTS[fault]) as upstream:
        done = tachograph("run", *options, "--upstream", upstream.url, PATH=path_of(agent), timeout=PATIENCE)
        log = upstream.log
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    folder = tmp_path / "runs" / report["run_id"]
    run = read_run(folder)
    fixed = is_fixed(tmp_path / "place" / "1" / "workdir")
    assert fixed is report["passed"] is ((agent, fault) not in GIVES_UP), terminal_of(folder)
    assert verify(folder).state == "sealed"
    assert len(run.calls) == len(log)
    for call, logged in zip(run.calls, log, strict=True):
        assert_recorded(call, logged)
    if fault != "plain":
        assert_like_directly(agent, fault, run.calls, log, tmp_path / "direct")
    with capsys.disabled():
        print(summary(agent, fault, run.calls, report["seconds"]))  # noqa: T201  the table is what people run it for


def assert_like_directly(agent: str, fault: str, calls: tuple[Call, ...], log: list[Logged], place: Path) -> None:
    """The failed call is linked to the one that repeats it, and without the proxy there are as many requests."""
    (failed,) = (call for call, logged in zip(calls, log, strict=True) if logged.fault)
    repeated = [call.attempt for call in calls if call.retry_of == failed.span_id]
    with rule_upstream(FAULTS[fault]) as upstream:
        direct = drive_directly(agent, upstream, place)
    if (agent, fault) in NOT_ALWAYS_REPEATED:
        assert repeated in ([], [2])
        return
    assert direct.fixed is ((agent, fault) not in GIVES_UP)
    assert repeated == ([] if (agent, fault) in GIVES_UP else [2])
    assert [logged.status for logged in direct.log] == [logged.status for logged in log]


def assert_recorded(call: Call, logged: Logged) -> None:
    """One call is what the upstream's log says of it."""
    assert (call.request.sent_body_hash or call.request.body_hash) == logged.request_hash
    assert (call.request.sent_bytes or call.request.bytes) == logged.request_bytes
    assert f"/v1{logged.api}" == call.request.path
    assert call.request.streamed == logged.streamed
    assert not any("tachograph-" in key for key in logged.keys), "a run key went up"
    assert call.response is not None
    assert call.response.status == logged.status
    assert call.response.bytes == len(logged.said)
    assert call.outcome == ("upstream_cut" if logged.fault == "cut" else "completed")
    if logged.usage is None:
        # Messages tells the input before it is cut.
        assert call.usage.output_tokens in (None, 1)
        return
    usage, told = call.usage, logged.usage
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens) == (
        told.input_tokens,
        told.output_tokens,
        told.cached_tokens,
    )


def terminal_of(folder: Path) -> str:
    events = (folder / "terminal.cast").read_text().splitlines()[1:]
    return "".join(json.loads(line)[2] for line in events)[-3000:]


def summary(agent: str, fault: str, calls: tuple[Call, ...], seconds: float) -> str:
    """A line of the table that `-s` shows."""
    sent = sum(call.request.bytes or 0 for call in calls)
    tokens = sum((call.usage.input_tokens or 0) + (call.usage.output_tokens or 0) for call in calls)
    attempts = "+".join(str(call.attempt) for call in calls)
    said = f"{len(calls)} calls {sent:8,} bytes {tokens:7,} tokens, attempts {attempts:8}"
    return f"\n{agent:15} {fault:9} {said} {seconds:5.1f} s"
