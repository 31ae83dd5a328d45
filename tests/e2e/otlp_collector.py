"""A collector of traces: takes OTLP by HTTPS, and prints each span as a line."""

import json
import os
import ssl
import sys
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status


class Handler(BaseHTTPRequestHandler):
    """Takes whatever comes with the right token."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        is_known = self.headers["authorization"] == f"Bearer {TOKEN}"
        if is_known and self.path == "/v1/traces" and self.headers["content-type"] == "application/x-protobuf":
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                sender = attributes(resource.resource.attributes)
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        # In one piece: requests come at once, each to a thread of its own.
                        os.write(1, f"{json.dumps(shown(span) | {'sender': sender})}\n".encode())
        self.send_response(200 if is_known else 401)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def shown(span: Span) -> dict:
    """Returns a span as a test looks at it."""
    return {
        "name": span.name,
        "kind": Span.SpanKind.Name(span.kind),
        "trace": span.trace_id.hex(),
        "id": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "began": span.start_time_unix_nano / 1e9,
        "ended": span.end_time_unix_nano / 1e9,
        "attributes": attributes(span.attributes),
        "events": {event.name: event.time_unix_nano / 1e9 for event in span.events},
        "has_failed": span.status.code == Status.STATUS_CODE_ERROR,
    }


def attributes(pairs: Iterable[KeyValue]) -> dict:
    """Returns attributes by their names."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


if __name__ == "__main__":
    PORT, TOKEN, CERTIFICATE, KEY = int(sys.argv[1]), *sys.argv[2:]
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Handler)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(CERTIFICATE, KEY)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.serve_forever()
