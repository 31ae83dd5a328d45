"""The real backend, started on the backend host."""

import json
import sys

from network import BACKEND_ADDRESS, Namespace
from process import Process
from turnpike import REPOSITORY


class Backend:
    """A running backend; the `with` block ends it."""

    def __init__(self, host: Namespace, port: int) -> None:
        self.port = port
        self._process = Process(
            host.command(sys.executable, "-m", "backend", "--host", BACKEND_ADDRESS, "--port", str(port)),
            cwd=str(REPOSITORY / "tests"),
        )

    def __enter__(self) -> "Backend":
        line = self._process.stdout.wait_for(lambda line: json.loads(line)["ready"], seconds=60)
        if line is None:
            self._process.stop()
            raise AssertionError(f"the backend did not come up:\n{self._process.stderr.text()}")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def log_lines(self) -> list[str]:
        """Returns the log until now."""
        return self._process.stderr.all()

    def stop(self) -> None:
        """Ends the backend."""
        self._process.stop()
