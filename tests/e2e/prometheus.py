"""A real Prometheus on the relay host, which scrapes turnpike and evaluates the rules of `deploy/prometheus`."""

import json
import math
from pathlib import Path
from urllib.parse import urlencode

import yaml

from eventually import eventually
from network import Namespace, require_tool
from process import Process
from turnpike import REPOSITORY

EXAMPLE = REPOSITORY / "deploy" / "prometheus" / "prometheus.yml"


class Prometheus:
    """A running Prometheus; the `with` block ends it."""

    def __init__(self, host: Namespace, folder: Path) -> None:
        require_tool("prometheus", package="prometheus")
        self._host = host
        config = folder / "prometheus.yml"
        config.write_text(config_text())
        arguments = [
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{PORT}",
            "--log.level=warn",
        ]
        self._process = Process(host.command("prometheus", *arguments))

    def __enter__(self) -> "Prometheus":
        try:
            eventually(self._assert_ready, seconds=START_SECONDS)
        except BaseException:
            self._process.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()

    def log_lines(self) -> list[str]:
        """Returns the log until now."""
        return self._process.stderr.all()

    def api(self, path: str, **parameters: str) -> object:
        """Returns the data of an answer of the HTTP API."""
        query = urlencode({name.replace("match", "match[]"): value for name, value in parameters.items()})
        response = self._host.request("GET", "127.0.0.1", PORT, f"/api/v1/{path}?{query}")
        answer = json.loads(response.body)
        assert answer["status"] == "success", f"{parameters}: {answer}"
        return answer["data"]

    def series(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Returns the labels and the values of an expression now, without those that are not a number."""
        data = self.api("query", query=expression)
        series = [(one["metric"], float(one["value"][1])) for one in data["result"]]
        return [(labels, value) for labels, value in series if not math.isnan(value)]

    def values(self, expression: str) -> list[float]:
        """Returns the values of an expression now, without those that are not a number."""
        return [value for _, value in self.series(expression)]

    def _assert_ready(self) -> None:
        if self._process.has_ended():
            raise RuntimeError(f"Prometheus ended before it was ready:\n{self._process.stderr.text()}")
        try:
            assert self._host.request("GET", "127.0.0.1", PORT, "/-/ready").status == 200
        except ConnectionError as error:
            raise AssertionError("Prometheus does not listen yet") from error


def config_text() -> str:
    """Returns the example that is shipped, which looks every second."""
    config = yaml.safe_load(EXAMPLE.read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(EXAMPLE.parent / file) for file in config["rule_files"]]
    return yaml.safe_dump(config)


# Beside turnpike's own 9090, as the example advises.
PORT = 9091
# It takes about one.
START_SECONDS = 30
