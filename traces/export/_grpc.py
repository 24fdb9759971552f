"""OTLP/gRPC: one call of `TraceService/Export`. When to repeat it is not decided here."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from .._errors import InputError
from ._answer import Accepted, Answer, read_grpc_answer
from ._destination import Destination
from ._http import HttpSender
from ._profile import FurtherRequest

__all__ = ["GrpcSender"]

_METHOD: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_STATUS_DETAILS: Final = "grpc-status-details-bin"
_OPTIONS: Final = (
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_retries", 0),
    # The channel comes back by itself; our own pauses are what counts.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


class GrpcSender:
    """Calls one destination, over one channel that is kept."""

    def __init__(self, destination: Destination) -> None:
        """Read the certificates.

        Raises:
            InputError: they cannot be read.
        """
        self._destination = destination
        self._metadata = tuple(destination.headers.items())
        self._compression = grpc.Compression.Gzip if destination.compression else grpc.Compression.NoCompression
        parts = urlsplit(destination.url)
        if parts.scheme == "https":
            target = f"{parts.netloc}" if parts.port else f"{parts.netloc}:443"
            self._channel = grpc.secure_channel(target, _credentials(destination), options=_OPTIONS)
        else:
            target = f"{parts.netloc}" if parts.port else f"{parts.netloc}:4317"
            self._channel = grpc.insecure_channel(target, options=_OPTIONS)
        self._export = self._channel.unary_unary(
            _METHOD, request_serializer=None, response_deserializer=ExportTraceServiceResponse.FromString
        )
        self._further: HttpSender | None = None

    def send(self, body: bytes) -> Answer:
        """Send spans; a fault of the transport is a `Retry`."""
        try:
            answer = self._export(
                body, timeout=self._destination.timeout, metadata=self._metadata, compression=self._compression
            )
        except grpc.RpcError as error:
            metadata = error.trailing_metadata() or ()
            return read_grpc_answer(error.code().name, error.details() or "", _retry_delay(metadata))
        partial = answer.partial_success
        return Accepted(rejected_spans=partial.rejected_spans, message=partial.error_message)

    def ask(self, request: FurtherRequest) -> Answer:
        """Make a request of a profile, by HTTP."""
        self._further = self._further or HttpSender(self._destination)
        return self._further.ask(request)

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()
        if self._further:
            self._further.close()


def _retry_delay(metadata: Iterable[Any]) -> float | None:
    """Seconds, of the `RetryInfo` in an error's details; None if there is none."""
    details = next((value for name, value in metadata if name == _STATUS_DETAILS), None)
    if not isinstance(details, bytes):
        return None
    try:
        for detail in Status.FromString(details).details:
            info = RetryInfo()
            if detail.Unpack(info):
                return float(info.retry_delay.seconds + info.retry_delay.nanos / 1e9)
    except DecodeError:
        return None
    return None


def _credentials(destination: Destination) -> Any:
    def read(path: str | None) -> bytes | None:
        return Path(path).read_bytes() if path else None

    try:
        return grpc.ssl_channel_credentials(
            root_certificates=read(destination.certificate),
            private_key=read(destination.client_key),
            certificate_chain=read(destination.client_certificate),
        )
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read: {error.strerror}") from error
