"""A folder as it was at one moment."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import PurePosixPath

from ...traces import StoreError
from ._contents import Contents, NotKept
from ._entry import HASH_SIZE, NO_HASH, RECORD, Entry, make_entry

__all__ = ["Snapshot"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot(Mapping[str, Entry]):
    """Every entry below a root, by its path: hidden and ignored files, empty folders and `.git` included.

    The order is that of a walk: names of a folder by code point, what a folder holds right after it. Equal snapshots saw the
    same things at the same time, wherever the contents are kept.
    """

    root: str
    """The folder that was looked at, as it was named."""
    started_ns: int
    """When the look began, in ns since 1970."""
    paths: tuple[str, ...] = field(repr=False)
    records: bytes = field(repr=False)
    """What `lstat` said of each path, one `RECORD` each."""
    hashes: bytes = field(repr=False)
    """The sha256 of each path, 32 bytes each; zeros where there is none."""
    targets: Mapping[str, str] = field(repr=False)
    """Where the symbolic links lead, by path."""
    errors: Mapping[str, str]
    """What could not be seen, by path; `.` is the root. Of a folder: what it holds may be listed in part or not at all."""
    counted: Mapping[str, int] = field(repr=False)
    """How many files lie in git's stores of objects, by the path of the store. They are not entries."""
    contents: Contents = field(repr=False, compare=False)
    masked: Mapping[str, str] = field(repr=False, compare=False, default_factory=dict)
    """Of files in whose contents secrets are masked: hex sha256 of what is kept, by path. Of others see the entry."""
    previous: "Snapshot | None" = field(repr=False, compare=False, default=None)
    """The snapshot that keeps the contents of what did not change since, or None."""
    index: Mapping[str, int] = field(init=False, repr=False, compare=False)
    """The place of each path in `paths`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", dict(zip(self.paths, range(len(self.paths)), strict=True)))

    def __len__(self) -> int:
        """How many entries there are."""
        return len(self.paths)

    def __iter__(self) -> Iterator[str]:
        """The paths, in the order of a walk."""
        return iter(self.paths)

    def __contains__(self, path: object) -> bool:
        """Whether there was an entry of this path."""
        return path in self.index

    def __getitem__(self, path: str) -> Entry:
        """The entry of this path.

        Raises:
            KeyError: there was none.
        """
        position = self.index[path]
        return make_entry(
            path, self.records_of(position), self.hashes_of(position), self.targets.get(path), self.errors.get(path)
        )

    def records_of(self, position: int, count: int = 1) -> bytes:
        """What `lstat` said of so many paths, from a place in `paths`."""
        return self.records[position * RECORD.size : (position + count) * RECORD.size]

    def hashes_of(self, position: int, count: int = 1) -> bytes:
        """The sha256 of so many paths, from a place in `paths`."""
        return self.hashes[position * HASH_SIZE : (position + count) * HASH_SIZE]

    def hides(self, path: str) -> bool:
        """Whether something may have been at a path, in a folder of which not all could be seen."""
        if not self.errors:
            return False
        return any(parent.as_posix() in self.errors for parent in PurePosixPath(path).parents)

    def masked_hash(self, path: str) -> str | None:
        """Hex sha256 of what is kept of a file in which secrets are masked; None for any other."""
        if self.contents.places[self.index[path]] == Contents.AS_BEFORE and self.previous is not None:
            return self.previous.masked_hash(path)
        return self.masked.get(path)

    def content(self, path: str) -> bytes | NotKept:
        """The content of a file, or why it is not at hand.

        Raises:
            KeyError: there was no entry of this path.
            StoreError: what was kept is damaged.
        """
        position = self.index[path]
        place = self.contents.places[position]
        if place == Contents.AS_BEFORE:
            return NotKept.UNCHANGED if self.previous is None else self.previous.content(path)
        if place < 0:
            return NotKept(place)
        try:
            content = self.contents.read(place, RECORD.unpack(self.records_of(position))[2])
        except ValueError as error:
            raise StoreError(f"snapshot of {self.root}: the content of {path!r} is damaged: {error}") from error
        digest = self.hashes_of(position)
        found = sha256(content)
        if digest == NO_HASH or (found.digest() != digest and found.hexdigest() != self.masked.get(path)):
            raise StoreError(f"snapshot of {self.root}: the content of {path!r} is damaged: it has another hash")
        return content
