"""The report: plain tables of what was measured."""

import os
import platform
import statistics
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks._contestants import FLOOR, LIMIT, SUBJECT
from tests.benchmarks._measures import MEASURES, TARGETS, Measure, Sample

__all__ = ["Samples", "machine", "measure_report", "noise_report", "target_report", "variant_report"]

Samples = Mapping[str, Sequence[Sample]]
"""By contestant, a sample each round."""


def machine(cores: Mapping[str, int]) -> dict[str, str]:
    """Where this is measured."""
    return {
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "cores": ", ".join(f"{what} on core {core}" for what, core in cores.items()),
        "Python": f"{platform.python_version()}, httptools {version('httptools')}, uvloop {version('uvloop')}",
        "load average": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def measure_report(measure: Measure, samples: Samples) -> str:
    """The table of one measure: medians over the rounds."""
    head = [
        "",
        *measure.columns,
        *(f"+{column}" for column in measure.added),
        f"x {LIMIT}",
        "spread",
        "failed",
    ]
    rows = [[name, *_row(measure, samples, name)] for name in samples]
    rounds = max(map(len, samples.values()))
    note = f"median of {rounds} interleaved rounds; ratio and spread (max - min) / median: {measure.compared}"
    failures = [
        f"{name}: {sample.outcome.failure}" for name in samples for sample in samples[name] if sample.outcome.failed
    ]
    return "\n".join([measure.title, f"({note})", _table(head, rows), *failures])


def _row(measure: Measure, samples: Samples, name: str) -> Iterable[str]:
    for column in measure.columns:
        yield _shown(_median(_values(measure, samples, name, column)))
    for column in measure.added:
        yield _shown(None if name == FLOOR else _median(_added(measure, samples, name, column)))
    yield _shown(_median(_ratios(measure, samples, name)))
    yield _spread(_values(measure, samples, name, measure.compared))
    yield str(sum(sample.outcome.failed for sample in samples[name]))


def _values(measure: Measure, samples: Samples, name: str, column: str) -> list[float | None]:
    return [measure.columns[column](sample) for sample in samples.get(name, ())]


def _added(measure: Measure, samples: Samples, name: str, column: str) -> list[float | None]:
    """Over `direct`, round by round, so that what drifts drops out."""
    pairs = zip(_values(measure, samples, name, column), _values(measure, samples, FLOOR, column), strict=False)
    return [None if value is None or floor is None else value - floor for value, floor in pairs]


def _ratios(measure: Measure, samples: Samples, name: str) -> list[float | None]:
    column = measure.compared
    pairs = zip(_values(measure, samples, name, column), _values(measure, samples, LIMIT, column), strict=False)
    return [value / limit if value is not None and limit else None for value, limit in pairs]


def _median(values: Sequence[float | None]) -> float | None:
    measured = [value for value in values if value is not None]
    return statistics.median(measured) if measured else None


def _spread(values: Sequence[float | None]) -> str:
    measured = [value for value in values if value is not None]
    middle = _median(values)
    return f"{100 * (max(measured) - min(measured)) / middle:.0f}%" if len(measured) > 1 and middle else "-"


def target_report(results: Mapping[str, Samples]) -> str:
    """Which targets are reached, of those that were measured."""
    rows = []
    for target in TARGETS:
        measure, samples = MEASURES[target.measure], results.get(target.measure, {})
        value = _median((_added if target.added else _values)(measure, samples, SUBJECT, target.column))
        if value is not None:
            missed = target.missed_by(value)
            verdict = "reached" if missed <= 0 else f"missed by {_shown(missed)} ({100 * missed / target.limit:.0f}%)"
            bound = f"{'>=' if target.at_least else '<'} {target.limit:g}"
            rows.append([target.what, bound, _shown(value), verdict])
    return "\n".join(["targets", _table(["", "target", "measured", ""], rows)])


def variant_report(results: Mapping[str, Samples], variants: Sequence[str]) -> str:
    """What each variant costs, round by round against the subject without it."""
    rows = []
    for name, samples in results.items():
        measure = MEASURES[name]
        subject = _values(measure, samples, SUBJECT, measure.compared)
        for variant in variants:
            pairs = zip(_values(measure, samples, variant, measure.compared), subject, strict=True)
            changes = [100 * (value / plain - 1) for value, plain in pairs if value is not None and plain]
            shown = f"{statistics.median(changes):+.1f}%", ", ".join(f"{change:+.1f}%" for change in changes)
            rows.append([f"{measure.compared}, {variant}", *shown])
    return "\n".join([f"against {SUBJECT} alone, in the same round", _table(["", "median", "rounds"], rows)])


def noise_report(results: Mapping[str, Samples]) -> str:
    """How busy others kept the cores during the measurements. They also take what a contestant leaves idle."""
    rows = [
        [
            f"{measure}, {name}",
            _share([sample.others_on_proxy_core for sample in samples[name]]),
            _share([sample.others_on_load_core for sample in samples[name]]),
            _share([sample.stolen for sample in samples[name]]),
        ]
        for measure, samples in results.items()
        for name in samples
    ]
    head = ["", "proxy core", "load core", "other machines"]
    return "\n".join(["work of others during the measurements (share of a core, median / worst)", _table(head, rows)])


def _share(shares: Sequence[float]) -> str:
    return f"{100 * statistics.median(shares):.0f}% / {100 * max(shares):.0f}%"


def _shown(value: float | None) -> str:
    """Three digits."""
    if value is None:
        return "-"
    size = abs(value)
    return (
        f"{value:,.0f}"
        if size >= 100
        else f"{value:.1f}"
        if size >= 10
        else f"{value:.2f}"
        if size >= 1
        else f"{value:.3f}"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[index]) for row in (head, *rows)) for index in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        first, *others = (
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join((first, *others)).rstrip()

    return "\n".join([line(head), "  ".join("-" * width for width in widths), *map(line, rows)])
