"""The gate: what a client may relay is what its offer and the answer say."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventually import eventually
from inference_backend import Backend
from network import BACKEND_ADDRESS, RELAY_CLIENT_SIDE, Network, require_tool
from process import Process
from python_client import Client, default_settings
from test_chromium import stream_through
from turnpike import API_KEY, PASSWORD, USER, Turnpike


@pytest.fixture(scope="module")
def turnpike(network: Network, backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Turnpike]:
    folder = tmp_path_factory.mktemp("turnpike")
    with Turnpike(network.relay, folder, change=close_the_gate) as turnpike:
        yield turnpike


def close_the_gate(config: str) -> str:
    backends = f'backends = ["{BACKEND_ADDRESS}"]'
    assert config.count(backends) == 1 and config.count("[turn.peers]") == 1
    return config.replace(backends, 'mode = "claim"').replace("[turn.peers]", '[turn.peers]\npolicy = "answer"')


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_an_offer_takes_the_place_of_credentials(
    transport: str, network: Network, turnpike: Turnpike, tmp_path: Path
) -> None:
    port = {"TURN_SERVER_PORT": str(turnpike.ports.anonymous), "TURN_SERVER_TRANSPORT": transport}
    settings = default_settings() | port | {"TURN_USERNAME": None, "TURN_CREDENTIAL": None}
    since = len(turnpike.log_lines())

    with Client(network.client, tmp_path, settings, *HUNDRED_PREDICTIONS) as client:
        outcome = client.outcome()

    assert outcome.exit_code == 0, outcome.stderr
    assert turnpike.log_record("allocation began", since)["username"] == "anonymous"
    session = turnpike.log_record("offer answered", since)["session"]
    assert turnpike.log_record("allocation claimed", since, result="claimed")["session"] == session
    assert turnpike.log_record("session ended", since, session=session)["reason"] == "relay"
    eventually(lambda: assert_none_on_trial(turnpike))


def test_the_relay_sees_how_the_media_goes(network: Network, turnpike: Turnpike, tmp_path: Path) -> None:
    since = len(turnpike.log_lines())

    with Client(network.client, tmp_path, default_settings(user_id="mia"), *HUNDRED_PREDICTIONS) as client:
        session = turnpike.log_record("offer answered", since, user_id="mia")["session"]
        eventually(lambda: assert_has_frames(turnpike, session), seconds=30)
        outcome = client.outcome()

    assert outcome.exit_code == 0, outcome.stderr
    ended = turnpike.log_record("session ended", since, session=session)
    assert ended["state"] == "media"
    assert ended["client_loss"] == 0.0
    assert 25 < ended["client_frame_rate"] < 32, ended
    assert turnpike.metric("turnpike_session_setup_seconds_count", milestone="media") >= 1


def test_credentials_need_an_offer_too(network: Network, turnpike: Turnpike, tmp_path: Path) -> None:
    since = len(turnpike.log_lines())

    with Client(network.client, tmp_path, default_settings(), *HUNDRED_PREDICTIONS) as client:
        outcome = client.outcome()

    assert outcome.exit_code == 0, outcome.stderr
    assert turnpike.log_record("allocation claimed", since, result="claimed")


def test_credentials_of_the_gateway_serve_one_session(network: Network, turnpike: Turnpike, tmp_path: Path) -> None:
    since = len(turnpike.log_lines())
    server = ice_servers(network, turnpike, "ann")[0]
    settings = default_settings(user_id="ann") | {
        "TURN_USERNAME": server["username"],
        "TURN_CREDENTIAL": server["credential"],
    }

    with Client(network.client, tmp_path, settings, *HUNDRED_PREDICTIONS) as client:
        outcome = client.outcome()

    assert outcome.exit_code == 0, outcome.stderr
    began = turnpike.log_record("allocation began", since)
    assert (began["user_id"], began["client_id"]) == ("ann", "app")
    assert "username" not in began
    session = turnpike.log_record("offer answered", since)["session"]
    assert turnpike.log_record("allocation claimed", since, result="claimed")["session"] == session
    assert turnpike.log_record("session ended", since, session=session)["bytes_to_peer"] > 0

    # Whoever has seen them on the wire, or kept them, gets nothing by it.
    with Client(network.client, tmp_path, settings, *HUNDRED_PREDICTIONS) as client:
        outcome = client.outcome()

    assert outcome.exit_code == 4, outcome.stderr
    assert turnpike.metric("turnpike_turn_allocations_refused_total", reason="grant_ended") > 0


def test_chromium_is_known_by_its_credentials(network: Network, turnpike: Turnpike, tmp_path: Path) -> None:
    since = len(turnpike.log_lines())

    summary = stream_through(network, turnpike, tmp_path, ice_servers(network, turnpike, "chromium"))

    assert summary["candidateType"] == "relay", summary
    assert summary["predictions"] > 0, summary
    assert turnpike.log_record("allocation began", since)["user_id"] == "chromium"
    assert turnpike.log_record("allocation claimed", since, result="claimed")


def test_a_turn_client_without_an_offer_reaches_nobody(network: Network, turnpike: Turnpike) -> None:
    require_tool("turnutils_uclient", package="coturn")
    before = turnpike.metric("turnpike_turn_responses_total", code="403")
    load = f"-e {BACKEND_ADDRESS} -r {PEER_PORT} -m 1 -n 10 -l 100 -p {turnpike.ports.turn}".split()
    with Process(network.backend.command("turnutils_peer", "-L", BACKEND_ADDRESS, "-p", str(PEER_PORT))):
        done = subprocess.run(
            network.client.command("turnutils_uclient", "-u", USER, "-w", PASSWORD, *load, RELAY_CLIENT_SIDE),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=UCLIENT_SECONDS,
        )

    assert done.returncode != 0, done.stdout
    assert turnpike.metric("turnpike_turn_responses_total", code="403") > before, done.stdout


def assert_has_frames(turnpike: Turnpike, session: str) -> None:
    shown = turnpike.admin(f"/admin/v1/sessions/{session}")
    assert shown["state"] == "media", shown
    client = shown.get("quality", {}).get("client", {})
    # What is not known yet is missing.
    assert {"frame_rate", "jitter_ms", "round_trip_ms"} <= client.keys(), shown
    assert client["lost"] == 0 and 25 < client["frame_rate"] < 35, shown
    assert client["jitter_ms"] < 30 and client["round_trip_ms"] < 1000, shown


def ice_servers(network: Network, turnpike: Turnpike, user_id: str) -> list[dict]:
    """Returns what the gateway hands out to the user."""
    path = f"/skin/webrtc/ice-servers?user_id={user_id}"
    headers = {"api-key": API_KEY}
    response = network.client.request("GET", RELAY_CLIENT_SIDE, turnpike.ports.gateway, path, headers=headers)
    assert response.status == 200, response
    return json.loads(response.body)["iceServers"]


def assert_none_on_trial(turnpike: Turnpike) -> None:
    assert turnpike.metric("turnpike_turn_allocations_anonymous") == 0


HUNDRED_PREDICTIONS = ("--predictions", "100", "--seconds", "60")
PEER_PORT = 3490
UCLIENT_SECONDS = 60
