"""Numbers of many calls, folded from spans."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.traces import RunStore, SpanRecord, Timing, Usage, read_spans
from tachograph.traces.metrics import MetricsFold

if TYPE_CHECKING:
    from tests.traces.conftest import CallMaker, CallRecorder, RequestMaker

SECOND = 1_000_000_000


@pytest.fixture(scope="module")
def spans(tmp_path_factory: pytest.TempPathFactory, record: "CallRecorder") -> list[SpanRecord]:
    store = RunStore(tmp_path_factory.mktemp("runs"))
    run = store.open_run("the-run")
    for number in range(6):
        record(run, usage=Usage(source="provider", input_tokens=number, output_tokens=1))
    record(run, usage=Usage(source="absent", reason="none told"), error_type="timeout", outcome="upstream_cut")
    run.close()
    return [span for span in read_spans(run.folder) if span.attributes["tachograph.span"] != "seal"]


def folded(spans: list[SpanRecord]) -> MetricsFold:
    fold = MetricsFold()
    for span in spans:
        fold.add("the-run", span)
    return fold


def numbers(fold: MetricsFold) -> list[object]:
    histograms = {
        name: {labels: found.counts for labels, found in by_labels.items()}
        for name, by_labels in fold.durations.items()
    }
    return [
        *(fold.calls, fold.errors, fold.tokens, fold.without_usage, fold.request_bytes, fold.response_bytes),
        *(fold.calls_open, fold.bodies_lost, histograms),
    ]


@given(data=st.data())
def test_neither_order_nor_repetition_counts(data: st.DataObject, spans: list[SpanRecord]) -> None:
    """The same spans in any order, some of them twice, come to the same numbers (law 5)."""
    repeated = data.draw(st.lists(st.sampled_from(spans)))
    shuffled = data.draw(st.permutations([*spans, *repeated]))
    assert numbers(folded(shuffled)) == numbers(folded(spans))


@given(data=st.data())
def test_no_counter_goes_back(data: st.DataObject, spans: list[SpanRecord]) -> None:
    """After each span every counter is at least what it was: Prometheus takes less for a restart."""
    fold = MetricsFold()
    before: Counter[tuple[str, ...]] = Counter()
    for span in data.draw(st.permutations(spans)):
        fold.add("the-run", span)
        now = fold.calls + fold.errors + fold.tokens + fold.without_usage
        assert all(now[labels] >= count for labels, count in before.items())
        before = now


def test_what_is_absent_is_not_counted(spans: list[SpanRecord]) -> None:
    """A call without usage adds no tokens, not even none, and is counted as one without (law 3)."""
    fold = folded(spans)
    of = ("chat_completions", "a-model")
    assert fold.calls == {(*of, "completed", "2xx"): 6, (*of, "upstream_cut", "2xx"): 1}
    assert fold.tokens == {(*of, "input", "provider"): 15, (*of, "output", "provider"): 6}
    assert fold.without_usage == {of: 1}
    assert fold.errors == {(*of, "timeout"): 1}
    assert sum(fold.durations["duration"][of].counts) == 7
    assert not fold.durations["time_to_first_token"]


def test_a_call_is_open_until_it_ends(spans: list[SpanRecord]) -> None:
    """What was announced is open; when its run is sealed without its end, it was interrupted."""
    fold = folded([span for span in spans if span.attributes["tachograph.span"] != "call"])
    assert (fold.calls_open, fold.streams_open, fold.runs_open) == (7, 0, 1)
    fold.close("the-run")
    assert (fold.calls_open, fold.runs_open) == (0, 0)
    assert fold.calls == {("", "", "interrupted", "none"): 7}


def test_labels_have_an_end(tmp_path: Path, new_request: "RequestMaker", new_call: "CallMaker") -> None:
    """However many models agents make up, all beyond a hundred are one, and none of their calls is lost."""
    run = RunStore(tmp_path).open_run("the-run")
    for number in range(150):
        request = new_request(model=f"m{number}")
        opened = run.start_call(request, 0, None)
        run.end_call(opened, new_call(request, run_id="the-run", sequence=number))
    fold = folded(list(read_spans(run.folder)))
    run.close()
    assert len({model for _, model, *_ in fold.calls}) == 101
    assert fold.calls["chat_completions", "other", "completed", "2xx"] == 50


def test_bodies_that_are_not_wanted_are_no_loss(tmp_path: Path, record: "CallRecorder") -> None:
    """Only a body that was to be kept is counted as lost."""
    run = RunStore(tmp_path).open_run("the-run")
    record(run, bodies_lost="--bodies hash")
    record(run, bodies_lost="No space left on device")
    assert folded(list(read_spans(run.folder))).bodies_lost == 1
    run.close()


def test_an_hour_is_within_the_buckets(tmp_path: Path, record: "CallRecorder") -> None:
    """A call of a coding agent may take minutes: its duration falls between bounds, not behind the last one."""
    run = RunStore(tmp_path).open_run("the-run")
    record(run, timing=Timing(start_ns=0, upstream_sent=0, first_content=SECOND // 200, end=3_500 * SECOND))
    fold = folded(list(read_spans(run.folder)))
    run.close()
    (duration,), (first,) = fold.durations["duration"].values(), fold.durations["time_to_first_token"].values()
    assert duration.cumulated()[-3:] == [("1800.0", 0), ("3600.0", 1), ("+Inf", 1)]
    assert first.cumulated()[0] == ("0.01", 1)
