"""Which headers pass, which are exchanged, and which are masked in the record."""

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import unquote_plus

from multidict import CIMultiDict

__all__ = ["MASK", "Head", "forwarded", "presented_key", "recorded_head", "recorded_query"]

Head = tuple[tuple[bytes, bytes], ...]
"""Names and values as they were on the wire, in their order."""

MASK: Final = "[masked]"
RUN_HEADER: Final = "x-tachograph-run"

_HOP_BY_HOP: Final = (
    "Connection",
    "Expect",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
)
"""RFC 9110, section 7.6.1, and `Expect`, which is answered here."""
KEY_HEADERS: Final = ("Authorization", "x-api-key", "api-key")
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


def forwarded(headers: Mapping[str, str], dropped: Iterable[str] = ()) -> CIMultiDict[str]:
    """The headers that pass, in their order and case: all but the hop-by-hop ones, and those dropped by name."""
    passing = CIMultiDict(headers)
    if "Connection" in passing:
        named = ",".join(passing.getall("Connection")).split(",")
        dropped = (*dropped, *(name.strip() for name in named))
    for name in (*_HOP_BY_HOP, *dropped):
        passing.popall(name, None)
    return passing


def presented_key(headers: Mapping[str, str]) -> str | None:
    """The key that an agent presents, in whichever header; None if it presents none."""
    for name in KEY_HEADERS:
        if value := headers.get(name):
            scheme, _, credentials = value.partition(" ")
            return credentials.strip() if scheme.lower() == "bearer" else value
    return None


def recorded_head(head: Head) -> tuple[tuple[str, str], ...]:
    """A head for the record: the values of headers that carry secrets are masked."""
    return tuple((_text(name), MASK if name.lower() in _SECRET else _text(value)) for name, value in head)


def recorded_query(query: str) -> str | None:
    """A query string for the record: the values of members that carry secrets are masked. None for an empty one."""
    if not query:
        return None
    return "&".join(_masked_member(member) for member in query.split("&"))


def _masked_member(member: str) -> str:
    name, equals, _ = member.partition("=")
    return f"{name}{equals}{MASK}" if equals and unquote_plus(name).lower() in _SECRET_QUERY else member


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
