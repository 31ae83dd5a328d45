"""The main job: video crosses the relay, predictions come back."""

import errno
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import pytest

from eventually import eventually
from inference_backend import Backend
from network import BACKEND_ADDRESS, Network
from python_client import Client, default_settings
from sources import lesion_box
from turnpike import Turnpike


@pytest.mark.parametrize("user_id", ["user-7", None], ids=["named", "anonymous"])
def test_relay_only_client_gets_predictions(
    user_id: str | None, network: Network, turnpike: Turnpike, tmp_path: Path
) -> None:
    before, since = relay_counters(turnpike), len(turnpike.log_lines())

    with Client(network.client, tmp_path, default_settings(user_id=user_id), *HUNDRED_PREDICTIONS) as client:
        outcome = client.outcome()

    assert outcome.exit_code == 0, outcome.stderr
    assert_predictions_fit(outcome.summary)
    assert_relayed(turnpike, before, [outcome.summary])
    record = turnpike.log_record("offer answered", since)
    assert (record.get("user_id"), record["key"], record["status"]) == (user_id, "app", 200)
    assert record["session"]


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_client_gets_predictions_where_udp_is_blocked(
    transport: str, network: Network, turnpike: Turnpike, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    over_tcp = {"TURN_SERVER_TRANSPORT": "tcp"}
    over_tls = {"TURN_SERVER_PROTOCOL": "turns", "TURN_SERVER_PORT": str(turnpike.ports.turns)}
    # Where Python's TLS looks for issuers to trust.
    monkeypatch.setenv("SSL_CERT_FILE", str(turnpike.certificate.file))
    before, since = relay_counters(turnpike), len(turnpike.log_lines())

    settings = default_settings() | (over_tcp if transport == "tcp" else over_tls)
    with Client(network.client, tmp_path, settings, *HUNDRED_PREDICTIONS) as client:
        outcome = client.outcome()

    assert outcome.exit_code == 0, outcome.stderr
    assert_predictions_fit(outcome.summary)
    assert_relayed(turnpike, before, [outcome.summary])
    assert turnpike.log_record("allocation began", since)["transport"] == transport


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_client_without_credentials_reaches_the_backend(
    transport: str, network: Network, turnpike: Turnpike, tmp_path: Path
) -> None:
    before, since = relay_counters(turnpike), len(turnpike.log_lines())

    with Client(network.client, tmp_path, without_credentials(turnpike, transport), *HUNDRED_PREDICTIONS) as client:
        outcome = client.outcome()

    assert outcome.exit_code == 0, outcome.stderr
    assert_predictions_fit(outcome.summary)
    assert_relayed(turnpike, before, [outcome.summary])
    assert turnpike.log_record("allocation began", since)["username"] == "anonymous"


def test_other_ports_ask_for_credentials(network: Network, turnpike: Turnpike, tmp_path: Path) -> None:
    settings = without_credentials(turnpike, "udp") | {"TURN_SERVER_PORT": str(turnpike.ports.turn)}

    with Client(network.client, tmp_path, settings, *HUNDRED_PREDICTIONS) as client:
        outcome = client.outcome()

    assert outcome.exit_code == 4, outcome.stderr


def test_several_clients_at_once(network: Network, turnpike: Turnpike, tmp_path: Path) -> None:
    before = relay_counters(turnpike)
    user_ids = ["anna", "ben", "chloe"]

    with ExitStack() as running:
        clients = []
        for user_id in user_ids:
            folder = tmp_path / user_id
            folder.mkdir()
            client = Client(network.client, folder, default_settings(user_id=user_id), *HUNDRED_PREDICTIONS)
            clients.append(running.enter_context(client))
        outcomes = [client.outcome() for client in clients]

    for outcome in outcomes:
        assert outcome.exit_code == 0, outcome.stderr
        assert_predictions_fit(outcome.summary)
    assert_relayed(turnpike, before, [outcome.summary for outcome in outcomes])
    sessions = {turnpike.log_record("offer answered", user_id=user_id)["session"] for user_id in user_ids}
    assert len(sessions) == len(user_ids)


def test_client_gives_its_allocations_back(network: Network, turnpike: Turnpike, tmp_path: Path) -> None:
    with Client(network.client, tmp_path, default_settings(), "--predictions", "10", "--seconds", "30") as client:
        eventually(lambda: assert_allocations(turnpike, at_least_one=True), seconds=30)
        outcome = client.outcome()

    assert outcome.exit_code == 0, outcome.stderr
    eventually(lambda: assert_allocations(turnpike, at_least_one=False))


def test_wrong_relay_password_finds_no_media_path(network: Network, turnpike: Turnpike, tmp_path: Path) -> None:
    settings = default_settings() | {"TURN_CREDENTIAL": "looking-glass"}

    with Client(network.client, tmp_path, settings, *HUNDRED_PREDICTIONS) as client:
        outcome = client.outcome()

    assert outcome.exit_code == 4, outcome.stderr
    assert "gave no relayed address" in outcome.summary["error"]


def test_wrong_api_key_is_refused(network: Network, turnpike: Turnpike, tmp_path: Path) -> None:
    settings = default_settings() | {"API_KEY": "not-the-key-0123456789"}

    with Client(network.client, tmp_path, settings, *HUNDRED_PREDICTIONS) as client:
        outcome = client.outcome()

    assert outcome.exit_code == 3, outcome.stderr
    assert "status 401" in outcome.summary["error"]


def test_only_the_relay_leads_to_the_backend(network: Network, backend: Backend) -> None:
    with pytest.raises(OSError) as refusal:
        network.client.connect(BACKEND_ADDRESS, backend.port)

    assert refusal.value.errno == errno.ENETUNREACH
    network.relay.connect(BACKEND_ADDRESS, backend.port).close()


def without_credentials(turnpike: Turnpike, transport: str) -> dict[str, str | None]:
    """Returns the settings of a client that knows nothing but the address of the relay."""
    port = {"TURN_SERVER_PORT": str(turnpike.ports.anonymous), "TURN_SERVER_TRANSPORT": transport}
    return default_settings() | port | {"TURN_USERNAME": None, "TURN_CREDENTIAL": None}


def relay_counters(turnpike: Turnpike) -> dict[str, float]:
    """Returns what the relay's metrics stand at."""
    return {
        "bytes_to_peer": turnpike.metric("turnpike_relay_bytes_total", direction="to_peer"),
        "bytes_to_client": turnpike.metric("turnpike_relay_bytes_total", direction="to_client"),
        "packets_to_peer": turnpike.metric("turnpike_relay_packets_total", direction="to_peer"),
        "packets_to_client": turnpike.metric("turnpike_relay_packets_total", direction="to_client"),
        "allocations_created": turnpike.metric("turnpike_turn_allocations_created_total"),
    }


def assert_allocations(turnpike: Turnpike, at_least_one: bool) -> None:
    """Asserts that there are live allocations, or none."""
    assert (turnpike.metric("turnpike_turn_allocations") > 0) == at_least_one


def assert_predictions_fit(summary: dict) -> None:
    """Asserts a whole session over the relay alone, whose boxes lie where the lesion was drawn."""
    assert summary["error"] is None
    assert summary["ice_state"] == "completed"
    assert summary["candidate_pairs"] == ["relay/host"]
    assert summary["predictions"] >= 100
    assert summary["matched"] == summary["predictions"]
    # The first second may pass before the DataChannel is open.
    assert summary["first_frame_id"] < 30

    overlaps = []
    for prediction in summary["newest_predictions"]:
        assert [detection["class"] for detection in prediction["boxes"]] == ["lesion"], prediction
        overlaps.append(overlap(prediction["boxes"][0]["box"], lesion_box(prediction["frame_id"])))
    # The box of the frame before or after would overlap by 0.6 in the median.
    assert median(overlaps) > 0.9, overlaps


def assert_relayed(turnpike: Turnpike, before: dict[str, float], summaries: list[dict]) -> None:
    """Asserts that all that the clients sent and received crossed the relay."""

    def total(member: str) -> int:
        return sum(summary[member] for summary in summaries)

    least = {
        "bytes_to_peer": before["bytes_to_peer"] + total("bytes_sent"),
        "bytes_to_client": before["bytes_to_client"] + total("bytes_received"),
        "packets_to_peer": before["packets_to_peer"] + total("frames_sent"),
        "packets_to_client": before["packets_to_client"] + total("predictions"),
        "allocations_created": before["allocations_created"] + len(summaries),
    }

    def assert_reached() -> None:
        now = relay_counters(turnpike)
        missing = {name: (now[name], least[name]) for name in least if now[name] < least[name]}
        assert not missing, "counters stand below what the clients sent and received (is, must be)"

    eventually(assert_reached)


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Returns the area that both boxes share over the area that either covers."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


HUNDRED_PREDICTIONS = ("--predictions", "100", "--seconds", "60")
