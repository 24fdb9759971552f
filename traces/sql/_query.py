"""Asking the journals by SQL, with nothing else within reach: no file, no network, no writing."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from .._errors import InputError, StoreError
from .._reader import is_live
from ._kept import Kept, kept
from ._tables import TABLES, VIEWS

__all__ = ["Rows", "query"]

_PIECE: Final = 1000
"""Rows that are held at a time."""
_COPIES: Final = """
DELETE FROM counted WHERE journal IN (
    SELECT journal FROM all_runs QUALIFY row_number() OVER (PARTITION BY run_id ORDER BY calls DESC, journal) > 1
)
"""
"""Folders that were copied hold the same spans: each run counts once, by the journal that has most of it."""
_LOCKS: Final = (
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


@dataclass(frozen=True, slots=True)
class Rows:
    """An answer. Its rows can be gone through once, while the question's `with` block lasts."""

    columns: tuple[str, ...]
    _cursor: Any

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Rows, a value for each column."""
        while piece := self._cursor.fetchmany(_PIECE):
            yield from piece


@contextmanager
def query(where: Path, sql: str, *, parquet: Path | None = None) -> Iterator[Rows]:
    """Ask the journals of local runs; the views are `otel_traces`, `calls`, `runs` and `scores` (see docs/reading.md).

    Args:
        where: a folder of runs, or one run's.
        sql: one SELECT, in DuckDB's dialect.
        parquet: write the answer to this file instead; the rows then only say how many there were.

    Raises:
        InputError: DuckDB is not installed, there is no such store, or the SQL cannot be carried out.
        StoreError: the store cannot be read, or the file not be written.
    """
    engine = _engine()
    statement = _checked(engine, sql)
    with engine.connect() as database:
        with kept(where, engine) as readings:
            _attach(database, engine, readings, {table: _rows_of(table, readings) for table in TABLES})
        database.execute(f"SET temp_directory = {_quoted(readings.folder / 'spilt')}")
        if parquet is not None:
            database.execute(f"SET allowed_paths = [{_quoted(parquet.absolute())}]")
            statement = f"COPY (FROM query({_quoted(statement)})) TO {_quoted(parquet.absolute())} (FORMAT parquet)"
        for lock in _LOCKS:
            database.execute(lock)
        yield _asked(database, engine, statement)


def _engine() -> ModuleType:
    try:
        import duckdb  # noqa: PLC0415  an extra, which most commands do without
    except ImportError as error:
        raise InputError("SQL needs DuckDB: install it with `pip install 'tachograph[sql]'`") from error
    return duckdb


def _checked(engine: ModuleType, sql: str) -> str:
    try:
        statements = engine.extract_statements(sql)
    except engine.Error as error:
        raise InputError(f"SQL: {_said(error)}") from error
    if len(statements) != 1 or statements[0].type != engine.StatementType.SELECT:
        raise InputError("SQL: one SELECT is answered, and nothing else: the record is only read")
    return sql


def _asked(database: Any, engine: ModuleType, sql: str) -> Rows:
    try:
        cursor = database.execute(sql)
    except engine.IOException as error:
        raise StoreError(f"SQL: {_said(error)}") from error
    except engine.Error as error:
        raise InputError(f"SQL: {_said(error)}") from error
    return Rows(tuple(column[0] for column in cursor.description or ()), cursor)


def _said(error: Exception) -> str:
    return str(error).strip()


def _attach(database: Any, engine: ModuleType, readings: Kept, rows: dict[str, str]) -> None:
    """Make the views. The files are attached for reading only, and each is closed to all but these views."""
    try:
        for number, file in enumerate(readings.files):
            database.execute(f"ATTACH {_quoted(file)} AS kept_{number} (READ_ONLY)")
    except engine.Error as error:
        raise StoreError(f"{readings.folder}: cannot be read, and may be deleted: {_said(error)}") from error
    database.execute("CREATE TABLE counted (journal INTEGER)")
    _fill(database, "counted", list(readings.numbers))
    database.execute("CREATE TABLE open_now (journal INTEGER)")
    for table, all_rows in rows.items():
        database.execute(f"CREATE VIEW all_{table} AS {all_rows}")
    database.execute(_COPIES)
    unended = database.execute("SELECT journal FROM all_runs WHERE status = 'open'").fetchall()
    _fill(database, "open_now", [number for (number,) in unended if is_live(readings.numbers[number])])
    for name, view in VIEWS.items():
        database.execute(f"CREATE VIEW {name} AS {view.format(kept=f'all_{name}', runs='all_runs')}")


def _rows_of(table: str, readings: Kept) -> str:
    """All rows of a table that count: those of a journal that was read again since do not."""
    parts = [
        f"SELECT * FROM kept_{number}.{table} SEMI JOIN counted USING (journal)"
        for number in range(len(readings.files))
    ]
    return " UNION ALL ".join(parts)


def _fill(database: Any, table: str, numbers: Sequence[int]) -> None:
    database.execute(f"INSERT INTO {table} SELECT unnest($numbers::INTEGER[])", {"numbers": list(numbers)})


def _quoted(text: str | Path) -> str:
    return "'" + str(text).replace("'", "''") + "'"
