"""Writing a snapshot with the contents that its diffs need."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from ._contents import Contents, NotKept
from ._entry import RECORD
from ._file import FileStore, new_file, write_manifest
from ._git_paths import git_place
from ._keeping import Keeper
from ._snapshot import Snapshot

__all__ = ["write_snapshot"]

_SPARE: Final = 8 * 2**20


def write_snapshot(
    snapshot: Snapshot, file: Path, *, compared_with: Sequence[Snapshot] = (), unchanged_bytes: int = _SPARE
) -> None:
    """Write a snapshot, compressed; also over the file in which its contents lie.

    Args:
        snapshot: what to write.
        file: its file, which appears when it is whole. An earlier one is replaced.
        compared_with: the snapshots with which this one will be compared. Contents that are the same in all of them are not
            needed for a diff; the state of git repositories and the rules of what they ignore are written all the same.
            Empty: all contents are written.
        unchanged_bytes: how much to write of contents that are not needed, in the order of the paths.

    Raises:
        StoreError: the file cannot be written, or a content is damaged.
    """
    places: list[int] = []
    masked: dict[str, str] = {}
    spare = unchanged_bytes
    with new_file(file) as out:
        keeper = Keeper(FileStore(out, file, compress=True))
        for position, path in enumerate(snapshot.paths):
            place = snapshot.contents.places[position]
            if place >= 0 or place == Contents.AS_BEFORE:
                size = RECORD.unpack(snapshot.records_of(position))[2]
                if not compared_with or _is_needed(snapshot, position, compared_with):
                    place = _keep(keeper, snapshot, path)
                elif size <= spare:
                    place = _keep(keeper, snapshot, path)
                    spare -= size
                else:
                    place = NotKept.UNCHANGED
            places.append(place)
            if place >= 0 and (digest := snapshot.masked_hash(path)) is not None:
                masked[path] = digest
        keeper.flush()
        write_manifest(replace(snapshot, contents=Contents(places, keeper.blocks, b""), masked=masked), out)


def _is_needed(snapshot: Snapshot, position: int, others: Sequence[Snapshot]) -> bool:
    path, digest = snapshot.paths[position], snapshot.hashes_of(position)
    for other in others:
        found = other.index.get(path)
        if found is None or other.hashes_of(found) != digest:
            return True
    return path.endswith(".gitignore") or git_place(path) is not None


def _keep(keeper: Keeper, snapshot: Snapshot, path: str) -> int:
    content = snapshot.content(path)
    if isinstance(content, NotKept):
        return content
    keeper.room(len(content))[:] = content
    return keeper.keep(len(content))
