"""A collector on real sockets that can be told to fail: OTLP/HTTP (protobuf and JSON) and OTLP/gRPC.

It keeps what it took by span id. What it answered with a fault before it took the spans is not kept; what it took and then
failed to say so (cut in mid-answer, too slow) is, and must come again with the same ids.
"""

import base64
import contextlib
import gzip
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Literal

import grpc
import orjson
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import ParseDict
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

Fault = Literal[
    "503 with Retry-After",
    "429",
    "502",
    "400",
    "401",
    "413",
    "partial_success",
    "slow",
    "cut",
    "reset",
    "wrong content type",
]
SLOW_SECONDS: Final = 1.0
_JSON: Final = "application/json"
_PARTIAL: Final = ExportTracePartialSuccess(rejected_spans=1, error_message="one is odd")
_PROTOBUF_ANSWERS: Final = (b"", ExportTraceServiceResponse(partial_success=_PARTIAL).SerializeToString())
_JSON_ANSWERS: Final = (b"{}", b'{"partialSuccess":{"rejectedSpans":"1","errorMessage":"one is odd"}}')
_TEXT: Final = {"Content-Type": "text/plain"}
_REFUSALS: Final[dict[Fault | None, tuple[int, bytes, dict[str, str]]]] = {
    "503 with Retry-After": (503, b"told to fail", {**_TEXT, "Retry-After": "1"}),
    "429": (429, b"told to fail", _TEXT),
    "502": (502, b"told to fail", _TEXT),
    "400": (400, b"told to fail", _TEXT),
    "401": (401, b"told to fail", _TEXT),
    "413": (413, b"told to fail", _TEXT),
    "wrong content type": (200, b"<html>please log in</html>", {"Content-Type": "text/html"}),
}
_CODES: Final = {
    "503 with Retry-After": grpc.StatusCode.UNAVAILABLE,
    "429": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "502": grpc.StatusCode.UNAVAILABLE,
    "400": grpc.StatusCode.INVALID_ARGUMENT,
    "401": grpc.StatusCode.UNAUTHENTICATED,
    "413": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "slow": grpc.StatusCode.DEADLINE_EXCEEDED,
    "cut": grpc.StatusCode.DATA_LOSS,
    "reset": grpc.StatusCode.ABORTED,
    "wrong content type": grpc.StatusCode.UNIMPLEMENTED,
}


@dataclass
class Collected:
    """What came."""

    spans: Counter[str] = field(default_factory=Counter)
    """How often, by hex span id."""
    calls: set[str] = field(default_factory=set)
    """Span ids of model calls."""
    bodies: dict[str, bytes] = field(default_factory=dict)
    """Of each span, as it came first: a later one must be the same."""
    headers: list[dict[str, str]] = field(default_factory=list)
    requests: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    changed: set[str] = field(default_factory=set)
    """Span ids that came again with another content: there must be none."""

    def take(self, request: ExportTraceServiceRequest) -> None:
        for span in _spans(request):
            self._take_span(span)

    def _take_span(self, span: Any) -> None:
        span_id, body = span.span_id.hex(), span.SerializeToString(deterministic=True)
        self.spans[span_id] += 1
        if self.bodies.setdefault(span_id, body) != body:
            self.changed.add(span_id)
        kinds = [pair.value.string_value for pair in span.attributes if pair.key == "tachograph.span"]
        if kinds == ["call"]:
            self.calls.add(span_id)


def _spans(request: ExportTraceServiceRequest) -> Iterator[Any]:
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            yield from scope.spans


def _span_ids(request: ExportTraceServiceRequest) -> Iterator[str]:
    return (span.span_id.hex() for span in _spans(request))


def read_json(body: bytes) -> ExportTraceServiceRequest:
    """By the official classes, which want ids in base64 where OTLP/JSON has hex."""
    data = orjson.loads(body)
    for resource in data["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for key in ("traceId", "spanId", "parentSpanId"):
                    for holder in (span, *span.get("links", ())):
                        if key in holder:
                            holder[key] = base64.b64encode(bytes.fromhex(holder[key])).decode()
    request = ExportTraceServiceRequest()
    ParseDict(data, request)
    return request


class Collector:
    """One that is up from `start` to `stop`, and can be started again on the same port."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.collected = Collected()
        self.fault: Callable[[int], Fault | None] = lambda _: None
        """What befalls the request of that number, from 1."""
        self.most_bytes = 2**40
        """Of a body, before compression; 413 above."""
        self.odd: set[str] = set()
        """Span ids: a request with one of them is answered with 400."""
        self.port = 0
        self.tls = tls
        self.lock = threading.Lock()
        self.failed = threading.Event()
        """It has failed as it was told, once at least."""
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def start(self) -> "Collector":
        self._server = _Server(self)
        if self.tls:
            self._server.socket = self.tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def fault_of(self, request: ExportTraceServiceRequest, size: int) -> Fault | None:
        """The fault of a request that has come."""
        with self.lock:
            self.collected.requests += 1
            fault = self.fault(self.collected.requests) or ("413" if size > self.most_bytes else None)
            if not fault and self.odd and self.odd & set(_span_ids(request)):
                fault = "400"
            if fault:
                self.collected.faults[fault] += 1
                self.failed.set()
            return fault

    def keep(self, request: ExportTraceServiceRequest) -> None:
        with self.lock:
            self.collected.take(request)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        super().__init__(("127.0.0.1", collector.port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def handle(self) -> None:
        # The forwarder hangs up where a fault has it so.
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            super().handle()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        collector, kind = self.server.collector, self.headers["Content-Type"]
        collector.collected.headers.append({name.lower(): value for name, value in self.headers.items()})
        request = read_json(body) if kind == _JSON else ExportTraceServiceRequest.FromString(body)
        fault = collector.fault_of(request, len(body))
        if fault in _REFUSALS:
            self.answer(*_REFUSALS[fault])
        elif fault == "reset":
            self.close_connection = True
        else:
            collector.keep(request)
            self.accept(kind, fault)

    def accept(self, kind: str, fault: Fault | None) -> None:
        said = (_JSON_ANSWERS if kind == _JSON else _PROTOBUF_ANSWERS)[fault == "partial_success"]
        if fault == "slow":
            time.sleep(SLOW_SECONDS)
        if fault == "cut":
            self.close_connection = True
            self.answer(200, said, {"Content-Type": kind}, promised=len(said) + 10)
        else:
            self.answer(200, said, {"Content-Type": kind})

    def answer(self, status: int, body: bytes, headers: dict[str, str], promised: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if promised is None else promised))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class GrpcCollector(Collector):
    """The same by gRPC."""

    def start(self) -> "GrpcCollector":
        self._grpc = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        handlers = {
            "Export": grpc.unary_unary_rpc_method_handler(
                self._export,
                request_deserializer=ExportTraceServiceRequest.FromString,
                response_serializer=ExportTraceServiceResponse.SerializeToString,
            )
        }
        service = "opentelemetry.proto.collector.trace.v1.TraceService"
        self._grpc.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        self.port = self._grpc.add_insecure_port(f"127.0.0.1:{self.port}")
        self._grpc.start()
        return self

    def stop(self) -> None:
        self._grpc.stop(0).wait()

    def _export(self, request: ExportTraceServiceRequest, context: Any) -> ExportTraceServiceResponse:
        self.collected.headers.append(dict(context.invocation_metadata()))
        fault = self.fault_of(request, request.ByteSize())
        if fault in ("slow", "cut"):
            self.keep(request)
        if fault in ("429", "503 with Retry-After"):
            details = Status(code=_CODES[fault].value[0])
            details.details.add().Pack(RetryInfo(retry_delay=Duration(nanos=200_000_000)))
            context.set_trailing_metadata((("grpc-status-details-bin", details.SerializeToString()),))
        if fault in _CODES:
            context.abort(_CODES[fault], "told to fail")
        self.keep(request)
        if fault == "partial_success":
            return ExportTraceServiceResponse(partial_success=_PARTIAL)
        return ExportTraceServiceResponse()
