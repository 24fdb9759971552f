"""The GenAI conventions in the making, where they differ from the last set published (`non-normative/migration.md` there)."""

from typing import Any, Final

from ... import _names as names
from .._edit import Span, attributes_of, edited, with_attributes
from .._profile import Profile, TracesData

__all__ = ["GENAI_DEV"]

_RENAMED: Final = {names.CACHE_CREATION_TOKENS: "gen_ai.usage.cache_write.input_tokens"}
_INTEGERS: Final = ("gen_ai.request.top_k",)


def _edit(span: Span) -> Span:
    attributes = attributes_of(span)
    changes: dict[str, Any] = {}
    for old, new in _RENAMED.items():
        if old in attributes:
            changes |= {old: None, new: attributes[old]}
    changes |= {name: int(attributes[name]) for name in _INTEGERS if isinstance(attributes.get(name), float)}
    return with_attributes(span, changes)


def _rewrite(data: TracesData) -> TracesData | None:
    made = edited(data, _edit)
    for resource in (made or {}).get("resourceSpans", ()):
        for scope in resource["scopeSpans"]:
            scope.pop("schemaUrl", None)  # of the set that these names are not of; theirs has no release yet
    return made


GENAI_DEV: Final = Profile(name="genai-dev", rewrite=_rewrite)
"""All lines, with the names that are to come."""
