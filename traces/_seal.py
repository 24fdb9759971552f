"""Surveying a journal, and telling whether a run is as it was sealed.

A seal says how many lines, calls and bytes stood before it, and the hash of the last line. Each line holds the hash of the
one before, so a line that is missing or altered shows, and where; the seal's line holds its own hash. Whoever can rewrite the
whole journal can also seal it anew: to prove a run against its keeper, note the seal's hash elsewhere when the run ends
(`tachograph run` prints it).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from . import _names as names
from ._body_reader import BodyReader
from ._errors import StoreError
from ._journal import NO_LINE, Stamp, check_of, stamp_in
from ._otlp import SpanRecord, decode_line
from ._reader import is_live, journal_path
from ._span import is_recorded, masked_bodies

__all__ = ["Seal", "Survey", "Verification", "survey", "verify"]

_BODIES: Final = (
    names.REQUEST_BODY_HASH,
    names.REQUEST_SENT_HASH,
    names.RESPONSE_BODY_HASH,
    names.MESSAGE_BODY_HASH,
)
"""Attributes that name bodies."""
_WITH_BODIES: Final = frozenset({names.CALL, names.CALL + names.START_SUFFIX, names.TAIL, names.MESSAGE})
_SEALED: Final = {
    names.SEAL_LINES: "lines",
    names.SEAL_CALLS: "calls",
    names.SEAL_FINISHED: "finished_calls",
    names.SEAL_BYTES: "bytes",
    names.SEAL_HEAD: "head",
}
"""Members of a seal by attribute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """What a closed run's seal says."""

    lines: int
    """Lines before the seal."""
    calls: int
    """Calls announced."""
    finished_calls: int
    """Calls whose end was recorded; the others are `interrupted`."""
    bytes: int
    """Bytes of the journal before the seal."""
    head: str
    """Hex sha256 of the line before the seal."""


@dataclass(slots=True)
class Survey:
    """A journal, read once from its start to its end."""

    lines: int = 0
    calls: int = 0
    finished_calls: int = 0
    bytes: int = 0
    head: str = NO_LINE
    seal: Seal | None = None
    """The last seal, if nothing but later scores stands after it."""
    problems: list[str] = field(default_factory=list)
    torn: int = 0
    """Lines that a killed writer left unfinished."""
    unread: int = 0
    """Lines at the end that are no JSON: the next one tells whether they were left unfinished or altered."""
    newest_format: int = names.JOURNAL_FORMAT
    """The highest version of the journal's form that a line names."""
    body_hashes: set[str] = field(default_factory=set)
    kept_hashes: dict[str, set[str | None]] = field(default_factory=dict)
    """Of bodies, by hash: the hashes of what may be kept of them; None stands for the true bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Whether a run is whole."""

    state: Literal["sealed", "open", "damaged"]
    problems: tuple[str, ...]
    """What is missing or altered, one sentence each."""
    notes: tuple[str, ...]
    """What is worth knowing and no damage."""
    survey: Survey


def survey(where: Path, known: Survey | None = None) -> Survey:
    """Read a journal once, checking its chain, its numbers and its seals.

    Args:
        where: a run's folder, or its journal.
        known: a survey of the same journal to go on with, which is changed; None: begin at the start.

    Raises:
        InputError: there is no record.
        StoreError: it cannot be read.
    """
    result = known or Survey()
    path = journal_path(where)
    raw = b"\n"
    try:
        with path.open("rb") as lines:
            lines.seek(result.bytes)
            for raw in lines:
                _take(result, raw)
                result.bytes += len(raw)
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}") from error
    if not raw.endswith(b"\n"):
        # Of torn lines in a row, each but the last was ended by the next one.
        result.torn, result.unread, result.seal = result.torn + max(1, result.unread), 0, None
    return result


def _take(result: Survey, raw: bytes) -> None:
    line = raw.removesuffix(b"\n")
    if not line:
        return
    try:
        spans = list(decode_line(line))
    except ValueError:
        result.unread += 1
        return
    stamp = stamp_in(spans)
    if stamp is None:
        result.problems.append(f"the line after line {result.lines} is not this journal's: it carries no number")
        return
    _check_stamp(result, stamp)
    result.lines, result.head, result.unread = stamp.line, hashlib.sha256(line).hexdigest(), 0
    for span in spans:
        _count(result, span, stamp.previous)
        _check_line(result, span, line)


def _check_stamp(result: Survey, stamp: Stamp) -> None:
    missing = stamp.line - result.lines - 1
    if missing == 0:
        result.torn += result.unread
        if stamp.previous != result.head:
            result.problems.append(f"line {result.lines} is altered: line {stamp.line} holds another hash of it")
    elif missing < 0:
        result.problems.append(f"line {stamp.line} stands again or out of order after line {result.lines}")
    elif result.unread:
        result.problems.append(f"{_lines(missing)} altered after line {result.lines}: there is no JSON")
    else:
        result.problems.append(f"{_lines(missing)} missing after line {result.lines}")


def _lines(count: int) -> str:
    return "1 line is" if count == 1 else f"{count} lines are"


def _check_line(result: Survey, span: SpanRecord, line: bytes) -> None:
    """Check what a line says of itself: its form, and its own hash if it is the seal's, which no line after it holds."""
    version = span.scope_attributes.get(names.JOURNAL_FORMAT_KEY)
    if isinstance(version, int):
        result.newest_format = max(result.newest_format, version)
    check = span.attributes.get(names.JOURNAL_CHECK)
    is_seal = span.attributes.get(names.SPAN_KIND) == names.SEAL
    if (is_seal or check is not None) and check != check_of(line, str(check)):
        result.problems.append(f"line {result.lines}, the seal, is altered: it holds another hash of itself")


def _count(result: Survey, span: SpanRecord, previous: str) -> None:
    kind = span.attributes.get(names.SPAN_KIND)
    if kind == names.CALL + names.START_SUFFIX:
        result.calls += 1
    elif kind == names.CALL:
        result.finished_calls += 1
    if kind in _WITH_BODIES and names.BODIES_LOST not in span.attributes:
        masked = masked_bodies(span.attributes)
        for digest in (span.attributes.get(name) for name in _BODIES):
            if isinstance(digest, str):
                result.body_hashes.add(digest)
                result.kept_hashes.setdefault(digest, set()).add(masked.get(digest))
    if kind == names.SEAL:
        result.seal = _check_seal(result, span, previous)
    elif is_recorded(span):
        result.seal = None


def _check_seal(result: Survey, span: SpanRecord, previous: str) -> Seal:
    counted = Seal(
        lines=result.lines - 1,
        calls=result.calls,
        finished_calls=result.finished_calls,
        bytes=result.bytes,
        head=previous,
    )
    for name, what in _SEALED.items():
        said, found = span.attributes.get(name), getattr(counted, what)
        if said != found:
            result.problems.append(f"the seal says {what.replace('_', ' ')} {said}, the journal has {found}")
    return counted


def verify(folder: Path) -> Verification:
    """Say whether a run is sealed, open, or what is missing or altered in it.

    Raises:
        InputError: there is no record.
        StoreError: it cannot be read, or a newer tachograph wrote it.
    """
    result = survey(folder)
    if result.unread:
        result.problems.append(f"{_lines(result.unread)} altered after line {result.lines}: there is no JSON")
    if result.newest_format > names.JOURNAL_FORMAT and not result.problems:
        raise StoreError(
            f"{folder}: written by a newer tachograph (journal format {result.newest_format}); update to verify it"
        )
    problems = [*result.problems, *_damaged_bodies(folder, result)]
    return Verification(
        state="damaged" if problems else "sealed" if result.seal else "open",
        problems=tuple(problems),
        notes=tuple(_notes(folder, result)),
        survey=result,
    )


def _damaged_bodies(folder: Path, result: Survey) -> Iterator[str]:
    hashes = result.body_hashes
    try:
        bodies = BodyReader(folder / "bodies")
    except StoreError as error:
        yield str(error)
        return
    # In the order of the pack, in which each body leans on one that was just read.
    for digest in bodies:
        if digest in hashes:
            masked = bodies.masked(digest)
            if (masked.sha256 if masked else None) not in result.kept_hashes[digest]:
                yield f"body {digest}: what is kept of it is not what the journal says"
            try:
                bodies.get(digest)
            except StoreError as error:
                yield str(error)
    for digest in sorted(hashes.difference(bodies)):
        where = f"; bytes {bodies.gaps} of the pack hold no record that can be read" if bodies.gaps else ""
        yield f"body {digest} is missing{where}"


def _notes(folder: Path, result: Survey) -> Iterator[str]:
    if result.torn:
        yield f"{result.torn} unfinished line(s), left by a writer that was killed while writing"
    unfinished = result.calls - result.finished_calls
    if unfinished:
        live = folder.is_dir() and is_live(folder)
        yield f"{unfinished} call(s) {'in flight' if live else 'interrupted: the recorder ended before they did'}"
