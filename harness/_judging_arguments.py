"""The commands that judge runs, and that send them on."""

from pathlib import Path

from . import _compare_command, _export_command, _score_command
from ._arguments import WHICH_RUNS, Commands, add_scoring, add_source, add_store, positive
from ._export_options import add_destination
from ._score_files import FILES

__all__ = [
    "add_compare",
    "add_export",
    "add_score",
]


def add_score(commands: Commands) -> None:
    """Tell the command line of `score`."""
    score = commands.add_parser("score", help="what runs are worth, axis by axis")
    score.add_argument("runs", nargs="+", metavar="RUN", help=WHICH_RUNS)
    add_source(score)
    add_scoring(score)
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


def add_compare(commands: Commands) -> None:
    """Tell the command line of `compare`."""
    compare = commands.add_parser("compare", help="two sets of runs, task by task: which is better, or not separable")
    compare.add_argument("a", metavar="A", help=WHICH_RUNS)
    compare.add_argument("b", metavar="B", help="as A")
    add_source(compare)
    add_scoring(compare)
    compare.set_defaults(command=_compare_command.compare)


def add_export(commands: Commands) -> None:
    """Tell the command line of `export`."""
    export = commands.add_parser("export", help="runs to a collector, from where the last export ended")
    export.add_argument("runs", nargs="*", metavar="RUN", help=WHICH_RUNS)
    export.add_argument("--to", metavar="URL", help="the collector (default: OTEL_EXPORTER_OTLP_ENDPOINT)")
    add_destination(export)
    export.add_argument("--follow", action="store_true", help="all runs of the store, and go on as calls end")
    export.add_argument("--dead-letters", action="store_true", help="send again what was refused for good")
    export.add_argument("--status", action="store_true", help="show how far each destination is, and send nothing")
    export.add_argument(
        "--patience",
        type=positive,
        default=60,
        metavar="SECONDS",
        help="give up after so long without success; with --follow never (default: 60)",
    )
    add_store(export)
    export.add_argument("--json", action="store_true", help="print JSON")
    export.set_defaults(command=_export_command.export)
