"""What two of git's own files say, so that they can be compared by what they mean: the index and the configuration."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Final

__all__ = ["IndexEntry", "read_config", "read_index"]

_INDEX: Final = Struct(">4sII")
_VERSIONS: Final = frozenset({2, 3, 4})
_MODE_AT: Final = 24
_ID_AT: Final = 40
_ID_SIZES: Final = (20, 32)
"""Bytes of an object's id: SHA-1, SHA-256. The index does not say which."""
_MODES: Final = frozenset({0o040000, 0o100644, 0o100755, 0o120000, 0o160000})
_NAME_LENGTH: Final = 0x0FFF
_EXTENDED: Final = 0x4000

_CONTINUATION: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\\r?\n")
_SECTION: Final = re.compile(r'\[\s*([A-Za-z0-9.-]+)(?:\s+"((?:\\.|[^"\\])*)")?\s*\](.*)', re.DOTALL)
_VALUE: Final = re.compile(r'(?P<comment>[#;].*)|"(?P<quoted>(?:\\.|[^"\\])*)"|(?P<bare>(?:\\.|[^"\\#;])+)', re.DOTALL)
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "t": "\t", "b": "\b"}


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """A path that is staged."""

    path: bytes
    mode: int
    object_id: bytes
    flags: bytes
    """Stage, assume-valid, intent-to-add, skip-worktree; without what says how long the path is."""


def read_index(data: bytes) -> list[IndexEntry]:
    """The entries of an index (gitformat-index, versions 2 to 4), without what git notes of files' times.

    Raises:
        ValueError: it is none, or damaged.
    """
    for id_size in _ID_SIZES:
        try:
            return list(_entries(data, id_size))
        except (ValueError, IndexError):
            continue
    raise ValueError("not an index of git")


def _entries(data: bytes, id_size: int) -> Iterator[IndexEntry]:
    if len(data) < _INDEX.size:
        raise ValueError("shorter than a header")
    magic, version, count = _INDEX.unpack_from(data)
    if magic != b"DIRC" or version not in _VERSIONS:
        raise ValueError("another form")
    at, path = _INDEX.size, b""
    for _ in range(count):
        start = at
        mode = int.from_bytes(data[at + _MODE_AT : at + _MODE_AT + 4])
        object_id = data[at + _ID_AT : at + _ID_AT + id_size]
        at += _ID_AT + id_size
        flags = int.from_bytes(data[at : at + 2])
        extended = data[at + 2 : at + 4] if flags & _EXTENDED else b""
        at += 2 + len(extended)
        kept = b""
        if version == 4:  # noqa: PLR2004  the one in which a path says only how it differs from the one before
            dropped, at = _offset(data, at)
            kept = path[: len(path) - dropped]
        end = data.index(0, at)
        path = kept + data[at:end]
        if mode not in _MODES or min(len(path), _NAME_LENGTH) != flags & _NAME_LENGTH:
            raise ValueError("damaged, or with ids of another length")
        at = end + 1 if version == 4 else start + (end - start + 8) // 8 * 8  # noqa: PLR2004
        yield IndexEntry(path, mode, object_id, (flags & ~_NAME_LENGTH).to_bytes(2) + extended)


def _offset(data: bytes, at: int) -> tuple[int, int]:
    """A number in the encoding of pack offsets, and where it ends."""
    value = data[at] & 0x7F
    while data[at] & 0x80:
        at += 1
        value = (value + 1 << 7) | (data[at] & 0x7F)
    return value, at + 1


def read_config(text: str) -> dict[str, tuple[str, ...]]:
    """The settings of a configuration by key (`section.subsection.name`), as git reads them; several values in their order.

    Raises:
        ValueError: git would not read it either.
    """
    settings: dict[str, tuple[str, ...]] = {}
    section: str | None = None
    for line in _CONTINUATION.sub(r"\1", text).split("\n"):
        rest = line.strip()
        while match := _SECTION.match(rest):
            subsection, rest = match[2], match[3].strip()
            section = match[1].lower() if subsection is None else f"{match[1].lower()}.{_plain(subsection)}"
        if not rest or rest[0] in "#;":
            continue
        name, separator, value = rest.partition("=")
        if not _NAME.fullmatch(name.strip()):
            raise ValueError(f"not a setting: {rest[:80]!r}")
        key = name.strip().lower() if section is None else f"{section}.{name.strip().lower()}"
        settings[key] = (*settings.get(key, ()), _value(value.strip()) if separator else "true")
    return settings


def _value(text: str) -> str:
    value, end, plain_from = "", 0, 0
    while match := _VALUE.match(text, end):
        end = match.end()
        if match["comment"] is not None:
            end = len(text)
        elif match["quoted"] is not None:
            value += _plain(match["quoted"])
            plain_from = len(value)
        else:
            value += _plain(match["bare"])
    if end < len(text):
        raise ValueError(f"not a value: {text[:80]!r}")
    return value[:plain_from] + value[plain_from:].rstrip()


def _plain(text: str) -> str:
    return _ESCAPE.sub(lambda match: _ESCAPES.get(match[1], match[1]), text)
