"""TURN over TLS and HTTPS on one port, each with a client that has never heard of the other."""

import json
import re
import subprocess
from collections.abc import Iterator

import pytest

from inference_backend import Backend
from network import BACKEND_ADDRESS, RELAY_CLIENT_SIDE, Network, require_tool
from process import Process
from turnpike import PASSWORD, USER, Ports, Turnpike

PORTS = Ports(turns=8443, gateway=8443)


@pytest.fixture(scope="module")
def turnpike(network: Network, backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Turnpike]:
    with Turnpike(network.relay, tmp_path_factory.mktemp("turnpike"), PORTS) as turnpike:
        yield turnpike


@pytest.mark.parametrize(
    ("scheme", "flags", "version"),
    [
        ("https", [], "2"),
        ("https", ["--http1.1"], "1.1"),
        ("https", ["--no-alpn"], "1.1"),
        ("https", ["--no-alpn", "--tls-max", "1.2"], "1.1"),
        ("http", [], "1.1"),
        ("http", ["--http2-prior-knowledge"], "2"),
    ],
    ids=["h2", "http1", "no_alpn", "no_alpn_tls12", "plain", "plain_h2"],
)
def test_curl_gets_an_answer(scheme: str, flags: list[str], version: str, network: Network, turnpike: Turnpike) -> None:
    require_tool("curl", package="curl")
    before = turnpike.metric("turnpike_relay_connections_closed_total", reason="http")

    url = f"{scheme}://{RELAY_CLIENT_SIDE}:{PORTS.gateway}/skin/webrtc/health"
    curl = ["curl", "--silent", "--show-error", "--cacert", str(turnpike.certificate.file), *flags]
    done = subprocess.run(
        network.client.command(*curl, "--write-out", "\n%{http_version}", url),
        capture_output=True,
        text=True,
        timeout=CURL_SECONDS,
    )

    assert done.returncode == 0, done.stderr
    body, _, spoken = done.stdout.rpartition("\n")
    assert json.loads(body) == {"status": "WebRTC Skin API healthy"}
    assert spoken == version
    assert turnpike.metric("turnpike_relay_connections_closed_total", reason="http") == before + 1


@pytest.mark.parametrize("flags", [["-t"], ["-t", "-S"]], ids=["tcp", "tls"])
def test_coturns_client_relays(flags: list[str], network: Network, turnpike: Turnpike) -> None:
    require_tool("turnutils_uclient", package="coturn")
    load = f"-c -e {BACKEND_ADDRESS} -r {PEER_PORT} -m 2 -n 100 -l 1200 -z 5 -p {PORTS.turns}".split()
    with Process(network.backend.command("turnutils_peer", "-L", BACKEND_ADDRESS, "-p", str(PEER_PORT))):
        done = subprocess.run(
            network.client.command("turnutils_uclient", *flags, "-u", USER, "-w", PASSWORD, *load, RELAY_CLIENT_SIDE),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=UCLIENT_SECONDS,
        )

    assert done.returncode == 0, done.stdout
    assert re.search(r"Total lost packets 0 \(0\.0+%\)", done.stdout), done.stdout


PEER_PORT = 3480
CURL_SECONDS = 20
# uclient takes some 5 s to set up and 2 s to be sure that no packet is late.
UCLIENT_SECONDS = 60
