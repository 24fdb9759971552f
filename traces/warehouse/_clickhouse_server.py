"""Asking a ClickHouse server by its HTTP interface. The one module here that knows a network."""

import http.client
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from .._errors import InputError, StoreError

__all__ = ["ClickHouseServer"]

_DEFAULT_PORTS: Final = {"clickhouse": 8123, "http": 8123, "https": 8443}
_NATIVE_PORTS: Final = frozenset({9000, 9440})
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPTIONS: Final = frozenset({"database", "table"})
_TIMEOUT: Final = 300.0
"""Seconds of silence after which a server is given up."""
_PIECE: Final = 64 * 1024
_LONGEST_ERROR: Final = 2000
_OK: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickHouseServer:
    """A table of a ClickHouse server."""

    scheme: str
    """`http` or `https`."""
    host: str
    port: int
    database: str
    table: str
    user: str
    password: str = field(repr=False)

    @classmethod
    def at(cls, url: str, environment: Mapping[str, str]) -> "ClickHouseServer":
        """What an address names: `clickhouse://HOST:8123/DATABASE`, or `https://HOST:8443/?database=DATABASE&table=TABLE`.

        Args:
            url: the address, without a password: it would show in lists of processes.
            environment: has user and password, `CLICKHOUSE_USER` and `CLICKHOUSE_PASSWORD`.

        Raises:
            InputError: it names none.
        """
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        shown = f"{parts.scheme}://{parts.hostname}{parts.path}"
        if parts.password is not None:
            raise InputError(f"{shown}: an address must not hold a password; set CLICKHOUSE_PASSWORD instead")
        if unknown := sorted(set(options) - _OPTIONS):
            raise InputError(f"{shown}: {unknown[0]!r} is not known here; `database` and `table` are")
        named = {
            "database": options.get("database") or parts.path.strip("/") or "default",
            "table": options.get("table") or "otel_traces",
        }
        for what, name in named.items():
            if _NAME.fullmatch(name) is None:
                raise InputError(f"{shown}: {name!r} is no name of a {what}")
        return cls(
            scheme="https" if parts.scheme.lower() == "https" else "http",
            host=parts.hostname or "",
            port=_port(parts, shown),
            user=parts.username or environment.get("CLICKHOUSE_USER") or "default",
            password=environment.get("CLICKHOUSE_PASSWORD", ""),
            **named,
        )

    def __str__(self) -> str:
        """For people; without user and password."""
        return f"{self.scheme}://{self.host}:{self.port}/{self.database}"

    def lines(self, query: str, parameters: Mapping[str, str]) -> Iterator[bytes]:
        """The lines of a query's answer as they come, without their newlines.

        Args:
            query: with its `FORMAT`; `{name:Type}` stands for a parameter.
            parameters: by name, as ClickHouse writes values of their types.

        Raises:
            StoreError: the server cannot be asked, refuses, or breaks off.
        """
        given = {f"param_{name}": value for name, value in parameters.items()}
        target = "/?" + urlencode({"database": self.database, **given})
        headers = {"X-ClickHouse-User": self.user, "Content-Type": "text/plain; charset=utf-8"}
        if self.password:
            headers["X-ClickHouse-Key"] = self.password
        connection = self._connection()
        try:
            connection.request("POST", target, query.encode(), headers)
            response = connection.getresponse()
            if response.status != _OK:
                raise StoreError(f"{self}: {_said(response)}")
            yield from _lines(response)
        except (OSError, http.client.HTTPException) as error:
            raise StoreError(f"{self}: cannot be read: {error or type(error).__name__}") from error
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if self.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(self.host, self.port, timeout=_TIMEOUT, context=context)
        return http.client.HTTPConnection(self.host, self.port, timeout=_TIMEOUT)


def _port(parts: SplitResult, shown: str) -> int:
    try:
        port = parts.port or _DEFAULT_PORTS[parts.scheme.lower()]
    except ValueError as error:
        raise InputError(f"{shown}: {error}") from error
    if not parts.hostname:
        raise InputError(f"{shown}: names no host")
    if port in _NATIVE_PORTS:
        raise InputError(
            f"{shown}: {port} is the port of ClickHouse's native protocol; its HTTP interface has 8123 or 8443"
        )
    return port


def _said(response: http.client.HTTPResponse) -> str:
    said = response.read(_LONGEST_ERROR).decode("utf-8", "replace").strip()
    return f"the server refused (HTTP {response.status}): {said or response.reason}"


def _lines(response: http.client.HTTPResponse) -> Iterator[bytes]:
    rest = b""
    while piece := response.read(_PIECE):
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    if rest:
        yield rest
