"""How a backend wants its spans: a profile rewrites them at send time, and the journal stays as it is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

__all__ = ["OTLP", "PROTOCOLS", "FurtherRequest", "Profile", "Protocol", "TracesData"]

Protocol = Literal["http/protobuf", "http/json", "grpc"]
"""As in `OTEL_EXPORTER_OTLP_PROTOCOL`."""
PROTOCOLS: Final[tuple[Protocol, ...]] = ("http/protobuf", "http/json", "grpc")
"""All of them, the one to prefer first."""

TracesData: TypeAlias = dict[str, Any]
"""One line of a journal, parsed: OTLP/JSON, `{"resourceSpans": […]}`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FurtherRequest:
    """A request to a backend's own API beside OTLP, such as one for scores."""

    path: str
    """Behind the address that is given with `--to`, such as `/v1/span_annotations`; may hold a query."""
    body: bytes = field(repr=False)
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    """Beside those of the destination."""


def _as_it_is(data: TracesData) -> TracesData | None:
    return data


def _nothing_added(data: TracesData, folder: Path) -> TracesData:  # noqa: ARG001  the signature of others
    return data


def _nothing_open(folder: Path) -> TracesData:  # noqa: ARG001  the signature of others
    return {"resourceSpans": []}


def _nothing_further(sent: Sequence[TracesData]) -> Sequence[FurtherRequest]:  # noqa: ARG001  the signature of others
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What one kind of backend needs. Its functions are pure, but for `enrich`, which reads the run's bodies."""

    name: str
    rewrite: Callable[[TracesData], TracesData | None] = _as_it_is
    """A line as it is to be sent, made without changing the one that is given; None if nothing of it is sent."""
    enrich: Callable[[TracesData, Path], TracesData] = _nothing_added
    """A line of the run in a folder, with what stands in its bodies; asked before `rewrite`, and changes nothing in place."""
    left_open: Callable[[Path], TracesData] = _nothing_open
    """What to send of a run that ended without a seal, in the place of announcements that the profile does not send."""
    further: Callable[[Sequence[TracesData]], Sequence[FurtherRequest]] = _nothing_further
    """What to ask once a batch was accepted, before it counts as sent. Takes its lines as they stand in the journal."""
    protocols: tuple[Protocol, ...] = PROTOCOLS
    """Those that the backend takes, the one to prefer first."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent unless the user gives others of the same names."""
    path: str = "/v1/traces"
    """Behind the address that is given, for HTTP."""


OTLP: Final = Profile(name="otlp")
"""Every line goes as it is: what is read back elsewhere gives the same runs."""
