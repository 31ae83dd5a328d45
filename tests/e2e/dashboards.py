"""The dashboards of `deploy/grafana`, and what they ask Prometheus."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from turnpike import REPOSITORY

FOLDER = REPOSITORY / "deploy" / "grafana"
FILES = sorted(FOLDER.glob("*.json"))


@dataclass(frozen=True)
class Question:
    """An expression of a dashboard, with the place where it stands."""

    dashboard: str
    panel: str
    legend: str
    expression: str

    def filled_in(self) -> str:
        """Returns the expression as Grafana would send it, for everything over the last minute."""
        expression = self.expression.replace("$__rate_interval", RATE_INTERVAL)
        return re.sub(r"\$(job|instance)\b", ".*", expression)


def load(file: Path) -> dict:
    """Returns a dashboard."""
    return json.loads(file.read_text())


def panels(dashboard: dict) -> list[dict]:
    """Returns the panels that show something; rows are headings."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def questions(file: Path) -> Iterator[Question]:
    """Yields every expression of a dashboard."""
    dashboard = load(file)
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield Question(file.stem, panel["title"], target["legendFormat"], target["expr"])
    for annotation in dashboard["annotations"]["list"]:
        if "expr" in annotation:
            yield Question(file.stem, annotation["name"], "", annotation["expr"])


def all_questions() -> list[Question]:
    """Returns every expression of every dashboard."""
    return [question for file in FILES for question in questions(file)]


# Longer than a test takes, so that everything that it did counts.
RATE_INTERVAL = "1m"
