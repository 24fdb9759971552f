"""What a run's span says of its task and its agent: the harness writes these attributes, the judge reads them back."""

from collections.abc import Mapping
from typing import Any, Final

from ._record import AgentFacts, TaskFacts

__all__ = ["agent_attributes", "agent_facts", "task_attributes", "task_facts"]

_TASK: Final = {
    "id": "tachograph.task.id",
    "category": "tachograph.task.category",
    "prompt": "tachograph.task.prompt",
    "expected": "tachograph.task.expected",
    "protected": "tachograph.task.protected",
    "refusal_expected": "tachograph.task.refusal.expected",
    "refusal_artifacts": "tachograph.task.refusal.artifacts",
    "forbidden_changes": "tachograph.task.refusal.forbidden",
    "time_budget": "tachograph.task.time.budget",
    "time_reference": "tachograph.task.time.reference",
    "token_budget": "tachograph.task.tokens.budget",
    "token_reference": "tachograph.task.tokens.reference",
}
_AGENT: Final = {
    "name": "tachograph.agent.name",
    "version": "gen_ai.agent.version",
    "housekeeping": "tachograph.agent.housekeeping",
}


def task_attributes(facts: TaskFacts) -> dict[str, Any]:
    """The attributes that say these facts. What is None has none."""
    return _attributes(facts, _TASK)


def agent_attributes(facts: AgentFacts) -> dict[str, Any]:
    """The attributes that say these facts, but for the agent's report, which is read from its terminal."""
    return _attributes(facts, _AGENT)


def task_facts(attributes: Mapping[str, Any]) -> TaskFacts:
    """The facts that these attributes say. An attribute that is missing leaves its fact as it is by default."""
    return TaskFacts(**_facts(attributes, _TASK))


def agent_facts(attributes: Mapping[str, Any]) -> AgentFacts:
    """As `task_facts`."""
    return AgentFacts(**_facts(attributes, _AGENT))


def _attributes(facts: object, names: Mapping[str, str]) -> dict[str, Any]:
    return {name: value for field, name in names.items() if (value := getattr(facts, field)) is not None}


def _facts(attributes: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {field: attributes[name] for field, name in names.items() if name in attributes}
