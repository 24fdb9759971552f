"""All profiles, by name."""

from collections.abc import Mapping
from typing import Final

from ._profile import OTLP, Profile
from .profiles import GENAI_DEV, LANGFUSE, MLFLOW, PHOENIX

__all__ = ["PROFILES"]

PROFILES: Final[Mapping[str, Profile]] = {
    profile.name: profile for profile in (OTLP, PHOENIX, LANGFUSE, MLFLOW, GENAI_DEV)
}
"""The profiles that `--profile` knows."""
