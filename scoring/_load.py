"""Reading all that is on disk of a run, for the judges."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from ..traces import BodyReader, InputError, Run, StoreError, read_run
from ._agent_report import read_agent_report
from ._attempts import link_attempts
from ._facts import agent_facts, task_facts
from ._record import AgentFacts, ExternalCoverage, RunRecord, TaskFacts
from .check import CheckResult, recorded_check
from .transcript import RequestRead, read_transcript
from .workdir import WorkdirDiff, diff, read_snapshot, snapshot

__all__ = ["SNAPSHOT_NAMES", "collected_record", "foreign_record", "load_record"]

SNAPSHOT_NAMES: Final = {
    "changes": ("workdir.before", "workdir.after"),
    "check_changes": ("check.before", "check.after"),
    "home_changes": ("home.before", "home.after"),
    "temporary_changes": ("tmp.before", "tmp.after"),
}
"""By the field of `RunRecord` that is made of them: the two snapshots in the run's folder."""
_CAST: Final = "terminal.cast"
_COLLECTED: Final = "a collector has no snapshots"


def load_record(folder: Path, watch: Callable[[RequestRead], None] | None = None) -> RunRecord:
    """Read a run from its folder.

    What is not there is None, and `reasons` says why.

    Args:
        folder: the run's.
        watch: as of `read_transcript`.

    Raises:
        InputError: there is no record.
        StoreError: it cannot be read, or a newer tachograph wrote it.
    """
    run, bodies = read_run(folder), BodyReader(folder / "bodies")
    run = replace(run, calls=link_attempts(run.calls, bodies))
    reasons: dict[str, str] = {}
    diffs = {field: _recorded_diff(folder, field, reasons) for field in SNAPSHOT_NAMES}
    check = recorded_check(run, bodies)
    if check is None:
        reasons["check"] = "no check was recorded"
    agent = agent_facts(run.attributes)
    return RunRecord(
        run=run,
        task=task_facts(run.attributes),
        agent=replace(agent, report=read_agent_report(agent.name, folder / _CAST)),
        changes=diffs["changes"],
        check_changes=diffs["check_changes"],
        home_changes=diffs["home_changes"],
        temporary_changes=diffs["temporary_changes"],
        external_coverage=_coverage(diffs),
        check=check,
        transcript=read_transcript(run.calls, bodies, watch),
        reasons=reasons,
    )


def collected_record(run: Run) -> RunRecord:
    """Put together a run that was read from where only its spans went: a Collector's files, a table of spans.

    Snapshots, bodies and the terminal's recording stayed where the run was made, so what needs them is not known. Attempts are
    linked as the recorder knew them, and of the check its judgement stands.
    """
    check = recorded_check(run, None)
    reasons = dict.fromkeys(SNAPSHOT_NAMES, _COLLECTED)
    if check is None:
        reasons["check"] = "no check was recorded"
    missing = f"{run.missing_lines} lines of the run's journal did not arrive" if run.missing_lines else None
    return RunRecord(
        run=run,
        task=task_facts(run.attributes),
        agent=agent_facts(run.attributes),
        check=check,
        transcript=read_transcript(run.calls, BodyReader(None)),
        reasons=reasons,
        incomplete=missing,
    )


def foreign_record(
    trace: Path,
    before: Path | None = None,
    after: Path | None = None,
    *,
    task: TaskFacts | None = None,
    agent: AgentFacts | None = None,
    check: CheckResult | None = None,
) -> RunRecord:
    """Put together a run that another tool recorded.

    Args:
        trace: an OTLP/JSON file with GenAI spans, as a Collector writes it.
        before: the workdir as it was, a folder; None: what changed is not known.
        after: the workdir as it is.
        task: what is known of the task.
        agent: and of the agent.
        check: how the check ended.

    Raises:
        InputError: there is no such file or folder, or the file holds several runs.
        StoreError: the file cannot be read.
    """
    run, bodies = read_run(trace), BodyReader(trace.parent / "bodies")
    run = replace(run, calls=link_attempts(run.calls, bodies))
    changes = None if before is None or after is None else diff(snapshot(before), snapshot(after))
    missing = {"changes": "no folders were given"} if changes is None else {}
    if check is None:
        missing["check"] = "none was given"
    return RunRecord(
        run=run,
        task=task or TaskFacts(),
        agent=agent or AgentFacts(),
        changes=changes,
        check=check,
        transcript=read_transcript(run.calls, bodies),
        reasons=missing,
    )


def _recorded_diff(folder: Path, field: str, reasons: dict[str, str]) -> WorkdirDiff | None:
    before, after = (folder / name for name in SNAPSHOT_NAMES[field])
    if not before.exists() or not after.exists():
        reasons[field] = "no snapshots were taken" if not before.exists() else "no snapshot was taken after it"
        return None
    try:
        return diff(read_snapshot(before), read_snapshot(after))
    except (InputError, StoreError) as error:
        reasons[field] = str(error)
        return None


def _coverage(diffs: dict[str, WorkdirDiff | None]) -> ExternalCoverage:
    return "home" if diffs["home_changes"] is not None and diffs["temporary_changes"] is not None else "none"
