"""Which headers pass, which are exchanged, and which are masked in the record."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_plus

from multidict import CIMultiDict

__all__ = [
    "MASK",
    "RUN_HEADER",
    "Head",
    "forwarded",
    "presented_key",
    "recorded_head",
    "recorded_query",
    "with_key",
    "without_keys",
]

Head = tuple[tuple[bytes, bytes], ...]
"""Names and values as they were on the wire, in their order."""

MASK: Final = "[masked]"
_MASKED: Final = f": {MASK}".encode()
_LONGEST_HEAD: Final = 128 * 1024
"""Bytes: a line of the record has a limit."""
RUN_HEADER: Final = "x-tachograph-run"

_HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"expect",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""RFC 9110, section 7.6.1, and `Expect`, which is answered here."""
_PLAIN_CONNECTION: Final = frozenset({b"close", b"keep-alive"})
_KEY_HEADERS: Final = ("authorization", "x-api-key", "api-key")
_SECRET: Final = frozenset(
    {
        b"authorization",
        b"x-api-key",
        b"api-key",
        b"x-goog-api-key",
        b"proxy-authorization",
        b"cookie",
        b"set-cookie",
    }
)
_SECRET_QUERY: Final = frozenset({"key", "api_key", "api-key", "apikey", "access_token", "token", "sig", "signature"})


def forwarded(head: Head, dropped: frozenset[bytes] = frozenset()) -> CIMultiDict[str]:
    """The headers that pass, in their order and case: all but the hop-by-hop ones, and those dropped by lower-case name.

    Made from the bytes of the wire: aiohttp's own headers have the well-known names in its own case.
    """
    passing = []
    named: set[bytes] = set()
    for name, value in head:
        key = name.lower()
        if key not in _HOP_BY_HOP and key not in dropped:
            passing.append((name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape")))
        elif key == b"connection":
            named.update(value.lower().replace(b" ", b"").split(b","))
    if not named <= _PLAIN_CONNECTION:
        passing = [
            (name, value) for name, value in passing if name.lower().encode("utf-8", "surrogateescape") not in named
        ]
    return CIMultiDict(passing)


def presented_key(headers: Mapping[str, str]) -> str | None:
    """The key that an agent presents, in whichever header; None if it presents none."""
    for name in _KEY_HEADERS:
        if value := headers.get(name):
            return _credentials(value)
    return None


def with_key(headers: CIMultiDict[str], key: str) -> None:
    """Put a key in the place of every one that is presented, or in `Authorization` if none is."""
    for name in [name for name, _ in headers.items() if name.lower() in _KEY_HEADERS] or ["Authorization"]:
        headers[name] = f"Bearer {key}" if name.lower() == "authorization" else key


def without_keys(headers: CIMultiDict[str], prefix: str) -> None:
    """Take out the keys that begin so."""
    for name in _KEY_HEADERS:
        if name in headers and any(_credentials(value).startswith(prefix) for value in headers.getall(name)):
            headers.popall(name)


def _credentials(value: str) -> str:
    scheme, _, credentials = value.partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else value


def recorded_head(head: Head) -> str:
    """A head for the record: its lines, the values of headers that carry secrets masked, cut where it gets too long."""
    lines = [name + (_MASKED if name.lower() in _SECRET else b": " + value) for name, value in head]
    # What is not UTF-8 has no place in JSON as it is.
    return b"\r\n".join(lines)[:_LONGEST_HEAD].decode("utf-8", "backslashreplace")


def recorded_query(query: str) -> str | None:
    """A query string for the record: the values of members that carry secrets are masked. None for an empty one."""
    if not query:
        return None
    return "&".join(_masked_member(member) for member in query.split("&"))


def _masked_member(member: str) -> str:
    name, equals, _ = member.partition("=")
    return f"{name}{equals}{MASK}" if equals and unquote_plus(name).lower() in _SECRET_QUERY else member
