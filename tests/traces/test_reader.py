"""Reading streams, tolerates what a kill leaves, tells what has not ended, and refuses with one clear error."""

import json
import os
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tachograph.traces import (
    Amendment,
    Call,
    InputError,
    JournalFollower,
    RunRecording,
    RunStore,
    StoreError,
    is_live,
    read_calls,
    read_run,
    read_spans,
    survey,
)

Recorder = Callable[..., Call]
START = 1_700_000_000_000_000_000


def test_a_call_in_flight_is_interrupted_when_its_recorder_dies(store: RunStore, recorder: Any) -> None:
    """The difference is a process that has the run open: SIGKILL ends it, whatever the file says."""
    process = recorder()
    for command in ("open a", "call", "start", "start"):
        process.tell(command)
    folder = store.folder / "a"
    assert is_live(folder)
    calls = list(read_calls(folder))
    assert [(call.sequence, call.outcome) for call in calls] == [(1, "completed"), (2, "in_flight"), (3, "in_flight")]
    run = read_run(folder)
    assert (run.run_id, run.status, run.live, run.sealed, run.end_ns) == ("a", "open", True, False, None)
    process.kill()
    assert not is_live(folder)
    assert [call.outcome for call in read_calls(folder)] == ["completed", "interrupted", "interrupted"]
    interrupted = read_run(folder).calls[1]
    assert (interrupted.response, interrupted.timing.end, interrupted.usage.input_tokens) == (None, None, None)
    assert interrupted.request.model == "a-model"
    assert (read_run(folder).status, read_run(folder).live) == ("open", False)


def test_a_call_is_in_flight_if_its_run_was_live_when_reading_began(store: RunStore, recorder: Any) -> None:
    """A run that is closed while it is read had no interrupted calls: its recorder did not die."""
    process = recorder()
    for command in ("open a", "start"):
        process.tell(command)
    reading = read_calls(store.folder / "a")
    process.tell("call")
    first = next(reading)
    assert first.outcome == "completed"
    process.tell("close")
    assert [call.outcome for call in reading] == ["in_flight"]


def test_the_journal_of_a_live_run_may_be_named_itself(run: RunRecording, new_request: Any) -> None:
    """The file is as good as its folder."""
    run.start_call(new_request(), START, None)
    for where in (run.folder, run.folder / "trace.jsonl"):
        assert [call.outcome for call in read_calls(where)] == ["in_flight"]
        assert read_run(where).live


def test_a_torn_last_line_is_passed_over(run: RunRecording, record: Recorder) -> None:
    """Cut off at any byte: the spans before it are read."""
    record(run)
    record(run)
    path = run.folder / "trace.jsonl"
    data = path.read_bytes()
    spans = list(read_spans(run.folder))
    last = data.rindex(b"\n", 0, -1) + 1
    for size in range(last, len(data) - 1):
        os.truncate(path, size)
        assert list(read_spans(run.folder)) == spans[:-1]


def test_a_journal_larger_than_memory_is_fine(run: RunRecording, record: Recorder) -> None:
    """50 MB are read with less than 5 MB held, calls one by one as they ended."""
    head = tuple((f"X-Header-{number}", "value" * 20) for number in range(60))
    opened = record(run)
    assert opened.outcome == "completed"
    path = run.folder / "trace.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    ended = lines[2].replace(
        b'"http.request.method"',
        b'"filler","value":{"stringValue":"%b"}},{"key":"http.request.method"' % repr(head).encode(),
    )
    count = 50_000_000 // (len(lines[1]) + len(ended)) + 1
    span_id = re.search(rb'"spanId":"(\w+)"', lines[2])
    assert span_id is not None
    with path.open("wb") as file:
        file.write(lines[0])
        for number in range(count):
            own = b"%016x" % number
            file.write(lines[1].replace(span_id[1], own))
            file.write(ended.replace(span_id[1], own))
    assert path.stat().st_size > 50_000_000

    tracemalloc.start()
    try:
        calls = sum(1 for _ in read_calls(run.folder))
        spans = sum(1 for _ in read_spans(run.folder))
        survey(run.folder).problems.clear()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (calls, spans) == (count, 2 * count + 1)
    assert peak < 5_000_000


def test_amendments_are_merged(run: RunRecording, new_request: Any, new_call: Any) -> None:
    """What was learnt late is part of the call that is read, the latest word last; other calls are as they were."""
    opened = [run.start_call(new_request(), START + number, None) for number in range(2)]
    for number, call in enumerate(opened):
        run.end_call(call, new_call(new_request(), run_id="the-run", start_ns=START + number, sequence=number + 1))
    run.amend_call(opened[0], Amendment(at_ns=START, outcome="upstream_cut", response_bytes=5))
    run.amend_call(opened[0], Amendment(at_ns=START, outcome="client_disconnected", error_type="gone"))
    run.close()
    first, second = read_run(run.folder).calls
    assert (first.outcome, first.error_type) == ("client_disconnected", "gone")
    assert first.response is not None
    assert (first.response.bytes, first.response.status) == (5, 200)
    assert (second.outcome, second.error_type) == ("completed", None)
    assert [span.name for span in read_run(run.folder).spans] == ["seal"]


def test_a_run_has_its_other_spans(run: RunRecording, record: Recorder) -> None:
    """Agent and check are given beside the calls, those that end; what the run was told is on it."""
    with run.span("agent", "invoke_agent a"):
        record(run)
    with run.span("check", "check a", attributes={"passed": True}):
        pass
    run.close("timeout")
    found = read_run(run.folder)
    assert [span.name for span in found.spans if not span.name.endswith(".start")] == [
        "invoke_agent a",
        "check a",
        "seal",
    ]
    assert found.attributes["tachograph.task.id"] == "a-task"
    assert found.status == "timeout"
    assert found.end_ns is not None
    assert found.start_ns <= found.calls[0].timing.start_ns <= found.end_ns


def test_a_later_score_does_not_open_a_run_again(run: RunRecording, record: Recorder) -> None:
    """Scores may be added days later, by whichever program; the run stays sealed and closed."""
    record(run)
    run.close()
    line = (run.folder / "trace.jsonl").read_bytes().splitlines()[-1]
    score = line.replace(b'"stringValue":"seal"', b'"stringValue":"score"').replace(
        b'"name":"seal"', b'"name":"score x"'
    )
    with (run.folder / "trace.jsonl").open("ab") as file:
        file.write(score + b"\n")
        file.write(b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"a","spanId":"b","name":"theirs"}]}]}]}\n')
    found = read_run(run.folder)
    assert (found.sealed, found.status) == (True, "completed")
    assert [span.name for span in found.spans] == ["seal", "score x", "theirs"]


def test_a_newer_form_is_refused(run: RunRecording, record: Recorder) -> None:
    """What a newer version wrote is not misread: which file, which form, what to do."""
    record(run)
    follower = JournalFollower(run.folder)
    path = run.folder / "trace.jsonl"
    path.write_bytes(path.read_bytes().replace(b'format","value":{"intValue":"1"', b'format","value":{"intValue":"2"'))
    readers: list[Callable[[], object]] = [
        lambda: list(read_spans(run.folder)),
        lambda: list(read_calls(run.folder)),
        lambda: read_run(run.folder),
        follower.new_spans,
    ]
    for read in readers:
        with pytest.raises(StoreError) as caught:
            read()
        assert str(caught.value) == f"{path}: written by a newer tachograph (journal format 2); update to read it"


def test_a_senseless_version_is_none(run: RunRecording, record: Recorder) -> None:
    """An attribute of that name with another type does not break a reader."""
    record(run)
    path = run.folder / "trace.jsonl"
    path.write_bytes(
        path.read_bytes().replace(b'format","value":{"intValue":"1"', b'format","value":{"stringValue":"x"')
    )
    assert len(list(read_calls(run.folder))) == 1


@pytest.mark.parametrize("there", ["", "folder", "folder/trace.jsonl"])
def test_a_run_that_is_not_there_is_told(tmp_path: Path, there: str) -> None:
    """No folder, an empty one, or a folder in the journal's place: what was looked for, and how to find what there is."""
    folder = tmp_path / "folder"
    if there:
        (tmp_path / there).mkdir(parents=True)
    message = f"{folder}: no recorded run here (a run is a folder with trace.jsonl); `tachograph runs` lists them"
    readers: list[Callable[[Path], object]] = [
        read_run,
        lambda where: list(read_calls(where)),
        lambda where: list(read_spans(where)),
        survey,
        JournalFollower,
    ]
    for read in readers:
        with pytest.raises(InputError) as caught:
            read(folder)
        assert str(caught.value) == message
    assert not is_live(folder / "nothing")


def test_a_store_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A folder that does not exist, or a file; a store may hold other things beside runs."""
    (tmp_path / "file").write_text("")
    for place in ("nothing", "file", "file/below"):
        with pytest.raises(InputError, match="no such folder; --store names"):
            list(RunStore(tmp_path / place).run_folders())
    store = RunStore(tmp_path)
    assert list(store.run_folders()) == []
    store.open_run("b").close()
    store.open_run("a").close()
    (tmp_path / ".keys").mkdir()
    assert list(store.run_folders()) == [tmp_path / "a", tmp_path / "b"]


def test_what_may_not_be_read_is_told(store: RunStore, record: Recorder) -> None:
    """Without permission each reader says so with a StoreError that names the place, and none with a bare OSError."""
    run = store.open_run("a")
    record(run)
    run.close()
    script = Path(__file__).with_name("read_without_permission.py")
    run.folder.chmod(0)
    try:
        output = subprocess.run([sys.executable, str(script), str(run.folder)], check=True, capture_output=True).stdout
    finally:
        run.folder.chmod(0o700)
    failures: dict[str, str] = json.loads(output)
    assert failures.pop("live") == "none"
    for reader, failure in failures.items():
        assert re.fullmatch(r"StoreError: .*runs.*: cannot be read: Permission denied", failure), (reader, failure)


def test_a_follower_gives_what_is_new(run: RunRecording, record: Recorder) -> None:
    """Each line once, as it is completed; a line that is being written waits until it is whole."""
    follower = JournalFollower(run.folder)
    assert [span.name for span in follower.new_spans()] == ["run.start"]
    assert follower.new_spans() == []
    record(run)
    assert [span.name for span in follower.new_spans()] == ["call.start", "chat a-model"]
    path = run.folder / "trace.jsonl"
    record(run)
    data = path.read_bytes()
    os.truncate(path, len(data) - 1)
    assert [span.name for span in follower.new_spans()] == ["call.start"]
    with path.open("ab") as file:
        file.write(data[-1:] + b"no json\n")
    assert [span.name for span in follower.new_spans()] == ["chat a-model"]
    path.unlink()
    with pytest.raises(StoreError, match="cannot be read: No such file"):
        follower.new_spans()


def test_several_runs_in_one_file_are_told(store: RunStore, record: Recorder, tmp_path: Path) -> None:
    """A Collector mixes runs in a file: read_run refuses, read_calls tells each call's run."""
    for run_id in ("a", "b"):
        run = store.open_run(run_id)
        record(run)
        run.close()
    mixed = tmp_path / "mixed.jsonl"
    mixed.write_bytes(b"".join((store.folder / run_id / "trace.jsonl").read_bytes() for run_id in "ab"))
    with pytest.raises(InputError, match="holds 2 runs; read its calls with read_calls, or each run with open"):
        read_run(mixed)
    assert [call.run_id for call in read_calls(mixed)] == ["a", "b"]


def test_the_order_of_lines_does_not_matter(run: RunRecording, record: Recorder) -> None:
    """A file that was sorted or merged by another tool has the same calls: an announcement that comes late is no call more."""
    for number in range(3):
        record(run, b'{"n":%d}' % number)
    run.close()
    journal = run.folder / "trace.jsonl"
    expected = sorted(read_calls(run.folder), key=lambda call: call.span_id)
    journal.write_bytes(b"".join(reversed(journal.read_bytes().splitlines(keepends=True))))
    assert sorted(read_calls(run.folder), key=lambda call: call.span_id) == expected
