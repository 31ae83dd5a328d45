"""Traces: from the offer to the end of its relay session, at a collector that reads with Google's protobuf."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from certificate import Certificate
from eventually import eventually
from inference_backend import Backend
from network import BACKEND_ADDRESS, CLIENT_ADDRESS, Network
from process import Process
from python_client import Client, default_settings
from turnpike import API_KEY, PASSWORD, REST_SECRET, Ports, Turnpike

SERVICE = Path(__file__).parent / "otlp_collector.py"
USER_ID = "a-person-with-a-name"


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    folder = tmp_path / "collector"
    folder.mkdir()
    return Certificate(folder, "127.0.0.1")


@pytest.fixture
def collector(network: Network, certificate: Certificate) -> Iterator[Process]:
    arguments = [str(PORT), TOKEN, str(certificate.file), str(certificate.key_file)]
    with Process(network.relay.command(sys.executable, str(SERVICE), *arguments)) as collector:
        yield collector


def test_one_trace_from_the_offer_to_the_end_of_its_relay_session(
    network: Network, backend: Backend, collector: Process, tmp_path: Path
) -> None:
    with Turnpike(network.relay, tmp_path, change=with_traces) as turnpike:
        settings = default_settings(user_id=USER_ID)
        with Client(network.client, tmp_path, settings, "--predictions", "100", "--seconds", "60") as client:
            assert client.outcome().exit_code == 0
        offer = turnpike.log_record("offer answered")
        ended = turnpike.log_record("session ended")
        # The collector comes into being at the same time; until then spans wait.
        eventually(lambda: only(collector, "session", offer["trace_id"]), seconds=30)
        spans = spans_of(collector, offer["trace_id"])
        eventually(lambda: assert_exported(turnpike, len(all_spans(collector))))

        folder = tmp_path / "second"
        folder.mkdir()
        going_on, lines = default_settings(user_id="ben"), len(turnpike.log_lines())
        with Client(network.client, folder, going_on, "--predictions", "100000", "--seconds", "60"):
            cut_off = turnpike.log_record("offer answered", since=lines)["trace_id"]
            eventually(lambda: assert_media(turnpike))
            turnpike.stop()

    request, attempt, session = (only(collector, name, offer["trace_id"]) for name in (OFFER, "POST", "session"))
    allocations = [span for span in spans if span["name"] == "allocation"]
    assert {span["name"] for span in spans} == {OFFER, "POST", "session", "allocation"}
    assert [request["kind"], attempt["kind"], session["kind"]] == [
        "SPAN_KIND_SERVER",
        "SPAN_KIND_CLIENT",
        "SPAN_KIND_INTERNAL",
    ]
    assert request["parent"] == "" and request["attributes"]["http.response.status_code"] == 200
    assert attempt["parent"] == session["parent"] == request["id"]
    assert attempt["attributes"]["server.address"] == BACKEND_ADDRESS
    assert attempt["attributes"]["server.port"] == Ports().backend
    assert allocations and all(span["parent"] == session["id"] for span in allocations)
    assert not any(span["has_failed"] for span in spans)

    # It is the session of the log, byte for byte, and takes as long.
    attributes = session["attributes"]
    assert attributes["turnpike.session.id"] == ended["session"] and ended["trace_id"] == offer["trace_id"]
    for name in ("packets_to_peer", "bytes_to_peer", "packets_to_client", "bytes_to_client"):
        assert attributes[f"turnpike.relay.{name}"] == ended[name], name
        assert sum(span["attributes"][f"turnpike.relay.{name}"] for span in allocations) == ended[name], name
    assert ended["bytes_to_peer"] > 0 and attributes["turnpike.session.end_reason"] == ended["reason"] == "relay"
    assert attributes["turnpike.media.client.loss_ratio"] < 0.5
    assert abs((session["ended"] - session["began"]) * 1000 - ended["duration_ms"]) < 1000
    milestones = [session["events"][name] for name in ("claimed", "connected", "media")]
    assert session["began"] <= milestones[0] <= milestones[1] <= milestones[2] <= session["ended"]
    assert request["began"] <= attempt["began"] <= attempt["ended"] <= request["ended"] <= session["ended"]

    assert only(collector, "session", cut_off)["attributes"]["turnpike.session.end_reason"] == "shutdown"
    assert session["sender"]["service.name"] == "turnpike"
    assert attributes["user.id"].startswith("#")
    text = "".join(collector.stdout.all())
    for hidden in (API_KEY, PASSWORD, REST_SECRET, TOKEN, USER_ID, CLIENT_ADDRESS, "a=candidate", "ice-pwd"):
        assert hidden not in text, hidden


@pytest.mark.usefixtures("certificate")
def test_offers_need_no_collector(network: Network, backend: Backend, tmp_path: Path) -> None:
    with Turnpike(network.relay, tmp_path, change=with_traces) as turnpike:
        settings = default_settings()
        with Client(network.client, tmp_path, settings, "--predictions", "20", "--seconds", "30") as client:
            assert client.outcome().exit_code == 0
        failure = turnpike.log_record("the collector of traces fails; spans wait, and some may be lost")
    assert failure["level"] == "WARN"
    messages = [json.loads(line)["message"] for line in turnpike.log_lines()]
    assert messages.count(failure["message"]) == 1
    assert messages.count("turnpike stops while the collector of traces fails") == 1


def with_traces(config: str) -> str:
    level = 'level = "info"\n'
    assert config.count(level) == 1
    return config.replace(level, f'{level}addresses = "hash"\nuser_ids = "hash"\n') + TRACES


def all_spans(collector: Process) -> list[dict]:
    return [json.loads(line) for line in collector.stdout.all()]


def spans_of(collector: Process, trace: str) -> list[dict]:
    return [span for span in all_spans(collector) if span["trace"] == trace]


def only(collector: Process, name: str, trace: str) -> dict:
    """Returns the one span of that name in a trace."""
    spans = [span for span in spans_of(collector, trace) if span["name"] == name]
    assert len(spans) == 1, spans
    return spans[0]


def assert_exported(turnpike: Turnpike, spans: int) -> None:
    assert turnpike.metric("turnpike_traces_spans_exported_total") == spans
    assert turnpike.metric("turnpike_traces_spans_lost_total") == 0


def assert_media(turnpike: Turnpike) -> None:
    assert turnpike.metric("turnpike_sessions", state="media") == 1


OFFER = "POST /skin/webrtc/offer"
PORT = 4318
TOKEN = "collector-token-0123456789abcdef"
TRACES = f"""
[traces]
endpoint = "https://127.0.0.1:{PORT}/v1/traces"
ca_file = "collector/tls.crt"
[[traces.headers]]
name = "authorization"
value = "Bearer {TOKEN}"
"""
