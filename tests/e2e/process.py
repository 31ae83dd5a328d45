"""Starts programs, hears what they print as they print it, and ends them by their own process id."""

import subprocess
import threading
from collections.abc import Callable
from typing import IO


class Lines:
    """The lines that a program has printed so far."""

    def __init__(self, stream: IO[str]) -> None:
        self._lines: list[str] = []
        self._ended = False
        self._changed = threading.Condition()
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def all(self) -> list[str]:
        """Returns the lines until now."""
        with self._changed:
            return list(self._lines)

    def text(self) -> str:
        """Returns everything that was printed, once the program has ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended, timeout=STOP_SECONDS)
            return "".join(self._lines)

    def wait_for(self, wanted: Callable[[str], bool], seconds: float, since: int = 0) -> str | None:
        """Returns the first line from number `since` on that is wanted, or None when it does not come in time."""
        found: str | None = None

        def arrived() -> bool:
            nonlocal found
            found = next(filter(wanted, self._lines[since:]), None)
            return found is not None or self._ended

        with self._changed:
            self._changed.wait_for(arrived, timeout=seconds)
        return found

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


class Process:
    """A running program; the `with` block ends it."""

    def __init__(self, command: list[str], cwd: str | None = None, env: dict[str, str] | None = None) -> None:
        self._command = command
        self._process = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self.stdout = Lines(self._process.stdout)
        self.stderr = Lines(self._process.stderr)

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def has_ended(self) -> bool:
        """Whether the program is gone."""
        return self._process.poll() is not None

    def wait(self, seconds: float) -> int:
        """Returns the exit code; fails when the program runs on."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.stop()
            raise AssertionError(
                f"{' '.join(self._command)} still ran after {seconds} s\n{self.stderr.text()[-2000:]}"
            ) from None

    def kill(self) -> None:
        """Ends the program at once, before it can do anything about it."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Asks the program to end, and makes it when it does not."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


# Longer than any of the programs takes to close its connections.
STOP_SECONDS = 10
