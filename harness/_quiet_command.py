"""Running a command that nobody watches: its output is kept whole, and all that comes of it is ended."""

import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ._processes import end_all, exit_status, find_program, overran, start

__all__ = ["CommandOutcome", "run_quietly"]

_SHOWN_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOutcome:
    """How a command ended."""

    exit_code: int | None
    """None if a signal ended it."""
    signal: int | None
    """None if it exited by itself."""
    timed_out: bool
    started_ns: int
    """Unix time, nanoseconds."""
    duration_ns: int
    """Until the command exited or its time was up, by a monotonic clock."""
    stdout: bytes
    """The whole of it."""
    stderr: bytes
    """The whole of it."""

    @property
    def passed(self) -> bool:
        """Exit code 0 within the time."""
        return self.exit_code == 0 and not self.timed_out

    @property
    def failure(self) -> str:
        """How it failed, in words, and the end of what it said on a line of its own."""
        said = (self.stdout + self.stderr)[-_SHOWN_BYTES:].decode("utf-8", "replace")
        if self.timed_out:
            how = f"did not end within {self.duration_ns / 1e9:.0f} s"
        elif self.signal is not None:
            how = f"died of signal {self.signal}"
        else:
            how = f"failed with exit code {self.exit_code}"
        return f"{how}: {said}"


async def run_quietly(argv: Sequence[str], cwd: Path, env: Mapping[str, str], seconds: float) -> CommandOutcome:
    """Run a command with exactly this environment and no input, and end whatever it leaves running.

    Args:
        argv: the program, by path or by its name on the PATH of `env`, and its arguments.
        cwd: where it runs.
        env: its whole environment.
        seconds: after which it is ended.

    Raises:
        LaunchError: It cannot be started.
    """
    program = find_program(argv, cwd, env)
    # Files and not pipes: a process left behind cannot hold the output open, and no output is too long for them.
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        started_ns, begin = time.time_ns(), time.monotonic_ns()
        descriptors = (subprocess.DEVNULL, stdout.fileno(), stderr.fileno())
        process = start(argv[0], (program, *argv[1:]), cwd, env, descriptors)
        try:
            timed_out = await overran(process, seconds)
            duration_ns = time.monotonic_ns() - begin
        finally:
            await end_all(process, env)
        exit_code, signal = exit_status(process)
        stdout.seek(0)
        stderr.seek(0)
        return CommandOutcome(
            exit_code=exit_code,
            signal=signal,
            timed_out=timed_out,
            started_ns=started_ns,
            duration_ns=duration_ns,
            stdout=stdout.read(),
            stderr=stderr.read(),
        )
