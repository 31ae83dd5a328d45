"""`turnpike doctor` finds what will not go well before clients do, and says nothing against what will."""

import json
import subprocess
from pathlib import Path

from certificate import Certificate
from inference_backend import Backend
from network import BACKEND_ADDRESS, RELAY_CLIENT_SIDE, Network
from turnpike import Ports, Turnpike, binary, config_text, environment


def test_finds_nothing_wrong_beside_a_server_that_runs(
    network: Network, backend: Backend, turnpike: Turnpike, tmp_path: Path
) -> None:
    sessions_before = turnpike.metric("turnpike_turn_allocations_created_total")

    exit_code, findings = examine(network, tmp_path)

    assert exit_code == 0, findings
    assert verdicts(findings, "start") == ["good"]
    # Over UDP and TCP.
    assert verdicts(findings, "relay") == ["good", "good"], findings
    assert "10 of 10 packets came back" in texts(findings, "relay")[0]
    assert verdicts(findings, "backend") == ["good"], findings
    assert verdicts(findings, "addresses") == ["good"], findings
    # The test network is a private one, and the certificate lives for a day.
    assert verdicts(findings, "reach") == ["doubtful"], findings
    assert verdicts(findings, "certificate") == ["doubtful"], findings
    assert {"files", "buffers", "ports", "clock"} <= {finding["area"] for finding in findings}
    # It has used a copy, on ports of its own.
    assert turnpike.metric("turnpike_turn_allocations_created_total") == sessions_before


def test_names_what_is_wrong(network: Network, tmp_path: Path) -> None:
    def spoil(config: str) -> str:
        nowhere = f"http://{BACKEND_ADDRESS}:9"
        config = config.replace(f"http://{BACKEND_ADDRESS}:{Ports().backend}", nowhere)
        return config.replace(f'listen = ["{RELAY_CLIENT_SIDE}:3478"]', 'listen = ["192.0.2.99:3478"]')

    exit_code, findings = examine(network, tmp_path, spoil)

    assert exit_code == 1
    assert verdicts(findings, "addresses") == ["wrong"], findings
    assert texts(findings, "addresses")[0].startswith("192.0.2.99 is no address of this machine;")
    assert verdicts(findings, "backend") == ["wrong"], findings
    assert "502" in texts(findings, "backend")[0]


def test_explains_why_nothing_can_be_relayed(network: Network, tmp_path: Path) -> None:
    def spoil(config: str) -> str:
        return config.replace('relay_addresses = ["10.77.2.1"]', 'relay_addresses = ["192.0.2.98"]')

    exit_code, findings = examine(network, tmp_path, spoil)

    assert exit_code == 1
    assert "wrong" in verdicts(findings, "relay") + verdicts(findings, "start"), findings


def examine(network: Network, folder: Path, change=str) -> tuple[int, list[dict]]:
    """Runs the command on the relay host; returns its exit code and its findings."""
    config = folder / "turnpike.toml"
    config.write_text(change(config_text(Ports(), Certificate(folder, RELAY_CLIENT_SIDE), has_ipv6=False)))
    command = network.relay.command(str(binary()), "doctor", "--json", "--config", str(config))
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=DOCTOR_SECONDS)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def verdicts(findings: list[dict], area: str) -> list[str]:
    return [finding["verdict"] for finding in findings if finding["area"] == area]


def texts(findings: list[dict], area: str) -> list[str]:
    return [finding["text"] for finding in findings if finding["area"] == area]


DOCTOR_SECONDS = 60
