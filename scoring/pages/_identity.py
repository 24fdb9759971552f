"""Which run this is: what was measured, with what, on what, by what. What is not known stands there, and why."""

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from ...traces import VOLATILE_MEMBERS, SpanRecord, Verification
from .._record import RunRecord
from .._scorecard import Scorecard
from ._talk import Talk

__all__ = ["identity_of"]

_NOT_RECORDED: Final = "the record does not tell"
_SECOND: Final = 1_000_000_000
_MOST_VALUES: Final = 6
"""Different values of one thing that are told."""
_NO_SAMPLING: Final = VOLATILE_MEMBERS | {
    "include",
    "parallel_tool_calls",
    "previous_response_id",
    "store",
    "tool_choice",
}
"""Members of requests that say nothing of how the model draws its words."""
_MACHINE: Final[Mapping[str, tuple[str, ...]]] = {
    "Machine": ("host.name", "host.id"),
    "Operating system": ("os.description", "os.type", "os.name"),
    "Architecture": ("host.arch",),
    "Python": ("process.runtime.version",),
    "Container image": ("container.image.name", "tachograph.container.image"),
    "Image digest": ("oci.manifest.digest", "container.image.id"),
}
"""What a run is said to have been made on: attributes of its span, of its agent's, or of their resource."""


@dataclass(slots=True)
class _Facts:
    """The lines, in their order."""

    lines: list[dict[str, Any]] = field(default_factory=list)

    def add(self, group: str, label: str, value: Any, note: str | None = None, *, code: bool = False) -> None:
        """Add a line. Without a value the note says why; None: it is not recorded."""
        text = _text(value)
        note = note or (_NOT_RECORDED if text is None else None)
        self.lines.append({"group": group, "label": label, "value": text, "note": note, "code": code})


def identity_of(
    record: RunRecord, scorecard: Scorecard, spans: Iterable[SpanRecord], talk: Talk, found: Verification | None
) -> list[dict[str, Any]]:
    """The lines of a run's identity.

    Args:
        record: the run.
        scorecard: of it.
        spans: all of the run's.
        talk: what its bodies tell.
        found: whether it is whole; None for a run of which only the spans went here.
    """
    facts = _Facts()
    attributes = _attributes_of(record, spans)
    _run(facts, record)
    _agent(facts, record, attributes)
    _model(facts, record, scorecard, talk)
    _task(facts, record)
    _instrument(facts, record, scorecard, attributes, found)
    return facts.lines


def _run(facts: _Facts, record: RunRecord) -> None:
    run, said = record.run, record.run.attributes
    facts.add("run", "Run", run.run_id, code=True)
    facts.add("run", "Cell", said.get("tachograph.cell.id"), code=True)
    facts.add("run", "Sweep", said.get("tachograph.sweep.id"))
    facts.add("run", "Attempt", said.get("tachograph.run.attempt"))
    facts.add("run", "Status", run.status)
    facts.add("run", "Started", _moment(run.start_ns))
    ended = None if run.end_ns is None else _moment(run.end_ns)
    facts.add("run", "Ended", ended, None if ended else "it goes on" if run.live else "its end was not recorded")
    duration = None if run.end_ns is None else f"{(run.end_ns - run.start_ns) / _SECOND:,.3f} s"
    facts.add("run", "Duration", duration, None if duration else "it has no end")


def _agent(facts: _Facts, record: RunRecord, attributes: Mapping[str, Any]) -> None:
    said = record.run.attributes
    facts.add("agent", "Agent", record.agent.name)
    facts.add("agent", "Version", record.agent.version)
    facts.add("agent", "Command", _command(said.get("tachograph.agent.argv")), code=True)
    facts.add("agent", "Sandbox", said.get("tachograph.agent.sandbox"))
    facts.add("agent", "Exit code", attributes.get("process.exit.code"))
    told = record.agent.report
    facts.add(
        "agent",
        "Its own report",
        told.excerpt if told else None,
        None if told else "it printed none that is understood",
    )


def _model(facts: _Facts, record: RunRecord, scorecard: Scorecard, talk: Talk) -> None:
    calls, made = record.run.calls, scorecard.provenance
    none = None if calls else "no call was recorded"
    facts.add("model", "Model", record.run.attributes.get("tachograph.model"), code=True)
    facts.add("model", "Asked for", _list(made["models_asked"]), none, code=True)
    facts.add("model", "Answered as", _list(made["models_answered"]), none, code=True)
    facts.add("model", "Endpoint", _list(made["endpoints"]), none, code=True)
    facts.add("model", "API", _list(_distinct(call.request.api for call in calls)), none)
    builds = _distinct(call.response.system_fingerprint for call in calls if call.response)
    facts.add("model", "Build", _list(builds), none or (None if builds else "no answer tells one"), code=True)
    streamed = sum(call.request.streamed for call in calls)
    facts.add("model", "Streamed", f"{streamed:,} of {len(calls):,} calls" if calls else None, none)
    for name, values in sorted(_parameters(talk).items()):
        facts.add("model", name, _list(values, " · "), "as requests say", code=True)
    if calls and not _parameters(talk):
        why = "no request says any: the provider's own hold" if any(said.asked for said in talk.said.values()) else None
        facts.add("model", "Sampling", None, why or "no request could be read")


def _parameters(talk: Talk) -> dict[str, list[str]]:
    """Of each parameter the values that requests say."""
    told: dict[str, dict[str, None]] = {}
    for said in talk.said.values():
        for name, value in said.parameters.items():
            if name not in _NO_SAMPLING:
                told.setdefault(name, {})[value] = None
    return {name: list(values) for name, values in told.items()}


def _task(facts: _Facts, record: RunRecord) -> None:
    task, check = record.task, record.check
    facts.add("task", "Task", task.id, code=True)
    facts.add("task", "Category", task.category)
    facts.add("task", "Hash", record.run.attributes.get("tachograph.task.hash"), code=True)
    facts.add("task", "Prompt", task.prompt)
    facts.add("task", "May change", _list(task.expected), None if task.expected else "the task does not say", code=True)
    facts.add(
        "task", "Must stay", _list(task.protected), None if task.protected else "the task does not say", code=True
    )
    facts.add(
        "task", "Check", check.command if check else None, None if check else record.reasons.get("check"), code=True
    )


def _instrument(
    facts: _Facts,
    record: RunRecord,
    scorecard: Scorecard,
    attributes: Mapping[str, Any],
    found: Verification | None,
) -> None:
    made = scorecard.provenance
    recorder = [f"tachograph {version}" for version in made["recorder"]] or _distinct(
        span.scope for span in record.run.spans
    )
    facts.add("instrument", "Recorded by", _list(recorder))
    facts.add("instrument", "Scored by", f"tachograph {made['scorer']}")
    profiles = [f"{composite.profile} (version {composite.version})" for composite in scorecard.composites]
    facts.add("instrument", "Profiles", _list(profiles))
    formulas = [f"{value.axis}: {value.formula} (version {value.version})" for value in scorecard.axes]
    facts.add("instrument", "Formulas", ", ".join(formulas), code=True)
    for label, names in _MACHINE.items():
        facts.add("instrument", label, next((attributes[name] for name in names if name in attributes), None))
    seal = found.survey.seal if found else None
    state = found.state if found else None
    problems = "; ".join(found.problems) if found else "only the spans of the run are here, and no journal"
    facts.add("instrument", "Seal", state, problems or None)
    facts.add(
        "instrument", "Seal's head", seal.head if seal else None, None if seal else "the run is not sealed", code=True
    )


def _attributes_of(record: RunRecord, spans: Iterable[SpanRecord]) -> dict[str, Any]:
    """What the run's span, its agent's span and their resources say; of two that say the same thing, the former."""
    agents = [span for span in spans if span.attributes.get("tachograph.span") == "agent"]
    told: dict[str, Any] = {}
    for source in (record.run.attributes, *(span.attributes for span in agents), *(span.resource for span in spans)):
        told = {**source, **told}
    return told


def _command(argv: Any) -> str | None:
    return shlex.join(map(str, argv)) if argv else None


def _moment(moment_ns: int) -> str:
    """UTC, ISO 8601; to the nanosecond if it was told so."""
    seconds, rest = divmod(moment_ns, _SECOND)
    fraction = f"{rest:09d}"
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction.removesuffix('000')}Z"


def _distinct(values: Iterable[str | None]) -> list[str]:
    return sorted({value for value in values if value})


def _list(values: Sequence[str] | None, between: str = ", ") -> str | None:
    if not values:
        return None
    more = len(values) - _MOST_VALUES
    shown = between.join(map(str, values))
    return shown if more <= 0 else f"{between.join(map(str, values[:_MOST_VALUES]))} and {more:,} more"


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return ("yes" if value else "no") if isinstance(value, bool) else json.dumps(value)
