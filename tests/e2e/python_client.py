"""Runs the Python client on the client host."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from network import RELAY_CLIENT_SIDE, Namespace
from process import Process
from turnpike import API_KEY, PASSWORD, REPOSITORY, USER, Ports

PROGRAM = REPOSITORY / "clients" / "python" / "turnpike_client.py"


@dataclass(frozen=True)
class Outcome:
    """How a client ended; the summary is empty when it printed none."""

    exit_code: int
    summary: dict
    stderr: str


class Client:
    """A running client with a synthetic source and no candidate but the relay's."""

    def __init__(self, host: Namespace, folder: Path, settings: dict[str, str | None], *arguments: str) -> None:
        env_file = folder / "client.env"
        env_file.write_text("".join(f"{name}={value}\n" for name, value in settings.items() if value is not None))
        flags = ["--headless", "--synthetic", "--relay-only", "--env-file", str(env_file)]
        self._process = Process(
            host.command(sys.executable, str(PROGRAM), *flags, *arguments),
            # The environment wins over the file, so nothing of the tester's own may be in it.
            env={name: value for name, value in os.environ.items() if name not in default_settings()},
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()

    def outcome(self) -> Outcome:
        """Waits until the client has ended by itself."""
        exit_code = self._process.wait(CLIENT_SECONDS)
        summary = json.loads(self._process.stdout.text() or "{}")
        return Outcome(exit_code, summary, self._process.stderr.text())


def default_settings(ports: Ports = Ports(), user_id: str | None = None) -> dict[str, str | None]:
    """Returns settings that work; None leaves a variable unset."""
    return {
        "TURN_SERVER_URL": RELAY_CLIENT_SIDE,
        "TURN_SERVER_PORT": str(ports.turn),
        "TURN_SERVER_PROTOCOL": "turn",
        "TURN_SERVER_TRANSPORT": "",
        "TURN_USERNAME": USER,
        "TURN_CREDENTIAL": PASSWORD,
        "SERVER_URL": f"http://{RELAY_CLIENT_SIDE}:{ports.gateway}/skin/webrtc/offer",
        "CLIENT_FPS": "30",
        "API_KEY": API_KEY,
        "USER_ID": user_id,
    }


# Above the client's own limits: 20 s to connect and the --seconds that a test asks for.
CLIENT_SECONDS = 120
