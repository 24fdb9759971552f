"""Findings as SARIF 2.1.0, so that code hosts show them beside the code.

One SARIF run holds them all: GitHub takes no more than 20 in a file, and none of the same category.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from importlib.metadata import version
from os import fsencode
from typing import Any, Final
from urllib.parse import quote

import orjson

from .._axis_value import Finding, Severity
from ._scored_run import ScoredRun, in_order, name_of, setting_of
from ._text import known, plain, visible

__all__ = ["sarif"]

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: Final[dict[Severity, str]] = {
    "info": "note",
    "low": "note",
    "medium": "warning",
    "high": "error",
    "severe": "error",
}
_WORKDIR: Final = "%SRCROOT%"
"""As code hosts call the folder that they resolve paths against."""
_RUNS: Final = "RUNS"
_BASES: Final = {
    _WORKDIR: {"description": {"text": "The agent's workdir."}},
    _RUNS: {"description": {"text": "The folder of recorded runs."}},
}
_FINGERPRINT: Final = "tachographFinding/v1"
_FINDING_AXIS: Final = "integrity"
"""The axis that looks for findings. Without its value, or with half of it, none found does not mean none there."""
_IDENTITY: Final = ("task", "agent", "model", "attempt")


def sarif(runs: Iterable[ScoredRun], rules: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The findings of scored runs as a SARIF log.

    A finding that concerns no file is placed at the run's record, since code hosts refuse a file with a result that has no
    place. A run in which nothing could be looked for, or not everything, is named in a notification.

    Args:
        runs: in any order; the same runs give the same log.
        rules: by the name of a rule, what it finds, in one line.

    Returns:
        JSON values.
    """
    ordered = in_order(runs)
    found = [(run, finding) for run in ordered for finding in sorted(_findings(run), key=_key)]
    names = sorted({finding.rule for _, finding in found})
    times = Counter[str]()
    log = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "tachograph",
                        "version": version("tachograph"),
                        "rules": [_rule(name, (rules or {}).get(name)) for name in names],
                    }
                },
                "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": list(_blind(ordered))}],
                "originalUriBaseIds": _BASES,
                "results": [_result(run, finding, names, times) for run, finding in found],
            }
        ],
    }
    return plain(log)  # type: ignore[no-any-return]


def _findings(run: ScoredRun) -> Iterator[Finding]:
    return (finding for value in run.axes for finding in value.findings)


def _key(finding: Finding) -> tuple[Any, ...]:
    return (
        finding.rule,
        finding.path or "",
        finding.line or 0,
        finding.message,
        finding.call or "",
        finding.excerpt or "",
    )


def _rule(name: str, said: str | None) -> dict[str, Any]:
    text = {"text": said or name.replace("-", " ").capitalize()}
    return {"id": name, "shortDescription": text, "fullDescription": text, "help": text}


def _result(run: ScoredRun, finding: Finding, rules: list[str], times: Counter[str]) -> dict[str, Any]:
    fingerprint = _fingerprint(run, finding)
    times[fingerprint] += 1
    return {
        "ruleId": finding.rule,
        "ruleIndex": rules.index(finding.rule),
        "level": _LEVELS[finding.severity],
        "message": {"text": _without_links(f"{finding.message} ({setting_of(run)}: {name_of(run)})")},
        "locations": [{"physicalLocation": _place(run, finding)}],
        "partialFingerprints": {_FINGERPRINT: f"{fingerprint}:{times[fingerprint]}"},
        "properties": known(
            run=run.run_id,
            severity=finding.severity,
            call=finding.call,
            excerpt=finding.excerpt,
            **{name: run.identity.get(name) for name in _IDENTITY},
        ),
    }


def _place(run: ScoredRun, finding: Finding) -> dict[str, Any]:
    if finding.path is None:
        return {"artifactLocation": {"uri": f"{quote(run.run_id)}/trace.jsonl", "uriBaseId": _RUNS}}
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(fsencode(finding.path)), "uriBaseId": _WORKDIR}}
    if finding.line is not None:
        place["region"] = {"startLine": finding.line}
    return place


def _fingerprint(run: ScoredRun, finding: Finding) -> str:
    """The same for the same finding of the same cell when the sweep is run again, wherever in its file it is then."""
    cell = [run.identity.get(name) for name in _IDENTITY]
    who = [run.run_id] if cell[0] is None else cell
    told = [finding.rule, finding.path, finding.excerpt, *who]
    return sha256(orjson.dumps([None if part is None else visible(str(part)) for part in told])).hexdigest()


def _without_links(text: str) -> str:
    """Names and code must not become links: `[text](address)` is one in a message (SARIF 2.1.0, 3.11.6)."""
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]") if "](" in text else text


def _blind(runs: Iterable[ScoredRun]) -> Iterator[dict[str, Any]]:
    for run in runs:
        value = next((value for value in run.axes if value.axis == _FINDING_AXIS), None)
        reason = "it was not scored" if value is None else value.reason
        if reason is not None:
            text = f"{run.run_id}: {_FINDING_AXIS} is not, or not wholly, known: {reason}"
            yield {"level": "warning", "message": {"text": _without_links(text)}, "properties": {"run": run.run_id}}
