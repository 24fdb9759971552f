"""Running a command in a terminal of its own, and recording what the terminal shows as asciicast v2.

The command leads a session whose controlling terminal nobody types at: it sees a terminal, and never the user's keyboard.
"""

import asyncio
import errno
import os
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from ..traces import LaunchError, Redactor
from ._cast import Cast
from ._processes import Process, end_all, exit_status, find_program, overran, start

__all__ = ["Command", "Outcome", "run_in_terminal"]

_TAIL_BYTES = 4096
_READ_BYTES = 65536
_DRAIN_SECONDS = 2.0

# A session's leader gets the first terminal that it opens as its controlling one; `exec` then makes it the command.
_TAKE_TERMINAL = ': <>"$0"; exec "$@"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run, where, and for how long."""

    argv: tuple[str, ...]
    """The program, by path or by its name on the PATH of `env`, and its arguments."""
    cwd: Path
    env: Mapping[str, str]
    """The whole environment. Whatever carries the same `TACHOGRAPH_RUN_ID` is ended with the command."""
    timeout: float | None = None
    """Seconds; None: no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a command in a terminal ended."""

    exit_code: int | None
    """None if a signal ended it."""
    signal: int | None
    """None if it exited by itself."""
    timed_out: bool
    aborted: bool
    """It was ended because the waiting was cancelled (Ctrl-C) or its output could not be recorded."""
    started_ns: int
    """Unix time, nanoseconds."""
    duration_ns: int
    """Until the command exited, its time was up or it was aborted, by a monotonic clock. Ending what is left is not in it."""
    output_bytes: int
    """All that the terminal showed."""
    tail: str
    """The last 4 KiB of it."""


async def run_in_terminal(
    command: Command,
    *,
    cast: Path | None,
    redactor: Redactor | None = None,
    columns: int = 100,
    rows: int = 30,
    on_output: Callable[[bytes], None] | None = None,
    on_end: Callable[[Outcome], None] | None = None,
) -> Outcome:
    """Run a command in a pseudo-terminal until it exits or its time is up, then end all that came of it.

    Cancelling it (Ctrl-C) ends the command in the same way; CancelledError goes on once the recording is complete.

    Args:
        command: What to run.
        cast: The asciicast v2 file to write, event by event as they come; it must not exist. None: no recording.
        redactor: Masks the secrets in the recording; None: those that look like common ones.
        columns: Width of the terminal.
        rows: Height of the terminal.
        on_output: Told the bytes as they come. What it raises ends the command and is raised here.
        on_end: Told the outcome in every case, thus also when the function raises and returns none.

    Raises:
        LaunchError: The command does not exist or cannot be started. No recording is left.
        StoreError: The recording cannot be written. The command was not started, or was ended.
    """
    program = find_program(command.argv, command.cwd, command.env)
    with ExitStack() as resources:
        master, slave = _open_terminal(resources, columns, rows)
        recording = resources.enter_context(closing(Cast(cast, columns, rows, command.env, redactor))) if cast else None
        argv = ("/bin/sh", "-c", _TAKE_TERMINAL, os.ttyname(slave.fileno()), program, *command.argv[1:])
        started_ns, begin = time.time_ns(), time.monotonic_ns()
        try:
            process = start(program, argv, command.cwd, command.env, (slave.fileno(),) * 3)
        except LaunchError:
            if recording:
                recording.discard()
            raise
        # Recorded first: a kill loses nothing that was shown.
        sinks = ([recording.write] if recording else []) + ([on_output] if on_output else [])
        screen = _Screen(master.fileno(), process, sinks)
        timed_out, aborted = False, True
        try:
            timed_out = await overran(process, command.timeout)
            aborted = screen.failure is not None
        finally:
            duration_ns = time.monotonic_ns() - begin
            try:
                await _finish(process, command.env, slave, screen)
            finally:
                exit_code, signal = exit_status(process)
                outcome = Outcome(
                    exit_code=exit_code,
                    signal=signal,
                    timed_out=timed_out,
                    aborted=aborted,
                    started_ns=started_ns,
                    duration_ns=duration_ns,
                    output_bytes=screen.output_bytes,
                    tail=screen.tail,
                )
                if on_end:
                    on_end(outcome)
    if screen.failure:
        raise screen.failure
    return outcome


def _open_terminal(resources: ExitStack, columns: int, rows: int) -> tuple[FileIO, FileIO]:
    """The end that is read and the end that the command gets, open until `resources` are closed."""
    try:
        master, slave = (resources.enter_context(FileIO(end, "r+")) for end in os.openpty())
    except OSError as error:
        raise LaunchError(f"the system gives no pseudo-terminal: {error.strerror}") from error
    os.set_blocking(master.fileno(), False)
    termios.tcsetwinsize(slave.fileno(), (rows, columns))
    return master, slave


async def _finish(process: Process, env: Mapping[str, str], slave: FileIO, screen: "_Screen") -> None:
    try:
        await end_all(process, env)
    finally:
        # Held open until here, so that a command that closes its terminal for a moment does not end the recording.
        slave.close()
        await screen.drain()


class _Screen:
    """What the terminal shows: read as it comes, counted, and passed on to each sink."""

    failure: Exception | None = None
    """What a sink raised. It ended the command: a run that is not recorded must not go on."""

    def __init__(self, master: int, process: Process, sinks: Sequence[Callable[[bytes], None]]) -> None:
        self.output_bytes = 0
        self._master, self._process, self._sinks = master, process, sinks
        self._tail = b""
        self._closed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(master, self._read)

    @property
    def tail(self) -> str:
        """The last 4 KiB, without the rest of a character that the cut went through."""
        return self._tail.decode("utf-8", "replace").lstrip("\N{REPLACEMENT CHARACTER}")

    async def drain(self) -> None:
        """Read what is left, once nobody holds the terminal open any more."""
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN_SECONDS):
                    await self._closed.wait()
        finally:
            self._close()

    def _read(self) -> None:
        try:
            data = os.read(self._master, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.EIO:  # Linux's word for the end
                self._fail(error)
            data = b""
        if not data:
            self._close()
            return
        self.output_bytes += len(data)
        self._tail = (self._tail + data)[-_TAIL_BYTES:]
        try:
            for sink in self._sinks:
                sink(data)
        except Exception as error:  # noqa: BLE001 - nobody above a reader's callback could catch it: `run_in_terminal` raises it
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self.failure = error
        self._close()
        self._process.kill()

    def _close(self) -> None:
        self._loop.remove_reader(self._master)
        self._closed.set()
