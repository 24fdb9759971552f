"""The command line: what each command is called with, and how errors leave it."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final, TypeAlias

from ..scoring import DEFAULT_PROFILE
from ..traces import TachographError
from . import (
    _agents_command,
    _compare_command,
    _export_command,
    _run_command,
    _score_command,
    _serve_command,
    _show_commands,
    _sql_command,
)
from ._export_options import add_destination
from ._metrics import metrics_address
from ._page_command import add_page
from ._score_files import FILES

__all__ = ["main"]

_INTERRUPTED: Final = 130
"""What shells say of a program that Ctrl-C ended."""


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
    _add_serve(commands)
    _add_run(commands)
    _add_agents(commands)
    _add_runs(commands)
    _add_calls(commands)
    _add_verify(commands)
    _add_body(commands)
    _add_key(commands)
    _add_score(commands)
    _add_compare(commands)
    _add_sql(commands)
    _add_export(commands)
    add_page(commands)
    return parser


_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001  it has no public name


def _add_serve(commands: _Commands) -> None:
    serve = commands.add_parser("serve", help="a recording proxy that any agent can be pointed at")
    _add_upstream(serve)
    _add_store(serve)
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    serve.add_argument("--port", type=_port, default=8377, help="default: 8377; 0 finds a free one")
    serve.add_argument(
        "--workers", type=_positive, default=1, metavar="N", help="processes on the one port (default: 1)"
    )
    serve.add_argument(
        "--require-keys",
        action="store_true",
        help="take no call without a run key (`tachograph key`); must be given with a --host that others can connect to",
    )
    serve.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="take more or less from agents: head and body of a request (bytes, such as 2G), receive and idle (seconds), runs",
    )
    serve.add_argument(
        "--metrics",
        type=metrics_address,
        metavar="[HOST:]PORT",
        help="serve /metrics for Prometheus there, from a process of its own (host: 127.0.0.1; port 0 finds a free one)",
    )
    serve.add_argument(
        "--metrics-outside", action="store_true", help="let others than this machine's users read the metrics"
    )
    serve.add_argument("--run", metavar="RUN", help="the run of calls that name none (default: a new one)")
    serve.add_argument(
        "--export",
        metavar="URL",
        help="send all runs to a collector, too (default: OTEL_EXPORTER_OTLP_ENDPOINT, if set)",
    )
    add_destination(serve, "export-")
    serve.set_defaults(command=_serve_command.serve)


def _add_run(commands: _Commands) -> None:
    run = commands.add_parser(
        "run",
        help="an agent at a task, recorded whole and checked",
        usage="tachograph run --task TASK --upstream URL [--model M] (--agent NAME | -- COMMAND …)",
        epilog="COMMAND may hold {prompt}, {model}, {base_url}, {key}, {workdir} and {home}.",
    )
    run.add_argument("--task", type=Path, required=True, help="folder with task.toml and workdir/")
    run.add_argument("--agent", help="an agent known by name, or a .toml file that describes one")
    run.add_argument(
        "--model", help="the model's name, as the upstream knows it (default with --upstream local: its own)"
    )
    run.add_argument(
        "--attempts", type=_positive, default=1, metavar="N", help="runs, one after the other (default: 1)"
    )
    run.add_argument(
        "--sweep", default="local", help="name of the matrix of runs that this belongs to (default: local)"
    )
    run.add_argument("--keep", type=Path, metavar="DIR", help="work in DIR and leave it (default: a temporary folder)")
    run.add_argument(
        "--sandbox", action="store_true", help="the agent sees only its own folders and the proxy (needs bubblewrap)"
    )
    run.add_argument("--json", action="store_true", help="print the result as JSON")
    _add_upstream(run)
    _add_store(run)
    run.add_argument("agent_command", nargs="*", metavar="COMMAND", help="any command line, after --")
    run.set_defaults(command=_run_command.run)


def _add_agents(commands: _Commands) -> None:
    agents = commands.add_parser("agents", help="the agents that are known by name, and which of them are installed")
    agents.add_argument("--json", action="store_true", help="print them as JSON")
    agents.set_defaults(command=_agents_command.agents)


def _add_upstream(parser: argparse.ArgumentParser) -> None:
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


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store", type=Path, default=Path("runs"), metavar="DIR", help="folder of all runs (default: runs)"
    )


def _add_runs(commands: _Commands) -> None:
    runs = commands.add_parser("runs", help="the recorded runs")
    _add_store(runs)
    runs.add_argument("--json", action="store_true", help="print JSON")
    runs.set_defaults(command=_show_commands.runs)


def _add_calls(commands: _Commands) -> None:
    calls = commands.add_parser("calls", help="the calls of a run")
    _add_which_run(calls)
    calls.add_argument("--follow", action="store_true", help="go on as calls end, until the run does")
    calls.add_argument("--json", action="store_true", help="print JSON, a call a line")
    calls.set_defaults(command=_show_commands.calls)


def _add_verify(commands: _Commands) -> None:
    verify = commands.add_parser("verify", help="whether a run is sealed, open, or what is missing or altered in it")
    _add_which_run(verify)
    verify.add_argument("--json", action="store_true", help="print JSON")
    verify.set_defaults(command=_show_commands.verify)


def _add_body(commands: _Commands) -> None:
    body = commands.add_parser("body", help="a recorded body, byte for byte but for secrets")
    _add_which_run(body)
    body.add_argument("hash", help="its sha256, or the beginning of it")
    body.set_defaults(command=_show_commands.body)


def _add_key(commands: _Commands) -> None:
    key = commands.add_parser("key", help="a new run key: what an agent gets in the place of the upstream's")
    key.add_argument("run", metavar="RUN", help="the run that calls with this key belong to")
    key.add_argument(
        "--revoke", action="store_true", help="revoke all keys of the run instead, at once and for all processes"
    )
    _add_store(key)
    key.set_defaults(command=_serve_command.key)


def _add_score(commands: _Commands) -> None:
    score = commands.add_parser("score", help="what runs are worth, axis by axis")
    score.add_argument("runs", nargs="+", metavar="RUN", help=_WHICH_RUNS)
    _add_source(score)
    _add_scoring(score)
    for name, (holds, _) in FILES.items():
        score.add_argument(f"--{name}", type=Path, metavar="FILE", help=f"also write {holds}")
    score.add_argument(
        "--require",
        action="append",
        default=[],
        metavar="AXIS>=NUMBER",
        help="exit with 1 unless it holds: pass_rate is the share of runs that passed, any other axis must hold in each run",
    )
    score.set_defaults(command=_score_command.score)


def _add_compare(commands: _Commands) -> None:
    compare = commands.add_parser("compare", help="two sets of runs, task by task: which is better, or not separable")
    compare.add_argument("a", metavar="A", help=_WHICH_RUNS)
    compare.add_argument("b", metavar="B", help="as A")
    _add_source(compare)
    _add_scoring(compare)
    compare.set_defaults(command=_compare_command.compare)


def _add_sql(commands: _Commands) -> None:
    sql = commands.add_parser(
        "sql",
        help="a question to all recorded runs at once, by SQL",
        epilog="Its tables are otel_traces (with the columns that a Collector makes in ClickHouse), calls, runs and scores.",
    )
    sql.add_argument("query", metavar="SELECT", help="one SELECT, in DuckDB's dialect")
    _add_store(sql)
    form = sql.add_mutually_exclusive_group()
    form.add_argument("--json", dest="form", action="store_const", const="json", help="print JSON, a row a line")
    form.add_argument("--csv", dest="form", action="store_const", const="csv", help="print comma-separated values")
    form.add_argument("--to", nargs=2, metavar=("FORM", "FILE"), help="write the answer to FILE; FORM is parquet")
    sql.set_defaults(command=_sql_command.sql, form="table")


def _add_export(commands: _Commands) -> None:
    export = commands.add_parser("export", help="runs to a collector, from where the last export ended")
    export.add_argument("runs", nargs="*", metavar="RUN", help=_WHICH_RUNS)
    export.add_argument("--to", metavar="URL", help="the collector (default: OTEL_EXPORTER_OTLP_ENDPOINT)")
    add_destination(export)
    export.add_argument("--follow", action="store_true", help="all runs of the store, and go on as calls end")
    export.add_argument("--dead-letters", action="store_true", help="send again what was refused for good")
    export.add_argument("--status", action="store_true", help="show how far each destination is, and send nothing")
    export.add_argument(
        "--patience",
        type=_positive,
        default=60,
        metavar="SECONDS",
        help="give up after so long without success; with --follow never (default: 60)",
    )
    _add_store(export)
    export.add_argument("--json", action="store_true", help="print JSON")
    export.set_defaults(command=_export_command.export)


_WHICH_RUNS: Final = (
    "a run, what holds runs (as --store), or conditions: agent=NAME,model=GLOB,sweep=…,task=…,category=…"
)


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store",
        default="runs",
        metavar="WHERE",
        help="what holds the runs: a folder of them, files of a Collector's file exporter, clickhouse://HOST:8123/DATABASE "
        "(default: runs)",
    )


def _add_scoring(parser: argparse.ArgumentParser) -> None:
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


def _add_which_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run's id or the beginning of it, or its folder")
    _add_store(parser)


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:  # noqa: PLR2004
        raise argparse.ArgumentTypeError(f"{port} is no port: 0 to 65535")
    return port


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} must be 1 or more")
    return number
