"""Profiles: what a composite is made of, as data."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from ..traces import InputError
from ._curves import CURVES

__all__ = ["DEFAULT_PROFILE", "Component", "Profile", "load_profile", "profile_names"]

DEFAULT_PROFILE: Final = "tachograph-2026-11"
"""The profile of composites unless another is asked for."""
_GATES: Final = frozenset({"pass", "integrity", "refusal"})
_UNRANKABLE: Final = frozenset({"no_op", "not_graded"})
_PARTS: Final = frozenset({"name", "axis", "weight", "curve", "scale", "absent", "relative_to"})
_KEYS: Final = frozenset({"name", "version", "gates", "unrankable", "refusal_factor", "components"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One term of the sum."""

    name: str
    axis: str
    weight: float
    curve: str
    """A name in `CURVES`."""
    scale: float = 1.0
    """Of the curve, in the axis's unit."""
    absent: float | None = None
    """The efficiency of what was not measured, with which a bound counts as the value, too; None: anything from 0 to 1."""
    relative_to: str | None = None
    """`time` or `token`: which budget and reference of the task take the curve's place where the task gives both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How values become one number."""

    name: str
    version: int
    components: tuple[Component, ...]
    """Added up in this order: sums of doubles depend on it."""
    gates: tuple[str, ...]
    """`pass`, `integrity`, `refusal`: what makes the composite 0 whatever the rest is."""
    unrankable: tuple[str, ...]
    """`no_op`, `not_graded`: what gives a run no composite at all."""
    refusal_factor: float | None
    """By what a composite is multiplied where a refusal was expected and its score is below 1; None: by nothing."""


def profile_names() -> list[str]:
    """The profiles that come with the package."""
    return sorted(entry.name.removesuffix(".toml") for entry in _folder().iterdir() if entry.name.endswith(".toml"))


def load_profile(name: str) -> Profile:
    """A profile by its name, or from a TOML file of the user's by its path.

    Raises:
        InputError: there is none, or it is no profile; the message names the key.
    """
    path = Path(name) if name.endswith(".toml") else _folder() / f"{name}.toml"
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise InputError(
            f"there is no profile {name!r}; known are {', '.join(profile_names())}; one of your own: a path ending in .toml"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not TOML: {error}") from error
    try:
        return _profile(given)
    except (KeyError, TypeError, ValueError) as error:
        said = f"the key {error} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{path}: no profile: {said}") from error


def _profile(given: Mapping[str, Any]) -> Profile:
    _known("key", given, _KEYS)
    _known("gate", given["gates"], _GATES)
    _known("word of unrankable", given["unrankable"], _UNRANKABLE)
    components = tuple(_component(part) for part in given["components"])
    if not components or any(component.weight <= 0 for component in components):
        raise ValueError("it needs components, each with a weight above 0")
    factor = given.get("refusal_factor")
    return Profile(
        name=str(given["name"]),
        version=int(given["version"]),
        components=components,
        gates=tuple(given["gates"]),
        unrankable=tuple(given["unrankable"]),
        refusal_factor=None if factor is None else float(factor),
    )


def _component(part: Mapping[str, Any]) -> Component:
    _known("key of a component", part, _PARTS)
    _known("curve", [part["curve"]], frozenset(CURVES))
    _known("relative_to", [part["relative_to"]] if "relative_to" in part else [], frozenset({"time", "token"}))
    absent = part.get("absent")
    return Component(
        name=str(part["name"]),
        axis=str(part["axis"]),
        weight=float(part["weight"]),
        curve=part["curve"],
        scale=float(part.get("scale", 1.0)),
        absent=None if absent is None else float(absent),
        relative_to=part.get("relative_to"),
    )


def _known(what: str, given: Any, allowed: frozenset[str]) -> None:
    if unknown := [word for word in given if word not in allowed]:
        raise ValueError(f"unknown {what} {unknown[0]!r}; known are {', '.join(sorted(allowed))}")


def _folder() -> Any:
    return files("tachograph.scoring") / "profiles"
