"""A service that is told of records: prints each message as a line, and takes it."""

import base64
import hashlib
import hmac
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Checks signatures as Standard Webhooks says."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        message_id, timestamp = self.headers["webhook-id"], self.headers["webhook-timestamp"]
        signed = hmac.digest(SECRET.encode(), f"{message_id}.{timestamp}.{body}".encode(), hashlib.sha256)
        is_right = self.headers["webhook-signature"] == f"v1,{base64.b64encode(signed).decode()}"
        message = json.dumps({"id": message_id, "is_right": is_right, "message": json.loads(body)})
        # In one piece: messages come at once, each to a thread of its own.
        os.write(1, f"{message}\n".encode())
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


PORT, SECRET = int(sys.argv[1]), sys.argv[2]
ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
