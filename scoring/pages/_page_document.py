"""What a run's page shows, as JSON values: a pure function of the run's folder. `browser/document.d.ts` says its form."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from ...traces import verify
from .. import all_axes, load_profile, load_record, score
from .._profile import DEFAULT_PROFILE
from ._seal import seal_of
from ._terminal import terminal_of

__all__ = ["PAGE_FORMAT", "page_document"]

PAGE_FORMAT: Final = 1
"""The version of this form, its member `tachograph.page`."""


def page_document(folder: Path, profiles: Iterable[str] = (DEFAULT_PROFILE,)) -> dict[str, Any]:
    """Make the document of a run's page.

    Args:
        folder: the run's.
        profiles: names of those that composites are made by; the first is the page's own.

    Raises:
        InputError: there is no record, or no such profile.
        StoreError: it cannot be read.
    """
    record = load_record(folder)
    scorecard = score(record, all_axes(()), [load_profile(name) for name in profiles])
    run = record.run
    terminal, no_terminal = terminal_of(folder, run)
    return {
        "tachograph.page": PAGE_FORMAT,
        "title": str(scorecard.identity["cell"] or run.run_id),
        "scorecard": scorecard.as_json(),
        "published": None,
        "seal": seal_of(verify(folder)),
        "live": run.live,
        "origin_ms": run.start_ns / 1e6,
        "wall_ms": ((run.end_ns or run.start_ns) - run.start_ns) / 1e6,
        "identity": [],
        "time": [],
        "tokens": [],
        "spans": [],
        "calls": [],
        "messages": [],
        "terminal": terminal,
        "changes": None,
        "check": None,
        "rerun": {"exact": None, "own": None, "notes": []},
        "embed": {"badge": "", "markdown": "", "html": "", "iframe": ""},
        "siblings": None,
        "reasons": dict(record.reasons) | ({"terminal": no_terminal} if no_terminal else {}),
    }
