"""Opening whatever holds runs."""

import os
import re
from pathlib import Path
from typing import Final

from .._errors import InputError, StoreError
from .._reader import JOURNAL_NAME
from ._clickhouse import ClickHouseRuns
from ._clickhouse_server import ClickHouseServer
from ._collector_files import CollectorFiles
from ._folders import RunFolders
from ._source import RunSource

__all__ = ["open_runs"]

_URL: Final = re.compile(r"(clickhouse|https?)://", re.IGNORECASE)
_SUFFIXES: Final = frozenset({".json", ".jsonl"})
_ROTATED: Final = re.compile(r"-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}")
"""What the `file` exporter puts between name and suffix of a file that it has done with (lumberjack)."""


def open_runs(where: str | os.PathLike[str]) -> RunSource:
    """What holds runs, to be read from there one by one.

    Args:
        where: a folder of runs; one run's folder; a file of a Collector's `file` exporter, which stands for its rotated
            siblings too; a folder of such files; or a ClickHouse server's HTTP address, `clickhouse://HOST:8123/DATABASE`,
            whose table `otel_traces` (or `?table=NAME`) a Collector's `clickhouse` exporter writes. User and password are
            those of the environment, `CLICKHOUSE_USER` and `CLICKHOUSE_PASSWORD`.

    Raises:
        InputError: there is no such thing, or the address cannot be used.
        StoreError: it cannot be looked at.
    """
    if isinstance(where, str) and _URL.match(where):
        return ClickHouseRuns(ClickHouseServer.at(where, os.environ))
    path = Path(where)
    try:
        if path.is_file():
            return RunFolders(path.parent) if path.name == JOURNAL_NAME else CollectorFiles(_with_rotated(path))
        if not path.is_dir():
            raise InputError(f"{path}: no such file or folder, nor the address of a ClickHouse server")
        if _holds_runs(path):
            return RunFolders(path)
        files = tuple(sorted(entry for entry in path.iterdir() if entry.suffix in _SUFFIXES and entry.is_file()))
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}") from error
    return CollectorFiles(files) if files else RunFolders(path)


def _holds_runs(folder: Path) -> bool:
    if (folder / JOURNAL_NAME).is_file():
        return True
    return any((entry / JOURNAL_NAME).is_file() for entry in folder.iterdir())


def _with_rotated(path: Path) -> tuple[Path, ...]:
    """A file and what it was before it was rotated, oldest first."""
    siblings = [
        entry
        for entry in path.parent.iterdir()
        if entry.suffix == path.suffix
        and entry.name.startswith(path.stem)
        and _ROTATED.fullmatch(entry.name[len(path.stem) : len(entry.name) - len(path.suffix)])
    ]
    return (*sorted(siblings), path)
