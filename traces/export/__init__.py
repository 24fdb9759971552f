"""How spans leave for a collector: read from the journals, sent as OTLP, checkpointed, never lost."""

from ._backoff import Backoff
from ._content import CAPTURE_VARIABLE, CONTENT_LIMIT, AddingContent, Content, ContentPlace, content_place
from ._delivery import GaveUpError
from ._destination import Destination, environment_names_a_destination, parse_header, read_destination
from ._edit import AddingAttributes
from ._following import follow
from ._forwarder import Forwarder, Sent
from ._profile import OTLP, PROTOCOLS, FurtherRequest, Profile, Protocol, TracesData
from ._profiles import PROFILES
from ._sender import check_sender
from ._session import Patience, forwarding
from ._status import DestinationStatus, read_status

__all__ = [
    "CAPTURE_VARIABLE",
    "CONTENT_LIMIT",
    "OTLP",
    "PROFILES",
    "PROTOCOLS",
    "AddingAttributes",
    "AddingContent",
    "Backoff",
    "Content",
    "ContentPlace",
    "Destination",
    "DestinationStatus",
    "Forwarder",
    "FurtherRequest",
    "GaveUpError",
    "Patience",
    "Profile",
    "Protocol",
    "Sent",
    "TracesData",
    "check_sender",
    "content_place",
    "environment_names_a_destination",
    "follow",
    "forwarding",
    "parse_header",
    "read_destination",
    "read_status",
]
