"""`tachograph compare`: two sets of runs, task by task."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any, Final

import orjson

from ..scoring import DEFAULT_PROFILE, Scorecard, load_profile, stats
from ..traces import InputError
from ._progress import with_progress
from ._score_command import score_all
from ._selection import find_runs
from ._table import print_table

__all__ = ["compare"]

_UNKNOWN: Final = "-"
_VERDICTS: Final = {"a": "A is better", "b": "B is better", "not separable": "not separable"}


def compare(options: argparse.Namespace) -> int:
    """Compare two sets of runs by whether they pass, and tell what else differs."""
    profiles = [load_profile(name) for name in options.profile or [DEFAULT_PROFILE]]
    sides = {"A": find_runs(options.store, [options.a]), "B": find_runs(options.store, [options.b])}
    if shared := set(sides["A"]) & set(sides["B"]):
        raise InputError(
            f"{len(shared)} runs are in both sets, {min(place.name for place in shared)} is one: nothing can be told apart"
        )
    cards = {
        side: list(
            with_progress(score_all(folders, options.axis, profiles, keep=not options.no_write), len(folders), "runs")
        )
        for side, folders in sides.items()
    }
    trials = {side: _trials(found) for side, found in cards.items()}
    found = stats.compare(trials["A"], trials["B"])
    told = {
        "a": {"runs": options.a, **_summary(cards["A"], trials["A"])},
        "b": {"runs": options.b, **_summary(cards["B"], trials["B"])},
        "comparison": asdict(found),
    }
    if options.json:
        print(orjson.dumps(told, option=orjson.OPT_SORT_KEYS).decode())
    else:
        _print(told, found)
    return 0


def _trials(scorecards: Iterable[Scorecard]) -> list[stats.Trial]:
    """Each run as a trial. One that says nothing of its agent has no value, whatever its check said."""
    return [
        stats.Trial(
            task=str(scorecard.identity.get("task") or scorecard.run_id),
            run_id=scorecard.run_id,
            value=_value(scorecard, "pass_rate") if scorecard.outcome.is_graded else None,
            **_used(scorecard),
        )
        for scorecard in scorecards
    ]


def _value(scorecard: Scorecard, axis: str) -> float | None:
    """The value of an axis where it is exact; None where it is not known or only bounded."""
    value = scorecard.axis(axis)
    return value.value if value is not None and value.bound == "exact" else None


def _used(scorecard: Scorecard) -> dict[str, Any]:
    value = scorecard.axis("tokens")
    if value is None or value.value is None or value.bound is None:
        return {}
    return {"amount": value.value, "amount_bound": value.bound}


def _summary(scorecards: Sequence[Scorecard], trials: Sequence[stats.Trial]) -> dict[str, Any]:
    parties = [scorecard.outcome.party for scorecard in scorecards]
    attempts = min((len(group) for group in stats.by_task(trials).values()), default=1)
    return {
        "rate": asdict(stats.rate(trials)),
        "tokens_per_solved": asdict(stats.per_solved(trials)),
        "pass_at_k": {"k": attempts, **asdict(stats.mean_pass_at(trials, attempts))},
        "pass_power_k": {"k": attempts, **asdict(stats.mean_pass_power(trials, attempts))},
        "flakiness": asdict(stats.flakiness(trials)),
        "seconds": _median([value / 1e3 for card in scorecards if (value := _value(card, "latency")) is not None]),
        "cost_usd": _total([_value(card, "cost") for card in scorecards]),
        "outcomes": {party: parties.count(party) for party in sorted(set(parties))},
    }


def _median(values: Sequence[float]) -> float | None:
    ordered = sorted(values)
    if not ordered:
        return None
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _total(values: Sequence[float | None]) -> float | None:
    """The sum; None if one is not known."""
    known = [value for value in values if value is not None]
    return sum(sorted(known)) if known and len(known) == len(values) else None


def _print(told: dict[str, Any], found: stats.Comparison) -> None:
    rows = [[name, *(read(told[side]) for side in ("a", "b"))] for name, read in _ROWS]
    print_table(("", "A", "B"), rows, right=(1, 2))
    print()
    interval = (
        "" if found.interval is None else f", 95 % {_signed(found.interval.low)} to {_signed(found.interval.high)}"
    )
    p_value = f", p = {found.p_value:.3g} ({found.test})" if found.p_value is not None else ""
    print(
        f"{_VERDICTS[found.verdict]}: A - B = {_signed(found.difference)} over {found.tasks} tasks{interval}{p_value}"
    )
    if found.flips:
        print()
        print_table(
            ("Task that differs", "A", "B"), [[flip.task, f"{flip.a:.2f}", f"{flip.b:.2f}"] for flip in found.flips]
        )
    if found.unpaired:
        print(f"\nin one set only, and in no number of the comparison: {', '.join(found.unpaired)}")


def _signed(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:+.3f}"


def _share(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.3f}"


def _interval(told: dict[str, Any]) -> str:
    interval = told["rate"]["interval"]
    return _UNKNOWN if interval is None else f"{_share(interval['low'])} to {_share(interval['high'])}"


def _tokens(told: dict[str, Any]) -> str:
    value = told["tokens_per_solved"]["value"]
    at_least = "≥ " if told["tokens_per_solved"]["is_lower_bound"] else ""
    return _UNKNOWN if value is None else f"{at_least}{value:,.0f}"


def _power(told: dict[str, Any]) -> str:
    found = told["pass_power_k"]
    return _UNKNOWN if found["value"] is None else f"{found['value']:.3f} (k = {found['k']})"


_ROWS: Final[tuple[tuple[str, Callable[[dict[str, Any]], str]], ...]] = (
    ("runs scored of all", lambda told: f"{told['rate']['scored']} of {told['rate']['planned']}"),
    ("passed, of all runs", lambda told: _share(told["rate"]["strict"])),
    ("passed, of scored runs", lambda told: _share(told["rate"]["conditional"])),
    ("95 % (by task)", _interval),
    ("pass^k", _power),
    ("tokens for a solved task", _tokens),
    ("seconds, median", lambda told: _UNKNOWN if told["seconds"] is None else f"{told['seconds']:,.1f}"),
    ("cost of all, USD", lambda told: _UNKNOWN if told["cost_usd"] is None else f"{told['cost_usd']:.4f}"),
    ("outcomes", lambda told: ", ".join(f"{count} {party}" for party, count in told["outcomes"].items())),
)
