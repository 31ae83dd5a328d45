"""coturn's load client and its echo peer."""

import base64
import hashlib
import hmac
import subprocess
import time

from network import BACKEND_ADDRESS, RELAY_CLIENT_SIDE, Namespace, require_tool
from process import Process
from turnpike import PASSWORD, REST_SECRET, USER


class EchoPeer(Process):
    """A peer that sends back what it gets."""

    def __init__(self, host: Namespace, *addresses: str) -> None:
        require_tool("turnutils_peer", package="coturn")
        listeners = [flag for address in addresses or (BACKEND_ADDRESS,) for flag in ("-L", address)]
        super().__init__(host.command("turnutils_peer", *listeners, "-p", str(PEER_PORT)))


def run_uclient(
    host: Namespace,
    *flags: str,
    rtcp: bool = False,
    server: str = RELAY_CLIENT_SIDE,
    peer: str = BACKEND_ADDRESS,
) -> subprocess.CompletedProcess[str]:
    """Runs turnutils_uclient to its end; with `rtcp` each client has a second allocation on the next port."""
    require_tool("turnutils_uclient", package="coturn")
    # -c: no second allocation. -z: milliseconds between messages. Half of its allocations ask for EVEN-PORT whatever
    # the flags.
    pairs = [] if rtcp else ["-c"]
    load = f"-e {peer} -r {PEER_PORT} -m {CLIENTS} -n {MESSAGES} -l {MESSAGE_BYTES} -z 5".split()
    return subprocess.run(
        host.command("turnutils_uclient", *pairs, *load, *flags, server),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=UCLIENT_SECONDS,
    )


def credential_flags(kind: str) -> list[str]:
    """Returns the flags that log in."""
    if kind == "static":
        return ["-u", USER, "-w", PASSWORD]
    if kind == "rest_by_uclient":
        return ["-u", USER, "-W", REST_SECRET]
    username = f"{int(time.time()) + 600}:carol"
    digest = hmac.new(REST_SECRET.encode(), username.encode(), hashlib.sha1).digest()
    return ["-u", username, "-w", base64.b64encode(digest).decode()]


PEER_PORT = 3480
CLIENTS, MESSAGES = 4, 200
# A video packet of a client that keeps to the usual path MTU.
MESSAGE_BYTES = 1200
# uclient takes some 5 s to set up and 2 s to be sure that no packet is late.
UCLIENT_SECONDS = 60
