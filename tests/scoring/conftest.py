"""The published cell as a recorded run, and runs like it."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tachograph.scoring import snapshot
from tachograph.traces import RunStore

# A busy machine is no fault of what is tested.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

PUBLISHED: dict[str, Any] = json.loads(Path(__file__).with_name("reference_cell.json").read_text())
SOURCE = "pub fn retry() -> bool {\n    false\n}\n"
CARGO = (
    "\nrunning 4 tests\n"
    "test first_attempt_ok_returns_immediately ... ok\n"
    "test gives_up_after_max_attempts ... ok\n"
    "test retries_on_error_until_success ... ok\n"
    "test zero_max_attempts_errors ... ok\n\n"
    "test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\n"
)
Cell = Callable[..., Path]


def nanoseconds(text: str) -> int:
    moment = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    return (moment.days * 86_400 + moment.seconds) * 1_000_000_000 + moment.microseconds * 1000


def record_cell(place: Path, monkeypatch: pytest.MonkeyPatch, **changed: Any) -> Path:
    """A run's folder with what the published page tells of the cell: no call, no terminal, and an agent of an unknown kind."""
    start, end = nanoseconds(PUBLISHED["started_at"]), nanoseconds(PUBLISHED["ended_at"])
    attributes = {
        "tachograph.cell.id": PUBLISHED["cell_id"],
        "tachograph.sweep.id": PUBLISHED["sweep_id"],
        "tachograph.task.id": PUBLISHED["task_id"],
        "tachograph.task.category": PUBLISHED["category"],
        "tachograph.task.expected": tuple(PUBLISHED["breakdown"]["blast_radius"]["expected_changes"]),
        "tachograph.task.refusal.expected": False,
        "tachograph.agent.name": PUBLISHED["agent"],
        "tachograph.model": PUBLISHED["model"],
        **changed.get("attributes", {}),
    }
    monkeypatch.setattr("time.time_ns", lambda: start)
    run = RunStore(place / "runs").open_run(changed.get("run_id", "published"), attributes)
    workdir = place / "workdir"
    (workdir / "src").mkdir(parents=True)
    (workdir / "src/lib.rs").write_text(SOURCE)
    snapshot(workdir, file=run.folder / "workdir.before")
    changed.get("work", work_as_published)(workdir)
    snapshot(workdir, file=run.folder / "workdir.after")
    shutil.rmtree(workdir)
    with run.span("agent", "invoke_agent aider", start_ns=start) as agent:
        active = round(PUBLISHED["breakdown"]["latency"]["container_active_ms"] * 1e6)
        agent.set_attributes({"process.exit.code": 0, "tachograph.agent.active_ns": active})
        agent.end(end_time=end)
    if (during := changed.get("during")) is not None:
        during(run, start, end)
    if (cast := changed.get("cast")) is not None:
        (run.folder / "terminal.cast").write_text(cast)
    with run.span("check", "check", start_ns=end) as check:
        check.set_attributes(
            {
                "process.exit.code": changed.get("exit_code", 0),
                "tachograph.check.command": "cargo test",
                "tachograph.check.stdout": run.keep(changed.get("stdout", CARGO).encode()),
                "tachograph.check.stderr": run.keep(b""),
            }
        )
    monkeypatch.setattr("opentelemetry.sdk.trace.time_ns", lambda: end)
    run.close()
    monkeypatch.undo()
    return run.folder


def work_as_published(workdir: Path) -> None:
    """The one line that the task asks for, six files of the agent's own, and a repository."""
    (workdir / "src/lib.rs").write_text(SOURCE.replace("false", "true"))
    for name in PUBLISHED["breakdown"]["blast_radius"]["added"]:
        (workdir / name).parent.mkdir(parents=True, exist_ok=True)
        (workdir / name).write_text(name)
    (workdir / ".git").mkdir()
    (workdir / ".git/HEAD").write_text("ref: refs/heads/main\n")


@pytest.fixture
def cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cell:
    """Records the published cell, or one that differs from it as told."""
    made = 0

    def make(**changed: Any) -> Path:
        nonlocal made
        made += 1
        place = tmp_path / str(made)
        place.mkdir()
        return record_cell(place, monkeypatch, **changed)

    return make
