"""Where a server is measured: its core and that of the load, on one host or between network namespaces."""

import contextlib
import json
import os
import socket
import subprocess
from pathlib import Path

SERVER_CORE, LOAD_CORE = "1", "0"
SECRET = "north"


class MeasurementError(Exception):
    """Why a row has no figures."""


class Loopback:
    """Server and load on one host."""

    host = "127.0.0.1"
    enter_server = ()

    def __enter__(self):
        self.port, self.tls_port = free_port(), free_port()
        return self

    def __exit__(self, *_):
        pass

    def bench(self, turnpike, row, pid, duration):
        return bench(turnpike, row, pid, self, duration, [], []), None


class Namespaces:
    """Clients, server and peers on hosts of their own: three network namespaces in a row, joined by veth."""

    host, port, tls_port = "10.7.1.1", 3478, 5349
    clients, relay, peers = (f"tpb-{os.getpid()}-{name}" for name in ("c", "r", "p"))
    enter_server = ("ip", "netns", "exec", relay)

    def __enter__(self):
        self.stack = contextlib.ExitStack()
        for name in (self.clients, self.relay, self.peers):
            run(f"ip netns add {name}")
            self.stack.callback(run, f"ip netns del {name}")
            run(f"ip -n {name} link set lo up")
        for number, name in ((1, self.clients), (2, self.peers)):
            run(f"ip link add r{number} netns {self.relay} type veth peer name e netns {name}")
            for space, device, last in ((self.relay, f"r{number}", 1), (name, "e", 2)):
                run(f"ip -n {space} addr add 10.7.{number}.{last}/24 dev {device}")
                run(f"ip -n {space} link set {device} up")
            run(f"ip -n {name} route add default via 10.7.{number}.1")
            # What comes in is the work of who receives it, so that one's core does it.
            self.receive_on(SERVER_CORE, self.relay, f"r{number}")
            self.receive_on(LOAD_CORE, name, "e")
        return self

    def __exit__(self, *_):
        self.stack.close()

    def receive_on(self, core, space, device):
        mask = f"{1 << int(core):x}"
        steer = ["tee", f"/sys/class/net/{device}/queues/rx-0/rps_cpus"]
        command = ["ip", "netns", "exec", space, *steer]
        subprocess.run(command, input=mask, stdout=subprocess.DEVNULL, text=True, check=True)

    def bench(self, turnpike, row, pid, duration):
        before = core_seconds(pid)
        enter = ["ip", "netns", "exec", self.clients]
        peers = ["--peer-netns", self.peers, "--peer-address", "10.7.2.2"]
        report = bench(turnpike, row, pid, self, duration, enter, [*peers, "--warm-up", "0s"])
        return report, core_seconds(pid) - before


def bench(turnpike, row, pid, place, duration, enter, extra):
    server = f"{place.host}:{place.tls_port if row.transport == 'tls' else place.port}"
    command = [*enter, "taskset", "-c", LOAD_CORE, turnpike, "bench", server, "--json", "--pid", str(pid)]
    command += ["--secret", SECRET, *row.flags.split(), *extra]
    if "--duration" not in row.flags:
        command += ["--duration", duration]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise MeasurementError(f"{row.name}: the load failed")
    return json.loads(done.stdout)


def core_seconds(pid):
    """What the server's core has done for it so far: the kernel's work, interrupts included, and the server's own."""
    line = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(f"cpu{SERVER_CORE} "))
    # What others compute there is not the server's, so that a machine that is not quite idle does less harm.
    _user, _nice, system, _idle, _wait, interrupts, soft = map(int, line.split()[1:8])
    own = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])
    return (own + system + interrupts + soft) / os.sysconf("SC_CLK_TCK")


def free_port():
    """A port of loopback that neither a datagram socket nor a stream has."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, socket.socket() as streams:
            datagrams.bind(("127.0.0.1", 0))
            port = datagrams.getsockname()[1]
            with contextlib.suppress(OSError):
                streams.bind(("127.0.0.1", port))
                return port


def run(command, **options):
    subprocess.run(command.split(), check=True, **options)
