"""A service that turnpike asks who TURN users are: the contract of docs/AUTH-HOOK.md in the standard library.

    python3 auth_hook.py --port 8100 --token 0123456789abcdef

Replace `find` by a look into your own accounts.
"""

import argparse
import hashlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PASSWORDS = {"dora": "explorer", "erin": "brockovich"}


def find(username: str, realm: str) -> dict | None:
    """Returns what turnpike is to be told of a user, or None for nobody."""
    password = PASSWORDS.get(username)
    if password is None:
        return None
    # The password itself would do as well: {"password": password}.
    key = f"{username}:{realm}:{password}".encode()
    return {"key": hashlib.md5(key).hexdigest(), "sha256_key": hashlib.sha256(key).hexdigest(), "ttl_seconds": 60}


class Handler(BaseHTTPRequestHandler):
    """Answers one question after the other on each connection."""

    protocol_version = "HTTP/1.1"
    token = ""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.headers["authorization"] != f"Bearer {self.token}":
            # turnpike takes this for a failure of the service, not for a refusal of the user.
            return self.reply(401, {})
        user = find(asked["username"], asked["realm"])
        self.reply(200, user) if user else self.reply(404, {})

    def reply(self, status: int, answer: dict) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8100)
    parser.add_argument("--token", required=True, help="the token of turn.auth_hook")
    arguments = parser.parse_args()
    Handler.token = arguments.token
    ThreadingHTTPServer((arguments.host, arguments.port), Handler).serve_forever()
