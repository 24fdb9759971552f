"""`tachograph export`: what was recorded to a collector, and how far that is."""

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ..traces import InputError
from ..traces.export import (
    DestinationStatus,
    Forwarder,
    GaveUpError,
    Patience,
    Sent,
    follow,
    forwarding,
    read_status,
)
from ._collected import CollectedRun, RunPlace
from ._export_options import given_destination, quiet_grpc
from ._selection import find_runs
from ._table import print_table

__all__ = ["export"]

_NOT_ALL_SENT: Final = 1
_REFRESH: Final = 0.25
_QUIET_SECONDS: Final = 1.0


def export(options: argparse.Namespace) -> int:
    """Send runs, follow a store, send dead letters again, or show how far all that is."""
    if options.status:
        return _show_status(options)
    if not (options.runs or options.follow or options.dead_letters):
        raise InputError("which runs? Give some, or --follow for all of the store, or --dead-letters, or --status")
    if options.follow and options.runs:
        raise InputError("--follow sends all runs of the store: name none")
    quiet_grpc()
    work = _work(options)
    destination = given_destination(options, options.to)
    patience = Patience(without_success=None if options.follow else options.patience)
    failure = None
    with forwarding(options.store, destination, patience, watch=_progress()) as forwarder:
        try:
            work(forwarder, patience)
        except GaveUpError as error:
            failure = str(error)
        sent = forwarder.sent
        dead = forwarder.state.dead_letters.count()
    _clear_progress()
    if options.json:
        told = {**dataclasses.asdict(sent), "dead_letters": dead, "failure": failure}
        print(json.dumps({"url": destination.shown, **told}))
    else:
        rejected = f", {sent.rejected_spans} of them rejected by it" if sent.rejected_spans else ""
        print(f"{sent.spans} spans sent to {destination.shown}{rejected}")
    if sent.dead_lines:
        print(f"tachograph: {sent.dead_lines} lines were refused for good: {_how_again(forwarder)}", file=sys.stderr)
    if failure:
        print(f"tachograph: not all was sent, the same command goes on where it ended: {failure}", file=sys.stderr)
    return _NOT_ALL_SENT if failure or sent.dead_lines else 0


def _how_again(forwarder: Forwarder) -> str:
    path = forwarder.state.dead_letters.path
    return f"see {path}; `tachograph export --dead-letters --to URL` sends them again"


def _work(options: argparse.Namespace) -> Callable[[Forwarder, Patience], None]:
    """What is asked for, looked up before anything is opened."""
    if options.follow:
        return lambda forwarder, patience: follow(forwarder, options.store, patience.pause)
    journals = [_journal(place) for place in find_runs(options.store, options.runs)]

    def send(forwarder: Forwarder, _: Patience) -> None:
        if options.dead_letters:
            forwarder.forward_dead_letters()
        for journal in journals:
            forwarder.forward(journal)
            forwarder.forward_left_open(journal.parent)

    return send


def _journal(place: RunPlace) -> Path:
    if isinstance(place, CollectedRun):
        raise InputError(f"{place.where}: what a collector has is not sent to one again; name runs of a folder")
    return place / "trace.jsonl" if place.is_dir() else place


def _progress() -> Callable[[Sent], None]:
    """Shows how far it is, on a terminal, from the second second on."""
    shown = begin = time.monotonic()

    def show(sent: Sent) -> None:
        nonlocal shown
        now = time.monotonic()
        if sys.stderr.isatty() and now - begin > _QUIET_SECONDS and now - shown > _REFRESH:
            shown = now
            print(f"\r{sent.spans} spans, {sent.bytes / 2**20:.1f} MiB\033[K", end="", file=sys.stderr, flush=True)

    return show


def _clear_progress() -> None:
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def _show_status(options: argparse.Namespace) -> int:
    if not options.store.is_dir():
        raise InputError(f"{options.store}: no such folder; --store names the one that holds the runs")
    found = read_status(options.store)
    if options.json:
        print(json.dumps([dataclasses.asdict(status) for status in found]))
        return 0
    if not found:
        print(f"no run of {options.store} was ever exported")
        return 0
    headings = ("To", "Profile", "Forwarder", "Runs", "Spans", "Rejected", "Dead", "Left", "Last success")
    print_table(headings, [_row(status) for status in found], right=(3, 4, 5, 6, 7))
    for status in found:
        if status.rejected_message:
            print(f"{status.url} rejected spans, and said: {status.rejected_message}")
        if status.failing:
            print(f"{status.url} fails: {status.failing}")
    return 0


def _row(status: DestinationStatus) -> list[str]:
    last = status.last_success_unix_ns
    moment = datetime.fromtimestamp(last / 1e9, UTC).isoformat(timespec="seconds") if last else "never"
    return [
        status.url,
        status.profile,
        "runs" if status.running else "-",
        f"{status.runs:,}",
        f"{status.spans:,}",
        f"{status.rejected_spans:,}",
        f"{status.dead_letters:,}",
        f"{status.bytes_left / 1000:,.0f} kB in {status.runs_left}" if status.bytes_left else "-",
        moment.replace("+00:00", "Z"),
    ]
