"""Members of JSON of which nothing is promised: what is of another kind than it should be is not there."""

from collections.abc import Mapping
from typing import Any

__all__ = ["list_of", "object_of", "text_of"]


def object_of(value: Any) -> Mapping[str, Any]:
    """An object; an empty one if it is none."""
    return value if type(value) is dict else {}


def list_of(value: Any) -> list[Any]:
    """A list; an empty one if it is none."""
    return value if type(value) is list else []


def text_of(value: Any) -> str:
    """A text; an empty one if it is none."""
    return value if type(value) is str else ""
