"""The gateway in front of the real backend: keys, limits, errors, and what it must not touch."""

import asyncio
import json
from pathlib import Path

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from inference_backend import Backend
from network import BACKEND_ADDRESS, RELAY_CLIENT_SIDE, Network, Response
from turnpike import API_KEY, Ports, Turnpike

OFFER_PATH = "/skin/webrtc/offer"
HEALTH_PATH = "/skin/webrtc/health"


def test_health_passes_through(network: Network, turnpike: Turnpike) -> None:
    through = ask(network, "GET", HEALTH_PATH)

    assert through.status == 200
    assert json.loads(through.body) == {"status": "WebRTC Skin API healthy"}


@pytest.mark.parametrize("headers", [{}, {"api-key": "not-the-key-0123456789"}], ids=["missing", "wrong"])
def test_refuses_an_offer_without_the_key(headers: dict[str, str], network: Network, turnpike: Turnpike) -> None:
    before = turnpike.metric("turnpike_gateway_requests_total", route="offer", status="401")

    response = network.client.request("POST", RELAY_CLIENT_SIDE, turnpike.ports.gateway, OFFER_PATH, headers=headers)

    assert_problem(response, status=401)
    assert turnpike.metric("turnpike_gateway_requests_total", route="offer", status="401") == before + 1


def test_strangers_leave_no_series_behind(network: Network, turnpike: Turnpike) -> None:
    def come(first: int) -> set[str]:
        for number in range(first, first + 10):
            headers = {"api-key": f"strangers-key-{number:012}", "x-request-id": f"stranger-{number}"}
            for path in (f"/stranger/{number}", f"/whip/{number}", f"{OFFER_PATH}?user_id={number}"):
                network.client.request("POST", RELAY_CLIENT_SIDE, turnpike.ports.gateway, path, b"{}", headers)
        lines = turnpike.metrics_text().splitlines()
        return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}

    assert come(0) == come(10)


def test_refuses_a_body_above_the_limit(network: Network, turnpike: Turnpike) -> None:
    assert_problem(post_offer(network, b"x" * (BODY_LIMIT_BYTES + 1)), status=413)


def test_takes_a_body_at_the_limit(network: Network, turnpike: Turnpike, offer: dict) -> None:
    unpadded = len(json.dumps(offer | {"padding": ""}))
    body = json.dumps(offer | {"padding": "x" * (BODY_LIMIT_BYTES - unpadded)}).encode()
    assert len(body) == BODY_LIMIT_BYTES

    assert post_offer(network, body).status == 200


def test_backend_errors_pass_through_unchanged(
    network: Network, turnpike: Turnpike, backend: Backend, offer: dict
) -> None:
    # A sound offer of codecs that the backend does not know.
    sdp = offer["sdp"].replace("VP8", "VP9").replace("H264", "AV1")
    body = json.dumps(offer | {"sdp": sdp}).encode()
    headers = {"api-key": API_KEY, "content-type": "application/json"}

    through = post_offer(network, body)
    direct = network.relay.request("POST", BACKEND_ADDRESS, backend.port, OFFER_PATH, body, headers)

    assert direct.status == 400, direct
    assert through == direct


def test_backend_that_went_away_is_a_bad_gateway(network: Network, tmp_path: Path) -> None:
    ports = Ports(turn=13478, turns=15349, anonymous=13479, gateway=18080, admin=19090, backend=18000)
    with Backend(network.backend, ports.backend) as backend, Turnpike(network.relay, tmp_path, ports):
        assert ask(network, "GET", HEALTH_PATH, port=ports.gateway).status == 200
        backend.stop()

        assert_problem(ask(network, "GET", HEALTH_PATH, port=ports.gateway), status=502)


@pytest.mark.parametrize(
    ("user_id", "logged"),
    [
        ('quote " and \\ backslash', 'quote " and \\ backslash'),
        ('line\r\nbreak {"message":"offer answered"}', 'line\\r\\nbreak {"message":"offer answered"}'),
        ("unicode 用户 \N{LINE SEPARATOR} 🩺", "unicode 用户 \\u{2028} 🩺"),
        ("", None),
        (None, None),
    ],
    ids=["quotes", "line_breaks", "unicode", "empty", "null"],
)
def test_any_user_id_passes_and_stays_on_its_line(
    user_id: str | None, logged: str | None, network: Network, turnpike: Turnpike, offer: dict
) -> None:
    since = len(turnpike.log_lines())

    response = post_offer(network, json.dumps(offer | {"user_id": user_id}).encode())

    assert response.status == 200, response
    assert response.content_type.startswith("application/json")
    assert json.loads(response.body)["type"] == "answer"
    assert (turnpike.log_record("offer answered", since).get("user_id") or None) == logged
    records = [json.loads(line) for line in turnpike.log_lines()[since:]]
    assert [record["message"] for record in records].count("offer answered") == 1


@pytest.fixture(scope="module")
def offer() -> dict[str, str]:
    return asyncio.run(make_offer())


async def make_offer() -> dict[str, str]:
    """Returns an offer as a client makes it, for a video track and a DataChannel, without candidates."""
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.addTransceiver("video", direction="sendonly")
    peer.createDataChannel("results")
    description = await peer.createOffer()
    await peer.close()
    return {"sdp": description.sdp, "type": description.type}


def post_offer(network: Network, body: bytes) -> Response:
    """Posts a body with the right key."""
    return ask(network, "POST", OFFER_PATH, body)


def ask(network: Network, method: str, path: str, body: bytes | None = None, port: int = Ports().gateway) -> Response:
    """Sends a request with the right key from the client host."""
    headers = {"api-key": API_KEY, "content-type": "application/json"}
    return network.client.request(method, RELAY_CLIENT_SIDE, port, path, body, headers)


def assert_problem(response: Response, status: int) -> None:
    """Asserts an error that FastAPI's clients and readers of RFC 9457 both understand."""
    assert response.status == status, response
    assert response.content_type.startswith(("application/json", "application/problem+json")), response
    problem = json.loads(response.body)
    assert problem["status"] == status
    for member in ("type", "title", "detail"):
        assert problem[member] and isinstance(problem[member], str), problem


BODY_LIMIT_BYTES = 256 * 1024
