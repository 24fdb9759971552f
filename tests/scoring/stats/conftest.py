from collections.abc import Callable, Mapping, Sequence

import pytest

from tachograph.scoring.stats import Trial

Values = Mapping[str, Sequence[float | None]]
Make = Callable[[Values], list[Trial]]


@pytest.fixture(scope="session")
def make() -> Make:
    """Runs from the values of each task; the n-th run of a task used n times 100."""

    def trials(tasks: Values) -> list[Trial]:
        return [
            Trial(task=task, run_id=f"{task}#{number}", value=value, amount=100.0 * number)
            for task, values in tasks.items()
            for number, value in enumerate(values, start=1)
        ]

    return trials
