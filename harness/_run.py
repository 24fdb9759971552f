"""One run: prepare a fresh place, launch the agent through the proxy, check what it did, close the record."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from opentelemetry.sdk.trace import Span
from opentelemetry.trace import Status, StatusCode

from ..proxy import AgentEndpoint, Proxy
from ..scoring.check import CheckResult, Verdict, check_attributes, judge_check
from ..traces import Seal, TachographError, new_run_id, traceparent
from ._assignment import Assignment
from ._check import check_result, run_check, run_setup
from ._fresh_place import Origin, fresh_place, origin_of
from ._launch import Launch, command_line, environment, prepare_home, refuse_missing, run_preparations
from ._removal import temporary_folder
from ._sandbox import Sandbox, require_sandbox
from ._snapshots import Snapshots
from ._task import Task, require_tools
from ._terminal import Command, Outcome, run_in_terminal
from ._workdir import copy_workdir

__all__ = ["Phase", "RunReport", "run_once"]

Phase = Literal["prepare", "agent", "check", "close"]
RunStatus = Literal["completed", "timeout", "aborted", "failed"]
_ERROR: Final = "error.type"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """How a run ended."""

    run_id: str
    status: RunStatus
    agent: Outcome
    check: CheckResult
    verdict: Verdict
    """What the check says."""
    seal: Seal | None
    """None if another process has the run open."""


async def run_once(proxy: Proxy, assignment: Assignment, watch: Callable[[Phase, AgentEndpoint], None]) -> RunReport:
    """Drive one run from its preparation to its seal.

    Cancelling it ends the agent and leaves a complete record of an aborted run; CancelledError goes on after that.

    Args:
        proxy: started.
        assignment: who is to do what.
        watch: told of each phase as it begins.

    Raises:
        InputError: the task needs a tool that is not there, or its workdir cannot be copied. Nothing is recorded.
        LaunchError: the agent is not installed: nothing is recorded. The setup failed, or the agent or the check could
            not be started: the run is recorded as `failed`.
        StoreError: the record cannot be written.
    """
    require_tools(assignment.task)
    if assignment.sandbox:
        require_sandbox()
    run_id = new_run_id(f"{assignment.task.id}-{assignment.agent.name}")
    with _place(assignment.keep) as place:
        copy_workdir(assignment.task.workdir, place / "workdir")
        refuse_missing(assignment.agent, place / "workdir")
        endpoint = proxy.open_run(run_id, assignment.attributes())
        try:
            agent, check = await _drive(assignment, endpoint, place, watch)
        except asyncio.CancelledError:
            proxy.close_run(run_id, "aborted", "aborted")
            raise
        except TachographError as error:
            proxy.close_run(run_id, "failed", type(error).__name__)
            raise
        watch("close", endpoint)
        status: RunStatus = "timeout" if agent.timed_out else "completed"
        seal = proxy.close_run(run_id, status)
    return RunReport(run_id=run_id, status=status, agent=agent, check=check, verdict=judge_check(check), seal=seal)


async def _drive(
    assignment: Assignment, endpoint: AgentEndpoint, place: Path, watch: Callable[[Phase, AgentEndpoint], None]
) -> tuple[Outcome, CheckResult]:
    launch = _launch(assignment, endpoint, place)
    env = environment(assignment.agent, launch)
    watch("prepare", endpoint)
    await run_setup(assignment.task, launch.workdir, env)
    with origin_of(assignment.task, place) as origin:
        prepare_home(assignment.agent, launch)
        await run_preparations(assignment.agent, launch)
        seen = Snapshots(endpoint.recording.folder, endpoint.recording.redactor)
        folders = {"changes": launch.workdir, "home_changes": launch.home, "temporary_changes": launch.temporary}
        await seen.before(folders)
        watch("agent", endpoint)
        outcome = await _run_agent(assignment, launch, endpoint, env)
        await seen.after(folders)
        watch("check", endpoint)
        return outcome, await _run_check(assignment.task, place, origin, endpoint, env=env, seen=seen)


def _launch(assignment: Assignment, endpoint: AgentEndpoint, place: Path) -> Launch:
    home, temporary = place / "home", place / "tmp"
    home.mkdir()
    temporary.mkdir()
    return Launch(
        prompt=assignment.task.prompt.strip(),
        model=assignment.model,
        base_url=endpoint.url,
        key=endpoint.key,
        workdir=place / "workdir",
        home=home,
        temporary=temporary,
        run_id=endpoint.run_id,
    )


async def _run_agent(assignment: Assignment, launch: Launch, endpoint: AgentEndpoint, env: dict[str, str]) -> Outcome:
    recording, agent = endpoint.recording, assignment.agent
    attributes = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": agent.name,
        "process.executable.name": Path(agent.argv[0]).name,
    }
    below = recording.calls_below
    with recording.span("agent", f"invoke_agent {agent.name}", attributes=attributes) as span:
        recording.calls_below = span.get_span_context()
        try:
            command = Command(
                argv=tuple(command_line(agent, launch)),
                cwd=launch.workdir,
                # One that the agent is described with stands: its author knows why.
                env={"TRACEPARENT": traceparent(span.get_span_context()), **env},
                timeout=assignment.task.timeout,
            )
            async with _around(command, launch, assignment) as command:
                return await run_in_terminal(
                    command,
                    cast=recording.folder / "terminal.cast",
                    redactor=recording.redactor,
                    on_end=lambda outcome: _tell_outcome(span, outcome),
                )
        finally:
            recording.calls_below = below


@contextlib.asynccontextmanager
async def _around(command: Command, launch: Launch, assignment: Assignment) -> AsyncIterator[Command]:
    """The command as it is to be started."""
    if not assignment.sandbox:
        yield command
        return
    port = urlsplit(launch.base_url).port
    assert port is not None
    async with Sandbox.opened((launch.workdir, launch.home, launch.temporary), port) as sandbox:
        yield sandbox.around(command)


def _tell_outcome(span: Span, outcome: Outcome) -> None:
    """How the agent's process ended. A process without an exit code was ended by a signal, whose number is negated."""
    code = outcome.exit_code if outcome.exit_code is not None else -(outcome.signal or 0)
    reasons = {"aborted": outcome.aborted, "timeout": outcome.timed_out, "signal": outcome.signal is not None}
    error_type = next((name for name, holds in reasons.items() if holds), "exit_nonzero" if code else None)
    span.set_attributes(
        {
            "process.exit.code": code,
            "tachograph.agent.timed_out": outcome.timed_out,
            "tachograph.agent.output_bytes": outcome.output_bytes,
            "tachograph.agent.active_ns": outcome.duration_ns,
        }
    )
    if error_type is not None:
        span.set_attribute(_ERROR, error_type)
        span.set_status(Status(StatusCode.ERROR, error_type))


async def _run_check(
    task: Task, place: Path, origin: Origin, endpoint: AgentEndpoint, *, env: dict[str, str], seen: Snapshots
) -> CheckResult:
    recording = endpoint.recording
    attributes = {"tachograph.check.command": task.check_command, "openinference.span.kind": "EVALUATOR"}
    with recording.span("check", f"check {task.id}", attributes=attributes) as span:
        # The check is the task's: it gets no endpoint and no key.
        own = {name: value for name, value in env.items() if not name.endswith(("_API_KEY", "_BASE_URL", "_API_BASE"))}
        try:
            with fresh_place(task, place, origin) as fresh:
                folder = {"check_changes": place / "workdir"}
                await seen.before(folder)
                outcome = await run_check(task, place / "workdir", own)
                await seen.after(folder)
                check = check_result(task, place / "workdir", outcome, fresh)
        except TachographError as error:
            span.set_attribute(_ERROR, type(error).__name__)
            span.set_status(Status(StatusCode.ERROR, str(error)))
            raise
        stdout, stderr = recording.keep(outcome.stdout), recording.keep(outcome.stderr)
        report = None if check.report is None else recording.keep(check.report)
        span.set_attributes({"test.suite.name": task.id, **check_attributes(check, stdout, stderr, report)})
        return check


@contextlib.contextmanager
def _place(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.absolute()
        return
    with temporary_folder("tachograph-") as folder:
        yield folder
