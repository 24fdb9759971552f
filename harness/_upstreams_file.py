"""Several upstreams behind one proxy: a TOML file, and what the environment says of proxies on the way."""

import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.request import getproxies_environment, proxy_bypass

from ..proxy import HttpProxy, UpstreamAddress, UpstreamSettings
from ..traces import InputError

__all__ = ["load_upstreams", "proxy_of_environment"]


def proxy_of_environment(address: UpstreamAddress) -> HttpProxy | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY ask for, in either case; None if there is none.

    A model on this machine is never looked for behind a proxy.

    Raises:
        InputError: what stands there is no proxy that is known here.
    """
    known = getproxies_environment()
    if address.host == "localhost" or address.host.startswith("127.") or address.host == "::1":
        return None
    if proxy_bypass(address.host):
        return None
    url = known.get("https" if address.secure else "http") or known.get("all")
    return HttpProxy.parse(url) if url else None


def load_upstreams(path: Path, environment: Mapping[str, str] = os.environ) -> tuple[UpstreamSettings, ...]:
    """The upstreams of a file, in its order; see `examples/upstreams.toml`.

    Raises:
        InputError: it cannot be read, or says what cannot be meant; the message names the file, the upstream and the key.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path}: not TOML in UTF-8: {error}") from error
    if not document:
        raise InputError(f"{path}: names no upstream: each is a table, such as [anthropic], with a url")
    return tuple(_upstream(f"{path}: {name}", name, given, environment) for name, given in document.items())


def _upstream(where: str, name: str, given: Any, environment: Mapping[str, str]) -> UpstreamSettings:
    if not isinstance(given, dict):
        raise InputError(f"{where}: must be a table, such as [{name}], with a url")
    if "key" in given:
        raise InputError(f"{where}: a key has no place in a file of settings; name where it is by key_env or key_file")
    if unknown := [key for key in given if key not in _KEYS]:
        raise InputError(f"{where}: unknown key {', '.join(unknown)}; known are {', '.join(_KEYS)}")
    if "url" not in given:
        raise InputError(f"{where}: url is missing")
    values = {}
    for key, value in given.items():
        try:
            values[key] = _KEYS[key](value)
        except (InputError, _WrongValueError) as error:
            raise InputError(f"{where}: {key}: {error}") from None
    key = _key(where, values.pop("key_env", None), values.pop("key_file", None), environment)
    address: UpstreamAddress = values.pop("url")
    proxy = values.pop("proxy") if "proxy" in values else proxy_of_environment(address)
    return UpstreamSettings(name=name, address=address, key=key, proxy=proxy, **values)


def _key(where: str, variable: str | None, file: Path | None, environment: Mapping[str, str]) -> str | None:
    if variable is not None:
        if not environment.get(variable):
            raise InputError(f"{where}: key_env: {variable} is not set")
        return environment[variable]
    if file is None:
        return None
    try:
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{where}: key_file: {file} cannot be read: {error}") from error
    if not key:
        raise InputError(f"{where}: key_file: {file} is empty")
    return key


class _WrongValueError(Exception):
    """The message says what the value must be."""


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
        raise _WrongValueError("must be a text of plain characters that is not empty")
    return value


def _globs(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(glob, str) and glob for glob in value):
        raise _WrongValueError("must be a list of globs, such as ['gpt-*']")
    return tuple(value)


def _paths(value: Any) -> tuple[str, ...]:
    if not all(glob.startswith("/v1") for glob in _globs(value)):
        raise _WrongValueError("must be a list of globs that begin with /v1, such as ['/v1/messages*']")
    return tuple(value)


def _headers(value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise _WrongValueError("must be a table of texts")
    return tuple((_text(name), _text(text)) for name, text in value.items())


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise _WrongValueError("must be a number of seconds above 0")
    return float(value)


def _url(value: Any) -> UpstreamAddress:
    return UpstreamAddress.parse_any(_text(value))


def _path(value: Any) -> Path:
    return Path(_text(value))


def _proxy(value: Any) -> HttpProxy | None:
    """No proxy if it is empty, whatever the environment says."""
    return None if value == "" else HttpProxy.parse(_text(value))


_KEYS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "url": _url,
    "key_env": _text,
    "key_file": _path,
    "key_header": _text,
    "headers": _headers,
    "models": _globs,
    "paths": _paths,
    "connect_timeout": _seconds,
    "read_timeout": _seconds,
    "ca_file": _path,
    "proxy": _proxy,
}
"""Each key with the reader of its value."""
