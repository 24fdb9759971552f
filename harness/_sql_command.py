"""`tachograph sql`: a question to all recorded runs at once."""

import argparse
import csv
import sys
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

import orjson

from ..traces import InputError
from ..traces.sql import Rows, query
from ._table import print_table

__all__ = ["sql"]

_MOST_SHOWN: Final = 1000
"""Rows of a table for people; --csv and --json give all."""
_UNKNOWN: Final = "-"
_NUMBERS: Final = (int, float)


def sql(options: argparse.Namespace) -> int:
    """Answer a question."""
    if options.to is not None and options.to[0] != "parquet":
        raise InputError(f"--to {options.to[0]}: an answer is written as parquet; --csv and --json print it")
    target = None if options.to is None else Path(options.to[1])
    with query(options.store, options.query, parquet=target) as rows:
        if target is not None:
            (written,) = next(iter(rows))
            print(f"{target}: {written} rows")
        else:
            _FORMS[options.form](rows)
    return 0


def _print_table(rows: Rows) -> None:
    found = iter(rows)
    shown = list(islice(found, _MOST_SHOWN))
    right = [number for number in range(len(rows.columns)) if shown and all(_is_number(row[number]) for row in shown)]
    print_table(rows.columns, [[_text(value) for value in row] for row in shown], right=right)
    if next(found, None) is not None:
        print(f"… the first {_MOST_SHOWN} rows; --csv and --json give all")


def _print_csv(rows: Rows) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(rows.columns)
    writer.writerows([_exact(value) for value in row] for row in rows)


def _print_json(rows: Rows) -> None:
    for row in rows:
        line = orjson.dumps(dict(zip(rows.columns, row, strict=True)), default=_json, option=_JSON)
        sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


_FORMS: Final[dict[str, Callable[[Rows], None]]] = {"table": _print_table, "csv": _print_csv, "json": _print_json}
_JSON: Final = orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, _NUMBERS) and not isinstance(value, bool))


def _text(value: Any) -> str:
    """For people: six digits of what is not whole, milliseconds of a moment."""
    if value is None:
        return _UNKNOWN
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    return str(_exact(value))


def _exact(value: Any) -> Any:
    """As it is; lists and maps as JSON."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (dict, list, tuple)):
        return orjson.dumps(value, default=_json, option=_JSON ^ orjson.OPT_APPEND_NEWLINE).decode()
    return value.isoformat() if isinstance(value, datetime) else value


def _json(value: Any) -> Any:
    """What JSON has no form of: exact decimals as numbers, durations in seconds, all else as text."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, (date, time)):
        return value.isoformat()
    try:
        return float(value)
    except (TypeError, ValueError):
        return str(value)
