"""A run's changes as a prediction for SWE-bench."""

from collections.abc import Callable
from typing import Any, Final

from ...traces import InputError
from .._path_classes import PathClass, classifier
from .._record import RunRecord
from ..workdir import Change
from ..workdir._patch import remark

__all__ = ["swebench_prediction"]

_SUBMITTED: Final = frozenset[PathClass]({"expected", "unexpected"})


def swebench_prediction(
    record: RunRecord,
    model_name: str,
    instance_id: str | None = None,
    keep: Callable[[str], bool] | None = None,
) -> dict[str, Any]:
    """What SWE-bench takes as a model's answer to one instance.

    Its patch is the agent's work: what the task asked for and what it did not, but neither the agent's own files nor what
    building leaves behind. Protected files are left out, too: a grader brings its own, and an edit of them is no part of a
    solution (the axis `integrity` tells of it).

    Args:
        record: the run.
        model_name: for the leader board; usually agent and model.
        instance_id: None: the task's id.
        keep: says of a path, relative to the workdir, whether its change belongs to the patch. Of a rename both must.
            None: as above.

    Returns:
        `instance_id`, `model_name_or_path` and `model_patch`. `git apply` takes the patch; what it cannot hold, such as a
        binary file, stands in lines that begin with `#`. It is empty if nothing changed that it can hold.

    Raises:
        InputError: the changes are not known, or the instance is not.
    """
    instance_id = instance_id or record.task.id
    if instance_id is None:
        raise InputError(f"run {record.run.run_id}: of which instance is it? Its task has no id; give instance_id")
    if record.changes is None:
        reason = record.reasons.get("changes", "no reason was recorded")
        raise InputError(
            f"run {record.run.run_id}: its changes are not known ({reason}), so there is nothing to predict"
        )
    submitted = _by_class(record) if keep is None else _by_path(keep)
    patches = [_as_text(change) for change in record.changes.changes if submitted(change)]
    return {
        "instance_id": instance_id,
        "model_name_or_path": model_name,
        "model_patch": "".join(patches) if any(map(_says_something, patches)) else "",
    }


def _by_class(record: RunRecord) -> Callable[[Change], bool]:
    task = record.task
    classify = classifier(task.expected or (), task.protected or (), record.agent.housekeeping)
    return lambda change: classify(change) in _SUBMITTED


def _by_path(keep: Callable[[str], bool]) -> Callable[[Change], bool]:
    return lambda change: keep(change.path) and (change.old_path is None or keep(change.old_path))


def _as_text(change: Change) -> str:
    """A change's patch; a remark instead if it is no UTF-8, since JSON could only hold it changed."""
    try:
        return change.patch.decode()
    except UnicodeDecodeError:
        return remark(change.path, f"{change.operation}, not in this patch: its text is no UTF-8").decode()


def _says_something(patch: str) -> bool:
    return any(line and not line.startswith("#") for line in patch.split("\n"))
