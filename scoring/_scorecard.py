"""The scorecard: all scores of a run, why it ended as it did, and what is made of them.

A pure function of the record: the same folder gives the same bytes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, Final

import orjson

from ..traces import InputError
from ._axis_value import AxisValue, unmeasured
from ._causes import Link, link_changes
from ._composite import Composite, composite
from ._json import encode_json
from ._outcome import Outcome, judge_outcome
from ._profile import Profile
from ._record import Axis, RunRecord

__all__ = ["SCORECARD_FORMAT", "Scorecard", "ranked", "score"]

SCORECARD_FORMAT: Final = 1
"""The version of a scorecard's form, its member `tachograph.scorecard`."""
_IDENTITY: Final = {
    "cell": "tachograph.cell.id",
    "sweep": "tachograph.sweep.id",
    "attempt": "tachograph.run.attempt",
    "task": "tachograph.task.id",
    "category": "tachograph.task.category",
    "task_hash": "tachograph.task.hash",
    "agent": "tachograph.agent.name",
    "agent_version": "gen_ai.agent.version",
    "model": "tachograph.model",
}
"""What tells one run from another, with the attribute of the run's span that says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """All that is said of one run."""

    run_id: str
    identity: Mapping[str, Any]
    """`cell`, `sweep`, `attempt`, `task`, `category`, `task_hash`, `agent`, `agent_version`, `model`; None if not known."""
    status: str
    """Of the run, as recorded."""
    sealed: bool
    start_ns: int
    """Unix time, nanoseconds."""
    end_ns: int | None
    outcome: Outcome
    axes: tuple[AxisValue, ...]
    composites: tuple[Composite, ...]
    """One for each profile that was asked for."""
    links: tuple[Link, ...]
    """Which call led to which change."""
    provenance: Mapping[str, Any]
    """What the run was made with: endpoints, models asked and answered, versions of recorder and scorer, the prompt."""
    rerun: tuple[str, ...] | None
    """The command that makes such a run again, but for the endpoint; None if the record does not tell."""

    def axis(self, name: str) -> AxisValue | None:
        """The value of one axis; None if it was not scored."""
        return next((value for value in self.axes if value.axis == name), None)

    def as_json(self) -> dict[str, Any]:
        """As JSON values, with the version of this form."""
        return {"tachograph.scorecard": SCORECARD_FORMAT, **asdict(self)}

    def encode(self) -> bytes:
        """As JSON text for people, the same bytes for the same scorecard."""
        return encode_json(self.as_json(), orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    def encode_line(self) -> bytes:
        """As one line of JSON, with its newline."""
        return encode_json(self.as_json(), orjson.OPT_APPEND_NEWLINE)


def score(record: RunRecord, axes: Mapping[str, Axis], profiles: Iterable[Profile]) -> Scorecard:
    """Score a run.

    Args:
        record: the run.
        axes: by name; scored in this order.
        profiles: for each a composite is made.

    Raises:
        InputError: an axis gives the value of another name.
    """
    values = tuple(_value(name, axis, record) for name, axis in axes.items())
    outcome = judge_outcome(record, {value.axis: value for value in values})
    return Scorecard(
        run_id=record.run.run_id,
        identity=_identity(record),
        status=record.run.status,
        sealed=record.run.sealed,
        start_ns=record.run.start_ns,
        end_ns=record.run.end_ns,
        outcome=outcome,
        axes=values,
        composites=tuple(composite(values, outcome, record.task, profile) for profile in profiles),
        links=link_changes(record),
        provenance=_provenance(record),
        rerun=_rerun(record),
    )


def _value(name: str, axis: Axis, record: RunRecord) -> AxisValue:
    if record.incomplete is not None:
        return unmeasured(name, "missing", record.incomplete, formula=f"{name}/incomplete", version=0)
    try:
        value = axis(record)
    except Exception as error:  # noqa: BLE001  an axis of somebody's own must not take the others with it
        return unmeasured(name, "error", f"the axis failed: {error!r}", formula=f"{name}/failed", version=0)
    if value.axis != name:
        raise InputError(f"axis {name!r}: gives a value of the name {value.axis!r}; register it by that name")
    return value


def _identity(record: RunRecord) -> dict[str, Any]:
    known = {name: record.run.attributes.get(attribute) for name, attribute in _IDENTITY.items()}
    own = {"task": record.task.id, "category": record.task.category, "agent": record.agent.name}
    return {**known, **{name: value for name, value in own.items() if value is not None}}


def _provenance(record: RunRecord) -> dict[str, Any]:
    calls = record.run.calls
    addresses = {(call.request.server_address, call.request.server_port) for call in calls}
    versions = {span.resource.get("service.version") for span in record.run.spans if span.scope == "tachograph"}
    return {
        "endpoints": sorted(f"{host}:{port}" for host, port in addresses if host is not None),
        "models_asked": sorted({call.request.model for call in calls if call.request.model is not None}),
        "models_answered": sorted({call.response.model for call in calls if call.response and call.response.model}),
        "recorder": sorted(str(version) for version in versions if version is not None),
        "scorer": version("tachograph"),
        "prompt": record.task.prompt,
    }


def _rerun(record: RunRecord) -> tuple[str, ...] | None:
    """An agent that is known by nothing but its command line comes last, as it was given."""
    said = record.run.attributes
    task, agent, model = (said.get(_IDENTITY[name]) for name in ("task", "agent", "model"))
    if task is None or model is None:
        return None
    begin = ("tachograph", "run", "--task", str(task), "--model", str(model), "--upstream", "URL")
    argv = said.get("tachograph.agent.argv")
    if said.get("tachograph.agent.adapter") is not True and argv:
        return (*begin, "--", *map(str, argv))
    return None if agent is None else (*begin, "--agent", str(agent))


def ranked(scorecards: Sequence[Scorecard], profile: str) -> list[Scorecard]:
    """Scorecards from best to worst by the lower end of a profile's composite; what is not ranked comes last."""

    def key(scorecard: Scorecard) -> tuple[bool, float, str]:
        found = next((made for made in scorecard.composites if made.profile == profile), None)
        lower = None if found is None else found.lower
        return (lower is None, -(lower or 0.0), scorecard.run_id)

    return sorted(scorecards, key=key)
