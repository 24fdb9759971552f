"""The wire: agent to upstream, the tee, and the reading of each API's bytes."""

from ._agent_server import listen
from ._keys import RunKeys
from ._limits import Limits
from ._proxy import AgentEndpoint, Proxy
from ._recording_transport import AsyncRecordingTransport, RecordingTransport
from ._runs import Tally
from ._settings import HttpProxy, ProxySettings, UpstreamAddress, UpstreamSettings

__all__ = [
    "AgentEndpoint",
    "AsyncRecordingTransport",
    "HttpProxy",
    "Limits",
    "Proxy",
    "ProxySettings",
    "RecordingTransport",
    "RunKeys",
    "Tally",
    "UpstreamAddress",
    "UpstreamSettings",
    "listen",
]
