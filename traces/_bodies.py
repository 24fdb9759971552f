"""The bodies of a run's calls, by sha256, in one file that grows: `bodies/bodies.pack`.

An agent sends its whole conversation again with every call. A body is therefore kept as what is new in it: how many bytes
it begins and ends with in common with an earlier body of the run, and zstd frames of what stands between. Measured on a
conversation about source code that begins with 20 KB and grows by 600 bytes a call, 33 calls: 24 us and 0.7 KB a call; whole
frames in a pack take 93 us and 8.1 KB, single files 130 us and 10 KB.

Secrets are masked first: what is compared and kept are the masked bytes, named by the hash of the true ones.

The form: a line of JSON for each body, `stored` bytes of zstd after it, the first 8 digits of its hash once more, and a
newline. The first line says the version. A record that a killed writer left torn stays; readers find the next one
(`_body_reader`). There is no standard form that refers to parts of an earlier record (WARC refers to whole ones only).
"""

import hashlib
import sys
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson

from ._appending import SharedFile
from ._decoding import DecodingError, decoded
from ._kept_body import GrowingBody, UnsearchableError, compress
from ._redaction import Redactor, masked
from ._request_hashes import common_prefix
from ._scanner import Found
from ._spill import Spill

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = [
    "LARGEST_COMPARED",
    "PACK_FORMAT",
    "PACK_FORMAT_KEY",
    "PACK_HEADER",
    "PACK_NAME",
    "BodyCache",
    "BodyPack",
    "pack_tail",
]

PACK_NAME: Final = "bodies.pack"
PACK_FORMAT: Final = 2
PACK_FORMAT_KEY: Final = "tachograph.bodies"
PACK_HEADER: Final = b'{"%b":%d}\n' % (PACK_FORMAT_KEY.encode(), PACK_FORMAT)
_LEVEL: Final = 3
_WORTH_SHARING: Final = 512
"""Fewer bytes in common with an earlier body than this are not worth the reading of two frames.

An earlier body of which no more than this is gone is continued, and need not be held any longer; of one that has more of
its own, such as a conversation that only begins with the same instructions, a continuation may still come.
"""
_LONGEST_CHAIN: Final = 32
"""After so many bodies that each lean on the one before, one is kept whole: a damaged frame costs no more than these."""
_REMEMBERED: Final = 4096
"""Bodies that are known to be there, and are not stored again. One that comes again later is: readers take the first."""
LARGEST_COMPARED: Final = 16 * 2**20
"""Bytes of a request. A longer one is kept as an answer is: in small frames of its own, most of them in no memory."""
_PIECE: Final = 64 * 1024
_REACH: Final = 8 * 1024
"""Bytes: a secret that begins or ends in what is new reaches no further into the rest (see `_scanner`)."""
_KEPT_BODIES: Final = 4
"""Earlier bodies of one run to compare with: an agent's main conversation, and side conversations beside it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Kept:
    digest: str
    body: bytes
    chain: int
    clean: int | None = None
    """The redactor's generation that found no secret in it; None if it holds some, or is encoded."""


def pack_tail(digest: str) -> bytes:
    """How the record of a body ends: what does not end so was cut off."""
    return digest[:8].encode() + b"\n"


class BodyCache:
    """The latest request bodies of all open runs, within a budget of memory."""

    def __init__(self, budget: int = 64 * 2**20) -> None:
        """Hold at most `budget` bytes; the run that was used longest ago is forgotten first."""
        self._budget = budget
        self._size = 0
        self._runs: OrderedDict[str, list[_Kept]] = OrderedDict()

    def of(self, run: str) -> list[_Kept]:
        """The run's latest bodies, newest last."""
        if run not in self._runs:
            return []
        self._runs.move_to_end(run)
        return self._runs[run]

    def add(self, run: str, kept: _Kept, replaced: _Kept | None) -> None:
        """Keep a body, in the place of the one that it continues if there is one."""
        bodies = self._runs.setdefault(run, [])
        if replaced is not None:
            bodies.remove(replaced)
        elif len(bodies) == _KEPT_BODIES:
            replaced = bodies.pop(0)
        bodies.append(kept)
        self._size += len(kept.body) - (len(replaced.body) if replaced else 0)
        while self._size > self._budget:
            self.forget(next(iter(self._runs)))

    def forget(self, run: str) -> None:
        """Let go of a run's bodies."""
        self._size -= sum(len(kept.body) for kept in self._runs.pop(run, ()))


class BodyPack:
    """Writes bodies of one run."""

    def __init__(self, folder: Path, cache: BodyCache, redactor: Redactor) -> None:
        """Open or make the pack in the folder `bodies/` of a run. Raises OSError."""
        folder.mkdir(mode=0o700, exist_ok=True)
        self._folder = folder
        self._file = SharedFile(folder / PACK_NAME)
        self._run = str(self._file.path)
        self._cache = cache
        self._redactor = redactor
        self._written: OrderedDict[str, str | None] = OrderedDict()
        self._compressor = zstd.ZstdCompressor(level=_LEVEL)

    def put_request(self, body: bytes, digest: str, content_encoding: str = "") -> str | None:
        """Store a request body, whose hex sha256 is known, with its secrets masked, as what is new in it.

        Returns:
            Hex sha256 of what is kept of it, if secrets are masked in it; else None.

        Raises:
            OSError: nothing is stored.
            UnsearchableError: nothing is stored.
        """
        if digest in self._written:
            return self._written[digest]
        if len(body) > LARGEST_COMPARED:
            return self.put_response(self._grown(body, content_encoding))
        earlier = self._cache.of(self._run)
        common = _most_in_common(body, earlier)
        kept, about = body, dict[str, Any]()
        if content_encoding or not self._is_clean(body, common):
            kept, about = self._searched(body, content_encoding)
        base, prefix, suffix = common if kept is body else _most_in_common(kept, earlier)
        shared: dict[str, str | int] = {"base": base.digest, "prefix": prefix, "suffix": suffix} if base else {}
        stored = compress(self._compressor, kept[prefix : len(kept) - suffix])
        self._append(digest, {"bytes": len(body), **shared, **about}, stored)
        continued = base is not None and _continues(base.body, prefix + suffix)
        clean = None if about or content_encoding else self._redactor.generation
        latest = _Kept(digest, kept, base.chain + 1 if base else 0, clean)
        self._cache.add(self._run, latest, base if continued else None)
        return self._written[digest]

    def _grown(self, body: bytes, content_encoding: str) -> GrowingBody:
        grown = self.new_response()
        grown.decode(content_encoding)
        for start in range(0, len(body), _PIECE):
            grown.add(body[start : start + _PIECE])
        return grown

    def _is_clean(self, body: bytes, common: "_Common") -> bool:
        """Whether an earlier body held no secret and what is new in this one holds none: only that need be searched."""
        base, prefix, suffix = common
        if base is None or base.clean != self._redactor.generation:
            return False
        return not self._found(body[max(0, prefix - _REACH) : len(body) - suffix + _REACH])

    def _found(self, text: bytes) -> list[Found]:
        try:
            return self._redactor.find(text)
        except Exception as error:  # whatever it is, no secret may slip through (law 4)
            raise UnsearchableError(f"it could not be searched for secrets: {error!r}") from error

    def _searched(self, body: bytes, content_encoding: str) -> tuple[bytes, dict[str, Any]]:
        """What is kept of a body, and what is said of that."""
        try:
            plain = decoded(body, content_encoding)
        except DecodingError as error:
            raise UnsearchableError(f"it could not be searched for secrets: {error}") from error
        found = self._found(plain)
        if not found:
            return body, {}
        kept = masked(plain, found)
        return kept.data, _about(kept.counts, hashlib.sha256(kept.data).hexdigest(), decoded=plain is not body)

    def new_response(self) -> GrowingBody:
        """An empty body, to be filled piece by piece and put."""
        return GrowingBody(self._compressor, self._redactor, self._folder)

    def new_spill(self) -> Spill:
        """An empty file without a name, beside the pack. Raises OSError."""
        return Spill(self._folder)

    def put_response(self, body: GrowingBody) -> str | None:
        """Store a body that grew piece by piece; gives what `put_request` gives.

        Raises:
            OSError: nothing is stored.
            UnsearchableError: nothing is stored.
        """
        digest = body.sha256
        if digest not in self._written:
            kept = body.kept()
            about = _about(kept.masked, kept.sha256, decoded=kept.decoded) if kept.sha256 else {}
            self._append(digest, {"bytes": body.length, **about}, kept.stored, kept.spilled)
        return self._written[digest]

    def sync(self) -> None:
        """Wait until what was stored is safe against power loss."""
        self._file.sync()

    def close(self) -> None:
        """Close the file and let go of what is held to compare with."""
        self._cache.forget(self._run)
        self._file.close()

    def _append(self, digest: str, about: dict[str, Any], stored: bytes, spilled: Spill | None = None) -> None:
        size = len(stored) + (spilled.size if spilled else 0)
        head = orjson.dumps({"sha256": digest, **about, "stored": size})
        with self._file as end:
            start = head if end else PACK_HEADER + head
            if spilled is None:
                self._file.append(b"%b\n%b%b" % (start, stored, pack_tail(digest)), end)
            else:
                self._file.append_pieces(chain((start, b"\n"), spilled, (stored, pack_tail(digest))), end)
        self._written[digest] = about.get("kept")
        if len(self._written) > _REMEMBERED:
            self._written.popitem(last=False)


def _about(counts: Mapping[str, int], kept: str, *, decoded: bool) -> dict[str, Any]:
    """What a record says of a body in which secrets are masked."""
    return {"masked": dict(sorted(counts.items())), "kept": kept, **({"decoded": True} if decoded else {})}


_Common: TypeAlias = tuple[_Kept | None, int, int]


def _most_in_common(body: bytes, candidates: list[_Kept]) -> _Common:
    """The earlier body that shares most with this one, and how many bytes at its start and its end."""
    best: _Common = (None, 0, 0)
    most = _WORTH_SHARING
    for kept in reversed(candidates):
        if kept.chain >= _LONGEST_CHAIN:
            continue
        prefix = common_prefix(kept.body, body)
        suffix = _common_suffix(kept.body, body, min(len(kept.body), len(body)) - prefix)
        if prefix + suffix >= most:
            most, best = prefix + suffix + 1, (kept, prefix, suffix)
            if _continues(kept.body, prefix + suffix) and prefix + suffix >= len(body) // 2:
                break  # the usual case: the others need not be looked at
    return best


def _continues(earlier: bytes, shared: int) -> bool:
    return len(earlier) - shared <= _WORTH_SHARING


def _common_suffix(one: bytes, other: bytes, limit: int) -> int:
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if one.endswith(other[len(other) - middle : len(other) - low], 0, len(one) - low):
            low = middle
        else:
            high = middle - 1
    return low
