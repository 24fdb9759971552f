"""The commands that record."""

from pathlib import Path

from . import _agents_command, _run_command, _serve_command
from ._arguments import Commands, add_store, add_upstream, port, positive
from ._export_options import add_destination
from ._metrics import metrics_address

__all__ = [
    "add_agents",
    "add_key",
    "add_run",
    "add_serve",
]


def add_serve(commands: Commands) -> None:
    """Tell the command line of `serve`."""
    serve = commands.add_parser("serve", help="a recording proxy that any agent can be pointed at")
    add_upstream(serve)
    add_store(serve)
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    serve.add_argument("--port", type=port, default=8377, help="default: 8377; 0 finds a free one")
    serve.add_argument(
        "--workers", type=positive, default=1, metavar="N", help="processes on the one port (default: 1)"
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


def add_run(commands: Commands) -> None:
    """Tell the command line of `run`."""
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
    run.add_argument("--attempts", type=positive, default=1, metavar="N", help="runs, one after the other (default: 1)")
    run.add_argument(
        "--sweep", default="local", help="name of the matrix of runs that this belongs to (default: local)"
    )
    run.add_argument("--keep", type=Path, metavar="DIR", help="work in DIR and leave it (default: a temporary folder)")
    run.add_argument(
        "--sandbox", action="store_true", help="the agent sees only its own folders and the proxy (needs bubblewrap)"
    )
    run.add_argument("--json", action="store_true", help="print the result as JSON")
    add_upstream(run)
    add_store(run)
    run.add_argument("agent_command", nargs="*", metavar="COMMAND", help="any command line, after --")
    run.set_defaults(command=_run_command.run)


def add_agents(commands: Commands) -> None:
    """Tell the command line of `agents`."""
    agents = commands.add_parser("agents", help="the agents that are known by name, and which of them are installed")
    agents.add_argument("--json", action="store_true", help="print them as JSON")
    agents.set_defaults(command=_agents_command.agents)


def add_key(commands: Commands) -> None:
    """Tell the command line of `key`."""
    key = commands.add_parser("key", help="a new run key: what an agent gets in the place of the upstream's")
    key.add_argument("run", metavar="RUN", help="the run that calls with this key belong to")
    key.add_argument(
        "--revoke", action="store_true", help="revoke all keys of the run instead, at once and for all processes"
    )
    add_store(key)
    key.set_defaults(command=_serve_command.key)
