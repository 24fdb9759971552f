"""Following the journals of a store."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tachograph.traces import RunStore
from tachograph.traces.metrics import StoreFollower, export_lags, journal_sizes

if TYPE_CHECKING:
    from tests.traces.conftest import CallRecorder

LABELS = ("chat_completions", "a-model", "completed", "2xx")


def test_counting_begins_where_it_is_told(tmp_path: Path, record: "CallRecorder") -> None:
    """What was recorded before counts for nothing; who counts again from there comes to the same numbers."""
    store = RunStore(tmp_path)
    run = store.open_run("old")
    record(run)
    start = journal_sizes(tmp_path)
    record(run)
    new = store.open_run("new")
    record(new)
    follower, again = StoreFollower(tmp_path, start), StoreFollower(tmp_path, start)
    follower.read_on()
    record(run)
    follower.read_on()
    follower.read_on()
    again.read_on()
    assert follower.fold.calls == again.fold.calls == {LABELS: 3}
    assert follower.fold.runs_open == 2
    run.close()
    new.close()
    follower.read_on()
    assert follower.fold.runs_open == 0
    assert (follower.unread_bytes, follower.lag(0)) == (0, 0.0)


def test_a_line_that_is_being_written_is_waited_for(tmp_path: Path, record: "CallRecorder") -> None:
    """Half a line is read when it is whole, once."""
    run = RunStore(tmp_path / "there").open_run("the-run")
    record(run)
    run.close()
    whole = (run.folder / "trace.jsonl").read_bytes()
    journal = tmp_path / "here" / "the-run" / "trace.jsonl"
    journal.parent.mkdir(parents=True)
    follower = StoreFollower(tmp_path / "here", {})
    for end in range(0, len(whole), 500):
        journal.write_bytes(whole[:end])
        follower.read_on()
    journal.write_bytes(whole)
    follower.read_on()
    assert follower.fold.calls == {LABELS: 1}


def test_a_destination_that_is_behind_is_told(tmp_path: Path, record: "CallRecorder") -> None:
    """A journal without a checkpoint is behind by all of it, one that is acknowledged to its end by nothing."""
    run = RunStore(tmp_path).open_run("the-run")
    call = record(run)
    (size,) = (sizes := journal_sizes(tmp_path)).values()
    assert export_lags(tmp_path, sizes, 0) == {}
    checkpoints = tmp_path / ".exports" / "collector-1" / "checkpoints"
    checkpoints.mkdir(parents=True)
    later = call.timing.start_ns + 5_000_000_000
    lag = export_lags(tmp_path, sizes, later)["collector-1"]
    assert lag.bytes == size
    assert lag.seconds >= 5
    (checkpoints / "a.json").write_text(json.dumps({"journal": "the-run/trace.jsonl", "offset": size}))
    lag = export_lags(tmp_path, sizes, later)["collector-1"]
    assert (lag.bytes, lag.seconds) == (0, 0.0)
    run.close()
