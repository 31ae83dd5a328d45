"""coturn's load client relays over IPv6, from IPv6 to IPv4 and from IPv4 to IPv6."""

import json
import re
from collections.abc import Iterator

import pytest

from network import BACKEND_ADDRESS, CLIENT_ADDRESS, RELAY_BACKEND_SIDE, RELAY_CLIENT_SIDE, Network, ipv6_twin
from turnpike import Turnpike
from uclient import CLIENTS, MESSAGES, EchoPeer, credential_flags, run_uclient


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with Network(has_ipv6=True) as network:
        yield network


@pytest.fixture(scope="module")
def turnpike(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Turnpike]:
    with Turnpike(network.relay, tmp_path_factory.mktemp("turnpike"), has_ipv6=True) as turnpike:
        yield turnpike


@pytest.fixture(scope="module")
def echo_peer(network: Network) -> Iterator[None]:
    with EchoPeer(network.backend, BACKEND_ADDRESS, ipv6_twin(BACKEND_ADDRESS)):
        yield


# client, relay: the families on either side. Not -Z (both at once): uclient 4.6.1 asks by the number of a draft.
@pytest.mark.parametrize(
    ("client", "relay", "flags"),
    [
        (6, 6, []),
        (6, 6, ["-s"]),
        (6, 6, ["-t"]),
        (6, 6, ["-t", "-S"]),
        (6, 4, []),
        (6, 4, ["-t"]),
        (4, 6, []),
        (4, 6, ["-s"]),
    ],
    ids=lambda value: " ".join(value) or "channel_data" if isinstance(value, list) else f"ipv{value}",
)
def test_loses_nothing(
    client: int, relay: int, flags: list[str], network: Network, turnpike: Turnpike, echo_peer: None
) -> None:
    since = len(turnpike.log_lines())

    done = run_uclient(
        network.client,
        *credential_flags("static"),
        *flags,
        "-x" if relay == 6 else "-X",
        server=of_family(client, RELAY_CLIENT_SIDE),
        peer=of_family(relay, BACKEND_ADDRESS),
    )

    output, expected = done.stdout, CLIENTS * MESSAGES
    assert done.returncode == 0, output
    assert f"tot_send_msgs={expected}, tot_recv_msgs={expected}" in output, output
    assert re.search(r"Total lost packets 0 \(0\.0+%\), total send dropped 0 \(0\.0+%\)", output), output
    records = [json.loads(line) for line in turnpike.log_lines()[since:]]
    began = [record for record in records if record["message"] == "allocation began"]
    assert len(began) >= CLIENTS
    for record in began:
        assert is_address(record["client"], of_family(client, CLIENT_ADDRESS)), record
        relayed = record["relayed_v6" if relay == 6 else "relayed"]
        assert is_address(relayed, of_family(relay, RELAY_BACKEND_SIDE)), record


def is_address(logged: str, host: str) -> bool:
    """Whether the log names this host, on whatever port."""
    return logged.rpartition(":")[0].strip("[]") == host


def of_family(family: int, address: str) -> str:
    """Returns the address itself, or its IPv6 twin."""
    return ipv6_twin(address) if family == 6 else address
