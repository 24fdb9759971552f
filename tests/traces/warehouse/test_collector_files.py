"""Runs in a Collector's files come back as they were, whatever order and how often their lines stand there."""

import json
import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tachograph.traces
from tachograph.traces import InputError, Run, StoreError, read_run

Varied = Callable[[str], Path]


def write(path: Path, lines: list[Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_order_and_repetition_do_not_matter(
    varied: Varied, journal_lines: Any, batch: Any, collected: Callable[[Run], Run], tmp_path: Path
) -> None:
    """Two runs mixed in one file, lines shuffled, some sent twice, some as batches of spans of both: the same runs."""
    folders = [varied(run_id) for run_id in ("a", "b")]
    lines = journal_lines(*folders)
    for seed in range(3):
        chance = random.Random(seed)
        mixed = [*lines, *chance.sample(lines, 10)]
        chance.shuffle(mixed)
        path = write(tmp_path / "spans.json", [batch(mixed[:7]), *mixed[7:15], batch(mixed[15:])])
        runs = sorted(tachograph.traces.open(path), key=lambda run: run.run_id)
        assert [collected(run) for run in runs] == [collected(read_run(folder)) for folder in folders]


def test_a_file_stands_for_what_it_was_rotated_from(
    varied: Varied, journal_lines: Any, collected: Callable[[Run], Run], tmp_path: Path
) -> None:
    """The exporter renames a full file and goes on: one run lies in several, and other files beside them are not read."""
    folder = varied("a")
    lines = journal_lines(folder)
    write(tmp_path / "spans-2026-11-23T05-02-14.173.json", lines[:3])
    write(tmp_path / "spans-2026-11-23T06-02-14.173.json", lines[3:5])
    write(tmp_path / "spans-other.json", journal_lines(varied("b")))
    path = write(tmp_path / "spans.json", lines[5:])
    (run,) = tachograph.traces.open(path)
    assert collected(run) == collected(read_run(folder))
    assert run.missing_lines == 0


def test_a_folder_of_files_is_one_place(varied: Varied, journal_lines: Any, tmp_path: Path) -> None:
    """All files in it, whatever their names; what is no OTLP/JSON in them is passed over."""
    place = tmp_path / "collected"
    place.mkdir()
    write(place / "1.json", journal_lines(varied("a")))
    write(place / "2.jsonl", journal_lines(varied("b")))
    with (place / "2.jsonl").open("ab") as file:
        file.write(b'\nno json\n[1]\n{"resourceSpans": 5}\n{"resourceLogs": []}\n{"resourceSpans": [{"sco')
    source = tachograph.traces.open(place)
    assert [head.run_id for head in source.heads()] == ["a", "b"]
    (head,) = (head for head in source.heads() if head.run_id == "b")
    assert [run.run_id for run in source.read([head])] == ["b"]
    assert head.attributes["tachograph.sweep.id"] == "a"


def test_what_did_not_arrive_is_told(varied: Varied, journal_lines: Any, tmp_path: Path) -> None:
    """The journal's numbers show which lines are missing, wherever but at the very end."""
    lines = journal_lines(varied("a"))
    del lines[4], lines[2]
    (run,) = tachograph.traces.open(write(tmp_path / "spans.json", lines))
    assert run.missing_lines == 2


def test_a_run_without_its_end_may_go_on(varied: Varied, journal_lines: Any, tmp_path: Path) -> None:
    """Nothing in a file tells whether the recorder lives: neither `interrupted` nor `aborted` is said."""
    (run,) = tachograph.traces.open(write(tmp_path / "spans.json", journal_lines(varied("a"))[:6]))
    assert (run.status, run.live, run.sealed, run.end_ns) == ("open", True, False, None)
    assert {call.outcome for call in run.calls} <= {"completed", "in_flight", "upstream_cut"}


def test_a_file_larger_than_memory_is_fine(varied: Varied, tmp_path: Path) -> None:
    """300 runs mixed in a file of more than 6 MB are read one by one, with less than 2 MB held."""
    name, journal = "a" * 12, (varied("a" * 12) / "trace.jsonl").read_text()
    trace = json.loads(journal.splitlines()[0])["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"]
    path = tmp_path / "spans.json"
    with path.open("w") as file:
        for line in journal.splitlines(keepends=True):
            file.writelines(line.replace(trace, f"{run:032}").replace(name, f"run-{run:08}") for run in range(300))
    assert path.stat().st_size > 6_000_000
    tracemalloc.start()
    try:
        whole = sum(len(run.calls) == 3 and not run.missing_lines for run in tachograph.traces.open(path))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert whole == 300
    assert peak < 2_000_000


def test_spans_of_another_tool_are_a_run_by_session(tmp_path: Path) -> None:
    """A session of several traces is one run; a trace without a session is one of its own."""

    def line(trace: str, span: str, session: str | None) -> Any:
        attributes = {"gen_ai.operation.name": "chat", **({"session.id": session} if session else {})}
        told = [{"key": name, "value": {"stringValue": text}} for name, text in attributes.items()]
        record = {
            "traceId": trace * 32,
            "spanId": span * 16,
            "name": "chat",
            "startTimeUnixNano": "5",
            "attributes": told,
        }
        return {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "other"}, "spans": [record]}]}]}

    path = write(tmp_path / "spans.json", [line("a", "1", "s"), line("b", "2", "s"), line("c", "3", None)])
    runs = list(tachograph.traces.open(path))
    assert [(run.run_id, len(run.calls), run.live) for run in runs] == [("s", 2, False), ("c" * 32, 1, False)]


def test_folders_are_opened_too(varied: Varied) -> None:
    """A store, one run's folder and its journal: the runs that `read_run` reads."""
    folders = [varied(run_id) for run_id in ("a", "b")]
    runs = [read_run(folder) for folder in folders]
    assert list(tachograph.traces.open(folders[0].parent)) == runs
    assert list(tachograph.traces.open(str(folders[1]))) == runs[1:]
    assert list(tachograph.traces.open(folders[1] / "trace.jsonl")) == runs[1:]


def test_what_holds_no_runs_is_told(tmp_path: Path) -> None:
    """Nothing there, a file of something else, a newer form: one clear error each."""
    with pytest.raises(InputError, match="no such file or folder"):
        tachograph.traces.open(tmp_path / "nowhere")
    path = tmp_path / "spans.json"
    path.write_bytes(b"\x28\xb5\x2f\xfd compressed")
    with pytest.raises(InputError, match="format: json"):
        list(tachograph.traces.open(path))
    newer = {"attributes": [{"key": "tachograph.journal.format", "value": {"intValue": "99"}}]}
    span = {"traceId": "a" * 32, "spanId": "b" * 16}
    write(path, [{"resourceSpans": [{"scopeSpans": [{"scope": newer, "spans": [span]}]}]}])
    with pytest.raises(StoreError, match="newer tachograph"):
        list(tachograph.traces.open(path))
