"""The load generator on servers that are not ours, by way of the comparison that documents the speed."""

import subprocess
from pathlib import Path

from network import require_tool
from turnpike import REPOSITORY, binary

ROWS = ["A", "C", "across", "allocations", "veth 40k"]


def test_comparison_measures_coturn_and_the_forwarder() -> None:
    require_tool("turnserver", "coturn")
    command = [REPOSITORY / "benches" / "compare", "--rounds", "1", "--duration", "300ms", "--only", *ROWS]
    command += ["--built", binary(), built_forwarder()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    table = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| **")]
    assert [cells[0].removeprefix("| **").split("**")[0] for cells in table] == ROWS
    for name, (_, _, turnpike, coturn, forwarder, ratio, _, _) in zip(ROWS, table, strict=True):
        measured = [turnpike, coturn] + ([forwarder] if name in ("A", "C") else [])
        assert all(float(figure.split(",")[0]) > 0 for figure in measured), table
        assert float(ratio) > 0


def built_forwarder() -> Path:
    """The newest that was built with the binary."""
    built = [path for path in (binary().parent / "deps").glob("forwarder-*") if not path.suffix]
    assert built, "not built: cargo build --release --bin turnpike --bench forwarder"
    return max(built, key=lambda path: path.stat().st_mtime)
