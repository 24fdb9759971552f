"""The axes that a run is scored on: those that come with the package, those that others install, those that one names."""

import importlib
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from typing import Final

from ..traces import InputError
from ._record import Axis
from .axes import blast_radius, cost, damage, integrity, latency, pass_rate, refusal, tokens

__all__ = ["AXES", "all_axes"]

AXES: Final[Mapping[str, Axis]] = {
    "pass_rate": pass_rate,
    "tokens": tokens,
    "cost": cost,
    "latency": latency,
    "blast_radius": blast_radius,
    "damage": damage,
    "refusal": refusal,
    "integrity": integrity,
}
"""Those of the package, in the order in which they are shown."""
_GROUP: Final = "tachograph.axes"
"""The entry points by which a package of somebody's own brings axes: the name is the axis's."""


def all_axes(named: Iterable[str] = ()) -> dict[str, Axis]:
    """The package's axes, those of installed packages, and those named.

    Args:
        named: `NAME=MODULE:FUNCTION` each.

    Raises:
        InputError: one cannot be loaded, or has a name that is taken.
    """
    axes = dict(AXES)
    for entry in sorted(entry_points(group=_GROUP), key=lambda entry: entry.name):
        _add(axes, entry.name, f"{entry.module}:{entry.attr}")
    for text in named:
        name, _, target = text.partition("=")
        _add(axes, name, target)
    return axes


def _add(axes: dict[str, Axis], name: str, target: str) -> None:
    if name in axes:
        raise InputError(f"axis {name!r} is there already: give yours ({target}) another name")
    module, _, function = target.partition(":")
    try:
        axes[name] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"axis {name!r}: {target!r} cannot be loaded ({error}); it must be MODULE:FUNCTION") from error
