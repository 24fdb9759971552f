"""JSON of what a record holds, the same bytes for the same values."""

from collections.abc import Mapping
from typing import Any

import orjson

__all__ = ["encode_json"]


def encode_json(value: Any, options: int = 0) -> bytes:
    """Values as JSON with sorted keys. A byte of a file's name that is no UTF-8 stands there in hexadecimal.

    Args:
        value: JSON values, and dataclasses of them.
        options: of orjson, beside the sorting.
    """
    options |= orjson.OPT_SORT_KEYS
    try:
        return orjson.dumps(value, option=options)
    except orjson.JSONEncodeError:
        return orjson.dumps(_readable(value), option=options)


def _readable(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        except UnicodeEncodeError:  # half a character, from somebody's JSON
            return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_readable(name): _readable(member) for name, member in value.items()}
    return [_readable(item) for item in value] if isinstance(value, (list, tuple)) else value
