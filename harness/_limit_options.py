"""`--limit NAME=VALUE`: how much a proxy takes from agents."""

import re
from collections.abc import Iterable
from dataclasses import fields
from typing import Any, Final

from ..proxy import Limits
from ..traces import InputError

__all__ = ["read_limits"]

_UNITS: Final = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}
_VALUE: Final = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)([KMG]?)")
_DEFAULTS: Final = {field.name: getattr(Limits(), field.name) for field in fields(Limits)}


def read_limits(given: Iterable[str]) -> Limits:
    """The limits, those that are given in the place of the usual ones.

    Raises:
        InputError: one of them is no limit; the message names all that there are.
    """
    values: dict[str, Any] = dict(map(_read, given))
    return Limits(**values)


def _read(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    match = _VALUE.fullmatch(value.upper())
    number = float(match[1]) * _UNITS[match[2]] if match else 0
    if name not in _DEFAULTS or number <= 0:
        known = ", ".join(f"{name}={usual:.12g}" for name, usual in _DEFAULTS.items())
        raise InputError(
            f"--limit {text}: must be NAME=VALUE, such as body=2G; the limits, as they are otherwise: {known}"
        )
    kind = type(_DEFAULTS[name])
    return name, max(1, int(number)) if kind is int else number
