"""The canonical request hash: equal for two requests that ask the model the same thing.

RFC 8785 (JSON Canonicalization Scheme) over the request without `VOLATILE_MEMBERS`, then sha256.
"""

import hashlib
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


def canonical_request_hash(request: object) -> str | None:
    """Hex sha256 of the canonical form of a parsed request.

    None if it is not a JSON object, or has no canonical form: an infinite number, nesting beyond what Python recurses.
    """
    if not isinstance(request, dict):
        return None
    lasting = {name: value for name, value in request.items() if name not in VOLATILE_MEMBERS}
    try:
        return hashlib.sha256(canonical_json(lasting)).hexdigest()
    except (rfc8785.CanonicalizationError, RecursionError):
        return None


def canonical_json(value: Any) -> bytes:
    """Serialise parsed JSON by RFC 8785.

    orjson writes strings and plain integers as the RFC wants them, thirty times as fast as a Python implementation; what
    it would write otherwise (floats, member names beyond ASCII, whose order differs) is given to the `rfc8785` package.
    """
    try:
        return orjson.dumps(_with_canonical_numbers(value), option=orjson.OPT_SORT_KEYS)
    except _NeedsReference:
        return rfc8785.dumps(_with_plain_floats(value))


class _NeedsReference(Exception):  # noqa: N818  it is no error: it chooses the slow path
    """A member name sorts differently by UTF-16, as RFC 8785 wants, than by UTF-8."""


def _with_canonical_numbers(value: Any) -> Any:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is dict:
        if not all(map(str.isascii, value)):
            raise _NeedsReference
        return {name: _with_canonical_numbers(member) for name, member in value.items()}
    if kind is list:
        return [_with_canonical_numbers(item) for item in value]
    if kind is int and -_EXACT_INTEGER < value < _EXACT_INTEGER:
        return value
    return orjson.Fragment(rfc8785.dumps(float(value)))


def _with_plain_floats(value: Any) -> Any:
    """Integers beyond 2^53 as the doubles that JSON readers by the RFC would see."""
    if isinstance(value, dict):
        return {name: _with_plain_floats(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_with_plain_floats(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _EXACT_INTEGER:
        return float(value)
    return value
