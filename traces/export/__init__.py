"""How spans leave for a collector: read from the journals, sent as OTLP, checkpointed, never lost."""

from ._profile import OTLP, PROTOCOLS, FurtherRequest, Profile, Protocol, TracesData
from ._profiles import PROFILES

__all__ = ["OTLP", "PROFILES", "PROTOCOLS", "FurtherRequest", "Profile", "Protocol", "TracesData"]
