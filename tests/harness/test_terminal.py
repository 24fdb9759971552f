"""A command runs in a terminal of its own, is recorded whole, and leaves nothing behind."""

import asyncio
import errno
import json
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tachograph.harness._terminal import Command, Outcome, run_in_terminal
from tachograph.traces import LaunchError, StoreError

Run = Callable[[Coroutine[Any, Any, Outcome]], Outcome]

RUN_ID = f"run-{os.getpid()}"
ENV = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "TACHOGRAPH_RUN_ID": RUN_ID}

needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="the mark is looked for in /proc")


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    def run(work: Coroutine[Any, Any, Outcome]) -> Outcome:
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(work)

    return run


def command(*argv: str, timeout: float | None = 30, cwd: Path | None = None, **env: str) -> Command:
    return Command(argv=argv, cwd=cwd or Path.cwd(), env=ENV | env, timeout=timeout)


def shell(line: str, timeout: float | None = 30) -> Command:
    return command("sh", "-c", line, timeout=timeout)


def python(code: str, timeout: float | None = 30) -> Command:
    return command(sys.executable, "-I", "-S", "-c", code, timeout=timeout)


def shown(cast: Path) -> str:
    """The text of a recording, every line of which must be whole."""
    return "".join(json.loads(line)[2] for line in cast.read_text(encoding="utf-8").split("\n")[1:-1])


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}
    except (ProcessLookupError, FileNotFoundError):
        return True


def open_descriptors() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


def test_the_command_sees_a_terminal_of_its_own(run: Run) -> None:
    """All three standard streams are one terminal, which is the controlling one of a session that the command leads."""
    outcome = run(
        run_in_terminal(
            python(
                "import os\n"
                "print([os.isatty(n) for n in range(3)], len({os.ttyname(n) for n in range(3)}))\n"
                "print(os.getsid(0) == os.getpgrp() == os.getpid() == os.tcgetpgrp(0), open('/dev/tty', 'w').isatty())\n"
            ),
            cast=None,
        )
    )
    assert outcome.tail.splitlines() == ["[True, True, True] 1", "True True"]


def test_no_other_descriptor_is_handed_down(run: Run) -> None:
    """The command has its three standard streams and nothing else, even if this process has inheritable files open."""
    kept = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(kept, True)
    try:
        outcome = run(run_in_terminal(shell(f"ls /dev/fd | sort -n | head -n 3; test -e /dev/fd/{kept}"), cast=None))
    finally:
        os.close(kept)
    assert outcome.tail.split() == ["0", "1", "2"]
    assert outcome.exit_code == 1


def test_the_size_is_the_one_asked_for(run: Run) -> None:
    """The command can ask its terminal for the size, and gets the one that the recording names."""
    assert run(run_in_terminal(command("stty", "size"), cast=None, columns=123, rows=45)).tail.split() == ["45", "123"]
    assert run(run_in_terminal(command("stty", "size"), cast=None)).tail.split() == ["30", "100"]


def test_arguments_folder_and_environment_arrive_as_given(run: Run, tmp_path: Path) -> None:
    """No shell reads the arguments, and nothing of this process's own environment leaks in."""
    arguments = ["", "a b", "$HOME", "'\"\\", "--", "*", "é\n"]
    report = "import json,os,sys; json.dump([sys.argv[1:], dict(os.environ), os.getcwd()], open('report', 'w'))"
    run(
        run_in_terminal(
            command(sys.executable, "-I", "-S", "-c", report, *arguments, cwd=tmp_path, KEY="a\nb=c", LC_ALL="C.UTF-8"),
            cast=None,
        )
    )
    seen_arguments, seen_environment, seen_folder = json.loads((tmp_path / "report").read_text())
    assert seen_arguments == arguments
    assert seen_folder == str(tmp_path)
    added_by_sh = {"PWD", "OLDPWD", "SHLVL", "_"}
    assert {name: value for name, value in seen_environment.items() if name not in added_by_sh} == ENV | {
        "KEY": "a\nb=c",
        "LC_ALL": "C.UTF-8",
    }


def test_programs_are_found_as_the_command_would(run: Run, tmp_path: Path) -> None:
    """A name is looked up on the PATH of the command's environment, a path from the command's folder."""
    program = tmp_path / "bin" / "agent"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho it is $0\n")
    program.chmod(0o700)
    for name in ("agent", "bin/agent"):
        outcome = run(run_in_terminal(command(name, cwd=tmp_path, PATH=f"{tmp_path}/bin:/usr/bin:/bin"), cast=None))
        assert outcome.tail == f"it is {program}\r\n"


def test_exit_code_and_times(run: Run) -> None:
    """The exit code is the command's own; the start is Unix time, the duration monotonic, both in nanoseconds."""
    before = time.time_ns()
    outcome = run(run_in_terminal(shell("sleep 0.1; exit 7"), cast=None))
    assert (outcome.exit_code, outcome.signal, outcome.timed_out, outcome.aborted) == (7, None, False, False)
    assert before <= outcome.started_ns <= time.time_ns()
    assert 100_000_000 <= outcome.duration_ns <= time.time_ns() - before + 1_000_000


def test_a_command_that_died_of_a_signal(run: Run) -> None:
    """A signal is told as such, and is no exit code."""
    outcome = run(run_in_terminal(shell("echo before; kill -9 $$"), cast=None))
    assert (outcome.exit_code, outcome.signal, outcome.timed_out) == (None, 9, False)
    assert outcome.tail == "before\r\n"


def test_timeout_ends_grandchildren(run: Run) -> None:
    """When the time is up, the whole process group goes: the command, its child and the child's child."""
    line = "sleep 1000 & echo $!; sh -c 'sleep 1000 & echo $!; echo $$; wait'"
    outcome = run(run_in_terminal(shell(line, timeout=2), cast=None))
    # A shell that sees its child die of the signal before its own arrives ends with 128 + 15, or goes on to its end.
    assert (outcome.exit_code, outcome.signal) in ((None, 15), (143, None), (0, None))
    assert (outcome.timed_out, outcome.aborted) == (True, False)
    assert outcome.duration_ns >= 2_000_000_000
    pids = [int(word) for word in outcome.tail.split() if word.isdigit()]  # the shell may say "Terminated", too
    assert len(pids) == 3
    assert all(gone(pid) for pid in pids)


def test_a_command_may_tidy_up_when_its_time_is_up(run: Run) -> None:
    """SIGTERM comes first, and what the command says and returns in its grace is recorded."""
    line = "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done"
    outcome = run(run_in_terminal(shell(line, timeout=2), cast=None))
    assert (outcome.exit_code, outcome.signal, outcome.timed_out) == (3, None, True)
    assert "bye" in outcome.tail


def test_what_ignores_sigterm_is_killed_after_the_grace() -> None:
    """Nothing outlives the three seconds, in the group or in a group of its own; the duration leaves them out."""
    code = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "if os.fork() == 0:\n"
        "    os.setpgid(0, 0)\n"
        "print(os.getpid(), flush=True)\n"
        "time.sleep(1000)\n"
    )
    began_ns = time.monotonic_ns()
    outcome = asyncio.run(run_in_terminal(python(code, timeout=3), cast=None))
    assert (outcome.signal, outcome.timed_out) == (9, True)
    assert outcome.duration_ns < time.monotonic_ns() - began_ns - 2_900_000_000
    pids = [int(pid) for pid in outcome.tail.split()]
    assert len(pids) == 2
    assert all(gone(pid) for pid in pids)


def test_a_background_process_left_behind_is_ended(run: Run) -> None:
    """A command that exits leaves nothing running, not even what ignores the hang-up of its terminal."""
    outcome = run(run_in_terminal(shell("trap '' HUP; sleep 1000 & echo $!; exit 0"), cast=None))
    assert (outcome.exit_code, outcome.signal, outcome.timed_out) == (0, None, False)
    assert gone(int(outcome.tail))


@needs_proc
def test_a_process_that_left_the_session_is_ended_by_its_mark(run: Run) -> None:
    """A hub that detached itself is known by the run's id in its environment; another run's hub stays alive."""
    code = (
        "import os, subprocess\n"
        "for mark in (os.environ['TACHOGRAPH_RUN_ID'], os.environ['TACHOGRAPH_RUN_ID'] + '0'):\n"
        "    env = {'TACHOGRAPH_RUN_ID': mark}\n"
        "    hub = subprocess.Popen(['/bin/sleep', '1000'], env=env, start_new_session=True,\n"
        "                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "    print(hub.pid)\n"
    )
    outcome = run(run_in_terminal(python(code), cast=None))
    own, other = (int(pid) for pid in outcome.tail.split())
    other_lives = not gone(other)
    os.kill(other, signal.SIGKILL)
    assert gone(own)
    assert other_lives


def test_cancelling_ends_the_command_and_completes_the_recording(run: Run, tmp_path: Path) -> None:
    """Who cancels gets CancelledError; by then the group is gone, the recording whole and the outcome told."""
    cast, outcomes = tmp_path / "terminal.cast", list[Outcome]()

    async def cancelled() -> Outcome:
        shows = asyncio.Event()
        line = "trap 'echo ended; exit 1' TERM; echo $$; while :; do sleep 0.05; done"
        work = asyncio.ensure_future(
            run_in_terminal(shell(line), cast=cast, on_output=lambda _: shows.set(), on_end=outcomes.append)
        )
        await shows.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        return outcomes[0]

    outcome = run(cancelled())
    assert (outcome.exit_code, outcome.signal, outcome.timed_out, outcome.aborted) == (1, None, False, True)
    pid, *said = shown(cast).split()
    assert gone(int(pid))
    assert "ended" in said
    assert len(outcomes) == 1


def test_ctrl_c_ends_the_command(run: Run, tmp_path: Path) -> None:
    """The signal of a real Ctrl-C, in the midst of output, leaves a complete recording of an aborted run."""
    cast, outcomes, pressed = tmp_path / "terminal.cast", list[Outcome](), threading.Event()

    def interrupt(_: bytes) -> None:
        if cast.stat().st_size > 10_000 and not pressed.is_set():
            pressed.set()
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(
            run_in_terminal(
                shell("echo $$; while :; do echo again; done"), cast=cast, on_output=interrupt, on_end=outcomes.append
            )
        )
    assert [outcome.aborted for outcome in outcomes] == [True]
    text = shown(cast)
    assert len(text.encode()) == outcomes[0].output_bytes
    assert gone(int(text.split()[0]))


def test_a_second_ctrl_c_ends_the_grace(run: Run, tmp_path: Path) -> None:
    """Who presses Ctrl-C twice does not wait for an agent that ignores SIGTERM, and still has a complete recording."""
    cast, outcomes, pressed = tmp_path / "terminal.cast", list[Outcome](), threading.Event()

    async def twice() -> Outcome:
        loop = asyncio.get_running_loop()

        def interrupt(_: bytes) -> None:
            if not pressed.is_set():  # a terminal may give a line in two parts, and a third Ctrl-C ends the ending, too
                pressed.set()
                loop.call_soon(signal.raise_signal, signal.SIGINT)
                loop.call_later(0.3, signal.raise_signal, signal.SIGINT)

        line = "trap '' TERM; echo $$; while :; do sleep 1; done"
        return await run_in_terminal(shell(line), cast=cast, on_output=interrupt, on_end=outcomes.append)

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(twice())
    assert 0.3 <= time.monotonic() - began < 3
    assert [(outcome.signal, outcome.aborted) for outcome in outcomes] == [(9, True)]
    assert gone(int(shown(cast).split()[0]))  # the shell may still tell that its own child was killed


def test_a_megabyte_comes_whole(run: Run, tmp_path: Path) -> None:
    """Every byte is recorded, counted and passed on, also those written just before the exit."""
    cast, told = tmp_path / "terminal.cast", bytearray()
    line = "".join(chr(33 + number % 90) for number in range(99))
    outcome = run(
        run_in_terminal(python(f"print((({line!r}) + chr(10)) * 10_000, end='')"), cast=cast, on_output=told.extend)
    )
    expected = (line + "\r\n") * 10_000
    assert outcome.output_bytes == len(expected)
    assert told.decode() == expected
    assert shown(cast) == expected
    assert outcome.tail == expected[-4096:]


def test_a_character_split_over_two_reads_comes_out_whole(run: Run, tmp_path: Path) -> None:
    """The second half of the euro sign is written once the first half was read; bytes that are not UTF-8 are replaced."""
    cast, read, parts = tmp_path / "terminal.cast", tmp_path / "read", list[bytes]()

    def note(data: bytes) -> None:
        parts.append(data)
        read.touch()

    code = (
        "import os, time\n"
        "os.write(1, b'\\xe2\\x82')\n"
        f"while not os.path.exists({str(read)!r}): time.sleep(0.01)\n"
        "os.write(1, b'\\xac\\xff!')\n"
    )
    outcome = run(run_in_terminal(python(code), cast=cast, on_output=note))
    assert parts == [b"\xe2\x82", b"\xac\xff!"]
    assert shown(cast) == outcome.tail == "€\N{REPLACEMENT CHARACTER}!"


def test_the_tail_does_not_begin_with_half_a_character(run: Run) -> None:
    """The last 4 KiB are cut where a character begins."""
    outcome = run(run_in_terminal(python("print('x' + '😀' * 2000 + 'abc', end='')"), cast=None))
    assert outcome.tail == "😀" * 1023 + "abc"


def test_what_was_told_is_on_disk_already(run: Run, tmp_path: Path) -> None:
    """The recording is ahead of every listener: a kill loses nothing that was shown."""
    cast, told = tmp_path / "terminal.cast", bytearray()

    def compare(data: bytes) -> None:
        told.extend(data)
        assert shown(cast) == told.decode()

    run(run_in_terminal(shell("for n in 1 2 3 4 5; do echo $n; sleep 0.02; done"), cast=cast, on_output=compare))
    assert told.split() == [b"1", b"2", b"3", b"4", b"5"]
    header = json.loads(cast.read_text().partition("\n")[0])
    assert (header["version"], header["width"], header["height"]) == (2, 100, 30)
    assert header["env"] == {"TERM": "xterm-256color"}


def test_a_command_that_lets_go_of_its_terminal_is_still_recorded(run: Run) -> None:
    """Streams closed for a while are not the end: what is shown later, through /dev/tty, counts as well."""
    line = "echo early; exec </dev/null >/dev/null 2>&1; sleep 0.1; echo late >/dev/tty"
    assert run(run_in_terminal(shell(line), cast=None)).tail.split() == ["early", "late"]


REFUSALS: dict[str, tuple[Callable[[Path], Command], str]] = {
    "not on PATH": (
        lambda _: command("no-agent", PATH="/usr/bin"),
        "cannot start no-agent: it is not on PATH (/usr/bin)",
    ),
    "no such file": (
        lambda folder: command("./agent", cwd=folder),
        "cannot start ./agent: there is no file FOLDER/agent",
    ),
    "absolute path": (lambda _: command("/no/such/agent"), "cannot start /no/such/agent: there is no file"),
    "not executable": (lambda folder: command("./plain", cwd=folder), "FOLDER/plain is not executable; chmod +x"),
    "a folder": (lambda folder: command(str(folder)), "there is no file FOLDER"),
    "interpreter gone": (
        lambda folder: command("./moved", cwd=folder),
        "FOLDER/moved needs FOLDER/venv/bin/python, which",
    ),
    "nothing at all": (lambda _: command(), "there is no command to start"),
    "empty name": (lambda _: command(""), "it is not on PATH"),
    "no such place": (lambda folder: command("true", cwd=folder / "nowhere"), "there is no folder FOLDER/nowhere"),
    "too long": (lambda _: command("true", "x" * 3_000_000), "/true in "),
    "null byte": (lambda _: command("true", "a\0b"), "/true in "),
}


@pytest.mark.parametrize(("make", "message"), REFUSALS.values(), ids=REFUSALS)
def test_what_cannot_be_started_is_refused(
    run: Run, tmp_path: Path, make: Callable[[Path], Command], message: str
) -> None:
    """The message names the command and the trouble; no recording is left behind, not even an empty one."""
    (tmp_path / "plain").write_text("#!/bin/sh\n")
    (tmp_path / "moved").write_text(f"#!{tmp_path}/venv/bin/python -I\n")
    (tmp_path / "moved").chmod(0o700)
    cast = tmp_path / "terminal.cast"
    with pytest.raises(LaunchError) as refusal:
        run(run_in_terminal(make(tmp_path), cast=cast))
    assert message.replace("FOLDER", str(tmp_path)) in str(refusal.value)
    assert not cast.exists()


def test_nothing_starts_where_a_recording_lies_already(run: Run, tmp_path: Path) -> None:
    """An old recording is not overwritten, and a command that could not be recorded is not begun."""
    cast, started = tmp_path / "terminal.cast", tmp_path / "started"
    cast.write_text("precious")
    with pytest.raises(StoreError, match="File exists"):
        run(run_in_terminal(command("touch", str(started)), cast=cast))
    assert cast.read_text() == "precious"
    assert not started.exists()


def test_a_full_disk_ends_the_command_loudly(run: Run, tmp_path: Path) -> None:
    """A run that cannot be recorded does not go on; what was recorded up to then is whole lines."""
    cast, outcomes = tmp_path / "terminal.cast", list[Outcome]()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(StoreError, match=r"cannot write the terminal's recording .*terminal\.cast: File too large"):
            run(run_in_terminal(shell("while :; do echo again; done"), cast=cast, on_end=outcomes.append))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [outcome.aborted for outcome in outcomes] == [True]
    assert 10_000 < cast.stat().st_size < 50_000
    assert set(shown(cast).split()) <= {"again", "a", "ag", "aga", "agai"}


def test_a_listener_that_fails_ends_the_command(run: Run) -> None:
    """An error of the caller's own function is the caller's to see, and the command does not run on unwatched."""
    told: list[bytes] = []

    def fail(data: bytes) -> None:
        told.append(data)
        raise BrokenPipeError(errno.EPIPE, "nobody reads")

    with pytest.raises(BrokenPipeError, match="nobody reads"):
        run(run_in_terminal(shell("echo $$; sleep 1000"), cast=None, on_output=fail))
    assert gone(int(told[0]))


def test_many_at_once_keep_apart(run: Run, tmp_path: Path) -> None:
    """Runs side by side in one loop each get their own terminal, recording and end."""

    async def many() -> Outcome:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(
                    run_in_terminal(
                        command("sh", "-c", f"echo {n}; exit {n}", TACHOGRAPH_RUN_ID=f"{RUN_ID}-{n}"),
                        cast=tmp_path / f"{n}.cast",
                    )
                )
                for n in range(12)
            ]
        assert [task.result().exit_code for task in tasks] == list(range(12))
        return tasks[0].result()

    run(many())
    assert [shown(tmp_path / f"{n}.cast") for n in range(12)] == [f"{n}\r\n" for n in range(12)]


def test_nothing_leaks(run: Run, tmp_path: Path) -> None:
    """After twenty runs, some of them ended by their timeout, there are no more descriptors, threads or zombies than before."""

    async def often() -> Outcome:
        outcome = await run_in_terminal(shell("true"), cast=None)
        before = open_descriptors()
        for number in range(20):
            line, timeout = ("echo x", 30.0) if number % 5 else ("sleep 1000", 0.05)
            outcome = await run_in_terminal(shell(line, timeout), cast=tmp_path / f"{number}.cast")
        assert open_descriptors() == before
        return outcome

    threads = threading.active_count()
    run(often())
    assert threading.active_count() == threads
    with pytest.raises(ChildProcessError):  # there is no child left to wait for
        os.waitpid(-1, os.WNOHANG)
