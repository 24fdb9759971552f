"""Why a run ended as it did: whose doing it was, from what is on disk."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from ..traces import Call
from ._axis_value import AxisValue
from ._record import RunRecord
from ._usage import makes_model_work

__all__ = ["Outcome", "Party", "judge_outcome"]

Party = Literal["solved", "agent", "provider", "check", "harness", "cancelled", "unknown"]
"""`agent` counts as an attempt that failed; `provider`, `check` and `harness` are no fault of the agent's; `unknown` if the
record does not tell (a trace without a check)."""

_OK: Final = 200
_FIRST_ERROR: Final = 400
_UNAUTHORIZED: Final = frozenset({401, 403})
_RATE_LIMITED: Final = frozenset({429, 529})
_FIRST_SERVER_ERROR: Final = 500
_UNREACHED: Final = frozenset({"upstream_unreachable", "upstream_cut"})
_OUT_OF_BUDGET: Final = frozenset({"context_length_exceeded", "insufficient_quota", "max_turns", "budget_exceeded"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended."""

    party: Party
    reason: str
    """`passed`, `failed`, `timed_out`, `gave_up`, `refused`, `budget`, `crashed`, `rate_limited`, `server_error`,
    `unreachable`, `unauthorized`, `broken`, `no_tests`, `interrupted`, `aborted`, `not_checked`, `no_calls`, `incomplete`."""
    message: str
    """One sentence for people."""

    @property
    def is_graded(self) -> bool:
        """Whether the run says something about the agent: solved or not, it had its chance."""
        return self.party in ("solved", "agent")


_Judge = Callable[[RunRecord, Mapping[str, AxisValue]], Outcome | None]


def judge_outcome(record: RunRecord, axes: Mapping[str, AxisValue]) -> Outcome:
    """Say why a run ended as it did.

    Args:
        record: the run.
        axes: its values by axis; looked at are `pass_rate`, `refusal` and `blast_radius`, if they are there.
    """
    for judge in _JUDGES:
        outcome = judge(record, axes)
        if outcome is not None:
            return outcome
    return Outcome(party="agent", reason="failed", message="the check failed")


def _incomplete(record: RunRecord, _axes: Mapping[str, AxisValue]) -> Outcome | None:
    if record.incomplete is None:
        return None
    return Outcome(party="unknown", reason="incomplete", message=record.incomplete)


def _stopped(record: RunRecord, _axes: Mapping[str, AxisValue]) -> Outcome | None:
    if record.run.attributes.get("tachograph.run.refused") is True:
        return Outcome(
            party="unknown", reason="no_calls", message="calls that the proxy refused: they belong to no run"
        )
    error = record.run.attributes.get("error.type")
    if record.run.status == "aborted":
        return Outcome(party="cancelled", reason="aborted", message="the run was cancelled")
    if record.run.status == "failed":
        return Outcome(
            party="harness", reason="broken", message=f"the run could not be carried out: {error or 'unknown'}"
        )
    if record.run.status == "open" and record.run.live:
        return Outcome(party="unknown", reason="not_checked", message="the run has not ended")
    if record.run.status == "open" and record.check is None and _agent(record):
        return Outcome(party="harness", reason="interrupted", message="the recording ended before the run did")
    return None


def _check_broken(_record: RunRecord, axes: Mapping[str, AxisValue]) -> Outcome | None:
    value = axes.get("pass_rate")
    if value is None or value.status != "error":
        return None
    reason = "no_tests" if "no_tests" in value.flags else "broken"
    return Outcome(party="check", reason=reason, message=f"the check says nothing: {value.reason}")


def _passed(_record: RunRecord, axes: Mapping[str, AxisValue]) -> Outcome | None:
    value = axes.get("pass_rate")
    if value is not None and value.value is not None and value.value >= 1:
        return Outcome(party="solved", reason="passed", message="the check passed")
    return None


def _provider_failed(record: RunRecord, _axes: Mapping[str, AxisValue]) -> Outcome | None:
    """The model was not to be had: at all, or when the agent last asked."""
    calls = [call for call in record.run.calls if not call.discarded and makes_model_work(call)]
    if not calls or _was_answered(calls[-1]):
        return None
    last = calls[-1]
    status = last.response.status if last.response else None
    if last.error_type in _OUT_OF_BUDGET:
        return None
    if last.outcome in _UNREACHED:
        return Outcome(
            party="provider", reason="unreachable", message=f"the model could not be reached: {last.message}"
        )
    if status is None or status < _FIRST_ERROR:
        return None
    for statuses, reason, said in _PROVIDER_ERRORS:
        if statuses(status):
            return Outcome(party="provider", reason=reason, message=f"the provider {said} ({status})")
    return None


_PROVIDER_ERRORS: Final[tuple[tuple[Callable[[int], bool], str, str], ...]] = (
    (_RATE_LIMITED.__contains__, "rate_limited", "limited the rate of calls"),
    (_UNAUTHORIZED.__contains__, "unauthorized", "did not accept the key"),
    (lambda status: status >= _FIRST_SERVER_ERROR, "server_error", "failed"),
)


def _was_answered(call: Call) -> bool:
    return call.outcome in ("completed", "client_disconnected") and (
        call.response is not None and call.response.status == _OK and call.error_type is None
    )


def _not_graded(record: RunRecord, axes: Mapping[str, AxisValue]) -> Outcome | None:
    value = axes.get("pass_rate")
    if value is None or value.value is None:
        return Outcome(party="unknown", reason="not_checked", message="no check was recorded")
    if not record.run.calls and not record.agent.report:
        return Outcome(
            party="unknown",
            reason="no_calls",
            message="no call was recorded: the agent never asked, or asked elsewhere",
        )
    return None


def _timed_out(record: RunRecord, _axes: Mapping[str, AxisValue]) -> Outcome | None:
    if record.run.status == "timeout" or _agent(record).get("tachograph.agent.timed_out") is True:
        return Outcome(party="agent", reason="timed_out", message="the agent did not end in time")
    return None


def _out_of_budget(record: RunRecord, _axes: Mapping[str, AxisValue]) -> Outcome | None:
    if record.run.calls and record.run.calls[-1].error_type in _OUT_OF_BUDGET:
        return Outcome(
            party="agent", reason="budget", message=f"the agent ran out of room: {record.run.calls[-1].error_type}"
        )
    return None


def _refused(_record: RunRecord, axes: Mapping[str, AxisValue]) -> Outcome | None:
    value = axes.get("refusal")
    if value is not None and value.details.get("refusal_produced") is True:
        return Outcome(party="agent", reason="refused", message="the agent refused the task")
    return None


def _crashed(record: RunRecord, _axes: Mapping[str, AxisValue]) -> Outcome | None:
    code = _agent(record).get("process.exit.code")
    if isinstance(code, int) and code < 0:
        return Outcome(party="agent", reason="crashed", message=f"signal {-code} ended the agent")
    return None


def _gave_up(_record: RunRecord, axes: Mapping[str, AxisValue]) -> Outcome | None:
    if any("no_op" in value.flags for value in axes.values()):
        return Outcome(party="agent", reason="gave_up", message="the agent ended without changing anything")
    return None


def _agent(record: RunRecord) -> Mapping[str, Any]:
    """What the agent's span says; empty without one."""
    spans = [span for span in record.run.spans if span.attributes.get("tachograph.span") == "agent"]
    return spans[-1].attributes if spans else {}


_JUDGES: Final[tuple[_Judge, ...]] = (
    _incomplete,
    _stopped,
    _check_broken,
    _passed,
    _provider_failed,
    _not_graded,
    _timed_out,
    _out_of_budget,
    _refused,
    _crashed,
    _gave_up,
)
"""In this order: the first that has something to say is right."""
