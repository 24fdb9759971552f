"""`tachograph view`: pages of runs in the browser, while they go on."""

import argparse
import webbrowser
from pathlib import Path
from typing import Any

from ..traces import InputError
from ._arguments import port
from ._page_command import require_pages
from ._selection import find_run

__all__ = ["add_view", "view"]


def add_view(commands: Any) -> None:
    """Tell the command line of it."""
    command = commands.add_parser("view", help="runs in the browser, as they go on")
    command.add_argument("run", nargs="?", metavar="RUN", help="a run, or the folder of all runs (default: --store)")
    command.add_argument(
        "--store", type=Path, default=Path("runs"), metavar="DIR", help="folder of all runs (default: runs)"
    )
    command.add_argument("--port", type=port, default=0, help="of 127.0.0.1 (default: a free one)")
    command.add_argument("--no-browser", action="store_true", help="print the address, and open nothing")
    command.set_defaults(command=view)


def view(options: argparse.Namespace) -> int:
    """Serve pages until Ctrl-C."""
    require_pages()
    from ._view_server import ViewServer  # noqa: PLC0415  needs the extra

    store, run = _meant(options.store, options.run)
    try:
        server = ViewServer(store, options.port)
    except OSError as error:
        raise InputError(f"port {options.port}: {error.strerror}; --port names another") from error
    address = server.url + (f"runs/{run}/" if run else "")
    with server:
        print(f"{address} (Ctrl-C ends it)", flush=True)
        if not options.no_browser:
            webbrowser.open(address)
        server.serve_forever(0.1)
    return 0


def _meant(store: Path, given: str | None) -> tuple[Path, str | None]:
    """The folder of all runs, and which of them."""
    if given is not None and Path(given).is_dir() and not (Path(given) / "trace.jsonl").exists():
        store, given = Path(given), None
    if given is None:
        if not store.is_dir():
            raise InputError(f"{store}: no such folder; --store names the one that holds the runs")
        return store, None
    folder = find_run(store, given)
    if not (folder / "trace.jsonl").is_file():
        raise InputError(f"{folder}: no run: it has no trace.jsonl")
    return folder.resolve().parent, folder.resolve().name
