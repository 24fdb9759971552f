"""Surveying a journal, and telling whether a run is as it was sealed.

A seal says how many lines, calls and bytes stood before it, and the hash of the last line. Each line holds the hash of the
one before, so a line that is missing or altered shows, and where. Whoever can rewrite the whole journal can also seal it
anew: to prove a run against its keeper, note the seal's hash elsewhere when the run ends (`tachograph run` prints it).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from . import _names as names
from ._bodies import BodyReader
from ._errors import StoreError
from ._journal import NO_LINE, stamp_of
from ._otlp import SpanRecord, decode_line
from ._reader import is_live, journal_path

__all__ = ["Seal", "Survey", "Verification", "survey", "verify"]

_BODIES: Final = (
    names.REQUEST_BODY_HASH,
    names.REQUEST_SENT_HASH,
    names.RESPONSE_BODY_HASH,
)


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
    body_hashes: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Whether a run is whole."""

    state: Literal["sealed", "open", "damaged"]
    problems: tuple[str, ...]
    """What is missing or altered, one sentence each."""
    notes: tuple[str, ...]
    """What is worth knowing and no damage."""
    survey: Survey


def survey(where: Path) -> Survey:
    """Read a journal once, checking its chain, its numbers and its seals."""
    result = Survey()
    with journal_path(where).open("rb") as lines:
        for raw in lines:
            _take(result, raw)
            result.bytes += len(raw)
    return result


def _take(result: Survey, raw: bytes) -> None:
    line = raw.removesuffix(b"\n")
    try:
        stamp = stamp_of(line)
        spans = list(decode_line(line))
    except ValueError:
        if raw.endswith(b"\n") and line.endswith(b"}"):
            result.problems.append(f"the line after line {result.lines} is altered: it is no JSON")
        result.torn += 1
        return
    if stamp is None:
        result.problems.append(f"the line after line {result.lines} is not this journal's: it carries no number")
        return
    if stamp.line != result.lines + 1:
        missing = stamp.line - result.lines - 1
        result.problems.append(
            f"{missing} lines are missing after line {result.lines}"
            if missing > 0
            else f"line {stamp.line} stands again or out of order after line {result.lines}"
        )
    elif stamp.previous != result.head:
        result.problems.append(f"line {result.lines} is altered: line {stamp.line} holds another hash of it")
    result.lines, result.head = stamp.line, hashlib.sha256(line).hexdigest()
    for span in spans:
        _count(result, span, stamp.previous)


def _count(result: Survey, span: SpanRecord, previous: str) -> None:
    kind = span.attributes.get(names.SPAN_KIND)
    if kind == names.CALL + names.START_SUFFIX:
        result.calls += 1
    elif kind == names.CALL:
        result.finished_calls += 1
    if kind in (names.CALL, names.CALL + names.START_SUFFIX, names.TAIL):
        if names.BODIES_LOST not in span.attributes:
            result.body_hashes.update(span.attributes[name] for name in _BODIES if name in span.attributes)
        result.seal = None
    elif kind == names.SEAL:
        result.seal = _check_seal(result, span, previous)


def _check_seal(result: Survey, span: SpanRecord, previous: str) -> Seal:
    seal = Seal(
        lines=span.attributes[names.SEAL_LINES],
        calls=span.attributes[names.SEAL_CALLS],
        finished_calls=span.attributes[names.SEAL_FINISHED],
        bytes=span.attributes[names.SEAL_BYTES],
        head=span.attributes[names.SEAL_HEAD],
    )
    counted = Seal(
        lines=result.lines - 1,
        calls=result.calls,
        finished_calls=result.finished_calls,
        bytes=result.bytes,
        head=previous,
    )
    for what in ("lines", "calls", "finished_calls", "bytes", "head"):
        sealed, found = getattr(seal, what), getattr(counted, what)
        if sealed != found:
            result.problems.append(f"the seal says {what.replace('_', ' ')} {sealed}, the journal has {found}")
    return seal


def verify(folder: Path) -> Verification:
    """Say whether a run is sealed, open, or what is missing or altered in it.

    Raises:
        InputError: there is no record.
        StoreError: it cannot be read.
    """
    try:
        result = survey(folder)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be read: {error.strerror}") from error
    problems = [*result.problems, *_damaged_bodies(folder, result.body_hashes)]
    return Verification(
        state="damaged" if problems else "sealed" if result.seal else "open",
        problems=tuple(problems),
        notes=tuple(_notes(folder, result)),
        survey=result,
    )


def _damaged_bodies(folder: Path, hashes: set[str]) -> Iterator[str]:
    try:
        bodies = BodyReader(folder / "bodies")
    except StoreError as error:
        yield str(error)
        return
    # In the order of the pack, in which each body leans on one that was just read.
    for digest in bodies:
        if digest in hashes:
            try:
                bodies.get(digest)
            except (StoreError, KeyError) as error:
                yield f"body {digest} is damaged: {error}"
    for digest in sorted(hashes - set(bodies)):
        yield f"body {digest} is missing"


def _notes(folder: Path, result: Survey) -> Iterator[str]:
    if result.torn:
        yield f"{result.torn} unfinished line(s), left by a writer that was killed while writing"
    unfinished = result.calls - result.finished_calls
    if unfinished:
        live = folder.is_dir() and is_live(folder)
        yield f"{unfinished} call(s) {'in flight' if live else 'interrupted: the recorder ended before they did'}"
