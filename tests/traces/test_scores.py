"""Scores in a run's own trace: added at any time, again without effect, and a sealed run stays sealed."""

import os
import threading
from pathlib import Path
from typing import Any

import orjson
import pytest
from google.protobuf import json_format
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from tachograph.traces import (
    InputError,
    RunRecording,
    RunStore,
    Score,
    StoreError,
    append_scores,
    latest_scores,
    read_run,
    read_spans,
    verify,
)

PASSED = Score(axis="pass_rate", value=1.0, label="pass", attributes={"unit": "1", "version": 1})
MISSING = Score(axis="cost", value=None, label="missing", explanation="the model has no known price")


@pytest.fixture
def sealed(run: RunRecording, record: Any) -> Path:
    record(run)
    assert run.close() is not None
    return run.folder


def append(folder: Path, *scores: Score) -> int:
    return append_scores(folder, folder.name, 1_700_000_000_000_000_000, scores)


def test_scores_are_spans_below_the_run(sealed: Path) -> None:
    """With the event of the GenAI conventions, its members as attributes, and the run's seal as it was."""
    call = read_run(sealed).calls[0]
    before = verify(sealed)
    assert append(sealed, PASSED, Score(axis="latency", value=12.5, scored=(call.span_id,))) == 2
    after = verify(sealed)
    assert (after.state, after.problems) == ("sealed", ())
    assert after.survey.seal == before.survey.seal
    run = read_run(sealed)
    assert run.sealed
    assert len(run.calls) == 1
    scores = latest_scores(run.spans)
    assert scores["pass_rate"].attributes["gen_ai.evaluation.score.value"] == 1.0
    assert scores["pass_rate"].attributes["tachograph.score.unit"] == "1"
    assert scores["pass_rate"].parent_id == next(iter(read_spans(sealed))).parent_id
    written = [orjson.loads(line) for line in (sealed / "trace.jsonl").read_bytes().splitlines()[-2:]]
    spans = [line["resourceSpans"][0]["scopeSpans"][0]["spans"][0] for line in written]
    assert [span["name"] for span in spans] == ["score pass_rate", "score latency"]
    assert [span["events"][0]["name"] for span in spans] == ["gen_ai.evaluation.result"] * 2
    assert spans[1]["links"][0]["spanId"] == call.span_id


def test_each_line_is_what_a_collector_takes(sealed: Path) -> None:
    """OTLP/JSON, as the protocol's own parser reads it."""
    append(sealed, PASSED, MISSING)
    for line in (sealed / "trace.jsonl").read_bytes().splitlines():
        json_format.Parse(line, TracesData())


def test_the_same_scores_are_written_once(sealed: Path) -> None:
    """Scoring again adds nothing: not a byte."""
    append(sealed, PASSED, MISSING)
    written = (sealed / "trace.jsonl").read_bytes()
    assert append(sealed, MISSING, PASSED, PASSED) == 0
    assert (sealed / "trace.jsonl").read_bytes() == written


def test_a_new_value_takes_the_old_ones_place(sealed: Path) -> None:
    """Both stay in the record; readers get the last."""
    append(sealed, PASSED)
    assert append(sealed, Score(axis="pass_rate", value=0.0, label="fail")) == 1
    spans = list(read_spans(sealed))
    assert sum(span.name == "score pass_rate" for span in spans) == 2
    assert latest_scores(spans)["pass_rate"].attributes["gen_ai.evaluation.score.value"] == 0.0


def test_what_has_no_value_has_none(sealed: Path) -> None:
    """A missing value is no zero: the attribute is not there, and the reason is."""
    append(sealed, MISSING)
    attributes = latest_scores(read_spans(sealed))["cost"].attributes
    assert "gen_ai.evaluation.score.value" not in attributes
    assert attributes["gen_ai.evaluation.explanation"] == "the model has no known price"


def test_two_that_score_at_once_break_nothing(sealed: Path) -> None:
    """They may both write; the chain holds, and readers get one value an axis."""
    threads = [threading.Thread(target=append, args=(sealed, PASSED, MISSING)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verify(sealed).state == "sealed"
    assert set(latest_scores(read_spans(sealed))) == {"pass_rate", "cost"}


def test_where_there_is_no_run(tmp_path: Path) -> None:
    """Nothing is made."""
    with pytest.raises(InputError, match="no recorded run here"):
        append(tmp_path, PASSED)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told(store: RunStore, record: Any) -> None:
    """What could not be written is an error, and not silence."""
    run = store.open_run("r")
    record(run)
    run.close()
    journal = run.folder / "trace.jsonl"
    size = journal.stat().st_size
    pid = os.fork()
    if pid == 0:
        import resource  # noqa: PLC0415  in the child alone
        import signal  # noqa: PLC0415

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        try:
            append(run.folder, PASSED)
        except StoreError:
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 3
    assert journal.stat().st_size == size
    assert verify(run.folder).state == "sealed"
