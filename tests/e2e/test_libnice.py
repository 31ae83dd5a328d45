"""Two libnice agents find each other through turnpike alone and lose nothing."""

import subprocess
from pathlib import Path

import pytest

from eventually import eventually
from network import RELAY_CLIENT_SIDE, Namespace, Network, require_tool
from turnpike import PASSWORD, USER, Turnpike


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with both agents, compiled."""
    require_tool("cc", package="build-essential")
    require_tool("pkg-config", package="pkg-config")
    program = tmp_path_factory.mktemp("libnice") / "libnice_pair"
    # Without the package libnice-dev this fails and says so.
    flags = run(["pkg-config", "--cflags", "--libs", "nice"]).split()
    source = Path(__file__).with_name("libnice_pair.c")
    run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", str(source), "-o", str(program), *flags])
    return program


# libnice knows TLS only as Google's and Microsoft's clients of old pretended it.
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_agents_meet_on_relayed_addresses(transport: str, network: Network, turnpike: Turnpike, pair: Path) -> None:
    since = len(turnpike.log_lines())
    before = {direction: relayed_packets(turnpike, direction) for direction in ("to_peer", "to_client")}

    done = run_pair(network.client, pair, transport, PASSWORD)

    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["relay/relay", "relay/relay", str(MESSAGES)]
    # Each message crosses the relay there and back.
    for direction, count in before.items():
        assert relayed_packets(turnpike, direction) - count >= 2 * MESSAGES, direction
    assert turnpike.log_record("allocation began", since)["transport"] == transport
    eventually(lambda: assert_no_allocation(turnpike))


def test_an_agent_with_a_wrong_password_gets_no_relayed_address(
    network: Network, turnpike: Turnpike, pair: Path
) -> None:
    done = run_pair(network.client, pair, "udp", "looking-glass")

    assert done.returncode == 1
    assert "the server gave no relayed address" in done.stderr


def run_pair(host: Namespace, pair: Path, transport: str, password: str) -> subprocess.CompletedProcess[str]:
    """Runs both agents to their end."""
    server = [RELAY_CLIENT_SIDE, "3478", transport, USER, password]
    command = host.command(str(pair), *server, str(MESSAGES), str(MESSAGE_BYTES))
    return subprocess.run(command, capture_output=True, text=True, timeout=PAIR_SECONDS)


def relayed_packets(turnpike: Turnpike, direction: str) -> float:
    """Returns how many packets the relay has passed on that way."""
    return turnpike.metric("turnpike_relay_packets_total", direction=direction)


def assert_no_allocation(turnpike: Turnpike) -> None:
    """Asserts that all allocations were given back."""
    assert turnpike.metric("turnpike_turn_allocations") == 0


def run(command: list[str]) -> str:
    """Runs a command that must succeed, and returns what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=PAIR_SECONDS)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


MESSAGES = 500
# A video packet of a client that keeps to the usual path MTU.
MESSAGE_BYTES = 1200
# The agents give up after 30 s by themselves.
PAIR_SECONDS = 60
