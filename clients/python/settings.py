"""Reads the client's settings from the environment and from a .env file."""

import os
from dataclasses import dataclass
from pathlib import Path

from dotenv import load_dotenv


class SettingsError(Exception):
    """A setting is missing or wrong."""


@dataclass(frozen=True)
class Settings:
    """Everything that names the relay, the gateway and the user."""

    turn_url: str
    turn_username: str | None
    turn_credential: str | None
    server_url: str
    api_key: str
    user_id: str | None
    fps: int


def load_settings(env_file: str | None = None) -> Settings:
    """Returns the settings; a variable of the environment wins over the same one in the file.

    Without `env_file`, a `.env` beside this module or in a folder above it is read when there is one.
    """
    if env_file is not None and not Path(env_file).exists():
        raise SettingsError(f"--env-file {env_file}: no such file; copy .env.example there and fill it in")
    load_dotenv(env_file)

    username, credential = _optional("TURN_USERNAME"), _optional("TURN_CREDENTIAL")
    if (username is None) != (credential is None):
        raise SettingsError("TURN_USERNAME and TURN_CREDENTIAL belong together: set both, or neither")

    return Settings(
        turn_url=_turn_url(),
        turn_username=username,
        turn_credential=credential,
        server_url=_server_url(),
        api_key=_required("API_KEY", "the key that the gateway gave you"),
        user_id=_optional("USER_ID"),
        fps=_whole_number("CLIENT_FPS", default="30", lowest=1, highest=120),
    )


def _turn_url() -> str:
    host = _required("TURN_SERVER_URL", "the host name or IPv4 address of the relay")
    if ":" in host or "/" in host:
        raise SettingsError(
            f"TURN_SERVER_URL={host!r} is not a bare host: "
            "drop the scheme and the port, they are TURN_SERVER_PROTOCOL and TURN_SERVER_PORT"
        )
    protocol = _optional("TURN_SERVER_PROTOCOL") or "turn"
    if protocol not in ("turn", "turns"):
        raise SettingsError(f"TURN_SERVER_PROTOCOL={protocol!r} is unknown: write turn, or turns for TLS")
    default_port = "3478" if protocol == "turn" else "5349"
    port = _whole_number("TURN_SERVER_PORT", default=default_port, lowest=1, highest=65535)
    transport = _optional("TURN_SERVER_TRANSPORT") or ("udp" if protocol == "turn" else "tcp")
    if transport not in ("udp", "tcp"):
        raise SettingsError(f"TURN_SERVER_TRANSPORT={transport!r} is unknown: write udp or tcp")
    if (protocol, transport) == ("turns", "udp"):
        raise SettingsError("TURN_SERVER_TRANSPORT=udp does not go with TURN_SERVER_PROTOCOL=turns: TLS needs tcp")
    return f"{protocol}:{host}:{port}?transport={transport}"


def _server_url() -> str:
    url = _required("SERVER_URL", "the gateway's offer endpoint, such as https://host/skin/webrtc/offer")
    if not url.startswith(("http://", "https://")):
        raise SettingsError(f"SERVER_URL={url!r} is no HTTP address: begin it with http:// or https://")
    return url


def _required(name: str, meaning: str) -> str:
    value = _optional(name)
    if value is None:
        raise SettingsError(f"{name} is not set: put {meaning} there, in the environment or in .env")
    return value


def _optional(name: str) -> str | None:
    return os.environ.get(name, "").strip() or None


def _whole_number(name: str, default: str, lowest: int, highest: int) -> int:
    text = _optional(name) or default
    if not text.isascii() or not text.isdigit() or not lowest <= int(text) <= highest:
        raise SettingsError(f"{name}={text!r} is out of range: write a whole number from {lowest} to {highest}")
    return int(text)
