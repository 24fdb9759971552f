"""Where spans go: from options, and from the standard variables of OpenTelemetry's exporters.

`opentelemetry-specification`, "OpenTelemetry Protocol Exporter": `OTEL_EXPORTER_OTLP_TRACES_*` before `OTEL_EXPORTER_OTLP_*`;
the endpoint for traces is used as it is, the general one gets `/v1/traces`. Options come before both.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from .._errors import InputError
from ._profile import PROTOCOLS, Profile, Protocol
from ._profiles import PROFILES

__all__ = ["Destination", "environment_names_a_destination", "parse_header", "read_destination"]

_PREFIXES: Final = ("OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_")
_DEFAULT_TIMEOUT: Final = 10.0
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""RFC 9110, 5.6.2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A collector or backend, and how it is spoken to."""

    base: str
    """Address without the path of traces, `http://host:4318`; requests of profiles go behind it."""
    url: str
    """Where traces are posted; for gRPC the same as `base`."""
    protocol: Protocol
    profile: Profile
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    """With names in lower case. May hold keys."""
    timeout: float = _DEFAULT_TIMEOUT
    """Seconds for one request."""
    compression: bool = True
    """By gzip."""
    certificate: str | None = None
    """A file of certificates to trust, PEM; None: those of the system."""
    client_certificate: str | None = None
    """A file, PEM; None: none is shown."""
    client_key: str | None = None
    """The file of its key, PEM."""

    @property
    def shown(self) -> str:
        """The address without a query, which may hold a key."""
        return self.url.partition("?")[0]

    @property
    def id(self) -> str:
        """Names the folder of its state: the same for the same address and profile."""
        parts = urlsplit(self.url)
        digest = hashlib.sha256(f"{self.shown} {self.profile.name}".encode()).hexdigest()
        host = re.sub(r"[^A-Za-z0-9.-]", "-", parts.hostname or "")[:80]
        return f"{self.profile.name}-{host}-{parts.port or parts.scheme}-{digest[:12]}"

    def masked(self, text: str) -> str:
        """A text that a collector may have answered, without the keys that it was sent."""
        words = {word for value in self.headers.values() for word in (value, value.partition(" ")[2])}
        query = urlsplit(self.url).query
        for word in sorted((*words, query), key=len, reverse=True):
            if len(word) >= 8:  # noqa: PLR2004  shorter ones are ordinary words
                text = text.replace(word, "[masked]")
        return text


def environment_names_a_destination(environment: Mapping[str, str]) -> bool:
    """Whether the standard variables ask for traces to be exported by OTLP."""
    exporters = environment.get("OTEL_TRACES_EXPORTER", "otlp").split(",")
    return "otlp" in map(str.strip, exporters) and _variable(environment, "ENDPOINT") is not None


def parse_header(text: str) -> tuple[str, str]:
    """A header of the form `NAME=VALUE`.

    Raises:
        InputError: it has another form; the message does not hold it.
    """
    name, equals, value = text.partition("=")
    name, value = name.strip(), value.strip()
    if not equals or not _HEADER_NAME.fullmatch(name) or not value.isprintable() or not value.isascii():
        raise InputError("a header must have the form NAME=VALUE, the value in printable ASCII")
    return name.lower(), value


def read_destination(
    environment: Mapping[str, str],
    *,
    to: str | None = None,
    protocol: str | None = None,
    profile: str = "otlp",
    headers: Iterable[tuple[str, str]] = (),
) -> Destination:
    """The destination that options and the environment name.

    Args:
        environment: of the process.
        to: an address, to which the profile's path is added if it does not end in it; None: the environment's.
        protocol: one of OpenTelemetry's; None: the environment's, else the profile's first.
        profile: by name.
        headers: beside those of the environment, names in lower case; they win.

    Raises:
        InputError: something of it cannot be used, or there is no address.
    """
    if (wanted := PROFILES.get(profile)) is None:
        raise InputError(f"no profile {profile!r}: there are {', '.join(PROFILES)}")
    chosen = _protocol(protocol or _variable(environment, "PROTOCOL") or wanted.protocols[0], wanted)
    base, url = _addresses(environment, to, chosen, wanted)
    return Destination(
        base=base,
        url=url,
        protocol=chosen,
        profile=wanted,
        headers={**_lower(wanted.headers), **_environment_headers(environment), **dict(headers)},
        timeout=_timeout(_variable(environment, "TIMEOUT")),
        compression=_compression(_variable(environment, "COMPRESSION")),
        certificate=_variable(environment, "CERTIFICATE"),
        client_certificate=_variable(environment, "CLIENT_CERTIFICATE"),
        client_key=_variable(environment, "CLIENT_KEY"),
    )


def _variable(environment: Mapping[str, str], name: str) -> str | None:
    """The variable for traces, else the general one. An empty one counts as not set, as the specification says."""
    return next((value for prefix in _PREFIXES if (value := environment.get(prefix + name, "").strip())), None)


def _protocol(name: str, profile: Profile) -> Protocol:
    if name not in PROTOCOLS:
        raise InputError(f"no protocol {name!r}: there are {', '.join(PROTOCOLS)}")
    if name not in profile.protocols:
        raise InputError(f"{profile.name} does not take {name}: --protocol can be {', '.join(profile.protocols)}")
    return name


def _addresses(environment: Mapping[str, str], to: str | None, protocol: Protocol, profile: Profile) -> tuple[str, str]:
    """The base, and where traces go."""
    exact = None if to else environment.get(f"{_PREFIXES[0]}ENDPOINT", "").strip()
    given = to or exact or environment.get(f"{_PREFIXES[1]}ENDPOINT", "").strip()
    if not given:
        raise InputError("where to? Give --to URL, or set OTEL_EXPORTER_OTLP_ENDPOINT")
    parts = _checked(given, environment, protocol)
    root, path, query = f"{parts.scheme}://{parts.netloc}", parts.path, parts.query and f"?{parts.query}"
    if protocol == "grpc":
        return root, root
    if exact:
        return root + path.removesuffix(profile.path).rstrip("/"), f"{root}{path or '/'}{query}"
    base = root + path.rstrip("/").removesuffix(profile.path)
    return base, f"{base}{profile.path}{query}"


def _checked(given: str, environment: Mapping[str, str], protocol: Protocol) -> SplitResult:
    if "://" not in given and protocol == "grpc":
        insecure = (_variable(environment, "INSECURE") or "").lower() == "true"
        given = f"{'http' if insecure else 'https'}://{given}"
    try:
        parts = urlsplit(given)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise InputError(
            "the collector's address must be http://HOST:PORT or https://HOST:PORT, with or without a path"
        )
    if parts.username is not None:
        raise InputError(f"the address of {parts.hostname} holds a user: give a header instead (--header-file)")
    return parts


def _environment_headers(environment: Mapping[str, str]) -> dict[str, str]:
    """Of the form of W3C Baggage: `name=value,name=value`, percent-encoded."""
    given = _variable(environment, "HEADERS") or ""
    return dict(parse_header(unquote(item)) for item in given.split(",") if item.strip())


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _timeout(milliseconds: str | None) -> float:
    if milliseconds is None:
        return _DEFAULT_TIMEOUT
    if not milliseconds.isdecimal() or not int(milliseconds):
        raise InputError(f"OTEL_EXPORTER_OTLP_TIMEOUT is {milliseconds!r}: it must be a number of milliseconds")
    return int(milliseconds) / 1000


def _compression(name: str | None) -> bool:
    if name not in (None, "gzip", "none"):
        raise InputError(f"OTEL_EXPORTER_OTLP_COMPRESSION is {name!r}: it must be gzip or none")
    return name != "none"
