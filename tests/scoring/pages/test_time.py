"""Where the time went: shares that add up to the wall, whatever the run is like."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.scoring import RunRecord, all_axes, load_record, score
from tachograph.scoring.pages._moments import moments_of
from tachograph.scoring.pages._time import time_shares, token_classes
from tachograph.traces import Run, SpanRecord

START = 1_700_000_000_123_456_000
SECOND = 1_000_000_000
MOMENTS = st.integers(START - SECOND, START + 100 * SECOND)


def span(kind: str, start: int, end: int) -> SpanRecord:
    return SpanRecord(
        trace_id="1" * 32,
        span_id="2" * 16,
        parent_id=None,
        name=kind,
        start_ns=start,
        end_ns=end,
        attributes={"tachograph.span": kind},
        status_code=0,
        status_message="",
        resource={},
        scope="tachograph",
        scope_attributes={},
    )


def run_of(spans: list[SpanRecord], end: int | None) -> RunRecord:
    run = Run(
        run_id="r",
        status="completed",
        live=False,
        sealed=False,
        start_ns=START,
        end_ns=end,
        attributes={},
        calls=(),
        spans=tuple(spans),
    )
    return RunRecord(run=run)


@given(st.lists(st.builds(span, st.sampled_from(["agent", "check", "tool"]), MOMENTS, MOMENTS)), st.none() | MOMENTS)
def test_the_shares_add_up_to_the_wall(spans: list[SpanRecord], end: int | None) -> None:
    """Also where spans overlap, end before they begin, or the run has no end: nothing is counted twice or lost."""
    record = run_of(spans, end)
    moments = moments_of(record)
    shares = time_shares(score(record, all_axes(()), []), moments)
    assert sum(share["ms"] or 0 for share in shares) == pytest.approx(moments.wall_ms, abs=1e-6)
    assert moments.wall_ms >= 0
    assert all(share["note"] for share in shares if share["ms"] is None)


def test_a_run_of_which_nothing_was_measured() -> None:
    """All of its time is nobody's, and the reason stands there."""
    record = run_of([], START + SECOND)
    (share,) = time_shares(score(record, all_axes(()), []), moments_of(record))
    assert (share["name"], share["ms"]) == ("unattributed", 1000)
    assert "neither the agent nor any call" in share["note"]


def test_tokens_by_class(agent: Any) -> None:
    """As the axis has them: cached input apart from the rest, and None where nothing was told."""
    agent.ask([{"role": "user", "content": "Hi."}], {"role": "assistant", "content": "Hello."})
    scorecard = score(load_record(agent.close()), all_axes(()), [])
    counts = {one["name"]: one["count"] for one in token_classes(scorecard)}
    assert counts == {
        "input_uncached": 40,
        "cache_read": 60,
        "cache_write": None,
        "input_undivided": None,
        "output": 20,
    }
