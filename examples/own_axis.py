"""An axis of one's own, in ten lines: how many calls the agent needed.

tachograph score RUN --axis turns=own_axis:turns
"""

from tachograph.scoring import AxisValue, RunRecord, unmeasured


def turns(record: RunRecord) -> AxisValue:
    calls = len(record.run.calls)
    if not calls:
        return unmeasured("turns", "missing", "no call was recorded", formula="turns/calls", version=1)
    return AxisValue(
        axis="turns", value=float(calls), status="measured", bound="exact", unit="{call}", source="trace", n=calls,
        reason=None, formula="turns/calls", version=1,
    )  # fmt: skip
