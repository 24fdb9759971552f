"""A command and everything that comes of it: started in a session of its own, and ended whole.

On Linux the processes that came of a command are found in `/proc`: those of its session or process group, and those that
left both but still carry the run's id in their environment. Elsewhere only the process group is known.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ..traces import LaunchError

__all__ = ["GRACE_SECONDS", "RUN_ID_VARIABLE", "Process", "end_all", "exit_status", "find_program", "overran", "start"]

RUN_ID_VARIABLE = "TACHOGRAPH_RUN_ID"
"""The mark of a run: processes whose environment holds it with the run's id are ended with the run."""

GRACE_SECONDS = 3.0
"""How long a process may take between SIGTERM and SIGKILL."""

Process = subprocess.Popen[bytes]
"""A started command."""

_POLL_SECONDS = 0.05
_PROC = Path("/proc")


def find_program(argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> str:
    """The absolute path of the program that `argv` names: by its path from `cwd`, or by its name on the PATH of `env`.

    Raises:
        LaunchError: It does not exist, is not executable, or needs an interpreter that does not exist; or `cwd` does not.
    """
    if not argv:
        raise LaunchError("there is no command to start")
    name, path = argv[0], env.get("PATH", os.defpath)
    if not cwd.is_dir():
        raise LaunchError(f"cannot start {name}: there is no folder {cwd} to start it in")
    found = shutil.which(cwd / name if "/" in name else name, path=path)
    if found is None:
        if (cwd / name).is_file() and "/" in name:
            raise LaunchError(f"cannot start {name}: {cwd / name} is not executable; chmod +x makes it so")
        where = f"there is no file {cwd / name}" if "/" in name else f"it is not on PATH ({path})"
        raise LaunchError(f"cannot start {name}: {where}; install it, or give the path of the program")
    if (interpreter := _interpreter(found)) and not (cwd / interpreter).exists():
        raise LaunchError(f"cannot start {name}: {found} needs {interpreter}, which does not exist; install it anew")
    return os.path.abspath(found)  # noqa: PTH100 - Path.resolve would follow links, and so leave a virtual environment


def _interpreter(program: str) -> str | None:
    """What a script's first line names: None if it has none, or cannot be read."""
    with suppress(OSError), Path(program).open("rb") as file:
        line = file.readline(256)
        if line.startswith(b"#!") and (words := line[2:].split()):
            return os.fsdecode(words[0])
    return None


def start(
    name: str, argv: Sequence[str], cwd: Path, env: Mapping[str, str], descriptors: tuple[int, int, int]
) -> Process:
    """Start a command as the leader of a new session, with no other file descriptors than its standard ones.

    Not by the event loop: uvloop hands down descriptors that are not the command's, and cuts arguments at a null byte.

    Args:
        name: What an error calls the command.
        argv: The program's path and its arguments.
        cwd: Where it runs.
        env: Its whole environment.
        descriptors: Its standard input, output and error.

    Raises:
        LaunchError: The system refuses to start it: no such folder, a command line too long.
    """
    stdin, stdout, stderr = descriptors
    try:
        return Process(argv, cwd=cwd, env=env, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True)
    except (OSError, ValueError) as error:
        raise LaunchError(f"cannot start {name} in {cwd}: {error}") from error


async def overran(process: Process, timeout: float | None) -> bool:  # noqa: ASYNC109 - it says so, and does not raise
    """Wait until the process has exited or its time, in seconds, is up (None: no limit); True if it was up first."""
    try:
        async with asyncio.timeout(timeout):
            await _exited(process)
    except TimeoutError:
        return True
    return False


async def _exited(process: Process) -> None:
    """Wait for the process, and take its exit status, so that no zombie is left."""
    if sys.platform == "linux" and process.poll() is None:
        exited = asyncio.Event()
        loop = asyncio.get_running_loop()
        descriptor = os.pidfd_open(process.pid)
        loop.add_reader(descriptor, exited.set)
        try:
            await exited.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
    while process.poll() is None:  # noqa: ASYNC110 - outside Linux there is no event for it
        await asyncio.sleep(_POLL_SECONDS)


async def end_all(process: Process, env: Mapping[str, str]) -> None:
    """End the process, if it lives, and all that came of it: SIGTERM, `GRACE_SECONDS`, SIGKILL.

    Args:
        process: What `start` gave.
        env: The environment that it was started with. Only what is to end with it may carry the same run id.
    """
    mark = f"{RUN_ID_VARIABLE}={env[RUN_ID_VARIABLE]}".encode() if env.get(RUN_ID_VARIABLE) else None
    try:
        await _signal_until_gone(process.pid, mark, signal.SIGTERM)
    finally:  # a second Ctrl-C ends the grace
        await _signal_until_gone(process.pid, mark, signal.SIGKILL)
        await _exited(process)


def exit_status(process: Process) -> tuple[int | None, int | None]:
    """The exit code and the signal of an ended process: one of them is None, both while it lives."""
    code = process.returncode
    return (None, -code) if code is not None and code < 0 else (code, None)


async def _signal_until_gone(leader: int, mark: bytes | None, number: signal.Signals) -> None:
    """Looks again after each signal, since a process may start others between the look and its end."""
    told: set[int] = set()
    deadline = time.monotonic() + GRACE_SECONDS
    while (living := _living(leader, mark)) and time.monotonic() < deadline:
        for pid in living - told:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        told |= living
        await asyncio.sleep(_POLL_SECONDS)


def _living(leader: int, mark: bytes | None) -> set[int]:
    """What `os.kill` takes: process ids where there is a `/proc`, else the group's number, negative, while it exists."""
    if _PROC.joinpath("self", "stat").exists():
        return {int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit() and _belongs(entry, leader, mark)}
    try:
        os.kill(-leader, 0)
    except OSError:
        return set()
    return {-leader}


def _belongs(entry: Path, leader: int, mark: bytes | None) -> bool:
    try:
        # The name before the last bracket may hold anything; after it: state, parent, group, session.
        state, _, group, session = (entry / "stat").read_bytes().rpartition(b")")[2].split()[:4]
        if state in {b"Z", b"X"} or entry.name == str(os.getpid()):
            return False
        if leader in {int(group), int(session)}:
            return True
        if mark is None or entry.stat().st_uid != os.getuid():
            return False
        return mark in (entry / "environ").read_bytes().split(b"\0")
    except OSError:  # it has ended meanwhile, or is not ours to read
        return False
