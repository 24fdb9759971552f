"""What an export adds to spans from the rest of a run's record: what was said, and what calls cost."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from ..scoring import call_cost
from ..scoring.formats import genai_content
from ..traces import BodyReader, Call, SpanRecord, StoreError, call_from_span, is_call
from ..traces.export import (
    CAPTURE_VARIABLE,
    CONTENT_LIMIT,
    AddingAttributes,
    AddingContent,
    Content,
    ContentPlace,
    Destination,
    Profile,
    TracesData,
    content_place,
)

__all__ = ["with_more"]

_SPEAKING: Final = frozenset({"chat", "text_completion"})
"""Values of `gen_ai.operation.name`."""
_PRICED: Final = frozenset({"langfuse"})
"""The profiles that tell a backend what a call cost; the other backends work that out by lists of their own."""


def with_more(
    destination: Destination,
    *,
    content: bool,
    limit: int = CONTENT_LIMIT,
    environment: Mapping[str, str] = os.environ,
) -> Destination:
    """The destination, with what is to go there beyond the journal.

    Args:
        destination: where to.
        content: send what was said; if not asked for here, the environment may ask.
        limit: bytes of it for one call.
        environment: of the process.

    Raises:
        InputError: the environment asks for something unknown.
    """
    place = content_place(environment.get(CAPTURE_VARIABLE, ""))
    wanted: ContentPlace = "span" if content and place == "none" else place
    profile = destination.profile
    if profile.name in _PRICED:
        profile = _also(profile, AddingAttributes(_cost))
    if wanted != "none":
        profile = _also(profile, AddingContent(read=ContentReader(), place=wanted, limit=limit))
    return replace(destination, profile=profile)


@dataclass(frozen=True, slots=True)
class _Both:
    """One `enrich` after the other."""

    profile: Profile
    further: AddingAttributes | AddingContent

    def __call__(self, data: TracesData, folder: Path) -> TracesData:
        return self.further(self.profile.enrich(data, folder), folder)


def _also(profile: Profile, further: AddingAttributes | AddingContent) -> Profile:
    return replace(profile, enrich=_Both(profile, further))


def _cost(span: SpanRecord, _folder: Path) -> dict[str, Any]:
    cost = call_cost(call_from_span(span)) if is_call(span) else None
    return {} if cost is None else {"tachograph.cost.usd": cost}


class ContentReader:
    """Reads what calls said, from the bodies of the run that was asked about last."""

    def __init__(self) -> None:
        """Begin with no run."""
        self._folder: Path | None = None
        self._bodies: BodyReader | None = None

    def __call__(self, span: SpanRecord, folder: Path) -> Content | None:
        """What the call of a span said; None if it is no call to a model that speaks."""
        if not is_call(span) or span.attributes.get("gen_ai.operation.name") not in _SPEAKING:
            return None
        call = call_from_span(span)
        try:
            return genai_content(call, self._of(folder, call))
        except StoreError:
            return {}, "the run's bodies cannot be read"

    def _of(self, folder: Path, call: Call) -> BodyReader:
        """The bodies of a run, looked at again when they lack what they must hold by now."""
        digests = (call.request.body_hash, call.response and call.response.body_hash)
        lacks = self._bodies is None or any(digest and digest not in self._bodies for digest in digests)
        if self._bodies is None or folder != self._folder or (lacks and call.bodies_lost is None):
            self._folder, self._bodies = folder, BodyReader(folder / "bodies")
        return self._bodies
