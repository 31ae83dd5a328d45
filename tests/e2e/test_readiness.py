"""/readyz says whether turnpike could relay for a client that came now, and how to mend it; /livez that it runs."""

import http.client
import json
import resource
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from eventually import eventually
from network import RELAY_BACKEND_SIDE, Network, ip
from turnpike import Turnpike


@pytest.fixture
def admin(network: Network, turnpike: Turnpike) -> Iterator[http.client.HTTPConnection]:
    """A connection that is there before anything goes wrong."""
    with closing(http.client.HTTPConnection("127.0.0.1", turnpike.ports.admin)) as connection:
        connection.sock = network.relay.connect("127.0.0.1", turnpike.ports.admin)
        yield connection


def test_a_relay_address_that_is_lost(
    network: Network, turnpike: Turnpike, admin: http.client.HTTPConnection
) -> None:
    with without_address(network):
        eventually(lambda: assert_relay(admin, 503, f"cannot open a relay socket at {RELAY_BACKEND_SIDE}: "))
        assert get(admin, "/livez")[0] == 200
        assert turnpike.metric("turnpike_relay_ready") == 0
        turnpike.log_record("relay is not ready", level="WARN")

    eventually(lambda: assert_relay(admin, 200))
    assert turnpike.metric("turnpike_relay_ready") == 1
    turnpike.log_record("relay is ready again", level="INFO")


def test_no_file_descriptor_is_left(turnpike: Turnpike, admin: http.client.HTTPConnection) -> None:
    # Its file descriptors have larger numbers already, which stay.
    with at_most_descriptors(turnpike.pid, 8):
        eventually(lambda: assert_relay(admin, 503, "Too many open files (os error 24); free file descriptors"))
        assert get(admin, "/livez")[0] == 200

    eventually(lambda: assert_relay(admin, 200))


def assert_relay(admin: http.client.HTTPConnection, status: int, reason: str = "") -> None:
    answered, report = get(admin, "/readyz")
    [relay] = [part for part in json.loads(report)["parts"] if part["part"] == "relay"]
    assert answered == status, report
    assert reason in relay.get("reason", ""), report


def get(admin: http.client.HTTPConnection, path: str) -> tuple[int, str]:
    admin.request("GET", path)
    response = admin.getresponse()
    return response.status, response.read().decode()


@contextmanager
def without_address(network: Network) -> Iterator[None]:
    """Takes the address that peers reach from the relay host."""
    where = f"{RELAY_BACKEND_SIDE}/24 dev to-backend"
    ip(f"-netns {network.relay.name} address delete {where}")
    try:
        yield
    finally:
        ip(f"-netns {network.relay.name} address add {where}")


@contextmanager
def at_most_descriptors(pid: int, most: int) -> Iterator[None]:
    """Lowers the limit of open files of a running process."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
