"""The admin API: what its description says is what it does, as schemathesis finds out."""

import subprocess
import sys
from pathlib import Path

from network import Network
from turnpike import ADMIN_TOKEN, Ports, Turnpike

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")


def test_the_api_does_what_its_description_says(network: Network, tmp_path: Path) -> None:
    # One of its own, since it is drained, silenced and reloaded on the way.
    ports = Ports(turn=13478, turns=15349, anonymous=13479, gateway=18080, admin=19090, backend=18000)
    with Turnpike(network.relay, tmp_path, ports):
        # Without generated cases for one operation after the other it would only replay the examples.
        judged = subprocess.run(
            network.relay.command(
                *(str(SCHEMATHESIS), "run", f"http://127.0.0.1:{ports.admin}/openapi.json"),
                *("--header", f"Authorization: Bearer {ADMIN_TOKEN}"),
                *("--checks", "all", "--max-examples", "30", "--seed", "1"),
                # A stream without an end, which it would wait for. test_live_page.py looks at it.
                *("--exclude-path", "/admin/v1/events"),
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=JUDGE_SECONDS,
        )

        assert judged.returncode == 0, judged.stdout
        assert "Tested: " in judged.stdout, judged.stdout


# It takes half a minute.
JUDGE_SECONDS = 300
