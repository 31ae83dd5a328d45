"""`turnpike demo` as a newcomer starts it, and what it prints."""

import json
import re
from pathlib import Path

from eventually import eventually
from network import Namespace
from process import Process
from turnpike import binary, environment, samples


class Demo:
    """A running demo on a host of its own network; everything of it is on 127.0.0.1 there."""

    def __init__(self, host: Namespace) -> None:
        self._host = host
        self._process = Process(
            host.command(str(binary()), "demo"),
            env=environment(),
        )

    def __enter__(self) -> "Demo":
        try:
            ready = self._process.stdout.wait_for(lambda line: line.startswith("Ctrl+C"), START_SECONDS)
            assert ready is not None, self._process.stderr.text()
        except BaseException:
            self._process.stop()
            raise
        self.key = self._printed(r"  API key +(\S+)$")
        self.page = self._printed(r"  Page +(\S+)#key=\S+$")
        self.password = self._printed(r"  TURN_USERNAME=demo TURN_CREDENTIAL=(\S+) ")
        self.certificate = Path(self._printed(r" trust (\S+)$"))
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()

    @property
    def sessions(self) -> str:
        """Where the sessions of the admin API are."""
        return self._printed(r"  Sessions +(\S+)$")

    def log_lines(self) -> list[str]:
        """Returns the log until now."""
        return self._process.stderr.all()

    def has_ended(self) -> bool:
        """Whether it is gone."""
        return self._process.has_ended()

    def metric(self, name: str, **labels: str) -> float:
        """Returns the sum of the samples of that name that carry these labels; 0 when there are none."""
        response = self._host.request("GET", "127.0.0.1", 9090, "/metrics")
        assert response.status == 200, response
        return samples(response.body.decode(), name, **labels)

    def post_offer(self, sdp: str) -> tuple[int, str]:
        """Returns the status and the body of the answer to an offer."""
        body = json.dumps({"sdp": sdp, "type": "offer"}).encode()
        headers = {"api-key": self.key, "content-type": "application/json"}
        response = self._host.request("POST", "127.0.0.1", 8080, "/skin/webrtc/offer", body, headers)
        return response.status, response.body.decode()

    def client_settings(self, port: int = 3478) -> dict[str, str | None]:
        """Returns what the Python client is told on the page of text."""
        return {
            "TURN_SERVER_URL": "127.0.0.1",
            "TURN_SERVER_PORT": str(port),
            "TURN_SERVER_PROTOCOL": "turn",
            "TURN_SERVER_TRANSPORT": "",
            "TURN_USERNAME": "demo",
            "TURN_CREDENTIAL": self.password,
            "SERVER_URL": "http://127.0.0.1:8080/skin/webrtc/offer",
            "CLIENT_FPS": "30",
            "API_KEY": self.key,
            "USER_ID": None,
        }

    def assert_nobody_is_served(self) -> None:
        """Waits until the embedded backend has let go of all clients."""

        def look() -> None:
            assert self.metric("turnpike_embedded_clients") == 0

        eventually(look, seconds=LEAVE_SECONDS)

    def _printed(self, pattern: str) -> str:
        for line in self._process.stdout.all():
            if found := re.search(pattern, line.rstrip("\n")):
                return found[1]
        raise AssertionError(f"the demo has not printed {pattern}:\n{''.join(self._process.stdout.all())}")


START_SECONDS = 30
# The backend takes a client for gone after 16 s of silence.
LEAVE_SECONDS = 40
