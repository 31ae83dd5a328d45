"""The program under test: its configuration, its start, its metrics and its log."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from certificate import Certificate
from eventually import eventually
from network import BACKEND_ADDRESS, RELAY_BACKEND_SIDE, RELAY_CLIENT_SIDE, Namespace, Response, ipv6_twin
from process import Process

REPOSITORY = Path(__file__).resolve().parents[2]
API_KEY = "test-key-0123456789abcdef"
USER, PASSWORD = "alice", "wonderland"
REST_SECRET = "north"
# Known to the auth hook alone, which is docs/examples/auth_hook.py.
HOOK_USER, HOOK_PASSWORD = "dora", "explorer"
ADMIN_TOKEN = "admin-token-0123456789abcdef"
HOOK_TOKEN = "test-token-0123456789abcdef"


@dataclass(frozen=True)
class Ports:
    """Where one turnpike listens, and where its backend does."""

    turn: int = 3478
    turns: int = 5349
    anonymous: int = 3479
    auth_hook: int = 8100
    gateway: int = 8080
    admin: int = 9090
    backend: int = 8000


class Turnpike:
    """A running turnpike on the relay host."""

    def __init__(
        self,
        host: Namespace,
        folder: Path,
        ports: Ports = Ports(),
        has_ipv6: bool = False,
        change: Callable[[str], str] = str,
    ) -> None:
        self.ports = ports
        self._host = host
        self.certificate = Certificate(folder, RELAY_CLIENT_SIDE)
        config = folder / "turnpike.toml"
        config.write_text(change(config_text(ports, self.certificate, has_ipv6)))
        self._process = Process(
            host.command(str(binary()), "serve", "--config", str(config)),
            env=environment(),
        )

    def __enter__(self) -> "Turnpike":
        try:
            eventually(self._assert_ready, seconds=START_SECONDS)
        except BaseException:
            self._process.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Has it end as its supervisor would."""
        self._process.stop()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def kill(self) -> None:
        """Ends it at once, before it can do anything about it."""
        self._process.kill()

    def admin(self, path: str) -> dict:
        """Returns what the admin API says."""
        response = self._host.request(
            "GET", "127.0.0.1", self.ports.admin, path, headers={"authorization": f"Bearer {ADMIN_TOKEN}"}
        )
        assert response.status == 200, response
        return json.loads(response.body)

    def metrics_text(self) -> str:
        """Returns what a scrape gets."""
        response = self._admin("/metrics")
        assert response.status == 200, response
        return response.body.decode()

    def metric(self, name: str, **labels: str) -> float:
        """Returns the sum of the samples of that name that carry these labels; 0 when there are none."""
        return samples(self.metrics_text(), name, **labels)

    def log_lines(self) -> list[str]:
        """Returns the log until now."""
        return self._process.stderr.all()

    def log_record(self, message: str, since: int = 0, **fields: object) -> dict:
        """Returns the first record from line `since` on with that message and these fields; waits for it a little."""

        def is_wanted(line: str) -> bool:
            record = json.loads(line)
            return record.get("message") == message and fields.items() <= record.items()

        line = self._process.stderr.wait_for(is_wanted, LOG_SECONDS, since)
        assert line is not None, f"no log record {message!r} with {fields}"
        return json.loads(line)

    def _admin(self, path: str) -> Response:
        return self._host.request("GET", "127.0.0.1", self.ports.admin, path)

    def _assert_ready(self) -> None:
        if self._process.has_ended():
            raise RuntimeError(f"turnpike ended before it was ready:\n{self._process.stderr.text()}")
        try:
            assert self._admin("/readyz").status == 200
        except ConnectionError as error:
            raise AssertionError("turnpike does not listen yet") from error


def binary() -> Path:
    """Returns the program: $TURNPIKE_BIN, else the release build, else the debug build."""
    chosen = os.environ.get("TURNPIKE_BIN")
    builds = [Path(chosen)] if chosen else [REPOSITORY / "target" / kind / "turnpike" for kind in ("release", "debug")]
    for build in builds:
        if build.is_file():
            return build
    raise RuntimeError(
        f"no turnpike at {' or '.join(map(str, builds))}: run `cargo build --release`, "
        "or set TURNPIKE_BIN to the program"
    )


def environment() -> dict[str, str]:
    """Returns the tester's variables but for turnpike's own, which would override a configuration."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TURNPIKE_")}


def samples(metrics: str, name: str, **labels: str) -> float:
    """Returns the sum of the samples of that name in a scrape that carry these labels; 0 when there are none."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def config_text(ports: Ports, certificate: Certificate, has_ipv6: bool) -> str:
    """Returns a configuration for the relay host of the test network."""
    hosts, relay_addresses = [RELAY_CLIENT_SIDE], [RELAY_BACKEND_SIDE]
    if has_ipv6:
        hosts.append(f"[{ipv6_twin(RELAY_CLIENT_SIDE)}]")
        relay_addresses.append(ipv6_twin(RELAY_BACKEND_SIDE))
    # Lists of strings are written in JSON as in TOML.
    return f"""
[turn]
listen = {json.dumps([f"{host}:{ports.turn}" for host in hosts])}
listen_tcp = {json.dumps([f"{host}:{port}" for host in hosts for port in (ports.turn, ports.turns)])}
realm = "turnpike.test"
relay_addresses = {json.dumps(relay_addresses)}
relay_ports = "49152-65535"
# Debian's turnutils_uclient binds channels above 0x4FFF.
channel_numbers = "rfc5766"
mobility = true

[turn.auth_hook]
url = "http://127.0.0.1:{ports.auth_hook}/turn"
token = "{HOOK_TOKEN}"
negative_cache = "1s"

[turn.anonymous]
listen = ["{RELAY_CLIENT_SIDE}:{ports.anonymous}"]
listen_tcp = ["{RELAY_CLIENT_SIDE}:{ports.anonymous}"]
backends = ["{BACKEND_ADDRESS}"]
# turnutils_uclient leaves about half of its allocations behind, and all clients have one address.
allocations_per_source = 100

[turn.tls]
certificate = "{certificate.file}"
private_key = "{certificate.key_file}"

[turn.peers]
allow = ["10.77.0.0/16", "fd77::/16"]

[[turn.users]]
name = "{USER}"
password = "{PASSWORD}"

[[turn.secrets]]
secret = "{REST_SECRET}"

[gateway]
listen = "{RELAY_CLIENT_SIDE}:{ports.gateway}"
backend = "http://{BACKEND_ADDRESS}:{ports.backend}"
body_limit = "256KiB"

[[gateway.keys]]
id = "app"
key = "{API_KEY}"

[admin]
listen = "127.0.0.1:{ports.admin}"
token = "{ADMIN_TOKEN}"

[log]
format = "json"
level = "info"
"""


# The log is written before or right after what it tells of.
LOG_SECONDS = 10
# A debug build on a busy machine is slow.
START_SECONDS = 30
