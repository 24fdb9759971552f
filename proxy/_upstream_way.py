"""The way to an upstream: a connection, by TLS or not, through an HTTP proxy or not."""

import asyncio
import socket
import ssl
from typing import Final

from ..traces import InputError
from ._settings import HttpProxy, UpstreamSettings
from ._upstream_connection import UpstreamConnection, UpstreamUnreachableError

__all__ = ["connect", "tls_context"]

_LONGEST_ANSWER: Final = 64 * 1024
"""Bytes of a proxy's answer to CONNECT."""


def tls_context(settings: UpstreamSettings) -> ssl.SSLContext | None:
    """What certificates are checked by; None without TLS.

    Raises:
        InputError: the file of certificates cannot be read.
    """
    if not settings.address.secure:
        return None
    context = ssl.create_default_context()
    if settings.ca_file is not None:
        try:
            context.load_verify_locations(settings.ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise InputError(f"{settings.ca_file}: no certificates can be read of it: {error}") from error
    return context


async def connect(settings: UpstreamSettings, tls: ssl.SSLContext | None) -> UpstreamConnection:
    """A new connection.

    Raises:
        UpstreamUnreachableError: there is none to be had; the text says why.
    """
    address, proxy = settings.address, settings.proxy
    name = address.host if tls else None
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(settings.connect_timeout):
            if proxy is None:
                _, connection = await loop.create_connection(
                    UpstreamConnection, address.host, address.port, ssl=tls, server_hostname=name
                )
            elif tls is None:
                _, connection = await loop.create_connection(UpstreamConnection, proxy.host, proxy.port)
            else:
                tunnel = await _tunnel(proxy, address.host, address.port)
                _, connection = await loop.create_connection(
                    UpstreamConnection, sock=tunnel, ssl=tls, server_hostname=name
                )
    except TimeoutError as error:
        raise UpstreamUnreachableError(f"no connection within {settings.connect_timeout:g} s") from error
    except OSError as error:
        way = f"by the proxy {proxy.host}:{proxy.port}: " if proxy else ""
        raise UpstreamUnreachableError(way + (str(error) or type(error).__name__)) from error
    return connection


async def _tunnel(proxy: HttpProxy, host: str, port: int) -> socket.socket:
    """A socket that leads through a proxy (RFC 9110, section 9.3.6).

    Raises:
        OSError: the proxy cannot be reached, or refuses.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(proxy.host, proxy.port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, where = found[0]
    tunnel = socket.socket(family, kind, protocol)
    tunnel.setblocking(False)
    try:
        await loop.sock_connect(tunnel, where)
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {authority} HTTP/1.1".encode(), f"Host: {authority}".encode()]
        if proxy.authorization is not None:
            lines.append(b"Proxy-Authorization: " + proxy.authorization)
        await loop.sock_sendall(tunnel, b"\r\n".join((*lines, b"", b"")))
        await _take_answer(tunnel)
    except BaseException:
        tunnel.close()
        raise
    return tunnel


async def _take_answer(tunnel: socket.socket) -> None:
    answer = bytearray()
    # Byte by byte: what comes behind the head is the upstream's.
    while not answer.endswith(b"\r\n\r\n") and len(answer) < _LONGEST_ANSWER:
        if not (byte := await asyncio.get_running_loop().sock_recv(tunnel, 1)):
            raise ConnectionResetError("it hung up")
        answer += byte
    first = answer.partition(b"\r\n")[0].decode("latin-1")
    if first.split(" ", 2)[1:2] != ["200"]:
        raise ConnectionRefusedError(f"it answers {first}")
