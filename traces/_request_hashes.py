"""sha256 of requests. An agent sends its whole conversation again with every call: only what is new in it need be hashed."""

import hashlib
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["RequestHashes", "common_prefix"]

_MOST_BEHIND: Final = 8 * 1024
"""Bytes behind the beginning whose hash is held, from which on it is worth a search for a longer beginning."""
_LONGEST: Final = 4 * 2**20
"""Bytes of a text that is held; a longer one is hashed whole."""
_NEAR_THE_END: Final = 64


@dataclass(slots=True)
class _Latest:
    text: bytes
    hashed: int
    """Bytes of its beginning of which `state` is the hash."""
    state: Any


class RequestHashes:
    """Hashes texts of several conversations. The latest text of each is held, within a budget of memory."""

    def __init__(self, budget: int = 32 * 2**20) -> None:
        """Hold at most `budget` bytes; the conversation that was used longest ago is forgotten first."""
        self._budget = budget
        self._size = 0
        self._latest: OrderedDict[Hashable, _Latest] = OrderedDict()

    def sha256(self, conversation: Hashable, text: bytes) -> str:
        """Hex sha256 of a text.

        Args:
            conversation: names the texts that may begin like this one. Of no consequence but for speed.
            text: the bytes.
        """
        if len(text) > _LONGEST:
            return hashlib.sha256(text).hexdigest()
        view = memoryview(text)
        latest = self._latest.get(conversation)
        if latest is None:
            latest = self._latest[conversation] = _Latest(b"", 0, hashlib.sha256())
        else:
            self._latest.move_to_end(conversation)
        if len(text) < latest.hashed or not latest.text.startswith(view[: latest.hashed]):
            latest.hashed, latest.state = 0, hashlib.sha256()
        if len(text) - latest.hashed > _MOST_BEHIND:
            common = common_prefix(latest.text, text)
            latest.state.update(view[latest.hashed : common])
            latest.hashed = common
        self._size += len(text) - len(latest.text)
        latest.text = text
        while self._size > self._budget:
            _, forgotten = self._latest.popitem(last=False)
            self._size -= len(forgotten.text)
        state = latest.state.copy()
        state.update(view[latest.hashed :])
        return state.hexdigest()  # type: ignore[no-any-return]


def common_prefix(one: bytes, other: bytes) -> int:
    """How many bytes two texts have in common at their start."""
    low, high = 0, min(len(one), len(other))
    # A conversation that goes on differs near its end: one look instead of a search.
    if high > _NEAR_THE_END and other.startswith(one[: high - _NEAR_THE_END]):
        low = high - _NEAR_THE_END
    while low < high:
        middle = (low + high + 1) // 2
        if one.startswith(other[low:middle], low):
            low = middle
        else:
            high = middle - 1
    return low
