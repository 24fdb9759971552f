"""The published cell: every key and every value again, and what becomes of it when nothing missing is paid for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tachograph.scoring import AXES, DEFAULT_PROFILE, Scorecard, cab_breakdown, load_profile, load_record, score

Cell = Callable[..., Path]
PUBLISHED: dict[str, Any] = json.loads(Path(__file__).with_name("reference_cell.json").read_text())


def scored(folder: Path) -> Scorecard:
    return score(load_record(folder), AXES, [load_profile(DEFAULT_PROFILE), load_profile("cab-2026-05")])


def test_all_keys_and_all_values(cell: Cell) -> None:
    """The breakdown as published, key by key; composite and latency efficiency equal to the last bit."""
    folder = cell()
    found = cab_breakdown(load_record(folder), scored(folder))
    expected = PUBLISHED["breakdown"]
    # The page shows the end of what cargo printed; the record keeps all of it.
    assert (
        found["pass_rate"].pop("stdout_tail").endswith(expected["pass_rate"].pop("stdout_tail").rstrip("\n") + "\n\n")
    )
    # Published as not known; here the check's own report tells that 4 of 4 tests passed.
    assert (found["pass_rate"].pop("partial_score"), expected["pass_rate"].pop("partial_score")) == (1.0, None)
    assert found == expected
    assert found["composite"]["composite"] == 0.8541534616145603
    assert found["composite"]["components"]["latency_efficiency"] == 0.5991183155256391


def test_identity(cell: Cell) -> None:
    """Which cell, of which sweep; what the page says of the run's time."""
    scorecard = scored(cell())
    told = scorecard.identity
    assert (told["cell"], told["sweep"], told["task"]) == (
        PUBLISHED["cell_id"],
        PUBLISHED["sweep_id"],
        PUBLISHED["task_id"],
    )
    assert scorecard.end_ns is not None
    assert (scorecard.end_ns - scorecard.start_ns) / 1e6 == 36678.769


def test_by_default_it_is_an_interval_that_ends_where_the_page_is(cell: Cell) -> None:
    """Nobody knows its tokens: the published number is the most that it can be."""
    made = scored(cell()).composites[0]
    assert made.value is None
    assert made.lower is not None
    assert made.upper == 0.8541534616145603
    assert made.lower < made.upper
    assert "tokens" in str(made.reason)
