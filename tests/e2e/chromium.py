"""Runs Chromium on a host of the test network, by the scripts of `browser/`."""

import json
import os
import subprocess
from pathlib import Path

from network import Namespace, require_tool

BROWSER = Path(__file__).resolve().parent / "browser"


def command(host: Namespace, script: str, settings: dict) -> list[str]:
    """Returns the command line of a script on this host."""
    require_tool("node", package="nodejs")
    require_tool("chromium", package="chromium")
    return host.command("node", str(BROWSER / script), json.dumps(settings))


def environment(home: Path) -> dict[str, str]:
    """Returns the tester's variables, with the home directory that says whom Chromium trusts."""
    return {**os.environ, "HOME": str(home)}


def run(host: Namespace, home: Path, script: str, settings: dict) -> dict:
    """Returns the summary that a script prints once it has ended by itself."""
    done = subprocess.run(
        command(host, script, settings),
        capture_output=True,
        text=True,
        env=environment(home),
        timeout=BROWSER_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# Some 5 s to start, 1 s to connect, and the seconds that a script is told to look.
BROWSER_SECONDS = 90
