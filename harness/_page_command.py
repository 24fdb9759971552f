"""`tachograph page`: a run as one HTML file."""

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..scoring import DEFAULT_PROFILE
from ..traces import InputError, StoreError
from ._selection import find_run

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["add_page", "page", "require_pages"]


def add_page(commands: Any) -> None:
    """Tell the command line of it."""
    command = commands.add_parser("page", help="a run as one HTML file that needs nothing else")
    command.add_argument("run", metavar="RUN", help="a run's id or the beginning of it, or its folder")
    command.add_argument("-o", "--output", type=Path, metavar="FILE", help="where to (default: RUN_ID.html)")
    command.add_argument(
        "--store", type=Path, default=Path("runs"), metavar="DIR", help="where runs lie (default: runs)"
    )
    command.add_argument(
        "--profile",
        action="append",
        default=[],
        metavar="NAME",
        help="show the composite of this profile, too; cab-2026-05 with the keys of its published pages (may be repeated)",
    )
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(command=page)


def page(options: argparse.Namespace) -> int:
    """Write the page of a run."""
    pages = require_pages()
    folder = find_run(options.store, options.run)
    made = pages.read_page(folder, dict.fromkeys((DEFAULT_PROFILE, *options.profile)))
    data = pages.render_page(made.document, made.bodies)
    path = options.output or Path(f"{folder.name}.html")
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(data)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise StoreError(f"{path}: cannot be written: {error.strerror}") from error
    print(json.dumps({"page": str(path), "bytes": len(data)}) if options.json else f"{path}: {len(data):,} bytes")
    return 0


def require_pages() -> "ModuleType":
    """The package that makes pages. Raises InputError: what it needs is not installed."""
    try:
        from ..scoring import pages  # noqa: PLC0415  an extra
    except ModuleNotFoundError as error:
        raise InputError(f"pages need {error.name}: pip install 'tachograph[page]'") from error
    return pages
