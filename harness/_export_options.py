"""Where `export` and `serve --export` send to."""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ..traces import InputError
from ..traces.export import (
    CAPTURE_VARIABLE,
    CONTENT_LIMIT,
    PROFILES,
    PROTOCOLS,
    Destination,
    environment_names_a_destination,
    parse_header,
    read_destination,
)
from ._export_content import with_more

__all__ = ["add_destination", "destination_of_serve", "forget_headers", "given_destination", "quiet_grpc"]

_HEADERS: Final = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")


def add_destination(parser: argparse.ArgumentParser, prefix: str = "") -> None:
    """Add the options of a destination but for its address; `prefix` stands before their names."""
    parser.add_argument(
        f"--{prefix}protocol",
        dest="export_protocol",
        choices=PROTOCOLS,
        help="default: OTEL_EXPORTER_OTLP_PROTOCOL, else the profile's",
    )
    parser.add_argument(
        f"--{prefix}profile",
        dest="export_profile",
        default="otlp",
        metavar="NAME",
        help=f"how spans are made fit for a backend: {', '.join(PROFILES)} (default: otlp, as they are)",
    )
    parser.add_argument(
        f"--{prefix}header",
        dest="export_headers",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="sent along; others on this machine see it: keys belong into OTEL_EXPORTER_OTLP_HEADERS or a file",
    )
    parser.add_argument(
        f"--{prefix}header-file",
        dest="export_header_file",
        type=Path,
        metavar="FILE",
        help="headers to send along, NAME=VALUE, one a line",
    )
    parser.add_argument(
        f"--{prefix}content",
        dest="export_content",
        action="store_true",
        help=f"send what was said, too (default: if {CAPTURE_VARIABLE} asks for it)",
    )
    parser.add_argument(
        f"--{prefix}content-limit",
        dest="export_content_limit",
        type=_bytes,
        default=CONTENT_LIMIT,
        metavar="BYTES",
        help=f"of what one call said; older messages beyond are left out (default: {CONTENT_LIMIT})",
    )


def _bytes(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("it must be a number of bytes")
    return int(text)


def given_destination(
    options: argparse.Namespace, to: str | None, environment: Mapping[str, str] = os.environ
) -> Destination:
    """The destination that options and environment name.

    Raises:
        InputError: they cannot be used.
    """
    lines = [*_header_lines(options.export_header_file), *options.export_headers]
    destination = read_destination(
        environment,
        to=to,
        protocol=options.export_protocol,
        profile=options.export_profile,
        headers=[parse_header(line) for line in lines],
    )
    return with_more(
        destination, content=options.export_content, limit=options.export_content_limit, environment=environment
    )


def destination_of_serve(
    options: argparse.Namespace, environment: Mapping[str, str] = os.environ
) -> Destination | None:
    """Where `serve` is to export to; None: nowhere.

    Raises:
        InputError: as `given_destination`.
    """
    if options.export is None and not environment_names_a_destination(environment):
        return None
    return given_destination(options, options.export, environment)


def forget_headers() -> None:
    """Have no program that this process starts from here on inherit the headers."""
    for name in _HEADERS:
        os.environ.pop(name, None)


def quiet_grpc() -> None:
    """Have gRPC's core log nothing: what fails is said once, in our words. Must come before gRPC is loaded."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")


def _header_lines(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"--header-file {path}: cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error
    return [line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#")]
