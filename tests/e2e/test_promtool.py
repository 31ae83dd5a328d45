"""Prometheus's own checker accepts the metrics."""

import subprocess

from network import require_tool
from turnpike import Turnpike


def test_metrics_are_well_formed(turnpike: Turnpike) -> None:
    require_tool("promtool", package="prometheus")

    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=turnpike.metrics_text(),
        capture_output=True,
        text=True,
        timeout=PROMTOOL_SECONDS,
    )

    assert done.returncode == 0, done.stdout + done.stderr


# It takes well under one.
PROMTOOL_SECONDS = 60
