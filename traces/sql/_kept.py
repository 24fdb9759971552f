"""What was read of the journals, kept for the next question in `STORE/.sql`: derived, and may be deleted at any time.

A journal is read once for each size that it had when somebody asked. What is read at a time goes into a file of its own, which
is never written again; each file that is not much larger than what is to be read is dropped, and its journals are read again
with the others, so that there are few files. `journals.json` says which reading of which journal counts.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import IO, Any, Final, NamedTuple

import orjson

from .._errors import InputError, StoreError
from .._reader import JOURNAL_NAME, journal_path
from .._store import RunStore
from ._tables import BATCH_CALLS, HAS_DUPLICATES, READ_BATCH, TABLES, TABLES_VERSION, TEXTS, WITHOUT_DUPLICATES

__all__ = ["Kept", "kept"]

_FOLDER: Final = ".sql"
_MANIFEST: Final = "journals.json"
_BATCH_BYTES: Final = 32 * 2**20
"""Bytes of journals that are read at a time, or one journal that has more."""
_PIECE: Final = 8 * 2**20
_GROWTH: Final = 2
"""A file is dropped if it stands for less than this many times the bytes that are to be read anyway."""


class _Journal(NamedTuple):
    """A reading of a journal."""

    size: int
    changed_ns: int
    number: int
    file: str

    def is_of(self, status: os.stat_result) -> bool:
        return (self.size, self.changed_ns) == (status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Readings of journals that count."""

    files: tuple[Path, ...]
    numbers: dict[int, Path]
    """The run's folder, by the number of the reading of its journal."""
    folder: Path
    """Of the files."""


@contextmanager
def kept(where: Path, engine: ModuleType) -> Iterator[Kept]:
    """What was read of all journals, up to date; nobody else changes it meanwhile.

    Args:
        where: a folder of runs, or one run's.
        engine: the module `duckdb`.

    Raises:
        InputError: there is no such store, or no run in it.
        StoreError: it cannot be read.
    """
    alone = (where / JOURNAL_NAME).is_file()
    folders = [where] if alone else list(RunStore(where).run_folders())
    if not folders:
        raise InputError(f"{where}: no runs to ask")
    with ExitStack() as stack:
        try:
            place = None if alone else _own_folder(where)
            if place is None:
                place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tachograph-sql-")))
            lock = os.open(place / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            stack.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield _Keeper(place, engine).update(folders)
        except OSError as error:
            raise StoreError(f"{error.filename or where}: {error.strerror}") from error
        except engine.Error as error:
            raise StoreError(f"{where}: its journals cannot be read by SQL: {error}") from error


def _own_folder(store: Path) -> Path | None:
    """The folder in the store; None if it cannot be written."""
    folder = store / _FOLDER
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        if os.access(folder, os.W_OK | os.X_OK):
            return folder
    return None


class _Keeper:
    def __init__(self, folder: Path, engine: ModuleType) -> None:
        self._folder = folder
        self._engine = engine
        self._version = [TABLES_VERSION, engine.__version__]

    def update(self, folders: Iterable[Path]) -> Kept:
        """Read what is new. Raises OSError."""
        stands = {folder.name: (folder, journal_path(folder).stat()) for folder in folders}
        noted, number = self._manifest()
        known = {
            name: journal
            for name, journal in noted.items()
            if name in stands and journal.is_of(stands[name][1]) and (self._folder / journal.file).is_file()
        }
        to_read = sum(status.st_size for name, (_, status) in stands.items() if name not in known)
        for file in self._absorbed(known, to_read):
            known = {name: journal for name, journal in known.items() if journal.file != file}
        missing = [name for name in stands if name not in known]
        if missing:
            known |= self._read(missing, stands, number)
            self._write_manifest(known, number + len(missing))
        self._sweep({journal.file for journal in known.values()})
        return Kept(
            files=tuple(sorted({self._folder / journal.file for journal in known.values()})),
            numbers={journal.number: stands[name][0] for name, journal in known.items()},
            folder=self._folder,
        )

    def _absorbed(self, known: dict[str, _Journal], to_read: int) -> list[str]:
        """Files that are dropped, smallest first."""
        sizes: dict[str, int] = {}
        for journal in known.values():
            sizes[journal.file] = sizes.get(journal.file, 0) + journal.size
        dropped = []
        for file, size in sorted(sizes.items(), key=lambda item: item[1]):
            if not to_read or size > _GROWTH * to_read:
                break
            dropped.append(file)
            to_read += size
        return dropped

    def _read(
        self, names: list[str], stands: dict[str, tuple[Path, os.stat_result]], first: int
    ) -> dict[str, _Journal]:
        file = f"spans-{first}-{os.getpid()}.duckdb"
        unfinished = self._folder / f"{file}.unfinished"
        unfinished.unlink(missing_ok=True)
        found = {
            name: _Journal(stands[name][1].st_size, stands[name][1].st_mtime_ns, number, file)
            for number, name in enumerate(names, first)
        }
        with self._engine.connect(str(unfinished)) as database:
            database.execute(TEXTS)
            batches = _batches([(stands[name][0] / JOURNAL_NAME, found[name]) for name in names])
            for is_first, batch in batches:
                self._take(database, batch, is_first=is_first)
        unfinished.chmod(0o600)
        unfinished.replace(self._folder / file)
        return found

    def _take(self, database: Any, batch: list[tuple[Path, _Journal]], *, is_first: bool) -> None:
        with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".ndjson") as lines:
            for path, journal in batch:
                _write_numbered(lines, path, journal)
            lines.flush()
            database.execute(READ_BATCH, {"file": lines.name})
        if database.execute(HAS_DUPLICATES).fetchone() == (True,):
            database.execute(WITHOUT_DUPLICATES)
        database.execute(BATCH_CALLS)
        database.begin()
        for table, rows in TABLES.items():
            database.execute(f"CREATE TABLE {table} AS {rows}" if is_first else f"INSERT INTO {table} {rows}")
        database.commit()

    def _manifest(self) -> tuple[dict[str, _Journal], int]:
        """The last readings of journals, and the number of the next one."""
        with suppress(FileNotFoundError, ValueError, TypeError, KeyError):
            said = orjson.loads((self._folder / _MANIFEST).read_bytes())
            if said["version"] == self._version:
                return {name: _Journal(*journal) for name, journal in said["journals"].items()}, int(said["next"])
        return {}, 1

    def _write_manifest(self, journals: dict[str, _Journal], following: int) -> None:
        unfinished = self._folder / f"{_MANIFEST}.unfinished"
        unfinished.touch(mode=0o600)
        listed = {name: list(journal) for name, journal in journals.items()}
        unfinished.write_bytes(orjson.dumps({"version": self._version, "next": following, "journals": listed}))
        unfinished.replace(self._folder / _MANIFEST)

    def _sweep(self, used: set[str]) -> None:
        """Remove what nobody counts on any more. Whoever reads such a file has it open."""
        for path in self._folder.iterdir():
            if path.name.startswith("spans-") and path.name not in used:
                path.unlink(missing_ok=True)


def _batches(journals: list[tuple[Path, _Journal]]) -> Iterator[tuple[bool, list[tuple[Path, _Journal]]]]:
    """Journals that are read together, each with whether they are the first."""
    batch: list[tuple[Path, _Journal]] = []
    size, is_first = 0, True
    for entry in journals:
        if batch and size + entry[1].size > _BATCH_BYTES:
            yield is_first, batch
            batch, size, is_first = [], 0, False
        batch.append(entry)
        size += entry[1].size
    if batch:
        yield is_first, batch


def _write_numbered(lines: IO[bytes], path: Path, journal: _Journal) -> None:
    """Write the lines of a journal as it was when its size was asked, each with the journal's number as a first member.

    A line that a killed writer left torn is ended here, and passed over by the engine, as what is no JSON at all.
    """
    begin, left = b"\n", journal.size
    with path.open("rb") as file:
        while piece := file.read(min(left, _PIECE)):
            left -= len(piece)
            text = begin + piece
            begin = b"\n" if text.endswith(b"\n") else b""
            lines.write(text.removesuffix(b"\n").replace(b"\n{", b'\n{"journal":%d,' % journal.number))
    lines.write(b"\n")
