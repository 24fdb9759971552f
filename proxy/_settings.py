"""What a proxy is told when it is made. The environment is read by the command line, not here."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from ..traces import InputError, Rule, is_telling
from ._limits import Limits

__all__ = ["BodyPolicy", "HttpProxy", "ProxySettings", "UpstreamAddress", "UpstreamSettings"]

BodyPolicy = Literal["none", "hash", "full"]
"""What is kept of bodies: nothing, hashes and lengths, or all but secrets, which are masked."""


@dataclass(frozen=True, slots=True)
class UpstreamAddress:
    """Where the model is."""

    base: str
    """Scheme, host and path, with no slash after it: what stands for `/v1` of the agent's path."""
    host: str
    port: int
    authority: str
    """Host, and port if it is named, as in the URL."""
    path: str
    secure: bool
    """By TLS."""
    query: str | None = None
    """What each request's query begins with, such as `api-version=…`; None if nothing."""

    @classmethod
    def parse(cls, url: str) -> "UpstreamAddress":
        """Read the URL of an upstream whose paths are those of OpenAI's API.

        Raises:
            InputError: it is not http(s)://HOST[:PORT]/…/v1.
        """
        base = url.rstrip("/")
        parts = _split(base)
        if parts.query:
            raise InputError(
                f"upstream {url!r}: must have no user, query or fragment here; a file for --upstreams may give a query"
            )
        if not parts.path.endswith("/v1"):
            raise InputError(f"upstream {url!r}: must end in /v1; did you mean {base}/v1 ?")
        return cls._of(base, parts)

    @classmethod
    def parse_any(cls, url: str) -> "UpstreamAddress":
        """Read the URL that stands for `/v1`, whatever its path is called there; it may have a query.

        Raises:
            InputError: it is not http(s)://HOST[:PORT]/….
        """
        parts = _split(url)
        base = url.partition("?")[0].rstrip("/")
        return cls._of(base, parts._replace(path=parts.path.rstrip("/")))

    @classmethod
    def _of(cls, base: str, parts: SplitResult) -> "UpstreamAddress":
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        return cls(base, parts.hostname or "", port, parts.netloc, parts.path, secure, parts.query or None)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise InputError(f"upstream {url!r}: {error}") from error
    if parts.username or parts.password:
        raise InputError("an upstream's URL must have no user in it; give a key by TACHOGRAPH_UPSTREAM_KEY")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"upstream {url!r}: must be a URL such as https://api.example.com/v1")
    if parts.fragment:
        raise InputError(f"upstream {url!r}: must have no fragment")
    if not url.isascii() or any(character.isspace() for character in url):
        raise InputError(f"upstream {url!r}: must be plain ASCII; encode what is not (%20, xn--…)")
    return parts


@dataclass(frozen=True, slots=True)
class HttpProxy:
    """A proxy on the way to an upstream."""

    host: str
    port: int
    authorization: bytes | None = field(default=None, repr=False)
    """The value of `Proxy-Authorization`; None if it wants none."""

    @classmethod
    def parse(cls, url: str) -> "HttpProxy":
        """Read a proxy's URL, such as `http://user:password@proxy.example:3128`.

        Raises:
            InputError: it is none. The message does not quote it: it may hold a password.
        """
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            port = parts.port or 80
        except ValueError as error:
            raise InputError(f"the proxy's URL cannot be read: {error}") from error
        if parts.scheme != "http" or not parts.hostname:
            raise InputError(f"a proxy of kind {parts.scheme!r} is not known here: give one as http://HOST:PORT")
        if parts.username is None:
            return cls(parts.hostname, port)
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        return cls(parts.hostname, port, b"Basic " + base64.b64encode(credentials))


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSettings:
    """One upstream, and which calls are for it."""

    name: str
    address: UpstreamAddress
    key: str | None = field(default=None, repr=False)
    """Set on every request; None: the agent's own key passes through."""
    key_header: str | None = None
    """The header that the key goes up in, such as `api-key`; None: the one in which the agent presents its own."""
    headers: tuple[tuple[str, str], ...] = ()
    """Set on every request, in the place of the agent's of that name."""
    models: tuple[str, ...] = ()
    """Globs of the models asked for that are for it."""
    paths: tuple[str, ...] = ()
    """Globs of the paths, beginning with `/v1`, that are for it. With neither models nor paths it takes all that is left."""
    connect_timeout: float = 30.0
    """Seconds to reach it."""
    read_timeout: float | None = None
    """Seconds of silence after which an answer counts as cut; None: a long silence is the model's to keep."""
    ca_file: Path | None = None
    """Certificates, PEM, to trust beside those of the system; None: no more."""
    proxy: HttpProxy | None = None
    """The proxy on the way; None: there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """How a proxy serves and records."""

    upstream: UpstreamAddress | None = None
    """The one upstream, or the one that takes what none of `upstreams` does; None: there is no such."""
    upstreams: tuple[UpstreamSettings, ...] = ()
    """More of them: the first that a call is for takes it."""
    store: Path
    """The folder of all runs."""
    host: str = "127.0.0.1"
    port: int = 0
    """0: one that is free."""
    default_run: str | None = None
    """The run of calls that name none; None: such calls are refused with 404."""
    upstream_key: str | None = field(default=None, repr=False)
    """For `upstream`: set on every request; None: the agent's own key passes through."""
    ca_file: Path | None = None
    """For `upstream`, as the next: certificates, PEM, to trust beside those of the system."""
    upstream_proxy: HttpProxy | None = None
    usage: Literal["inject", "observe"] = "inject"
    """`inject`: ask for the usage of streams whose agent did not. `observe`: change nothing at all."""
    bodies: BodyPolicy = "full"
    redact_rules: tuple[Rule, ...] = ()
    """What is masked beside secrets that are known and what looks like a common one."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Other secrets of this process, such as those of its environment, to be masked wherever they stand."""
    propagate_context: bool = False
    """Send each call's own `traceparent` up. An agent's `traceparent`, `tracestate` and `baggage` never go up."""
    sync: bool = False
    """Make each call safe against power loss, too, before the agent sees its end."""
    connect_timeout: float = 30.0
    """Seconds to reach `upstream`. There is no other limit of time: a long silence is the model's to keep."""
    require_keys: bool = False
    """Take no call without a run key. Must be set where others than this machine's users can connect."""
    limits: Limits = field(default_factory=Limits)
    """How much is taken from agents."""
    shutdown_grace: float = 10.0
    """Seconds that calls in flight have to end when the proxy stops."""

    def upstream_secrets(self) -> Iterator[str]:
        """What goes up with requests and is nobody else's: keys, values of headers and queries, passwords of proxies."""
        for upstream in self.all_upstreams:
            if upstream.key is not None:
                yield upstream.key
            yield from (value for _, value in upstream.headers if is_telling(value))
            yield from (value for _, value in parse_qsl(upstream.address.query or "") if is_telling(value))
            if upstream.proxy is not None and upstream.proxy.authorization is not None:
                credentials = upstream.proxy.authorization.partition(b" ")[2]
                yield from (credentials.decode(), base64.b64decode(credentials).decode().partition(":")[2])

    @property
    def all_upstreams(self) -> tuple[UpstreamSettings, ...]:
        """Every upstream, in the order in which they are asked whether a call is for them."""
        if self.upstream is None:
            return self.upstreams
        last = UpstreamSettings(
            name="upstream",
            address=self.upstream,
            key=self.upstream_key,
            connect_timeout=self.connect_timeout,
            ca_file=self.ca_file,
            proxy=self.upstream_proxy,
        )
        return (*self.upstreams, last)
