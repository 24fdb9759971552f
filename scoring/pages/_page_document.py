"""What a run's page shows, as JSON values: a pure function of the run's folder. `browser/document.d.ts` says its form."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ...traces import BodyReader, read_run, read_spans, verify
from .. import RunRecord, Scorecard, all_axes, cab_breakdown, collected_record, load_profile, load_record, score
from .._profile import DEFAULT_PROFILE
from ._calls import calls_of
from ._changes import changes_of, classed_changes, unlisted
from ._check import check_of
from ._identity import identity_of
from ._moments import moments_of
from ._rerun import rerun_of
from ._seal import seal_of
from ._spans import spans_of
from ._talk import Talk
from ._terminal import terminal_of
from ._time import time_shares, token_classes

__all__ = ["PAGE_FORMAT", "RunPage", "page_document", "read_page"]

PAGE_FORMAT: Final = 1
"""The version of this form, its member `tachograph.page`."""
_ONLY_SPANS: Final = "only the spans of the run are here"
_PUBLISHED: Final = "cab-2026-05"
"""The profile whose published pages have keys of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """A run as its page holds it."""

    document: dict[str, Any] = field(repr=False)
    """JSON values, of the form `PageDocument`."""
    bodies: dict[str, str] = field(repr=False)
    """The bodies of its calls, packed."""


def page_document(folder: Path, profiles: Iterable[str] = (DEFAULT_PROFILE,)) -> dict[str, Any]:
    """Make the document of a run's page, as `read_page`."""
    return read_page(folder, profiles).document


def read_page(folder: Path, profiles: Iterable[str] = (DEFAULT_PROFILE,)) -> RunPage:
    """Make all that a run's page holds.

    Args:
        folder: the run's; or an OTLP/JSON file with the spans of one run, as a Collector writes it.
        profiles: names of those that composites are made by; the first is the page's own. With `cab-2026-05` among them the
            keys of its published pages stand beside it.

    Raises:
        InputError: there is no record, or no such profile; the file holds several runs.
        StoreError: it cannot be read.
    """
    is_folder = folder.is_dir()
    bodies = folder / "bodies" if is_folder else None
    talk = Talk(BodyReader(bodies))
    record = load_record(folder, talk.take_request) if is_folder else collected_record(read_run(folder))
    talk.take_responses(record.run.calls, BodyReader(bodies))
    names = list(profiles)
    scorecard = score(record, all_axes(()), [load_profile(name) for name in names])
    spans = list(read_spans(folder))
    found = verify(folder) if is_folder else None
    moments = moments_of(record)
    terminal, no_terminal = terminal_of(folder, record.run, moments) if is_folder else (None, _ONLY_SPANS)
    changed = classed_changes(record)
    document = {
        "tachograph.page": PAGE_FORMAT,
        "title": str(scorecard.identity["cell"] or record.run.run_id),
        "scorecard": scorecard.as_json(),
        "published": cab_breakdown(record, scorecard) if _PUBLISHED in names else None,
        "seal": seal_of(found),
        "live": record.run.live,
        "origin_ms": moments.origin_ms,
        "wall_ms": moments.wall_ms,
        "identity": identity_of(record, scorecard, spans, talk, found),
        "time": time_shares(scorecard, moments),
        "tokens": token_classes(scorecard),
        "spans": spans_of(spans, record.run, moments),
        "calls": calls_of(record, scorecard, talk, moments, changed.places),
        "messages": [],
        "terminal": terminal,
        "changes": changes_of(record, scorecard, changed),
        "check": check_of(record),
        "rerun": rerun_of(record, scorecard),
        "embed": {"badge": "", "markdown": "", "html": "", "iframe": ""},
        "siblings": None,
        "reasons": _reasons(record, scorecard, no_terminal, unlisted(record, changed)),
    }
    # Last: the answers are messages, too.
    document["messages"] = talk.messages.as_json()
    return RunPage(document=document, bodies=talk.bodies.packed())


def _reasons(
    record: RunRecord, scorecard: Scorecard, no_terminal: str | None, unlisted_changes: str | None
) -> dict[str, str]:
    """Why members are null, or lack something, by their names."""
    tokens, latency = scorecard.axis("tokens"), scorecard.axis("latency")
    is_published = any(made.profile == _PUBLISHED for made in scorecard.composites)
    found = {
        "published": None if is_published else f"not asked for: --profile {_PUBLISHED}",
        "calls": None if record.run.calls else "per-call records were not captured for this run",
        "tokens": tokens.reason if tokens else None,
        "time": latency.reason if latency else None,
        "wall_ms": None if record.run.end_ns is not None else "the run has no end: up to the last moment recorded",
        "terminal": no_terminal,
        "changes": unlisted_changes,
        "rerun": None if scorecard.rerun else "the record does not tell the task, the agent or the model",
        "siblings": "a page by itself: those of a site name each other",
    }
    return {name: why for name, why in found.items() if why} | dict(record.reasons)
