"""The demo: its page in Chromium, its backend under good clients, many clients, bad networks and bad clients."""

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser_trust import trust
from chromium import run
from demo import Demo
from network import CLIENT_ADDRESS, Network, ip
from process import Process
from python_client import Client, Outcome
from turnpike import REPOSITORY

HERE = Path(__file__).resolve().parent
# What was seen, for people to look at.
ARTEFACTS = REPOSITORY / "tests" / "artefacts"


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    """Of its own: the demo has fixed ports, and all of it is on one host."""
    with Network() as network:
        # A page that has no camera gets to know no interface but the one that leads out, so there has to be one.
        ip(f"-netns {network.relay.name} route add default via {CLIENT_ADDRESS}")
        yield network


@pytest.fixture(scope="module")
def demo(network: Network) -> Iterator[Demo]:
    with Demo(network.relay) as demo:
        yield demo


@pytest.mark.parametrize("way", ["udp", "tcp", "tls"])
def test_visitor_sees_boxes_on_the_very_frame(way: str, network: Network, demo: Demo, home: Path) -> None:
    trust(demo.certificate, home)

    seen = visit(network, demo, home, way=way, picture=str(ARTEFACTS / f"demo-{way}.png"))

    assert_boxes_fit(seen)
    assert seen["firstBoxesMs"] <= FIRST_BOXES_MS
    assert seen["measured"]["path"].startswith(f"relay over {way.upper()}"), seen
    assert (seen["state"], seen["complaints"]) == ("connected", []), seen


def test_visitor_sees_boxes_in_h264(network: Network, demo: Demo, home: Path) -> None:
    # Nothing else is offered.
    seen = visit(network, demo, home, codec="H264", viewport=PHONE, picture=str(ARTEFACTS / "demo-phone.png"))

    assert_boxes_fit(seen)


def test_visitor_gets_another_session_when_one_breaks(network: Network, demo: Demo, home: Path) -> None:
    seen = visit(network, demo, home, sessions=demo.sessions)

    assert seen["again"], seen
    assert (seen["state"], seen["complaints"]) == ("connected", []), seen


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"key": "tpk_of-somebody-else"}, "The gateway does not take this API key (401)"),
        ({"source": "camera", "noCamera": True}, "The camera was refused. Allow it for this page"),
        # Its certificate is its own, and nobody has said that it may be trusted.
        ({"way": "tls"}, "The relay cannot be reached over TLS. Does this browser trust its certificate?"),
    ],
    ids=["key", "camera", "relay"],
)
def test_visitor_is_told_what_is_wrong(
    change: dict[str, object], words: str, network: Network, demo: Demo, home: Path
) -> None:
    seen = visit(network, demo, home, **change)

    assert seen["firstBoxesMs"] is None
    assert seen["state"] == "failed"
    assert seen["words"].startswith(words), seen


def test_camera_without_lesions_has_no_boxes(network: Network, demo: Demo, home: Path) -> None:
    # Chromium's fake camera: a green field with a pie chart and a clock.
    seen = visit(network, demo, home, source="camera", patienceMs=5_000)

    assert (seen["firstBoxesMs"], seen["state"]) == (None, "connected"), seen
    assert float(seen["measured"]["rate"]) > 5, seen


def test_python_client_keeps_up(network: Network, demo: Demo, tmp_path: Path) -> None:
    outcome = stream(network, demo, tmp_path)

    assert_rate(outcome, 20)
    summary = outcome.summary
    assert summary["first_frame_id"] == 0
    assert summary["matched"] >= 0.95 * summary["predictions"], summary
    # From the camera to the boxes, through the relay.
    assert summary["latency_ms"]["p50"] <= 60, summary["latency_ms"]
    assert_one_lesion(summary)


def test_ten_clients_are_served_at_once(network: Network, demo: Demo) -> None:
    # Whoever encodes ten videos on the machine that decodes them measures the encoder.
    arguments = [json.dumps(demo.client_settings()), "10", "8"]
    with Process(network.relay.command(sys.executable, str(HERE / "many_clients.py"), *arguments)) as clients:
        assert clients.wait(90) == 0, clients.stderr.text()
        outcomes = json.loads(clients.stdout.text())

    assert len(outcomes) == 10
    for outcome in outcomes:
        assert len(outcome["latencies_ms"]) >= 5 * 8, outcome
        assert outcome["boxes"].count(1) >= 0.9 * len(outcome["boxes"]), outcome
        assert max(outcome["latencies_ms"]) <= 2_000, outcome
    demo.assert_nobody_is_served()


def test_lost_packets_do_not_stop_predictions(network: Network, demo: Demo, tmp_path: Path) -> None:
    link = [sys.executable, str(HERE / "lossy_link.py"), "13478", "3478", str(LOSS_PERCENT)]
    with Process(network.relay.command(*link)) as process:
        assert process.stdout.wait_for(lambda line: line == "ready\n", 10), process.stderr.text()
        outcome = stream(network, demo, tmp_path, port=13478, seconds=15)

    assert_rate(outcome, 10, seconds=15)
    assert_one_lesion(outcome.summary)
    # The link has lost what it should: of each frame's packet, and of what is said about it.
    assert int(process.stdout.all()[-1].split()[0]) >= 20, process.stdout.all()


def test_malicious_client_harms_nobody_else(network: Network, demo: Demo, tmp_path: Path) -> None:
    settings = json.dumps(demo.client_settings())
    undecodable_before = demo.metric("turnpike_embedded_frames_total", result="undecodable")
    memory_before = demo.metric("process_resident_memory_bytes")
    with Process(network.relay.command(sys.executable, str(HERE / "malicious_client.py"), settings)) as malicious:
        outcome = stream(network, demo, tmp_path, seconds=15)
        assert malicious.wait(60) == 0, malicious.stderr.text()
        sent = json.loads(malicious.stdout.text())

    assert sent["packets"] > 10_000, sent
    assert demo.metric("turnpike_embedded_frames_total", result="undecodable") > undecodable_before
    assert_rate(outcome, 15, seconds=15)
    assert_one_lesion(outcome.summary)
    demo.assert_nobody_is_served()
    assert demo.metric("process_resident_memory_bytes") - memory_before < MOST_GROWTH_BYTES
    assert not any("panicked" in line for line in demo.log_lines())


def test_malicious_offers_are_refused(network: Network, demo: Demo, tmp_path: Path) -> None:
    for name, sdp in malicious_offers().items():
        status, body = demo.post_offer(sdp)
        assert status in (400, 413, 422), f"{name}: {status} {body[:200]}"
        assert json.loads(body)["detail"], name

    demo.assert_nobody_is_served()
    assert not any("panicked" in line for line in demo.log_lines())
    assert_rate(stream(network, demo, tmp_path, seconds=5), 15, seconds=5)


def visit(network: Network, demo: Demo, home: Path, **change: object) -> dict:
    """Returns what a visitor of the page has seen."""
    ARTEFACTS.mkdir(exist_ok=True)
    settings = {"page": demo.page, "key": demo.key, "source": "synthetic", "way": "udp"} | change
    return run(network.relay, home, "demo.mjs", settings)


def stream(network: Network, demo: Demo, folder: Path, port: int = 3478, seconds: int = 8) -> Outcome:
    """Returns how the Python client fares for so long."""
    with Client(network.relay, folder, demo.client_settings(port), "--seconds", str(seconds)) as client:
        return client.outcome()


def assert_boxes_fit(seen: dict) -> None:
    """Each of the three spots has a box, drawn around it in the frame that it was found in."""
    assert seen["firstBoxesMs"] is not None, seen
    assert [len(look) for look in seen["looks"]] == [3] * len(seen["looks"]), seen
    boxes = [box for look in seen["looks"] for box in look]
    assert len(boxes) == 30
    assert min(box["drawn"] for box in boxes) > 0.9
    distances = [abs(box["box"][side] - box["spot"][side]) for box in boxes for side in box["box"]]
    assert max(distances) <= MOST_PIXELS, distances


def assert_rate(outcome: Outcome, least: int, seconds: int = 8) -> None:
    """At least so many predictions have come in a second."""
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.summary["predictions"] >= least * seconds, outcome.summary


def assert_one_lesion(summary: dict) -> None:
    """The predictions are of the ellipse that the client draws."""
    boxes = [prediction["boxes"] for prediction in summary["newest_predictions"]]
    assert sum(len(found) == 1 for found in boxes) >= 0.9 * len(boxes), boxes


def malicious_offers() -> dict[str, str]:
    """Descriptions that nobody can answer, or that would cost much to."""
    head = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    video = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:96 VP8/90000\r\n"
    noise = random.Random(8656)
    return {
        "empty": "",
        "no description": "hello",
        "no media": head,
        "half": (head + video)[:-7],
        "many media": head + video * 2_000,
        "many attributes": head + video + "a=x:y\r\n" * 20_000,
        "many candidates": head + video + "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n" * 4_000,
        "long line": head + video + "a=" + "x" * 200_000 + "\r\n",
        "no fingerprint": f"{head}{video}a=ice-ufrag:abcd\r\na=ice-pwd:{'p' * 24}\r\na=mid:0\r\na=setup:actpass\r\n",
        "noise": "".join(chr(noise.randrange(32, 0x2FFF)) for _ in range(20_000)),
        "larger than any": head + "a=x:y\r\n" * 100_000,
    }


PHONE = {"width": 390, "height": 844}
FIRST_BOXES_MS = 3_000
LOSS_PERCENT = 5
# The spots move by 2 from frame to frame, and boxes follow them smoothly.
MOST_PIXELS = 9
# 64 MiB: what a client can have waiting, several times.
MOST_GROWTH_BYTES = 64 << 20
