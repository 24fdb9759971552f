"""The programs and styles of a page: small files that are put together, in this order, in one script and one style."""

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

__all__ = ["Asset", "load_asset"]

_FILES: Final = {
    "page.js": (
        "dom.js",
        "recorded.js",
        "formats.js",
        "disclosure.js",
        "long_text.js",
        "copy.js",
        "clock.js",
        "clock_controls.js",
        "bodies.js",
        "outcome.js",
        "composite.js",
        "published.js",
        "identity.js",
        "time.js",
        "span_kinds.js",
        "timeline.js",
        "span_details.js",
        "span_table.js",
        "replay_keys.js",
        "replay.js",
        "terminal_frames.js",
        "terminal_line.js",
        "terminal.js",
        "conversation.js",
        "messages.js",
        "call.js",
        "call_filter.js",
        "windowed_rows.js",
        "calls.js",
        "patch.js",
        "changes.js",
        "values.js",
        "breakdown.js",
        "check.js",
        "rerun.js",
        "siblings.js",
        "embed.js",
        "shell.js",
        "follow.js",
        "page.js",
    ),
    "page.css": ("tokens.css", "page.css", "replay.css", "terminal.css", "calls.css", "changes.css"),
}
"""By what they make. What is defined in one file is known in those after it: they are one script to the browser."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One script or style, to stand in a page."""

    text: str
    source: str
    """What a Content-Security-Policy calls it: its hash."""


@cache
def load_asset(name: str) -> Asset:
    """Read and put together an asset by its name."""
    folder = files(__package__) / "browser"
    text = "\n".join((folder / file).read_text(encoding="utf-8").strip() for file in _FILES[name])
    text = f"\n{text}\n"
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Asset(text=text, source=f"'sha256-{digest}'")
