"""A real Prometheus understands the dashboards and the rules, and has data for them after one session with video."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboards import FILES, Question, all_questions, load
from eventually import eventually
from inference_backend import Backend
from network import RELAY_CLIENT_SIDE, Network
from prometheus import Prometheus
from python_client import Client, default_settings
from turnpike import API_KEY, Turnpike


@pytest.fixture(scope="module")
def turnpike(network: Network, backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Turnpike]:
    """Has records and a key that expires, unlike that of the other tests."""
    folder = tmp_path_factory.mktemp("turnpike")
    with Turnpike(network.relay, folder, change=lambda config: config + MORE.format(folder=folder)) as turnpike:
        yield turnpike


@pytest.fixture(scope="module")
def prometheus(
    network: Network, turnpike: Turnpike, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """Has seen a session from before its beginning to its end, and offers that are refused."""
    folder = tmp_path_factory.mktemp("prometheus")
    with Prometheus(network.relay, folder) as prometheus:
        # Counts grow only from what they were at the first scrape.
        wait_until_seen(prometheus, "turnpike_build_info")
        send_malformed_offer(network)
        with Client(network.client, folder, default_settings(user_id="ann"), *FIFTY_PREDICTIONS) as client:
            outcome = client.outcome()
        assert outcome.exit_code == 0, outcome.stderr
        wait_until_seen(prometheus, 'turnpike_gateway_requests_total{status="422"} >= 1')
        # Its flaw has a series from then on.
        send_malformed_offer(network)
        wait_until_seen(prometheus, "sum(turnpike_gateway_sdp_refused_total) >= 2")
        wait_until_seen(prometheus, "sum(turnpike_sessions_ended_total) >= 1")
        wait_until_seen(prometheus, "turnpike_records_written_total >= 1")
        yield prometheus


def test_scrapes_turnpike_as_the_example_says(prometheus: Prometheus) -> None:
    (target,) = prometheus.api("targets")["activeTargets"]

    assert (target["labels"]["job"], target["health"], target["lastError"]) == ("turnpike", "up", "")


def test_answers_every_panel(prometheus: Prometheus) -> None:
    questions = all_questions()
    silent = {question for question in questions if not prometheus.values(question.filled_in())}
    excused = {question for question in silent if reasons(question)}

    assert len(questions) > 100
    assert not [str(question) for question in silent - excused]
    # A reason that holds no more has to go.
    assert {reason for question in excused for reason in reasons(question)} == set(WITHOUT_DATA.values())


def test_legends_name_labels_that_series_have(prometheus: Prometheus) -> None:
    for question in all_questions():
        named = set(re.findall(r"{{(\w+)}}", question.legend))
        for labels, _ in prometheus.series(question.filled_in()):
            assert named <= labels.keys(), question


def test_panels_show_what_has_happened(prometheus: Prometheus) -> None:
    seen: dict[tuple[str, str, str], list[float]] = {}
    for question in all_questions():
        place = (question.dashboard, question.panel, question.legend)
        if place in HAPPENED:
            seen[place] = prometheus.values(question.filled_in())

    assert seen.keys() == HAPPENED
    assert not [place for place, values in seen.items() if not max(values) > 0], seen


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_variables_have_values(file: Path, prometheus: Prometheus) -> None:
    variables = {variable["name"]: variable for variable in load(file)["templating"]["list"]}

    assert variables.keys() == {"datasource", "job", "instance"}
    for name, only in (("job", "turnpike"), ("instance", "127.0.0.1:9090")):
        selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variables[name]["query"]["query"]).groups()
        assert prometheus.api(f"label/{label}/values", match=selector.replace("$job", ".*")) == [only]


def test_every_rule_is_healthy(prometheus: Prometheus) -> None:
    def rules() -> list[dict]:
        found = [rule for group in prometheus.api("rules")["groups"] for rule in group["rules"]]
        assert all(rule["health"] != "unknown" for rule in found), "not all were evaluated yet"
        return found

    unhealthy = [rule for rule in eventually(rules) if rule["health"] != "ok" or rule.get("lastError")]
    assert not unhealthy


def test_recording_rules_have_data(prometheus: Prometheus) -> None:
    rules = [rule for group in prometheus.api("rules")["groups"] for rule in group["rules"]]
    recorded = {rule["name"] for rule in rules if rule["type"] == "recording"}

    for name in recorded:
        wait_until_seen(prometheus, name)


def test_certificate_that_expires_tomorrow_raises_its_alert_alone(prometheus: Prometheus) -> None:
    def firing() -> set[str]:
        names = {alert["labels"]["alertname"] for alert in prometheus.api("alerts")["alerts"] if is_firing(alert)}
        assert names, "nothing fires"
        return names

    # All else is well: an alert that fires here fires everywhere.
    assert eventually(firing) == {"TurnpikeCertificateExpires"}


def is_firing(alert: dict) -> bool:
    return alert["state"] == "firing"


def reasons(question: Question) -> list[str]:
    """Returns why a question may have no answer here."""
    return [reason for pattern, reason in WITHOUT_DATA.items() if pattern in question.expression]


def wait_until_seen(prometheus: Prometheus, expression: str) -> None:
    """Waits until an expression has data."""

    def look() -> None:
        assert prometheus.values(expression), expression

    eventually(look, seconds=SCRAPE_SECONDS)


def send_malformed_offer(network: Network) -> None:
    """Sends an offer whose SDP no backend could answer."""
    body = json.dumps({"sdp": "v=0\r\n", "type": "offer"}).encode()
    headers = {"api-key": API_KEY, "content-type": "application/json"}
    response = network.client.request("POST", RELAY_CLIENT_SIDE, 8080, "/skin/webrtc/offer", body, headers)
    assert response.status == 422, response


MORE = """
[[gateway.keys]]
id = "app-expires"
key = "expiring-key-0123456789abcdef"
expires_at = "2099-01-01T00:00:00Z"

[records]
database = "{folder}/records.db"
[records.file]
path = "{folder}/records.jsonl"
"""
FIFTY_PREDICTIONS = ("--predictions", "50", "--seconds", "60")
# What an expression has in it that has no data here, and why.
WITHOUT_DATA = {
    "turnpike_auth_hook_duration_seconds": "no user comes whom only the auth hook knows",
    "turnpike_embedded_detection_duration_seconds": "the backend is not the embedded one, which measures this",
    "turnpike_embedded_latency_seconds": "the backend is not the embedded one, which measures that",
    "turnpike_gateway_backend_certificate_expiry_timestamp_seconds": "the backend is shown no certificate",
    'turnpike_gateway_backend_state{job=~"$job", instance=~"$instance", state!="healthy"}': "no backend is out",
    "changes(process_start_time_seconds": "nothing starts anew",
}
# What is above zero after a session: names of labels and their values that do not exist would be zero, or nothing.
HAPPENED = {
    ("overview", "Relayed", ""),
    ("overview", "Offers", "answered"),
    ("overview", "Offers", "refused"),
    ("overview", "Offers p99", ""),
    ("overview", "Alerts firing", ""),
    ("overview", "Bit rate", "{{direction}}"),
    ("overview", "Busiest worker", "{{instance}}"),
    ("overview", "Share of the biggest user", "{{instance}}"),
    ("relay", "TURN responses", "{{code}}"),
    ("relay", "CPU of the workers", "{{instance}} {{worker}}"),
    ("relay", "Packets per receive call", "{{instance}}"),
    ("relay", "401 and 438 per allocation", "{{code}}"),
    ("relay", "Allocations begun and ended", "begun"),
    ("relay", "Allocations begun and ended", "{{reason}}"),
    ("sessions", "Sessions begun and ended", "begun"),
    ("sessions", "Sessions begun and ended", "{{reason}}"),
    ("sessions", "Biggest users", "{{rank}}"),
    ("sessions", "Time to media", "p95"),
    ("sessions", "Sessions that get there", "{{milestone}}"),
    ("sessions", "Frames a second", "{{leg}} p50"),
    ("sessions", "Records delivered", "{{taker}} {{result}}"),
    ("gateway", "SDP refused", "{{flaw}}"),
    ("gateway", "Backend requests", "{{backend}} {{outcome}}"),
    ("gateway", "Backend latency", "{{backend}} p95"),
    ("gateway", "Time since keys were used", "{{key}}"),
}
# A scrape a second, and as much for a busy machine.
SCRAPE_SECONDS = 20
