"""Members of parsed JSON of which nothing is promised: what is of another kind than it should be is not there."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

__all__ = ["count_of", "counts_of", "error_of", "object_of", "objects_of", "parsed_object", "text_of", "utf8_length"]

_LONGEST_TEXT: Final = 4096
"""Characters of a name or a message. Some servers tell the whole request in an error's message."""


def parsed_object(data: bytes | None) -> dict[str, Any] | None:
    """The JSON object that bytes are; None if they are none."""
    try:
        parsed = orjson.loads(data) if data else None
    except orjson.JSONDecodeError:
        return None
    return parsed if isinstance(parsed, dict) else None


def text_of(value: Any) -> str | None:
    """A text, cut where it is too long to be recorded; None if it is none, or empty."""
    return value[:_LONGEST_TEXT] if isinstance(value, str) and value else None


def object_of(value: Any) -> dict[str, Any]:
    """An object; an empty one if it is none."""
    return value if isinstance(value, dict) else {}


def objects_of(value: Any) -> list[dict[str, Any]]:
    """The objects in a list; none if it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def count_of(value: Any) -> int | None:
    """A count; None if it is none: absent is not zero."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def counts_of(usage: Any, paths: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """The counts that a usage object tells, each by the path of members at which it stands."""
    found = {}
    for name, path in paths.items():
        value: Any = usage
        for member in path:
            value = object_of(value).get(member)
        if (count := count_of(value)) is not None:
            found[name] = count
    return found


def error_of(error: Any) -> tuple[str, str | None]:
    """Type and message of an error: the provider's code, else its type, else that there is one."""
    said = error if isinstance(error, dict) else {"message": str(error)}
    return text_of(str(said.get("code") or said.get("type") or "error")) or "error", text_of(said.get("message"))


def utf8_length(arguments: Any) -> int:
    """Bytes of a tool call's arguments: of a text in UTF-8, of an object as compact JSON.

    0 for null, and for what is nested deeper than can be written.
    """
    if isinstance(arguments, str):
        return len(arguments.encode("utf-8", "replace"))
    try:
        return 0 if arguments is None else len(orjson.dumps(arguments))
    except orjson.JSONEncodeError:
        return 0
