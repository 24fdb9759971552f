"""Who is to do what, and what a run says of that from its start."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..scoring import AgentFacts, TaskFacts, agent_attributes, task_attributes
from ._agent import Agent
from ._task import Task

__all__ = ["Assignment"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Who is to do what."""

    task: Task
    agent: Agent
    model: str
    sweep: str
    """The matrix of runs that this one belongs to."""
    attempt: int
    """From 1."""
    sandbox: bool = False
    """The agent sees only its own folders and the proxy."""
    keep: Path | None = None
    """The folder to work in, which stays; None: a temporary one, which does not."""

    @property
    def cell(self) -> str:
        """`sweep/agent/model/task#runN`."""
        return f"{self.sweep}/{self.agent.name}/{self.model}/{self.task.id}#run{self.attempt}"

    def attributes(self) -> dict[str, Any]:
        """What the run's span says from the start: all that a judge must know of the task and the agent later."""
        return {
            "tachograph.cell.id": self.cell,
            "tachograph.sweep.id": self.sweep,
            "tachograph.run.attempt": self.attempt,
            "tachograph.task.hash": self.task.hash,
            "tachograph.agent.adapter": self.agent.is_known_by_name,
            "tachograph.agent.argv": self.agent.argv,
            "tachograph.model": self.model,
            "tachograph.agent.sandbox": self.sandbox,
            **task_attributes(_task_facts(self.task)),
            **agent_attributes(AgentFacts(name=self.agent.name, housekeeping=self.agent.housekeeping)),
        }


def _task_facts(task: Task) -> TaskFacts:
    return TaskFacts(
        id=task.id,
        category=task.category,
        prompt=task.prompt.strip(),
        expected=task.changes_expected or None,
        protected=task.changes_protected or None,
        refusal_expected=task.refusal_expected,
        refusal_artifacts=task.refusal_artifacts,
        forbidden_changes=task.refusal_forbidden,
        time_budget=task.budget_seconds,
        time_reference=task.budget_best_seconds,
        token_budget=task.budget_tokens,
        token_reference=task.budget_best_tokens,
    )
