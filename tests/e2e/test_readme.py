"""The commands of the README do what it says, on a machine that has nothing but them."""

import json
import re
import sys

from network import Network
from process import Process
from turnpike import REPOSITORY, binary, environment


def test_first_steps(network: Network) -> None:
    serve, backend, client, bench = commands("-- serve", "-m backend", "turnpike_client.py", "-- bench")

    # All on one host. Loopback is its own, so the ports are free there.
    with terminal(network, serve) as relay, terminal(network, backend) as inference:
        assert relay.stderr.wait_for(lambda line: "turnpike serves" in line, START_SECONDS), relay.stderr.all()
        assert inference.stdout.wait_for(lambda line: "ready" in line, START_SECONDS), inference.stderr.all()
        with terminal(network, client) as user:
            exit_code = user.wait(CLIENT_SECONDS)
        with terminal(network, bench) as load:
            assert load.wait(CLIENT_SECONDS) == 0, load.stderr.text()
    assert " 0 lost" in load.stdout.text()
    assert exit_code == 0, user.stderr.text()
    summary = json.loads(user.stdout.text())
    assert summary["predictions"] >= 100
    assert summary["candidate_pairs"] == ["relay/host"]


def terminal(network: Network, command: str) -> Process:
    return Process(network.client.command("bash", "-c", command), cwd=str(REPOSITORY), env=environment())


def commands(*marks: str) -> list[str]:
    """Returns the first block of the README with each mark, for this build and this Python."""
    blocks = re.findall(r"```sh\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    found = [next(block for block in blocks if mark in block).strip() for mark in marks]
    found = [command.replace("cargo run --release --", str(binary())) for command in found]
    found = [re.sub(r"\S*\.venv/bin/python", sys.executable, command) for command in found]
    # So that the shell makes way for the program.
    return [command.replace("cd tests && ", "cd tests && exec ") for command in found]


START_SECONDS = 60
CLIENT_SECONDS = 90
