"""The bodies of a page: each as what is new in it against an earlier one, packed."""

import base64
import gzip
from typing import Any, Final, NamedTuple

from .._json import encode_json
from ._common import common_prefix, common_suffix

__all__ = ["BodyTable", "Placed"]

_LONGEST: Final = 4 * 2**20
"""Characters of one body that are on a page."""
_MOST: Final = 32 * 2**20
"""Characters of all bodies that are on a page, as what is new in them."""
_FULL: Final = "the bodies of the calls before it are as much as a page takes"


class Placed(NamedTuple):
    """Where a body stands on the page."""

    place: int | None
    """None: nowhere."""
    note: str | None
    """Why it is not there, or not all of it; None if it is."""
    shown: str
    """What of it is there, for others to lean on."""


class BodyTable:
    """Takes bodies one after the other. Held is what is new in them.

    Lengths are those of scripts in a browser: UTF-16 code units.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self._bodies: list[dict[str, Any]] = []
        self._size = 0

    def again(self, known: Placed, text: str) -> Placed:
        """A body that stands here, with what of its text is shown."""
        return known._replace(shown=text[:_LONGEST])

    def add(self, text: str, like: Placed) -> Placed:
        """Take a body.

        Args:
            text: all of it.
            like: an earlier one that it may be like; without a place it stands by itself.
        """
        shown, base = text[:_LONGEST], like.shown
        prefix = common_prefix(base, shown)
        # What was cut off has no end that could be the other's.
        suffix = common_suffix(base, shown, min(len(base), len(shown)) - prefix) if len(shown) == len(text) else 0
        new = shown[prefix : len(shown) - suffix]
        if self._size + len(new) > _MOST:
            return Placed(None, _FULL, "")
        self._size += len(new)
        cut = len(text) - len(shown)
        self._bodies.append(
            {
                "like": like.place if prefix or suffix else None,
                "prefix": _units(shown[:prefix]),
                "suffix": _units(shown[len(shown) - suffix :]),
                "text": new,
                "cut": cut,
            }
        )
        return Placed(len(self._bodies) - 1, f"the last {cut:,} characters are not on the page" if cut else None, shown)

    def packed(self) -> dict[str, str]:
        """All of them, as they stand in the page. The same bodies give the same bytes."""
        data = gzip.compress(encode_json({"bodies": self._bodies}), compresslevel=9, mtime=0)
        return {"coding": "gzip+base64", "data": base64.b64encode(data).decode()}


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
