"""What logs never show, however much is logged: secrets, session descriptions, and hidden people."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference_backend import Backend
from network import CLIENT_ADDRESS, RELAY_CLIENT_SIDE, Network
from python_client import Client, default_settings
from turnpike import ADMIN_TOKEN, API_KEY, HOOK_TOKEN, PASSWORD, REST_SECRET, Turnpike

USER_ID = "a-person-with-a-name"
QUERY_TOKEN = "a-token-in-a-query"


@pytest.fixture(scope="module")
def turnpike(network: Network, backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Turnpike]:
    with Turnpike(network.relay, tmp_path_factory.mktemp("turnpike"), change=log_all_and_hide_people) as turnpike:
        yield turnpike


def log_all_and_hide_people(config: str) -> str:
    level = 'level = "info"\n'
    assert config.count(level) == 1
    everything = 'level = "trace"\naccess_sample = 1\naddresses = "hash"\nuser_ids = "hash"\n'
    return config.replace(level, everything)


def test_shows_neither_secrets_nor_people(network: Network, turnpike: Turnpike, tmp_path: Path) -> None:
    settings = default_settings(user_id=USER_ID)
    with Client(network.client, tmp_path, settings, "--predictions", "20", "--seconds", "30") as client:
        assert client.outcome().exit_code == 0
    wrong = {"api-key": "nobody-has-this-key", "content-type": "application/json"}
    body = json.dumps({"sdp": "v=0\r\n", "type": "offer", "user_id": USER_ID}).encode()
    refused = network.client.request(
        "POST", RELAY_CLIENT_SIDE, turnpike.ports.gateway, "/skin/webrtc/offer", body, wrong
    )
    assert refused.status == 401
    stray = network.client.request(
        "GET",
        RELAY_CLIENT_SIDE,
        turnpike.ports.gateway,
        f"/users/{USER_ID}?token={QUERY_TOKEN}",
        headers={"user-agent": f"the program of {USER_ID}"},
    )
    assert stray.status == 404

    began = turnpike.log_record("allocation began")
    ended = turnpike.log_record("session ended")
    answered = turnpike.log_record("request", route="offer", status=200)
    not_let_in = turnpike.log_record("request", route="offer", status=401)
    lost = turnpike.log_record("request", status=404)
    text = "".join(turnpike.log_lines())

    assert began["client"].startswith("#") and began["username"].startswith("#")
    assert ended["user_id"].startswith("#")
    assert answered["client"] == not_let_in["client"] == lost["client"]
    assert answered["client"].startswith("#") and answered["path"] == "/skin/webrtc/offer"
    assert answered["key"] == "app" and answered["request_bytes"] > 0 and answered["answer_bytes"] > 0
    assert not_let_in["cause"] == "api_key_invalid" and "key" not in not_let_in
    assert lost["path"].startswith("#") and lost["user_agent"].startswith("#")
    for secret in (API_KEY, PASSWORD, REST_SECRET, ADMIN_TOKEN, HOOK_TOKEN, "nobody-has-this-key", QUERY_TOKEN):
        assert f'"{secret}"' not in text and f"={secret}" not in text and f" {secret} " not in text, secret
    for shown in (CLIENT_ADDRESS, USER_ID, "a=candidate", "a=ice-pwd", "o=- "):
        lines = [line for line in turnpike.log_lines() if shown in line]
        assert lines == [], f"{shown}: {lines[:3]}"
