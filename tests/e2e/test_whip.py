"""WHIP clients through the gateway and the relay, to a backend that knows JSON alone."""

import json
import sys
from pathlib import Path

import pytest

from network import RELAY_CLIENT_SIDE, Network
from process import Process
from turnpike import API_KEY, PASSWORD, REPOSITORY, USER, Turnpike

PROGRAM = Path(__file__).with_name("whip_client.py")
OFFERS = REPOSITORY / "tests" / "offers"


def test_publishes_and_ends_its_session(network: Network, turnpike: Turnpike) -> None:
    since = len(turnpike.log_lines())

    summary = publish(network, turnpike, API_KEY, "?user_id=whip%20user")

    assert summary["status"] == 201, summary
    assert summary["headers"]["content-type"] == "application/sdp"
    assert summary["frames"] == PREDICTIONS
    # The backend's API has no place for later candidates.
    assert (summary["patched"], summary["deleted"], summary["deleted_again"]) == (405, 200, 404)
    record = turnpike.log_record("offer answered", since, user_id="whip user")
    assert (record["key"], record["status"]) == ("app", 201)
    session = summary["headers"]["location"].removeprefix("/whip/")
    assert session == record["session"] == summary["headers"]["x-session-id"]
    assert turnpike.log_record("session ended", since, session=session)["reason"] == "client"


def test_refuses_a_token_that_is_no_key(network: Network, turnpike: Turnpike) -> None:
    summary = publish(network, turnpike, "not-the-key-0123456789", "")

    assert summary["status"] == 401
    assert json.loads(summary["body"])["code"] == "api_key_invalid"


@pytest.mark.parametrize("offer", ["aiortc", "chromium", "firefox", "libwebrtc", "libdatachannel", "obs", "werift"])
def test_the_backend_answers_offers_of_real_clients(offer: str, network: Network, turnpike: Turnpike) -> None:
    sdp = (OFFERS / f"{offer}.sdp").read_bytes()
    headers = {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/sdp"}

    answer = network.client.request("POST", RELAY_CLIENT_SIDE, turnpike.ports.gateway, "/whip", sdp, headers)

    assert answer.status == 201, answer
    assert answer.body.startswith(b"v=0\r\n")


def publish(network: Network, turnpike: Turnpike, token: str, query: str) -> dict:
    """Runs the WHIP client on the client host and returns what it saw."""
    command = network.client.command(
        sys.executable,
        str(PROGRAM),
        *("--url", f"http://{RELAY_CLIENT_SIDE}:{turnpike.ports.gateway}/whip{query}"),
        *("--token", token),
        *("--turn", f"turn:{RELAY_CLIENT_SIDE}:{turnpike.ports.turn}"),
        *("--turn-user", USER),
        *("--turn-password", PASSWORD),
        *("--predictions", str(PREDICTIONS)),
    )
    with Process(command) as client:
        exit_code = client.wait(CLIENT_SECONDS)
        assert exit_code == 0, client.stderr.text()
        return json.loads(client.stdout.text())


PREDICTIONS = 30
CLIENT_SECONDS = 60
