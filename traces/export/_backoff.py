"""How long to wait before the same is sent again."""

import random
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Backoff"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Exponential, with jitter, so that many forwarders do not come back at once."""

    first: float = 0.25
    """Seconds before the first repetition, at most."""
    longest: float = 30.0
    """Seconds that no pause of our own exceeds."""
    longest_asked: float = 600.0
    """Seconds that no pause exceeds, whatever a collector asks for."""

    def pause(self, failures: int, asked: float | None, chance: Callable[[], float] = random.random) -> float:
        """Seconds to wait.

        Args:
            failures: in a row so far, from 1.
            asked: what the collector asks for; None: nothing.
            chance: gives a number from 0 to 1.
        """
        jitter = 0.5 + chance() / 2
        own = min(self.longest, self.first * 2.0 ** min(failures - 1, 30)) * jitter
        # Never earlier than asked, and not all at the same moment.
        return own if asked is None else min(self.longest_asked, asked) + own * 0.1
