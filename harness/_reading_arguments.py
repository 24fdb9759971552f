"""The commands that show what was recorded."""

from . import _show_commands, _sql_command
from ._arguments import Commands, add_store, add_which_run

__all__ = [
    "add_body",
    "add_calls",
    "add_runs",
    "add_sql",
    "add_verify",
]


def add_runs(commands: Commands) -> None:
    """Tell the command line of `runs`."""
    runs = commands.add_parser("runs", help="the recorded runs")
    add_store(runs)
    runs.add_argument("--json", action="store_true", help="print JSON")
    runs.set_defaults(command=_show_commands.runs)


def add_calls(commands: Commands) -> None:
    """Tell the command line of `calls`."""
    calls = commands.add_parser("calls", help="the calls of a run")
    add_which_run(calls)
    calls.add_argument("--follow", action="store_true", help="go on as calls end, until the run does")
    calls.add_argument("--json", action="store_true", help="print JSON, a call a line")
    calls.set_defaults(command=_show_commands.calls)


def add_verify(commands: Commands) -> None:
    """Tell the command line of `verify`."""
    verify = commands.add_parser("verify", help="whether a run is sealed, open, or what is missing or altered in it")
    add_which_run(verify)
    verify.add_argument("--json", action="store_true", help="print JSON")
    verify.set_defaults(command=_show_commands.verify)


def add_body(commands: Commands) -> None:
    """Tell the command line of `body`."""
    body = commands.add_parser("body", help="a recorded body, byte for byte but for secrets")
    add_which_run(body)
    body.add_argument("hash", help="its sha256, or the beginning of it")
    body.set_defaults(command=_show_commands.body)


def add_sql(commands: Commands) -> None:
    """Tell the command line of `sql`."""
    sql = commands.add_parser(
        "sql",
        help="a question to all recorded runs at once, by SQL",
        epilog="Its tables are otel_traces (with the columns that a Collector makes in ClickHouse), calls, runs and scores.",
    )
    sql.add_argument("query", metavar="SELECT", help="one SELECT, in DuckDB's dialect")
    add_store(sql)
    form = sql.add_mutually_exclusive_group()
    form.add_argument("--json", dest="form", action="store_const", const="json", help="print JSON, a row a line")
    form.add_argument("--csv", dest="form", action="store_const", const="csv", help="print comma-separated values")
    form.add_argument("--to", nargs=2, metavar=("FORM", "FILE"), help="write the answer to FILE; FORM is parquet")
    sql.set_defaults(command=_sql_command.sql, form="table")
