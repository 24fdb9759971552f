"""Arguments that several commands take."""

import argparse
from pathlib import Path
from typing import Final, TypeAlias

from ..scoring import DEFAULT_PROFILE

__all__ = [
    "WHICH_RUNS",
    "Commands",
    "add_scoring",
    "add_source",
    "add_store",
    "add_upstream",
    "add_which_run",
    "port",
    "positive",
]

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001  it has no public name
"""What a command is added to."""

WHICH_RUNS: Final = (
    "a run, what holds runs (as --store), or conditions: agent=NAME,model=GLOB,sweep=…,task=…,category=…"
)
"""What a command says of the runs that it takes."""


def add_upstream(parser: argparse.ArgumentParser) -> None:
    """Where calls go, and how they are recorded."""
    parser.add_argument("--upstream", metavar="URL", help="the model's endpoint, ending in /v1, or: local")
    parser.add_argument(
        "--upstreams", type=Path, metavar="FILE", help="several endpoints, by model or path: a TOML file (see README)"
    )
    parser.add_argument(
        "--ca-file", type=Path, metavar="FILE", help="certificates to trust beside those of the system, PEM"
    )
    parser.add_argument(
        "--key-file",
        type=Path,
        metavar="FILE",
        help="the upstream's key (default: TACHOGRAPH_UPSTREAM_KEY, else OPENAI_API_KEY)",
    )
    parser.add_argument(
        "--usage",
        choices=("inject", "observe"),
        default="inject",
        help="ask for the token usage of streams whose agent did not (default), or change nothing at all",
    )
    parser.add_argument(
        "--bodies",
        choices=("none", "hash", "full"),
        default="full",
        help="what is kept of requests and answers: nothing, hashes and lengths, or all but secrets (default)",
    )
    parser.add_argument(
        "--redact-rules",
        type=Path,
        metavar="FILE",
        help="more of what is to be masked: [[rule]] tables of name and pattern",
    )
    parser.add_argument("--sync", action="store_true", help="make each call safe against power loss, too")
    parser.add_argument(
        "--propagate-context",
        action="store_true",
        help="send the call's own traceparent to the model's endpoint (default: no header of a trace goes there)",
    )


def add_store(parser: argparse.ArgumentParser) -> None:
    """The folder of runs."""
    parser.add_argument(
        "--store", type=Path, default=Path("runs"), metavar="DIR", help="folder of all runs (default: runs)"
    )


def add_source(parser: argparse.ArgumentParser) -> None:
    """What holds runs, of any kind."""
    parser.add_argument(
        "--store",
        default="runs",
        metavar="WHERE",
        help="what holds the runs: a folder of them, files of a Collector's file exporter, clickhouse://HOST:8123/DATABASE "
        "(default: runs)",
    )


def add_scoring(parser: argparse.ArgumentParser) -> None:
    """How runs are judged."""
    parser.add_argument(
        "--profile",
        action="append",
        metavar="NAME",
        help=f"how composites are made, a name or a .toml file (default: {DEFAULT_PROFILE})",
    )
    parser.add_argument(
        "--axis", action="append", default=[], metavar="NAME=MODULE:FUNCTION", help="one more axis, of your own"
    )
    parser.add_argument("--no-write", action="store_true", help="leave no scorecard and no spans in the runs' folders")
    parser.add_argument("--json", action="store_true", help="print JSON, a run a line")


def add_which_run(parser: argparse.ArgumentParser) -> None:
    """One run of a folder."""
    parser.add_argument("run", metavar="RUN", help="a run's id or the beginning of it, or its folder")
    add_store(parser)


def port(text: str) -> int:
    """A number of a port, or 0."""
    port = int(text)
    if not 0 <= port <= 65535:  # noqa: PLR2004
        raise argparse.ArgumentTypeError(f"{port} is no port: 0 to 65535")
    return port


def positive(text: str) -> int:
    """A whole number from 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} must be 1 or more")
    return number
