"""coturn's own load client relays through turnpike to coturn's own echo peer, and loses nothing."""

import json
import re
import sys
from collections.abc import Iterator

import pytest

from eventually import eventually
from network import Network
from process import Process
from turnpike import HOOK_PASSWORD, HOOK_TOKEN, HOOK_USER, REPOSITORY, USER, Turnpike
from uclient import CLIENTS, MESSAGE_BYTES, MESSAGES, EchoPeer, credential_flags, run_uclient


@pytest.fixture(scope="module")
def echo_peer(network: Network) -> Iterator[None]:
    with EchoPeer(network.backend):
        yield


@pytest.mark.parametrize("mode", [[], ["-s"]], ids=["channel_data", "send_indication"])
@pytest.mark.parametrize("credentials", ["static", "rest_by_uclient", "rest_by_hand"])
def test_loses_nothing(
    credentials: str, mode: list[str], network: Network, turnpike: Turnpike, echo_peer: None
) -> None:
    before = turnpike.metric("turnpike_relay_packets_total", direction="to_client")

    done = run_uclient(network.client, *credential_flags(credentials), *mode)

    output, expected = done.stdout, CLIENTS * MESSAGES
    assert done.returncode == 0, output
    assert f"tot_send_msgs={expected}, tot_recv_msgs={expected}" in output, output
    assert re.search(r"Total lost packets 0 \(0\.0+%\), total send dropped 0 \(0\.0+%\)", output), output
    assert turnpike.metric("turnpike_relay_packets_total", direction="to_client") - before >= expected


@pytest.mark.parametrize("mode", [["-g"], ["-g", "-s"]], ids=["channel_data", "send_indication"])
def test_loses_nothing_that_must_not_be_cut(
    mode: list[str], network: Network, turnpike: Turnpike, echo_peer: None
) -> None:
    done = run_uclient(network.client, *credential_flags("static"), *mode)

    assert re.search(r"Total lost packets 0 \(0\.0+%\)", done.stdout), done.stdout


# The second goes to the port of TURN over TLS by itself; the third shows that one port serves both.
@pytest.mark.parametrize("flags", [["-t"], ["-t", "-S"], ["-t", "-S", "-p", "3478"]], ids=["tcp", "tls", "tls_on_3478"])
@pytest.mark.parametrize("mode", [[], ["-s"]], ids=["channel_data", "send_indication"])
def test_loses_nothing_over_streams(
    flags: list[str], mode: list[str], network: Network, turnpike: Turnpike, echo_peer: None
) -> None:
    before = turnpike.metric("turnpike_relay_connections_accepted_total")

    done = run_uclient(network.client, *credential_flags("static"), *flags, *mode)

    output, expected = done.stdout, CLIENTS * MESSAGES
    assert done.returncode == 0, output
    assert f"tot_send_msgs={expected}, tot_recv_msgs={expected}" in output, output
    assert re.search(r"Total lost packets 0 \(0\.0+%\), total send dropped 0 \(0\.0+%\)", output), output
    assert turnpike.metric("turnpike_relay_connections_accepted_total") - before >= CLIENTS
    assert turnpike.metric("turnpike_relay_dropped_packets_total", reason="slow_client") == 0


# One allocation for TCP peers connects to the other.
@pytest.mark.parametrize("flags", [["-T"], ["-T", "-S"]], ids=["tcp", "tls"])
def test_loses_nothing_between_tcp_peers(flags: list[str], network: Network, turnpike: Turnpike) -> None:
    def relayed(direction: str) -> float:
        return turnpike.metric("turnpike_relay_bytes_total", direction=direction)

    before = {direction: relayed(direction) for direction in ("to_peer", "to_client")}
    opened = turnpike.metric("turnpike_relay_peer_connections_opened_total", origin="client")

    # Of two clients: of more, some want to connect to each other both ways, and uclient waits in vain for the second.
    done = run_uclient(network.client, *credential_flags("static"), *flags, "-m", "2", "-z", "20")

    output, expected = done.stdout, 2 * MESSAGES
    assert done.returncode == 0, output
    assert f"tot_send_msgs={expected}, " in output and "total send dropped 0 " in output, output
    # uclient counts two messages that it reads at once as one, so the bytes tell whether all came.
    lost = re.search(r"Total lost packets (\d+)", output)
    assert lost and int(lost[1]) < expected / 10, output
    for direction, count in before.items():
        assert relayed(direction) - count == expected * MESSAGE_BYTES, direction
    assert turnpike.metric("turnpike_relay_peer_connections_opened_total", origin="client") - opened == 1


# Not over TLS: there uclient 4.6.1 mostly fails ("send: Success", or waits in vain), against coturn's server too.
@pytest.mark.parametrize("flags", [[], ["-t"]], ids=["udp", "tcp"])
def test_loses_nothing_while_it_moves(flags: list[str], network: Network, turnpike: Turnpike, echo_peer: None) -> None:
    before = turnpike.metric("turnpike_turn_allocations_moved_total")

    done = run_uclient(network.client, *credential_flags("static"), *flags, "-M")

    output = done.stdout
    assert done.returncode == 0, output
    assert re.search(r"Total lost packets 0 \(0\.0+%\)", output), output
    assert turnpike.metric("turnpike_turn_allocations_moved_total") - before >= CLIENTS


@pytest.fixture
def auth_hook(network: Network, turnpike: Turnpike) -> Iterator[None]:
    port = turnpike.ports.auth_hook
    program = [sys.executable, str(AUTH_HOOK), "--port", str(port), "--token", HOOK_TOKEN]

    def assert_listens() -> None:
        try:
            network.relay.connect("127.0.0.1", port).close()
        except ConnectionError as error:
            raise AssertionError("the auth hook does not listen yet") from error

    with Process(network.relay.command(*program)):
        eventually(assert_listens)
        yield


@pytest.mark.parametrize("flags", [[], ["-t"]], ids=["udp", "tcp"])
def test_loses_nothing_of_a_user_of_the_auth_hook(
    flags: list[str], network: Network, turnpike: Turnpike, echo_peer: None, auth_hook: None
) -> None:
    done = run_uclient(network.client, "-u", HOOK_USER, "-w", HOOK_PASSWORD, *flags)

    assert done.returncode == 0, done.stdout
    assert re.search(r"Total lost packets 0 \(0\.0+%\)", done.stdout), done.stdout
    # One question is enough for all clients of both runs.
    assert turnpike.metric("turnpike_auth_hook_questions_total", result="granted") == 1


def test_whoever_the_auth_hook_does_not_know_gets_no_allocation(
    network: Network, turnpike: Turnpike, auth_hook: None
) -> None:
    created = turnpike.metric("turnpike_turn_allocations_created_total")
    refused = turnpike.metric("turnpike_auth_hook_questions_total", result="refused")

    refusal = run_uclient(network.client, "-u", "mallory", "-w", HOOK_PASSWORD)

    assert refusal.returncode != 0
    assert turnpike.metric("turnpike_turn_allocations_created_total") == created
    assert turnpike.metric("turnpike_auth_hook_questions_total", result="refused") > refused


def test_without_the_auth_hook_its_users_get_no_allocation(network: Network, turnpike: Turnpike) -> None:
    failed = turnpike.metric("turnpike_auth_hook_questions_total", result="failed")

    refusal = run_uclient(network.client, "-u", "erin", "-w", "brockovich")

    assert refusal.returncode != 0
    assert turnpike.metric("turnpike_auth_hook_questions_total", result="failed") > failed
    assert turnpike.log_record("auth hook failed; users whom it alone knows get 500", level="WARN")


@pytest.mark.parametrize("flags", [[], ["-t"]], ids=["udp", "tcp"])
def test_loses_nothing_without_credentials(
    flags: list[str], network: Network, turnpike: Turnpike, echo_peer: None
) -> None:
    port = str(turnpike.ports.anonymous)

    done = run_uclient(network.client, *flags, "-p", port)

    assert done.returncode == 0, done.stdout
    assert re.search(r"Total lost packets 0 \(0\.0+%\)", done.stdout), done.stdout


def test_allocates_pairs_of_ports(network: Network, turnpike: Turnpike, echo_peer: None) -> None:
    since = len(turnpike.log_lines())

    done = run_uclient(network.client, *credential_flags("static"), rtcp=True)

    assert re.search(r"Total lost packets 0 \(0\.0+%\)", done.stdout), done.stdout
    records = [json.loads(line) for line in turnpike.log_lines()[since:]]
    began = [record["relayed"] for record in records if record["message"] == "allocation began"]
    ports = {int(relayed.rpartition(":")[2]) for relayed in began}
    # uclient counts both allocations of a pair as clients.
    assert sum(port % 2 == 0 and port + 1 in ports for port in ports) >= CLIENTS // 2, sorted(ports)


@pytest.mark.parametrize(
    "flags",
    [["-u", USER, "-w", "looking-glass"], ["-u", USER, "-W", "south"]],
    ids=["static", "rest"],
)
def test_wrong_credentials_get_no_allocation(flags: list[str], network: Network, turnpike: Turnpike) -> None:
    before = turnpike.metric("turnpike_turn_allocations_created_total")

    refusal = run_uclient(network.client, *flags)

    assert refusal.returncode != 0
    assert "Cannot complete Allocation" in refusal.stdout
    assert turnpike.metric("turnpike_turn_allocations_created_total") == before


AUTH_HOOK = REPOSITORY / "docs" / "examples" / "auth_hook.py"
