"""The load generator on servers that are not ours, by way of the comparison that documents the speed."""

import subprocess
from pathlib import Path

from network import require_tool

ROOT = Path(__file__).resolve().parents[2]
ROWS = ["A", "C", "across", "allocations", "veth 40k"]


def test_comparison_measures_coturn_and_the_forwarder() -> None:
    require_tool("turnserver", "coturn")
    command = [ROOT / "benches" / "compare", "--rounds", "1", "--duration", "300ms", "--only", *ROWS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    table = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| **")]
    assert [cells[0].removeprefix("| **").split("**")[0] for cells in table] == ROWS
    for name, (_, _, turnpike, coturn, forwarder, ratio, _) in zip(ROWS, table, strict=True):
        measured = [turnpike, coturn] + ([forwarder] if name in ("A", "C") else [])
        assert all(float(figure.split(",")[0]) > 0 for figure in measured), table
        assert float(ratio) > 0
