"""Three hosts on one machine: a client, a relay and a backend, each a network namespace of its own.

    client 10.77.1.2 ── 10.77.1.1 relay 10.77.2.1 ── 10.77.2.2 backend

With IPv6 each address has a twin: fd77:1::2 is the client's, and so on. The relay forwards no packets and the client
has no route to the backend: what reaches it was relayed.
"""

import ctypes
import http.client
import os
import secrets
import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

CLIENT_ADDRESS = "10.77.1.2"
RELAY_CLIENT_SIDE = "10.77.1.1"
RELAY_BACKEND_SIDE = "10.77.2.1"
BACKEND_ADDRESS = "10.77.2.2"


def ipv6_twin(address: str) -> str:
    """Returns the IPv6 address of the host that has this IPv4 address."""
    _, _, cable, host = address.split(".")
    return f"fd77:{cable}::{host}"


@dataclass(frozen=True)
class Response:
    """What an HTTP server answered."""

    status: int
    content_type: str
    body: bytes


class Namespace:
    """One host."""

    def __init__(self, name: str) -> None:
        self.name = name

    def command(self, *command: str) -> list[str]:
        """Returns the command line that runs `command` on this host, in the same process."""
        return ["ip", "netns", "exec", self.name, *command]

    def connect(self, host: str, port: int) -> socket.socket:
        """Opens a TCP connection from this host."""
        # A namespace belongs to a thread and a socket stays where it was made: enter in a thread that then ends.
        with ThreadPoolExecutor(max_workers=1) as thread:
            return thread.submit(self._enter_and_connect, host, port).result()

    def request(
        self, method: str, host: str, port: int, path: str, body: bytes | None = None, headers: dict | None = None
    ) -> Response:
        """Sends an HTTP request from this host."""
        connection = http.client.HTTPConnection(host, port, timeout=IO_SECONDS)
        connection.sock = self.connect(host, port)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Response(response.status, response.getheader("content-type", ""), response.read())
        finally:
            connection.close()

    def _enter_and_connect(self, host: str, port: int) -> socket.socket:
        with open(f"/run/netns/{self.name}", "rb") as namespace:
            if LIBC.setns(namespace.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"cannot enter network namespace {self.name}")
        return socket.create_connection((host, port), timeout=IO_SECONDS)


class Network:
    """The three hosts and the two cables between them; gone when the `with` block ends."""

    def __init__(self, has_ipv6: bool = False) -> None:
        self._has_ipv6 = has_ipv6
        # Namespaces are known to the whole machine, so that each run needs names of its own.
        prefix = f"turnpike-{os.getpid()}-{secrets.token_hex(3)}"
        self.client = Namespace(f"{prefix}-client")
        self.relay = Namespace(f"{prefix}-relay")
        self.backend = Namespace(f"{prefix}-backend")
        self._cleanup = ExitStack()

    def __enter__(self) -> "Network":
        require_tool("ip", package="iproute2")
        with ExitStack() as cleanup:
            for host in (self.client, self.relay, self.backend):
                ip(f"netns add {host.name}")
                # Takes the cables along.
                cleanup.callback(ip, f"netns delete {host.name}")
                ip(f"-netns {host.name} link set lo up")
            self._lay_cable(self.client, CLIENT_ADDRESS, RELAY_CLIENT_SIDE, "to-client")
            self._lay_cable(self.backend, BACKEND_ADDRESS, RELAY_BACKEND_SIDE, "to-backend")
            # A new namespace may inherit the machine's setting.
            run(self.relay.command("sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward"))
            if self._has_ipv6:
                run(self.relay.command("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/all/forwarding"))
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    def _lay_cable(self, host: Namespace, address: str, relay_address: str, relay_link: str) -> None:
        ip(f"link add name to-relay netns {host.name} type veth peer name {relay_link} netns {self.relay.name}")
        for namespace, link, own_address in (
            (host, "to-relay", address),
            (self.relay, relay_link, relay_address),
        ):
            ip(f"-netns {namespace.name} address add {own_address}/24 dev {link}")
            if self._has_ipv6:
                # Usable at once: nobody else can have it.
                ip(f"-netns {namespace.name} address add {ipv6_twin(own_address)}/64 dev {link} nodad")
            ip(f"-netns {namespace.name} link set {link} up")


def require_tool(name: str, package: str) -> None:
    """Fails with the command that installs the tool when it is missing."""
    if shutil.which(name) is None:
        raise RuntimeError(f"{name} is not installed: apt-get install --no-install-recommends {package}")


def ip(arguments: str) -> None:
    """Runs iproute2's `ip`."""
    run(["ip", *arguments.split()])


def run(command: list[str]) -> None:
    """Runs a command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=IO_SECONDS)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}; network namespaces need root")


LIBC = ctypes.CDLL(None, use_errno=True)
# From <linux/sched.h>.
CLONE_NEWNET = 0x4000_0000
# For one exchange between namespaces of one machine; larger than the gateway's own time limits.
IO_SECONDS = 60
