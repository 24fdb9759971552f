"""Taking a snapshot."""

import os
import tempfile
import time
from pathlib import Path
from typing import BinaryIO, Final

from ...traces import InputError
from ._contents import Contents
from ._file import FileStore, map_file, nameless_file, new_file, write_manifest
from ._keeping import Keeper, Mask
from ._limits import Limits
from ._reading import FileReader
from ._snapshot import Snapshot
from ._walk import Walk, open_folder

__all__ = ["snapshot"]

_LIMITS: Final = Limits()


def snapshot(
    root: str | os.PathLike[str],
    *,
    previous: Snapshot | None = None,
    paranoid: bool = False,
    file: Path | None = None,
    limits: Limits = _LIMITS,
    mask: Mask | None = None,
) -> Snapshot:
    """Look at every entry below a folder, and keep the contents of its text files.

    Nothing is changed. No link is followed, nothing but files and folders is opened, no other file system is entered, and
    what others do to the tree meanwhile leads no further. What cannot be seen is an error of its entry.

    Args:
        root: the folder. It may be named by a link.
        previous: an earlier snapshot of it. A file whose device, inode, mode, size, mtime and ctime are the same is not read
            again, unless its ctime is so near to the start of that snapshot that a change would not show in it; and contents
            that did not change are not kept again: the earlier snapshot has them.
        paranoid: read all files again. Only root, or who can set the clock, can change a file without its ctime showing it.
        file: where the snapshot is written, as `write_snapshot` would. None: contents lie in a file without a name, which
            goes with the snapshot.
        limits: how far to look and what to keep.
        mask: masks the secrets in contents that are kept, without changing their length; hashes are those of the true bytes.

    Raises:
        InputError: there is no such folder, it cannot be opened, or the file would lie in it.
        StoreError: the file cannot be written.
    """
    name = os.fspath(root)
    if file is not None and file.resolve().is_relative_to(Path(name).resolve()):
        raise InputError(f"{file} lies in {name}, of which it is to be a snapshot: keep it elsewhere")
    try:
        folder = open_folder(name)
    except OSError as error:
        raise InputError(f"{name}: no snapshot can be taken: {error.strerror}") from error

    def take(out: BinaryIO) -> Snapshot:
        keeper = Keeper(FileStore(out, file or Path(tempfile.gettempdir()), compress=False), mask)
        walk = Walk(FileReader(limits, keeper), limits, previous, paranoid=paranoid)
        started_ns = time.time_ns()
        walk.run(folder)
        keeper.flush()
        placed = zip(walk.paths, walk.places, strict=True)
        return Snapshot(
            root=name,
            started_ns=started_ns,
            paths=tuple(walk.paths),
            records=b"".join(walk.records),
            hashes=b"".join(walk.hashes),
            targets=walk.targets,
            errors=walk.errors,
            counted=walk.counted,
            contents=Contents(walk.places, keeper.blocks, map_file(out)),
            masked={path: keeper.masked[place] for path, place in placed if place in keeper.masked},
            previous=previous,
        )

    try:
        if file is None:
            with nameless_file() as out:
                return take(out)
        with new_file(file) as out:
            taken = take(out)
            write_manifest(taken, out)
            return taken
    finally:
        os.close(folder)
