"""The servers that are compared: what they are told, and how they come and go."""

import contextlib
import json
import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from comparison.places import LOAD_CORE, SECRET, SERVER_CORE, MeasurementError, run

ROOT = Path(__file__).resolve().parent.parent.parent

COTURN = """
listening-ip={host}
listening-port={port}
tls-listening-port={tls_port}
cert={folder}/certificate.pem
pkey={folder}/key.pem
relay-ip={host}
min-port=20000
max-port=60000
use-auth-secret
static-auth-secret={secret}
realm=bench
allow-loopback-peers
no-dtls
no-cli
log-file=stdout
pidfile={folder}/coturn.pid
userdb={folder}/coturn.db
"""
TURNPIKE = """
[turn]
listen = ["{host}:{port}"]
listen_tcp = ["{host}:{port}", "{host}:{tls_port}"]
realm = "bench"
workers = {workers}
relay_ports = "20000-60000"
[turn.tls]
certificate = "{folder}/certificate.pem"
private_key = "{folder}/key.pem"
[[turn.secrets]]
secret = "{secret}"
[turn.limits]
unauthenticated_per_second = 0
bindings_per_second = 0
[turn.peers]
allow = ["127.0.0.0/8", "10.0.0.0/8"]
[gateway]
listen = "127.0.0.1:0"
[[gateway.keys]]
id = "bench"
key = "0123456789abcdef"
[admin]
listen = "127.0.0.1:0"
[log]
level = "warn"
"""


@dataclass
class Servers:
    """How each server is started."""

    turnpike: Path
    coturn: Path
    forwarder: Path
    folder: Path
    versions: dict = field(default_factory=dict)

    def command(self, name, row, place):
        host, port = place.host, place.port
        if name == "forwarder":
            return [self.forwarder, f"{host}:{port}"]
        values = {
            "host": host,
            "port": port,
            "tls_port": place.tls_port,
            "folder": self.folder,
            "secret": SECRET,
            "workers": row.workers,
        }
        if name == "coturn":
            # In a file, since there it goes on past an option that its version does not know.
            config = self.folder / f"coturn-{host}.conf"
            config.write_text(COTURN.format(**values))
            return [self.coturn, "-c", str(config)]
        config = self.folder / f"turnpike-{host}.toml"
        config.write_text(TURNPIKE.format(**values))
        return [self.turnpike, "serve", "--config", str(config)]

    def make_certificate(self):
        """One that nobody vouches for, with the kind of key that is usual today."""
        run(
            "openssl req -x509 -batch -nodes -days 2 -subj /CN=bench -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
            f"-keyout {self.folder}/key.pem -out {self.folder}/certificate.pem",
            stderr=subprocess.DEVNULL,
        )


def build():
    """The binary and the forwarder; in one go, since each by itself would have Cargo build everything anew."""
    command = ["cargo", "build", "--quiet", "--release", "--locked", "--bin", "turnpike", "--bench", "forwarder"]
    built = subprocess.run(
        [*command, "--message-format", "json"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    messages = map(json.loads, built.stdout.splitlines())
    executables = {
        message["target"]["name"]: Path(message["executable"]) for message in messages if message.get("executable")
    }
    return executables["turnpike"], executables["forwarder"]


def versions(servers):
    said = subprocess.run([servers.coturn, "--version"], capture_output=True, text=True, check=False)
    coturn = next((line for line in said.stdout.split() if line[:1].isdigit()), "of unknown version")
    turnpike = subprocess.run([servers.turnpike, "--version"], capture_output=True, text=True, check=True)
    return {"coturn": f"coturn {coturn}", "turnpike": turnpike.stdout.strip(), "forwarder": "bare forwarder"}


@contextlib.contextmanager
def running(servers, name, row, place):
    """A server on its core, until the end of the block."""
    cores = SERVER_CORE if row.workers == 1 else f"{SERVER_CORE},{LOAD_CORE}"
    command = [*place.enter_server, "taskset", "-c", cores, *servers.command(name, row, place)]
    log = (servers.folder / f"{name}.log").open("w")
    # A variable of the tester's own would go over the file.
    env = {name: value for name, value in os.environ.items() if not name.startswith("TURNPIKE_")}
    process = subprocess.Popen(command, stdout=log, stderr=log, env=env)
    try:
        if not comes_to_listen(place, row):
            said = Path(log.name).read_text()[-2000:]
            raise MeasurementError(f"{row.name}: {name} does not listen within 10 seconds. It says:\n{said}")
        if row.workers > 1:
            give_each_worker_a_core(process.pid)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def give_each_worker_a_core(pid):
    """The kernel would have both workers where the load is not, most of the time."""
    cores = {"relay-0": SERVER_CORE, "relay-1": LOAD_CORE}
    for task in Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        if name in cores:
            os.sched_setaffinity(int(task.name), {int(cores[name])})


def comes_to_listen(place, row):
    kind, port = {"udp": ("u", place.port), "tcp": ("t", place.port), "tls": ("t", place.tls_port)}[row.transport]
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        shown = subprocess.run(
            [*place.enter_server, "ss", f"-Hln{kind}", f"sport = :{port}"], capture_output=True, text=True, check=True
        )
        if shown.stdout.strip():
            return True
        time.sleep(0.05)
    return False
