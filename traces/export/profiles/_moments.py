"""Lines that only a journal needs: they tell a reader of it what began, where a line stands, that the run was closed.

`*.start` is dropped, since the span that it announces comes itself, or comes from `unended_spans` if it was never written. The
seal and the messages of tunnels are dropped: calls that were made by messages are spans of their own. What was learnt of a
call after its span had been written (`call.tail`) stays a moment below the call: some backends take the first of two spans with
one id, some the last, and none of them would show both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ... import _names as names
from .._edit import Span, attributes_of, edited, with_attributes
from .._profile import TracesData

__all__ = ["Rewriting"]

_DROPPED: Final = frozenset({names.SEAL, names.MESSAGE})
_STAMP: Final = (names.JOURNAL_LINE, names.JOURNAL_CALLS, names.JOURNAL_PREVIOUS, names.JOURNAL_CHECK)
_NO_STAMP: Final[dict[str, Any]] = dict.fromkeys(_STAMP)

Changes = Callable[[Span, dict[str, Any]], dict[str, Any]]
"""From a span and its attributes to those that a backend wants in addition, or with None not at all."""


@dataclass(frozen=True, slots=True)
class Rewriting:
    """A profile's `rewrite`: without what only a journal needs, and with a backend's own attributes.

    No closure, since a profile goes to the forwarder's process.
    """

    changes: Changes

    def __call__(self, data: TracesData) -> TracesData | None:
        """The line as the backend wants it; None if nothing of it is left."""
        return edited(data, self._edit)

    def _edit(self, span: Span) -> Span | None:
        attributes = attributes_of(span)
        kind = str(attributes.get(names.SPAN_KIND, ""))
        if kind in _DROPPED or kind.endswith(names.START_SUFFIX):
            return None
        return with_attributes(span, {**_NO_STAMP, **self.changes(span, attributes)})
