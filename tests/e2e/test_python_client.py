"""The Python client refuses bad settings at once and names what to mend."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from python_client import PROGRAM, default_settings


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"TURN_SERVER_URL": ""}, "TURN_SERVER_URL is not set"),
        ({"TURN_SERVER_URL": "turn:relay.example.org"}, "TURN_SERVER_URL='turn:relay.example.org' is not a bare host"),
        ({"TURN_SERVER_PORT": "0"}, "TURN_SERVER_PORT='0' is out of range"),
        ({"TURN_SERVER_PROTOCOL": "stun"}, "TURN_SERVER_PROTOCOL='stun' is unknown"),
        ({"TURN_SERVER_TRANSPORT": "quic"}, "TURN_SERVER_TRANSPORT='quic' is unknown"),
        ({"TURN_SERVER_PROTOCOL": "turns", "TURN_SERVER_TRANSPORT": "udp"}, "TURN_SERVER_TRANSPORT=udp does not go"),
        ({"TURN_CREDENTIAL": ""}, "TURN_USERNAME and TURN_CREDENTIAL belong together"),
        ({"SERVER_URL": ""}, "SERVER_URL is not set"),
        ({"SERVER_URL": "gateway.example.org"}, "SERVER_URL='gateway.example.org' is no HTTP address"),
        ({"API_KEY": ""}, "API_KEY is not set"),
        ({"CLIENT_FPS": "thirty"}, "CLIENT_FPS='thirty' is out of range"),
    ],
)
def test_refuses_a_bad_setting(change: dict[str, str], complaint: str) -> None:
    refusal = run_client("--synthetic", env=default_settings(user_id="user-7") | change)

    assert refusal.returncode == 2
    assert f"error: {complaint}" in refusal.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--env-file", "missing.env"], "--env-file missing.env: no such file"),
        (["--video", "missing.mp4"], "OpenCV cannot open video file missing.mp4"),
        (["--synthetic", "--frames", "0"], "argument --frames: invalid"),
        (["--synthetic", "--video", "lesion.mp4"], "not allowed with argument"),
    ],
)
def test_refuses_bad_usage(arguments: list[str], complaint: str, tmp_path: Path) -> None:
    refusal = run_client(*arguments, env=default_settings(user_id="user-7"), folder=tmp_path)

    assert refusal.returncode == 2
    assert complaint in refusal.stderr


def run_client(*arguments: str, env: dict[str, str | None], folder: Path | None = None) -> subprocess.CompletedProcess:
    """Runs the client, which must end by itself, with exactly these settings in its environment."""
    return subprocess.run(
        [sys.executable, str(PROGRAM), "--headless", *arguments],
        env=os.environ | env,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=CLIENT_SECONDS,
    )


# It takes one or two, most of it imports.
CLIENT_SECONDS = 60
