"""Chromium streams its fake camera through the relay, by every way that it knows to a TURN server."""

from pathlib import Path

import pytest

from browser_trust import trust
from chromium import run
from network import RELAY_CLIENT_SIDE, Network
from turnpike import API_KEY, PASSWORD, USER, Turnpike


@pytest.mark.parametrize("way", ["udp", "tcp", "tls"])
def test_streams(way: str, network: Network, turnpike: Turnpike, home: Path) -> None:
    before = turnpike.metric("turnpike_relay_bytes_total", direction="to_peer")
    since = len(turnpike.log_lines())
    trust(turnpike.certificate.file, home)

    summary = stream(network, turnpike, home, URLS[way])

    assert (summary["candidateType"], summary["relayProtocol"]) == ("relay", way), summary
    assert summary["predictions"] >= PREDICTIONS, summary
    assert turnpike.metric("turnpike_relay_bytes_total", direction="to_peer") - before >= summary["bytesSent"]
    record = turnpike.log_record("offer answered", since, user_id="chromium")
    assert (record["key"], record["status"]) == ("app", 200)
    # The page is of another origin than the gateway.
    assert turnpike.metric("turnpike_gateway_preflights_total", result="allowed") >= 1


def test_takes_no_certificate_that_it_does_not_trust(network: Network, turnpike: Turnpike, home: Path) -> None:
    summary = stream(network, turnpike, home, URLS["tls"])

    assert summary["candidates"] == 0
    assert {error["errorCode"] for error in summary["candidateErrors"]} == {701}, summary


def test_is_told_that_its_password_is_wrong(network: Network, turnpike: Turnpike, home: Path) -> None:
    summary = stream(network, turnpike, home, URLS["udp"], password="looking-glass")

    assert summary["candidates"] == 0
    assert {error["errorCode"] for error in summary["candidateErrors"]} == {401}, summary


def stream(network: Network, turnpike: Turnpike, home: Path, url: str, password: str = PASSWORD) -> dict:
    """Returns Chromium's summary of a session that may use this TURN server and nothing else."""
    return stream_through(network, turnpike, home, [{"urls": [url], "username": USER, "credential": password}])


def stream_through(network: Network, turnpike: Turnpike, home: Path, ice_servers: list[dict]) -> dict:
    """The same for a list of servers, as RTCPeerConnection takes it."""
    settings = {
        "iceServers": ice_servers,
        "offerUrl": f"http://{RELAY_CLIENT_SIDE}:{turnpike.ports.gateway}/skin/webrtc/offer",
        "apiKey": API_KEY,
        "userId": "chromium",
        "predictions": PREDICTIONS,
    }
    return run(network.client, home, "stream.mjs", settings)


URLS = {
    "udp": f"turn:{RELAY_CLIENT_SIDE}:3478?transport=udp",
    "tcp": f"turn:{RELAY_CLIENT_SIDE}:3478?transport=tcp",
    "tls": f"turns:{RELAY_CLIENT_SIDE}:5349?transport=tcp",
}
PREDICTIONS = 30
