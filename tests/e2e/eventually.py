"""Waits for what another process does without telling."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(check: Callable[[], T], seconds: float = 10) -> T:
    """Calls `check` until its assertions hold; after `seconds` the last one that does not comes through."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return check()
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        time.sleep(INTERVAL_SECONDS)


# Short beside the waits, long beside one look.
INTERVAL_SECONDS = 0.05
