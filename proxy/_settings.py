"""What a proxy is told when it is made. The environment is read by the command line, not here."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from ..traces import InputError, Rule

__all__ = ["BodyPolicy", "ProxySettings", "UpstreamAddress"]

BodyPolicy = Literal["none", "hash", "full"]
"""What is kept of bodies: nothing, hashes and lengths, or all but secrets, which are masked."""


@dataclass(frozen=True, slots=True)
class UpstreamAddress:
    """Where the model is."""

    base: str
    """Scheme, host and path, with `/v1` at the end and no slash after it."""
    host: str
    port: int
    authority: str
    """Host, and port if it is named, as in the URL."""
    path: str
    """Ends in `/v1`."""
    secure: bool
    """By TLS."""

    @classmethod
    def parse(cls, url: str) -> "UpstreamAddress":
        """Read an upstream's URL.

        Raises:
            InputError: it is not http(s)://HOST[:PORT]/…/v1.
        """
        base = url.rstrip("/")
        try:
            parts = urlsplit(base)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError as error:
            raise InputError(f"upstream {url!r}: {error}") from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"upstream {url!r}: must be a URL such as https://api.example.com/v1")
        if parts.query or parts.fragment or parts.username:
            raise InputError(
                f"upstream {url!r}: must have no user, query or fragment; give a key by TACHOGRAPH_UPSTREAM_KEY"
            )
        if not parts.path.endswith("/v1"):
            raise InputError(f"upstream {url!r}: must end in /v1; did you mean {base}/v1 ?")
        if not base.isascii() or any(character.isspace() for character in base):
            raise InputError(f"upstream {url!r}: must be plain ASCII; encode what is not (%20, xn--…)")
        return cls(base, parts.hostname, port, parts.netloc, parts.path, parts.scheme == "https")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """How a proxy serves and records."""

    upstream: UpstreamAddress
    store: Path
    """The folder of all runs."""
    host: str = "127.0.0.1"
    port: int = 0
    """0: one that is free."""
    default_run: str | None = None
    """The run of calls that name none; None: such calls are refused with 404."""
    upstream_key: str | None = field(default=None, repr=False)
    """Set on every request; None: the agent's own key passes through."""
    usage: Literal["inject", "observe"] = "inject"
    """`inject`: ask for the usage of streams whose agent did not. `observe`: change nothing at all."""
    bodies: BodyPolicy = "full"
    redact_rules: tuple[Rule, ...] = ()
    """What is masked beside secrets that are known and what looks like a common one."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Other secrets of this process, such as those of its environment, to be masked wherever they stand."""
    sync: bool = False
    """Make each call safe against power loss, too, before the agent sees its end."""
    connect_timeout: float = 30.0
    """Seconds to reach the upstream. There is no other limit of time: a long silence is the model's to keep."""
    shutdown_grace: float = 10.0
    """Seconds that calls in flight have to end when the proxy stops."""
