"""Which headers pass, which are exchanged, and which are masked in the record."""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import unquote_plus

__all__ = [
    "MASK",
    "RUN_HEADER",
    "Head",
    "fields_of",
    "forwarded",
    "forwarded_upgrade",
    "masked",
    "offers_websocket",
    "presented_run_keys",
    "presented_secrets",
    "recorded_head",
    "recorded_query",
    "replaced",
    "with_key",
    "without_keys",
    "without_protocol_keys",
    "without_query_keys",
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
_UPGRADE: Final = frozenset({b"connection", b"upgrade"})
_BODY_HEADERS: Final = frozenset({"content-length", "transfer-encoding"})
_PLAIN_CONNECTION: Final = frozenset({b"close", b"keep-alive"})
_FOR_ALL: Final = frozenset({b"content-encoding", b"content-length", b"content-type", b"host"})
"""What says how a body is to be read is nobody's own (RFC 9110, section 7.6.1): without its length a body that somebody called
hop-by-hop would be taken for the next request."""
_AUTHORIZATION: Final = b"authorization"
_KEY_HEADERS: Final = ("authorization", "x-api-key", "api-key", "x-goog-api-key")
_KEY_NAMES: Final = frozenset(name.encode() for name in _KEY_HEADERS)
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
_KEY_CARRIERS: Final = (*_KEY_HEADERS, "proxy-authorization")
_PROTOCOLS: Final = "sec-websocket-protocol"
_PROTOCOL_KEY: Final = b"openai-insecure-api-key."
"""What a key begins with that is offered as a subprotocol of a WebSocket, since browsers can set no header there."""
_PROTOCOL_KEY_VALUE: Final = re.compile(re.escape(_PROTOCOL_KEY) + rb"[^\s,]+")
_SECRET_QUERY: Final = frozenset(
    {
        *("key", "api_key", "api-key", "apikey", "subscription-key", "access_token", "auth_token", "token"),
        *("client_secret", "secret", "password", "sig", "signature"),
    }
)


def fields_of(head: Head) -> dict[str, str]:
    """A head to look things up in: lower-case names, values without the white space around them, repeated ones joined."""
    fields: dict[str, str] = {}
    for name, value in head:
        key, text = name.decode("latin-1").lower(), value.decode("utf-8", "surrogateescape").strip(" \t")
        fields[key] = f"{fields[key]}, {text}" if key in fields else text
    return fields


def forwarded(head: Head, dropped: frozenset[bytes] = frozenset()) -> list[tuple[bytes, bytes]]:
    """The headers that pass, in their order and case: all but the hop-by-hop ones, and those dropped by lower-case name."""
    not_passing = _HOP_BY_HOP | dropped
    passing = []
    named: set[bytes] = set()
    for line in head:
        key = line[0].lower()
        if key not in not_passing:
            passing.append(line)
        elif key == b"connection":
            named.update(line[1].lower().replace(b" ", b"").split(b","))
    named -= _FOR_ALL
    if not named <= _PLAIN_CONNECTION:
        passing = [line for line in passing if line[0].lower() not in named]
    return passing


def offers_websocket(method: str, version: str, headers: Mapping[str, str]) -> bool:
    """Whether a request offers to go on as a WebSocket, and as nothing else (RFC 6455, section 4.1)."""
    only_websocket = headers.get("upgrade", "").lower() == "websocket"
    return only_websocket and method == "GET" and version == "1.1" and not _BODY_HEADERS & headers.keys()


def forwarded_upgrade(head: Head, dropped: frozenset[bytes] = frozenset()) -> list[tuple[bytes, bytes]]:
    """As `forwarded`, with the two headers that offer an upgrade, or take it, as they came."""
    not_passing = (_HOP_BY_HOP - _UPGRADE) | dropped
    return [line for line in head if line[0].lower() not in not_passing]


def presented_run_keys(headers: Mapping[str, str], query: str | None, prefix: str) -> Iterator[str]:
    """The keys beginning so that an agent presents: in headers, among the subprotocols of a WebSocket, and in the query."""
    for name in _KEY_HEADERS:
        if prefix in (value := headers.get(name, "")):
            keys = (_credentials(part.strip()) for part in value.split(","))
            yield from (key for key in keys if key.startswith(prefix))
    for offered in headers[_PROTOCOLS].split(",") if _PROTOCOLS in headers else ():
        key = offered.strip().removeprefix(_PROTOCOL_KEY.decode())
        if key.startswith(prefix) and key != offered.strip():
            yield key
    if query:
        yield from (value for value in map(_query_key, query.split("&")) if value and value.startswith(prefix))


def presented_secrets(headers: Mapping[str, str], query: str | None) -> Iterator[str]:
    """All that an agent presents as a key: in headers that carry keys, with and without a user, and in the query."""
    for name in _KEY_CARRIERS:
        if value := headers.get(name):
            scheme, _, credentials = value.partition(" ")
            yield credentials.strip() or scheme
            if scheme.lower() == "basic":
                yield from _passwords(credentials)
    for cookie in headers["cookie"].split(";") if "cookie" in headers else ():
        yield cookie.partition("=")[2].strip()
    for offered in headers[_PROTOCOLS].split(",") if _PROTOCOLS in headers else ():
        if offered.strip().startswith(_PROTOCOL_KEY.decode()):
            yield offered.strip().removeprefix(_PROTOCOL_KEY.decode())
    yield from filter(None, map(_query_key, query.split("&") if query else ()))


def _query_key(member: str) -> str | None:
    """The value of a member of a query, if its name says that it is secret."""
    name, _, value = member.partition("=")
    return unquote_plus(value) if value and unquote_plus(name).lower() in _SECRET_QUERY else None


def _passwords(credentials: str) -> Iterator[str]:
    """RFC 7617."""
    try:
        user, _, password = base64.b64decode(credentials).decode("utf-8", "replace").partition(":")
    except (binascii.Error, ValueError):
        return
    yield from (part for part in (user, password) if part)


def with_key(headers: list[tuple[bytes, bytes]], key: str, header: str | None = None) -> list[tuple[bytes, bytes]]:
    """The headers with a key in the place of every one that is presented, or in `Authorization` if none is.

    Args:
        headers: the agent's.
        key: the upstream's.
        header: the one header to put it in, whatever the agent uses; None: as the agent does.
    """
    if header is not None:
        others = [line for line in headers if line[0].lower() not in _KEY_NAMES]
        return [*others, (header.encode(), _presented(header.lower().encode(), key))]
    replaced = [
        (name, _presented(name.lower(), key) if name.lower() in _KEY_NAMES else value) for name, value in headers
    ]
    if any(name.lower() in _KEY_NAMES for name, _ in headers):
        return replaced
    return [*headers, (b"Authorization", _presented(_AUTHORIZATION, key))]


def _presented(header: bytes, key: str) -> bytes:
    return f"Bearer {key}".encode() if header == _AUTHORIZATION else key.encode()


def without_keys(headers: list[tuple[bytes, bytes]], prefix: str) -> list[tuple[bytes, bytes]]:
    """The headers without the keys that begin so."""
    return [
        (name, value)
        for name, value in headers
        if name.lower() not in _KEY_NAMES or not _credentials(value.decode("latin-1")).startswith(prefix)
    ]


def without_protocol_keys(headers: list[tuple[bytes, bytes]], prefix: str) -> list[tuple[bytes, bytes]]:
    """The headers without the keys beginning so that are offered as subprotocols of a WebSocket."""
    key = _PROTOCOL_KEY + prefix.encode()
    passing = []
    for name, value in headers:
        if key not in value or name.lower() != _PROTOCOLS.encode():
            passing.append((name, value))
        elif others := [part for part in map(bytes.strip, value.split(b",")) if not part.startswith(key)]:
            passing.append((name, b", ".join(others)))
    return passing


def without_query_keys(query: str | None, prefix: str) -> str | None:
    """A query string without the members that are keys beginning so; None if nothing is left, or there is none."""
    if not query:
        return query
    members = query.split("&")
    others = [member for member in members if not (_query_key(member) or "").startswith(prefix)]
    return query if len(others) == len(members) else "&".join(others) or None


def replaced(headers: list[tuple[bytes, bytes]], name: bytes, value: bytes) -> list[tuple[bytes, bytes]]:
    """The headers with one value for a name, in its place, or behind all if it is not there."""
    lowered = name.lower()
    if not any(present.lower() == lowered for present, _ in headers):
        return [*headers, (name, value)]
    return [(present, value if present.lower() == lowered else old) for present, old in headers]


def _credentials(value: str) -> str:
    scheme, _, credentials = value.partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else value


def recorded_head(head: Head) -> str:
    """A head for the record: its lines, the values of headers that carry secrets masked, cut where it gets too long."""
    lines = b"\r\n".join(name + (_MASKED if name.lower() in _SECRET else b": " + value) for name, value in head)
    if _PROTOCOL_KEY in lines:
        lines = _PROTOCOL_KEY_VALUE.sub(_PROTOCOL_KEY + MASK.encode(), lines)
    # What is not UTF-8 has no place in JSON as it is.
    return lines[:_LONGEST_HEAD].decode("utf-8", "backslashreplace")


def recorded_query(query: str | None) -> str | None:
    """A query string for the record: the values of members that carry secrets are masked. None for none or an empty one."""
    if not query:
        return None
    return "&".join(_masked_member(member) for member in query.split("&"))


def masked(said: str, query: str | None) -> str:
    """What an error says, which may quote the query string that was asked for."""
    return said.replace(query, recorded_query(query) or "") if query else said


def _masked_member(member: str) -> str:
    name, equals, _ = member.partition("=")
    return f"{name}{equals}{MASK}" if equals and unquote_plus(name).lower() in _SECRET_QUERY else member
