"""The live page in Chromium, on the host where the admin listener is."""

import json
import os
import subprocess
from pathlib import Path

from network import Namespace, require_tool

BROWSER = Path(__file__).resolve().parent / "browser"


class LivePage:
    """An open page; the `with` block closes it."""

    def __init__(self, host: Namespace, home: Path, port: int, **settings: object) -> None:
        require_tool("node", package="nodejs")
        require_tool("chromium", package="chromium")
        page = {"page": f"http://127.0.0.1:{port}/"} | settings
        self._process = subprocess.Popen(
            host.command("node", str(BROWSER / "admin.mjs"), json.dumps(page)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "HOME": str(home)},
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

    def do(self, command: str, **arguments: object) -> dict:
        """Has the page do something, and returns what it shows then."""
        self._process.stdin.write(json.dumps({"do": command} | arguments) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the page has ended, with {self._process.poll()}"
        shown = json.loads(line)
        assert shown["complaints"] == [], shown["complaints"]
        return shown


CLOSE_SECONDS = 15
