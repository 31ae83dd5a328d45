"""Prometheus's own checker accepts the metrics, the alert rules, and the rules' tests."""

import subprocess

from network import require_tool
from turnpike import REPOSITORY, Turnpike

RULES_FOLDER = REPOSITORY / "deploy" / "prometheus"


def test_metrics_are_well_formed(turnpike: Turnpike) -> None:
    run_promtool("check", "metrics", stdin=turnpike.metrics_text())


def test_rules_are_well_formed() -> None:
    run_promtool("check", "rules", *files("*.rules.yml"))


def test_rules_do_what_their_tests_say() -> None:
    run_promtool("test", "rules", *files("tests/*.yml"))


def files(pattern: str) -> list[str]:
    """Returns the files that match; there must be one."""
    found = sorted(map(str, RULES_FOLDER.glob(pattern)))
    assert found, f"no {pattern} in {RULES_FOLDER}"
    return found


def run_promtool(*arguments: str, stdin: str | None = None) -> None:
    """Runs promtool, which must find nothing to complain of."""
    require_tool("promtool", package="prometheus")
    done = subprocess.run(
        ["promtool", *arguments], input=stdin, capture_output=True, text=True, timeout=PROMTOOL_SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr


# It takes well under one.
PROMTOOL_SECONDS = 60
