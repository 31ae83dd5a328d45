"""The loads that servers are compared under, and what counts of each."""

from dataclasses import dataclass


@dataclass
class Row:
    """One load, and what of its report counts."""

    name: str
    what: str
    flags: str
    figure: str  # cpu, rate, latency or allocations
    goal: float | None = None  # against coturn; less is better, but for rates
    in_namespaces: bool = False
    servers: tuple = ("turnpike", "coturn", "forwarder")
    workers: int = 1  # of turnpike; a second one has the core of the load
    group: str | None = None  # rows of one group take turns with each other as well

    @property
    def transport(self):
        flags = self.flags.split()
        return flags[flags.index("--transport") + 1] if "--transport" in flags else "udp"


@dataclass
class Growth:
    """How much more a packet costs under one load than under another."""

    name: str
    less: str
    more: str
    goal: float


VIDEO = "--payload 1200 --frame 8"
FLOWS_500 = "--allocations 500 --payload 1100 --frame 5 --direction both"
WITHOUT_FLOOR = ("turnpike", "coturn")
OVER_TLS = "--transport tls --insecure"
ROWS = [
    Row("A", "50,000 packets/s of 160 bytes, each at its own time", "--rate 50000 --direction both", "cpu", 0.95),
    Row(
        "B",
        "100,000 packets/s of 160 bytes, arriving every 500 µs",
        "--rate 100000 --tick 500us --direction both",
        "cpu",
        0.80,
    ),
    Row(
        "C",
        "50,000 packets/s of 1,200 bytes, frames of 8 in one piece",
        f"{VIDEO} --rate 50000 --direction both",
        "cpu",
        0.37,
    ),
    Row(
        "C'",
        "the same, frames of 8 single packets",
        f"{VIDEO} --rate 50000 --direction both --no-segmentation",
        "cpu",
        0.48,
    ),
    Row(
        "rate",
        "most packets/s of 160 bytes without loss, four of a flow at once",
        "--rate 60000 --find-rate --duration 1s --tick 1ms --frame 4 --no-segmentation",
        "rate",
        1.15,
    ),
    Row(
        "video rate",
        "most packets/s of 1,200 bytes in frames of 8 without loss",
        f"{VIDEO} --rate 60000 --find-rate --duration 1s",
        "rate",
        4.0,
    ),
    Row(
        "across",
        "from relayed address to relayed address, 70,000 packets/s of 160 bytes",
        "--rate 70000 --tick 500us --direction across",
        "cpu",
        0.45,
        servers=WITHOUT_FLOOR,
    ),
    Row("latency", "p99 at 50,000 packets/s of 160 bytes", "--rate 50000 --direction both", "latency", 1.0),
    Row(
        "TCP",
        "20,000 packets/s of 160 bytes, each at its own time, clients over TCP",
        "--transport tcp --rate 20000 --direction both",
        "cpu",
        servers=WITHOUT_FLOOR,
    ),
    Row(
        "TCP video",
        "20,000 packets/s of 1,200 bytes in frames of 8, clients over TCP",
        f"--transport tcp {VIDEO} --rate 20000 --direction both",
        "cpu",
        servers=WITHOUT_FLOOR,
    ),
    Row(
        "TLS",
        "20,000 packets/s of 160 bytes, each at its own time, clients over TLS",
        f"{OVER_TLS} --rate 20000 --direction both",
        "cpu",
        servers=WITHOUT_FLOOR,
    ),
    Row(
        "TLS video",
        "20,000 packets/s of 1,200 bytes in frames of 8, clients over TLS",
        f"{OVER_TLS} {VIDEO} --rate 20000 --direction both",
        "cpu",
        servers=WITHOUT_FLOOR,
    ),
    Row(
        "50 flows",
        "40,000 packets/s of 160 bytes every 500 µs over 50 allocations",
        "--rate 40000 --tick 500us",
        "cpu",
        servers=WITHOUT_FLOOR,
        group="flows",
    ),
    Row(
        "9,000 flows",
        "the same over 9,000 allocations",
        "--rate 40000 --tick 500us --allocations 9000",
        "cpu",
        servers=WITHOUT_FLOOR,
        group="flows",
    ),
    Row(
        "one worker",
        "30,000 packets/s of 160 bytes every 500 µs over 50 allocations",
        "--rate 30000 --tick 500us --direction both",
        "cpu",
        servers=("turnpike",),
        group="workers",
    ),
    Row(
        "two workers",
        "60,000 packets/s over 100 allocations, half of them for each worker",
        "--rate 60000 --tick 500us --direction both --allocations 100",
        "cpu",
        servers=("turnpike",),
        workers=2,
        group="workers",
    ),
    Row(
        "allocations",
        "a challenge, an Allocate and a Refresh of zero",
        "--churn --allocations 64",
        "allocations",
        servers=WITHOUT_FLOOR,
    ),
    Row(
        "veth 40k",
        "500 video flows between network namespaces, 40,000 packets/s",
        f"{FLOWS_500} --rate 40000",
        "core",
        in_namespaces=True,
        servers=WITHOUT_FLOOR,
    ),
    Row(
        "veth 142k",
        "500 video flows between network namespaces, 142,000 packets/s",
        f"{FLOWS_500} --rate 142000",
        "core",
        0.55,
        in_namespaces=True,
        servers=WITHOUT_FLOOR,
    ),
]
GROWTHS = [
    Growth("from 50 allocations to 9,000", "50 flows", "9,000 flows", 1.15),
    # Two that carry 1.8 times as much as one spend this much on a packet.
    Growth("from one worker to two, each with as much to relay", "one worker", "two workers", 2 / 1.8),
]
UNITS = {
    "cpu": "µs of CPU per packet",
    "core": "µs of the server's core per packet",
    "rate": "packets/s",
    "latency": "µs",
    "allocations": "µs of CPU each",
}


def figure(kind, report, core):
    match kind:
        case "cpu":
            return report["server"]["cpu_us_per_packet"]
        case "core":
            return core / report["arrived"] * 1e6
        case "rate":
            return report["packets_per_second"]
        case "latency":
            return report["latency"]["p99_us"]
        case "allocations":
            return report["server_cpu_us_each"]
    raise ValueError(kind)
