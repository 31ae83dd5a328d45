"""Chromium streams its fake camera through the relay, by every way that it knows to a TURN server."""

import json
import subprocess
from pathlib import Path

from network import RELAY_CLIENT_SIDE, Network, require_tool
from turnpike import API_KEY, PASSWORD, USER, Turnpike

BROWSER = Path(__file__).resolve().parent / "browser"


def test_streams_over_udp(network: Network, turnpike: Turnpike) -> None:
    before = turnpike.metric("turnpike_relay_bytes_total", direction="to_peer")

    summary = stream(network, turnpike, f"turn:{RELAY_CLIENT_SIDE}:3478?transport=udp")

    assert_streamed(summary, relay_protocol="udp")
    assert turnpike.metric("turnpike_relay_bytes_total", direction="to_peer") - before >= summary["bytesSent"]
    record = turnpike.log_record("offer answered", user_id="chromium")
    assert (record["key"], record["status"]) == ("app", 200)


def test_is_told_that_its_password_is_wrong(network: Network, turnpike: Turnpike) -> None:
    summary = stream(network, turnpike, f"turn:{RELAY_CLIENT_SIDE}:3478?transport=udp", password="looking-glass")

    assert summary["candidates"] == 0
    assert {error["errorCode"] for error in summary["candidateErrors"]} == {401}, summary


def assert_streamed(summary: dict, relay_protocol: str) -> None:
    """Asserts a session over the relay whose predictions came."""
    assert (summary["candidateType"], summary["relayProtocol"]) == ("relay", relay_protocol), summary
    assert summary["predictions"] >= PREDICTIONS, summary


def stream(network: Network, turnpike: Turnpike, url: str, password: str = PASSWORD) -> dict:
    """Returns Chromium's summary of a session that may use this TURN server and nothing else."""
    require_tool("node", package="nodejs")
    require_tool("chromium", package="chromium")
    settings = {
        "iceServers": [{"urls": [url], "username": USER, "credential": password}],
        "offerUrl": f"http://{RELAY_CLIENT_SIDE}:{turnpike.ports.gateway}/skin/webrtc/offer",
        "apiKey": API_KEY,
        "userId": "chromium",
        "predictions": PREDICTIONS,
    }
    done = subprocess.run(
        network.client.command("node", str(BROWSER / "stream.mjs"), json.dumps(settings)),
        capture_output=True,
        text=True,
        timeout=BROWSER_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


PREDICTIONS = 30
# Some 5 s to start, 1 s to connect, 1 s of video.
BROWSER_SECONDS = 90
