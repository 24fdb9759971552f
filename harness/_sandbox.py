"""A command that sees only its own folders and one way out: the proxy. By bubblewrap, where it is installed.

In the sandbox there is no network but a loopback of its own, and of the files only programs, read-only. A Unix socket comes
through as a file, and what is sent to the proxy's port inside goes out by it (`_sandbox_inside`).
"""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from ..traces import LaunchError
from ._processes import find_program
from ._sandbox_inside import pass_on
from ._terminal import Command

__all__ = ["Sandbox", "require_sandbox"]

_BUBBLEWRAP: Final = "bwrap"
_SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt")
_CONFIGURATION: Final = (
    *(
        "alternatives",
        "ca-certificates",
        "ca-certificates.conf",
        "group",
        "hosts",
        "inputrc",
        "ld.so.cache",
        "ld.so.conf",
    ),
    *(
        "ld.so.conf.d",
        "locale.alias",
        "localtime",
        "mime.types",
        "nsswitch.conf",
        "passwd",
        "pki",
        "protocols",
        "services",
    ),
    *("ssl", "terminfo"),
)
"""Below `/etc`: what programs look up, and nothing that only its owner may read."""
_FOLDERS_OF_PROGRAMS: Final = frozenset({"bin", "sbin", ".bin"})
_PARTS: Final = ("bin", "lib", "lib64", "libexec")
"""Of a folder right below the user's HOME, such as `~/.local` or `~/.cargo`: the rest may hold credentials."""
_TOOLCHAINS: Final = ("RUSTUP_HOME", "PYENV_ROOT", "RBENV_ROOT", "NVM_DIR")
_DOOR: Final = "/run/tachograph/door"
_INSIDE: Final = "/run/tachograph/inside.py"
_DEAF: Final = 'trap \'\' TERM; exec "$0" "$@"'
"""Bubblewrap leads the session: were it to end first, the terminal would hang up before the command has tidied up."""


def require_sandbox() -> None:
    """Refuse to go on without bubblewrap, before anything is recorded.

    Raises:
        LaunchError: it is not installed.
    """
    if shutil.which(_BUBBLEWRAP) is None:
        raise LaunchError(
            "--sandbox needs bubblewrap (bwrap), which is not on PATH: install it (apt install bubblewrap, "
            "dnf install bubblewrap), or run without --sandbox"
        )


class Sandbox:
    """Where a command runs: what it may write, and the way to the proxy."""

    def __init__(self, folders: Sequence[Path], port: int, door: Path) -> None:
        """Take the folders that it may write to, the proxy's port, and the socket that leads there."""
        self._folders = folders
        self._port = port
        self._door = door

    @classmethod
    @asynccontextmanager
    async def opened(cls, folders: Sequence[Path], port: int) -> AsyncIterator["Sandbox"]:
        """A sandbox whose door is open for the time of the block."""
        with tempfile.TemporaryDirectory(prefix="tachograph-door-") as folder:
            path = Path(folder, "door")
            async with await asyncio.start_unix_server(
                lambda reader, writer: pass_on(reader, writer, asyncio.open_connection("127.0.0.1", port)), path
            ):
                yield cls(folders, port, path)

    def around(self, command: Command) -> Command:
        """The command as it runs in the sandbox.

        Raises:
            LaunchError: its program cannot be found.
        """
        program = find_program(command.argv, command.cwd, command.env)
        inside = (sys.executable, "-I", "-S", _INSIDE, _DOOR, str(self._port), program, *command.argv[1:])
        readable = [*_system(), *_programs(Path(program), command)]
        # Not --die-with-parent: it would take the grace to tidy up from the command. All ends with the first process inside.
        argv = (
            *("/bin/sh", "-c", _DEAF, shutil.which(_BUBBLEWRAP) or _BUBBLEWRAP),
            *("--unshare-all", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"),  # noqa: S108  its own
            *(word for path in _outermost(readable) for word in ("--ro-bind", str(path), str(path))),
            *(word for path in self._folders for word in ("--bind", str(path), str(path))),
            *("--ro-bind", str(self._door), _DOOR),
            *("--ro-bind", str(Path(__file__).with_name("_sandbox_inside.py")), _INSIDE),
            *("--remount-ro", "/", "--chdir", str(command.cwd), "--", *inside),
        )
        return replace(command, argv=argv)


def _system() -> Iterator[Path]:
    yield from (path for path in map(Path, _SYSTEM) if path.exists())
    yield from (path for path in (Path("/etc", name) for name in _CONFIGURATION) if path.exists())


def _programs(program: Path, command: Command) -> Iterator[Path]:
    """Where the programs lie that the command may start, with what belongs to them."""
    yield from (Path(command.env[name]) for name in _TOOLCHAINS if name in command.env)
    yield from (Path(sys.prefix), Path(sys.base_prefix))
    for folder in map(Path, filter(None, command.env.get("PATH", "").split(os.pathsep))):
        if folder.is_dir():
            yield from _installation(folder)
            # A virtual environment leads to the interpreter that it was made from.
            for name in ("python3", "python", "node"):
                yield from _installation((folder / name).resolve().parent) if (folder / name).is_symlink() else ()
    yield from _installation(program.parent)
    yield from _installation(program.resolve().parent)


def _installation(folder: Path) -> Iterator[Path]:
    """A folder of programs, and the installation that it is part of."""
    home = Path.home()
    modules = next((parent for parent in (folder, *folder.parents) if parent.name == "node_modules"), None)
    root = modules.parent if modules else folder.parent if folder.name in _FOLDERS_OF_PROGRAMS else folder
    if home.is_relative_to(root):
        yield folder
    elif root.parent == home:
        yield from (root / part for part in _PARTS if (root / part).is_dir())
        yield folder
    else:
        yield root


def _outermost(paths: Iterator[Path] | list[Path]) -> list[Path]:
    """The paths without those that lie in another one."""
    kept: list[Path] = []
    for path in sorted({Path(os.path.normpath(path)) for path in paths}):
        if path.exists() and not any(path.is_relative_to(other) for other in kept):
            kept.append(path)
    return kept
