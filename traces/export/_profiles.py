"""All profiles, by name."""

from collections.abc import Mapping
from typing import Final

from ._profile import OTLP, Profile

__all__ = ["PROFILES"]

PROFILES: Final[Mapping[str, Profile]] = {profile.name: profile for profile in (OTLP,)}
"""The profiles that `--profile` knows."""
