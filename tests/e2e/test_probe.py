"""`turnpike probe` tells servers that work from those that do not: turnpike, coturn, and what is no server at all."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventually import eventually
from network import RELAY_CLIENT_SIDE, Network, require_tool
from process import Process
from turnpike import PASSWORD, REST_SECRET, USER, Turnpike, binary

COTURN_PORT = 3500
CREDENTIALS = ("--user", USER, "--password", PASSWORD)


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_goes_through_all_steps(transport: str, network: Network, turnpike: Turnpike) -> None:
    uri = {
        "udp": f"turn:{RELAY_CLIENT_SIDE}",
        "tcp": f"turn:{RELAY_CLIENT_SIDE}:3478?transport=tcp",
        "tls": f"turns:{RELAY_CLIENT_SIDE}",
    }[transport]

    done = probe(network, uri, *CREDENTIALS, "--ca", str(turnpike.certificate.file), "--json")

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["transport"] == transport
    assert report["relayed_address"].startswith("10.77.2.1:")
    assert report["mapped_address"].startswith("10.77.1.2:")
    assert report["packets"]["sent"] == report["packets"]["returned"] == 10
    times = ("permission_ms", "channel_ms", "round_trip_ms")
    assert all(0 < report["packets"][time] < 5_000 for time in times), report


def test_makes_credentials_from_a_secret(network: Network, turnpike: Turnpike) -> None:
    done = probe(network, f"turn:{RELAY_CLIENT_SIDE}", "--secret", REST_SECRET, "--allocate-only")

    assert done.returncode == 0, done.stderr
    assert "relayed address 10.77.2.1:" in done.stdout
    assert "packets" not in done.stdout


def test_works_with_coturn(network: Network, coturn: Process) -> None:
    def assert_works() -> None:
        done = probe(network, f"turn:{RELAY_CLIENT_SIDE}:{COTURN_PORT}", *CREDENTIALS, "--timeout", "1s")
        assert done.returncode == 0, f"{done.stderr}{coturn.stdout.all()}"
        assert "10 of 10 came back" in done.stdout

    # It keeps its log to itself for a while, so that nothing else tells when it is ready.
    eventually(assert_works, seconds=START_SECONDS)


@pytest.mark.parametrize(
    ("uri", "arguments", "complaint"),
    [
        ("turn:{relay}", ("--user", USER, "--password", "x"), "allocation: the server refuses with 401"),
        ("turn:{relay}:9", CREDENTIALS, "allocation: connection refused; does it listen there?"),
        ("turn:{relay}:9?transport=tcp", CREDENTIALS, "connection: Connection refused"),
        ("turns:{relay}", CREDENTIALS, "connection: invalid peer certificate: UnknownIssuer"),
        ("turn:{relay}:8080?transport=tcp", CREDENTIALS, "allocation: "),
        ("turn:nowhere.invalid", CREDENTIALS, "name: failed to lookup address information"),
    ],
)
def test_says_which_step_failed(
    uri: str, arguments: tuple[str, ...], complaint: str, network: Network, turnpike: Turnpike
) -> None:
    done = probe(network, uri.format(relay=RELAY_CLIENT_SIDE), *arguments, "--timeout", "2s")

    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {complaint}"), done.stderr


@pytest.fixture
def coturn(network: Network, tmp_path: Path) -> Iterator[Process]:
    """coturn's server with the same user."""
    require_tool("turnserver", package="coturn")
    flags = [
        "-n", "--log-file=stdout", "--simple-log", "--no-cli", "--no-tls", "--no-dtls", "--lt-cred-mech",
        f"--listening-ip={RELAY_CLIENT_SIDE}", f"--listening-port={COTURN_PORT}", f"--relay-ip={RELAY_CLIENT_SIDE}",
        "--realm=coturn.test", f"--user={USER}:{PASSWORD}", f"--userdb={tmp_path / 'turndb'}",
        f"--pidfile={tmp_path / 'turnserver.pid'}",
    ]  # fmt: skip
    with Process(network.relay.command("turnserver", *flags)) as process:
        yield process


def probe(network: Network, *arguments: str) -> subprocess.CompletedProcess:
    """Runs the command on the client host."""
    command = network.client.command(str(binary()), "probe", *arguments)
    return subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECONDS)


START_SECONDS = 30
PROBE_SECONDS = 60
