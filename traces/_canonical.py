"""The canonical request hash: equal for two requests that ask the model the same thing.

RFC 8785 (JSON Canonicalization Scheme) over the request without `VOLATILE_MEMBERS`, then sha256.
"""

import hashlib
from collections.abc import Callable
from typing import Any, Final

import orjson
import rfc8785

__all__ = ["VOLATILE_MEMBERS", "canonical_json", "canonical_request_hash"]

VOLATILE_MEMBERS: Final = frozenset(
    {
        "client_metadata",
        "metadata",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "stream_options",
        "user",
    }
)
"""Top-level members that differ between runs and do not change what the model is asked."""

_EXACT_INTEGER: Final = 2**53


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def canonical_request_hash(request: object, sha256: Callable[[bytes], str] = _sha256) -> str | None:
    """Hex sha256 of the canonical form of a parsed request.

    None if it is not a JSON object, or has no canonical form: a number beyond all doubles, a lone surrogate, nesting beyond
    what Python recurses.

    Args:
        request: parsed JSON.
        sha256: gives the hex sha256 of bytes; one that remembers earlier requests is faster.
    """
    if not isinstance(request, dict):
        return None
    lasting = {name: value for name, value in request.items() if name not in VOLATILE_MEMBERS}
    try:
        return sha256(canonical_json(lasting))
    except (ValueError, OverflowError, RecursionError):
        return None


def canonical_json(value: Any) -> bytes:
    """Serialise parsed JSON by RFC 8785.

    orjson writes strings and plain integers as the RFC wants them, and faster by far than a Python implementation; what it
    would write otherwise (floats, large integers, member names beyond ASCII, whose order differs) is given to the `rfc8785`
    package. Floats at the top, where a request has its temperature, are no reason for that.

    Raises:
        ValueError, OverflowError, RecursionError: it has no canonical form (see `canonical_request_hash`).
    """
    ready = _with_float_fragments(value)
    if not _has_floats(ready):
        try:
            text = orjson.dumps(ready, option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER)
        except orjson.JSONEncodeError:  # nesting beyond its limit, a lone surrogate, a large integer
            return rfc8785.dumps(_with_plain_floats(value))
        if text.isascii() or _has_ascii_names(ready):
            return text
    return rfc8785.dumps(_with_plain_floats(value))


def _with_float_fragments(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {
        name: orjson.Fragment(rfc8785.dumps(member)) if type(member) is float else member
        for name, member in value.items()
    }


def _has_floats(value: Any) -> bool:
    waiting: list[Any] = [(value,)]
    for items in waiting:  # it grows meanwhile
        for item in items.values() if type(items) is dict else items:
            kind = type(item)
            if kind is str:
                continue
            if kind is dict or kind is list:
                waiting.append(item)
            elif kind is float:
                return True
    return False


def _has_ascii_names(value: Any) -> bool:
    if isinstance(value, dict):
        return "".join(value).isascii() and all(map(_has_ascii_names, value.values()))
    return not isinstance(value, list) or all(map(_has_ascii_names, value))


def _with_plain_floats(value: Any) -> Any:
    """Integers beyond 2^53 as the doubles that JSON readers by the RFC would see."""
    if isinstance(value, dict):
        return {name: _with_plain_floats(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_with_plain_floats(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _EXACT_INTEGER:
        return float(value)
    return value
