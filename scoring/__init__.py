"""The judgement: from a recorded run to numbers."""

from ._attempts import link_attempts, logical_calls
from ._axes import AXES, all_axes
from ._axis_value import AxisValue, Bound, Evidence, Finding, Severity, Status, unmeasured
from ._cab import cab_breakdown
from ._call_cost import call_cost
from ._causes import Link, link_changes
from ._composite import Composite, Part, composite
from ._facts import agent_attributes, agent_facts, task_attributes, task_facts
from ._load import SNAPSHOT_NAMES, collected_record, foreign_record, load_record
from ._outcome import Outcome, Party, judge_outcome
from ._profile import DEFAULT_PROFILE, Component, Profile, load_profile, profile_names
from ._record import AgentFacts, AgentReport, Axis, RunRecord, TaskFacts
from ._scorecard import SCORECARD_FORMAT, Scorecard, ranked, score
from ._store import SCORECARD_NAME, score_folder, trace_scores, write_scorecard
from .workdir import Snapshot, WorkdirDiff, diff, snapshot

__all__ = [
    "AXES",
    "DEFAULT_PROFILE",
    "SCORECARD_FORMAT",
    "SCORECARD_NAME",
    "SNAPSHOT_NAMES",
    "AgentFacts",
    "AgentReport",
    "Axis",
    "AxisValue",
    "Bound",
    "Component",
    "Composite",
    "Evidence",
    "Finding",
    "Link",
    "Outcome",
    "Part",
    "Party",
    "Profile",
    "RunRecord",
    "Scorecard",
    "Severity",
    "Snapshot",
    "Status",
    "TaskFacts",
    "WorkdirDiff",
    "agent_attributes",
    "agent_facts",
    "all_axes",
    "cab_breakdown",
    "call_cost",
    "collected_record",
    "composite",
    "diff",
    "foreign_record",
    "judge_outcome",
    "link_attempts",
    "link_changes",
    "load_profile",
    "load_record",
    "logical_calls",
    "profile_names",
    "ranked",
    "score",
    "score_folder",
    "snapshot",
    "task_attributes",
    "task_facts",
    "trace_scores",
    "unmeasured",
    "write_scorecard",
]
