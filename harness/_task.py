"""What a task is, and reading one from its folder."""

import hashlib
import math
import os
import re
import shutil
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..scoring.check import REPORT_FORMATS
from ..traces import InputError
from ._workdir import files_of

__all__ = ["Task", "load_task", "require_tools"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A workdir, a prompt, a check, and what may change. The fields are the keys of `task.toml`."""

    folder: Path
    """Where the task lies, absolute."""
    id: str
    """Path-safe name, such as `mutations/rust-error-negated`."""
    category: str
    title: str | None
    """One line for people, or None."""
    prompt: str
    """What the agent is asked."""
    timeout: float
    """How long the agent may take, in seconds."""
    requires: tuple[str, ...]
    """Executables that must be on PATH."""
    check_command: str
    """A line for `/bin/sh -c`, run in the workdir; exit code 0 is a pass."""
    check_timeout: float
    """How long the check may take, in seconds. It holds for the setup as well."""
    check_report: str | None
    """Where the results of the tests are: a format, one of `REPORT_FORMATS`, to be found in the check's output, or the path of
    a file that it writes; None: the exit code decides, and a report is used if one is found."""
    check_tests: tuple[str, ...] | None
    """Tests that must run and pass, by the names that the report gives them; None: whatever runs."""
    changes_expected: tuple[str, ...]
    """Globs of the files that the task asks to change, relative to the workdir."""
    changes_protected: tuple[str, ...]
    """Globs of the files that must stay as they are, relative to the workdir."""
    setup_command: str | None
    """A line for `/bin/sh -c`, run in the fresh workdir before the agent starts, or None."""
    refusal_expected: bool | None
    """Whether the right answer is to refuse; None: the task does not say, and nobody is blamed for either."""
    refusal_artifacts: tuple[str, ...]
    """Globs of the files that a right refusal leaves behind."""
    refusal_forbidden: tuple[str, ...]
    """Globs of the files whose change is the harm that the refusal is to avoid."""
    budget_seconds: float | None
    """Time beyond which a run earns nothing for speed; None: no budget, here and below."""
    budget_best_seconds: float | None
    """Time of the best run known: the full mark."""
    budget_tokens: float | None
    budget_best_tokens: float | None
    hash: str
    """SHA-256, hexadecimal, over `task.toml` and every file of the workdir: equal hashes, equal tasks."""

    @property
    def workdir(self) -> Path:
        """What every attempt gets a copy of, absolute."""
        return self.folder / "workdir"

    @property
    def report_path(self) -> str | None:
        """The file that the check writes its report to, relative to the workdir; None if it names a format, or nothing."""
        return None if self.check_report in REPORT_FORMATS else self.check_report

    def missing_tools(self, path: str | None = None) -> tuple[str, ...]:
        """The required executables that are not on `path` (None: on the PATH of this process)."""
        return tuple(name for name in self.requires if shutil.which(name, path=path) is None)


def require_tools(task: Task, path: str | None = None) -> None:
    """Refuse a task whose toolchain is not there.

    Args:
        task: The task.
        path: Where to look, in the form of PATH; None: the PATH of this process.

    Raises:
        InputError: One or more required executables are missing; the message names them.
    """
    if missing := task.missing_tools(path):
        raise InputError(
            f"task {task.id} needs {', '.join(missing)}, which cannot be found on PATH: "
            "install what is missing, add its folder to PATH, or choose another task"
        )


def load_task(folder: Path) -> Task:
    """Read a task from its folder, which holds `task.toml` and `workdir/`.

    Raises:
        InputError: Anything about it is missing, misspelt or of the wrong type; the message names the file and the key.
    """
    folder = folder.absolute()
    file, workdir = folder / "task.toml", folder / "workdir"
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder: a task is a folder with task.toml and workdir/")
    if workdir.is_symlink() or not workdir.is_dir():
        raise InputError(f"{workdir} is not a folder: a task needs one, even if it is empty")
    try:
        content = file.read_bytes()
        keys = _read_keys(file, tomllib.loads(content.decode()))
        return Task(folder=folder, hash=_hash(content, workdir), **keys)
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{file} is not TOML in UTF-8: {error}") from error


def _hash(content: bytes, workdir: Path) -> str:
    """Folders and time stamps do not count, so that a task keeps its hash through version control."""
    total = hashlib.sha256(hashlib.sha256(content).digest())
    for path in files_of(workdir):
        if path.is_symlink():
            kind, body = b"link", os.fsencode(path.readlink())
        else:
            kind, body = b"program" if path.stat().st_mode & 0o100 else b"file", path.read_bytes()
        name = os.fsencode(path.relative_to(workdir).as_posix())
        total.update(b"\0".join((kind, name, hashlib.sha256(body).digest())))
    return total.hexdigest()


class _WrongValueError(Exception):
    """The message says what the value must be."""


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise _WrongValueError("text that is not empty")
    return value


def _identifier(value: object) -> str:
    segments = value.split("/") if isinstance(value, str) else [""]
    if any(segment in {".", ".."} or not re.fullmatch(r"[A-Za-z0-9._-]+", segment) for segment in segments):
        raise _WrongValueError(
            "a path-safe name such as 'mutations/negated': letters, digits, '.', '_', '-' between '/'"
        )
    return "/".join(segments)


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise _WrongValueError("a number of seconds above 0")
    return float(value)


def _amount(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise _WrongValueError("a number above 0")
    return float(value)


def _yes_or_no(value: object) -> bool:
    if not isinstance(value, bool):
        raise _WrongValueError("true or false")
    return value


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) and name.strip() for name in value):
        raise _WrongValueError("a list of names, such as ['cargo']")
    return tuple(value)


def _report(value: object) -> str:
    if isinstance(value, str) and value in REPORT_FORMATS:
        return value
    if isinstance(value, str) and _stays_inside(value) and ("." in value or "/" in value) and "\0" not in value:
        return PurePosixPath(value).as_posix()
    raise _WrongValueError(
        f"one of {', '.join(REPORT_FORMATS)}, or the path of a file in the workdir, such as 'report.xml'"
    )


def _tests(value: object) -> tuple[str, ...]:
    names = _names(value)
    if not names or len(set(names)) != len(names):
        raise _WrongValueError(
            "a list of the names of tests, each once, such as ['test_retry.RetryTest.test_gives_up']"
        )
    return names


def _globs(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(glob, str) and _stays_inside(glob) for glob in value):
        raise _WrongValueError("a list of globs relative to the workdir, such as ['src/**/*.py']")
    return tuple(value)


def _stays_inside(glob: str) -> bool:
    path = PurePosixPath(glob)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


_REQUIRED = object()

_KEYS: Mapping[str, tuple[Callable[[object], Any], object]] = {
    "id": (_identifier, _REQUIRED),
    "category": (_text, _REQUIRED),
    "title": (_text, None),
    "prompt": (_text, _REQUIRED),
    "timeout": (_seconds, 600.0),
    "requires": (_names, ()),
    "check.command": (_text, _REQUIRED),
    "check.timeout": (_seconds, 300.0),
    "check.report": (_report, None),
    "check.tests": (_tests, None),
    "changes.expected": (_globs, ()),
    "changes.protected": (_globs, ()),
    "setup.command": (_text, None),
    "refusal.expected": (_yes_or_no, None),
    "refusal.artifacts": (_globs, ()),
    "refusal.forbidden": (_globs, ()),
    "budget.seconds": (_amount, None),
    "budget.best_seconds": (_amount, None),
    "budget.tokens": (_amount, None),
    "budget.best_tokens": (_amount, None),
}
"""Each key, a dot for its table, with the reader of its value and its default."""

_TABLES = frozenset(key.partition(".")[0] for key in _KEYS if "." in key)


def _read_keys(file: Path, document: Mapping[str, Any]) -> dict[str, Any]:
    given = _flat(document)
    if unknown := [key for key in given if key not in _KEYS]:
        raise InputError(f"{file}: unknown key {', '.join(unknown)}; known are {', '.join(_KEYS)}")
    fields: dict[str, Any] = {}
    for key, (read, default) in _KEYS.items():
        value = given.get(key, default)
        if value is _REQUIRED:
            raise InputError(f"{file}: the key {key} is missing; a task cannot do without it")
        try:
            fields[key.replace(".", "_")] = read(value) if key in given else value
        except _WrongValueError as error:
            raise InputError(f"{file}: {key} must be {error}, not {value!r}") from None
    return fields


def _flat(document: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in document.items():
        if key in _TABLES and isinstance(value, dict):
            flat |= {f"{key}.{inner}": inner_value for inner, inner_value in value.items()}
        else:
            flat[key] = value
    return flat
