"""Runs and their scores as files for other tools."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from ..scoring import RunRecord, Scorecard, collected_record, load_record
from ..scoring.formats import atif_trajectory, junit, sarif, swebench_prediction
from ..scoring.integrity import INTEGRITY_RULES
from ..traces import StoreError
from ._collected import CollectedRun, RunPlace, read_collected

__all__ = ["FILES", "wanted_files", "write_files"]

Scored = Sequence[tuple[RunPlace, Scorecard]]
"""Where runs lie, with their scorecards."""


def _junit(scored: Scored) -> bytes:
    return junit([scorecard for _, scorecard in scored])


def _sarif(scored: Scored) -> bytes:
    rules = {rule.name: rule.help for rule in INTEGRITY_RULES}
    return _document(sarif([scorecard for _, scorecard in scored], rules))


def _swebench(scored: Scored) -> bytes:
    lines = [swebench_prediction(_record(place), _model_name(scorecard)) for place, scorecard in scored]
    return b"".join(orjson.dumps(line) + b"\n" for line in lines)


def _atif(scored: Scored) -> bytes:
    return _document([atif_trajectory(_record(place), scorecard) for place, scorecard in scored])


def _record(place: RunPlace) -> RunRecord:
    return collected_record(next(read_collected([place]))) if isinstance(place, CollectedRun) else load_record(place)


FILES: Final[Mapping[str, tuple[str, Callable[[Scored], bytes]]]] = {
    "junit": ("JUnit XML, a test case a run", _junit),
    "sarif": ("the findings as SARIF 2.1.0", _sarif),
    "swebench": ("the agents' changes as SWE-bench predictions, JSON lines", _swebench),
    "atif": ("what was said and done as ATIF 1.8 trajectories, a JSON list", _atif),
}
"""By the option that names the file: what it holds, and what makes it."""


def wanted_files(options: argparse.Namespace) -> list[str]:
    """The options that name a file."""
    return [name for name in FILES if getattr(options, name) is not None]


def write_files(options: argparse.Namespace, scored: Scored) -> None:
    """Write the files that are wanted.

    Raises:
        InputError: a run does not tell what a file is to hold.
        StoreError: a file cannot be written.
    """
    for name in wanted_files(options):
        path = Path(getattr(options, name))
        data = FILES[name][1](scored)
        try:
            path.write_bytes(data)
        except OSError as error:
            raise StoreError(f"{path}: cannot be written: {error.strerror}") from error


def _model_name(scorecard: Scorecard) -> str:
    known = (scorecard.identity.get("agent"), scorecard.identity.get("model"))
    return "/".join(str(name) for name in known if name is not None) or scorecard.run_id


def _document(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)
