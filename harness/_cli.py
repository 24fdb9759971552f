"""The command line: what each command is called with, and how errors leave it."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Final

from ..traces import TachographError
from . import _judging_arguments as judging
from . import _reading_arguments as reading
from . import _recording_arguments as recording
from ._page_command import add_page
from ._view_command import add_view

__all__ = ["main"]

_INTERRUPTED: Final = 130
"""What shells say of a program that Ctrl-C ended."""
_COMMANDS: Final = (
    recording.add_serve,
    recording.add_run,
    recording.add_agents,
    reading.add_runs,
    reading.add_calls,
    reading.add_verify,
    reading.add_body,
    recording.add_key,
    judging.add_score,
    judging.add_compare,
    reading.add_sql,
    judging.add_export,
    add_page,
    add_view,
)
"""In the order in which `--help` shows them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code: 0 well, 1 a check or a verification failed, 2 and more by kind of error."""
    logging.basicConfig(format="tachograph: %(message)s", level=logging.WARNING)
    options = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except TachographError as error:
        print(f"tachograph: {error}", file=sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, asyncio.CancelledError):
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does: that is no error, and Python must not find it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tachograph",
        description="The sealed instrument between a coding agent and its model: records every call, and scores the trip.",
    )
    parser.add_argument("--version", action="version", version=f"tachograph {version('tachograph')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in _COMMANDS:
        add(commands)
    return parser
