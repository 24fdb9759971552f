"""How much a proxy takes from agents, so that none of them can use up this machine."""

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is reached is told, with the name of the limit: `tachograph serve --limit NAME=VALUE` sets another.

    No limit is on an answer: an agent may wait for one, and read it, as long as it likes.
    """

    head: int = 1024 * 1024
    """Bytes of a request's head. Room for agents' beta lists and trace headers. Beyond it: 431."""
    body: int = 1024 * 1024 * 1024
    """Bytes of a request's body, as sent; beyond 16 MiB it lies on disk. OpenAI takes files of half of this. 413."""
    receive: float = 60.0
    """Seconds in which a head must be in, and seconds of silence within a body. 408."""
    idle: float = 3600.0
    """Seconds that a connection is kept between two requests: longer than an agent thinks between two calls."""
    runs: int = 1000
    """Runs that calls may have opened at a time; a call that names one more gets 503."""
