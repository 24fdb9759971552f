"""Where runs can be read from, whatever it is: first which there are, then each whole."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from .. import _names as names
from .._otlp import SpanRecord
from .._run import Run, RunFold, tail_of

__all__ = ["HEAD_ATTRIBUTES", "RunHead", "RunSource", "head_attributes", "run_of"]

HEAD_ATTRIBUTES: Final = (
    "tachograph.agent.name",
    "tachograph.model",
    "tachograph.sweep.id",
    names.TASK_ID,
    "tachograph.task.category",
)
"""What is known of a run before it is read, where its span says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHead:
    """A run that has not been read."""

    run_id: str
    """Of other tools' spans, and where the run's announcement was lost: the trace's id."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Those of `HEAD_ATTRIBUTES` that its span says."""
    place: Any = field(repr=False, compare=False)
    """Where it lies, in the words of its source."""


class RunSource(Protocol):
    """A place that holds runs. It can be handed to another process."""

    def heads(self) -> Iterator[RunHead]:
        """The runs that are there, each once; in the order of names in folders, elsewhere as they began.

        Raises:
            InputError: there is no such place.
            StoreError: it cannot be read.
        """
        ...

    def read(self, heads: Iterable[RunHead]) -> Iterator[Run]:
        """Runs, whole and one after the other, in the order of their heads.

        Raises:
            InputError: one of them is not there any more.
            StoreError: it cannot be read.
        """
        ...

    def __iter__(self) -> Iterator[Run]:
        """All runs, one after the other."""
        ...


def head_attributes(span: SpanRecord) -> dict[str, str]:
    """What a run's span, or its announcement, says of `HEAD_ATTRIBUTES`."""
    return {name: str(span.attributes[name]) for name in HEAD_ATTRIBUTES if name in span.attributes}


def run_of(spans: Iterable[SpanRecord], run_id: str) -> Run:
    """A run out of spans that came in any order, and some more than once.

    Each line of a journal carries its number, so their order is known again, and whether some are missing. Nothing here tells
    whether the recorder lives: a run without its end, and a call without its own, count as going on.

    Args:
        spans: of one run.
        run_id: its id, if no span says another.
    """
    once = {span.span_id: span for span in reversed(list(spans))}
    ordered = sorted(once.values(), key=_place)
    tails: dict[str, dict[str, Any]] = {}
    for span in ordered:
        if tail := tail_of(span):
            tails.setdefault(span.parent_id or "", {}).update(tail)
    fold = RunFold(tails)
    for span in ordered:
        fold.add(span)
    named = {str(span.attributes[names.RUN_ID]) for span in ordered if names.RUN_ID in span.attributes}
    return fold.run(min(named, default=run_id), live=not fold.has_end and bool(named), was_live=True)


def _place(span: SpanRecord) -> tuple[bool, int, int]:
    line = span.attributes.get(names.JOURNAL_LINE)
    return (False, line, 0) if isinstance(line, int) else (True, span.start_ns, span.end_ns)
