"""The axes: plain functions from a run's record to one value."""

from ._blast_radius import blast_radius, damage
from ._cost import cost
from ._integrity import integrity
from ._latency import latency
from ._pass_rate import pass_rate
from ._refusal import refusal
from ._tokens import tokens

__all__ = ["blast_radius", "cost", "damage", "integrity", "latency", "pass_rate", "refusal", "tokens"]
