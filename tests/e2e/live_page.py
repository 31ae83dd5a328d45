"""The live page in Chromium, on the host where the admin listener is."""

import json
import subprocess
from pathlib import Path

from chromium import command, environment
from network import Namespace


class LivePage:
    """An open page; the `with` block closes it."""

    def __init__(self, host: Namespace, home: Path, port: int, **settings: object) -> None:
        page = {"page": f"http://127.0.0.1:{port}/"} | settings
        self._process = subprocess.Popen(
            command(host, "admin.mjs", page),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(home),
        )

    def __enter__(self) -> "LivePage":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        try:
            self._process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def do(self, action: str, **arguments: object) -> dict:
        """Has the page do something, and returns what it shows then."""
        self._process.stdin.write(json.dumps({"do": action} | arguments) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the page has ended, with {self._process.poll()}"
        shown = json.loads(line)
        assert shown["complaints"] == [], shown["complaints"]
        return shown


CLOSE_SECONDS = 15
