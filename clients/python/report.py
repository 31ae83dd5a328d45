"""Counts one session: what was sent, what was answered, and how long each answer took."""

from collections import deque

import numpy as np


class Report:
    """The tally of a session. All times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self.boxes: list[dict] = []
        self.predictions = 0
        self._frames_sent = 0
        self._first_frame_id: int | None = None
        self._latencies: list[float] = []
        self._in_flight: dict[int, float] = {}
        self._newest: deque[dict] = deque(maxlen=KEPT_PREDICTIONS)

    def frame_sent(self, frame_id: int, now: float) -> None:
        """Notes that the frame was handed to the encoder."""
        self._frames_sent += 1
        self._in_flight[frame_id] = now
        if len(self._in_flight) > MAX_IN_FLIGHT:
            del self._in_flight[next(iter(self._in_flight))]

    def prediction(self, frame_id: int, boxes: list[dict], now: float) -> float | None:
        """Notes an answer and returns its latency, or None when it answers no frame that waits."""
        self.predictions += 1
        self._newest.append({"frame_id": frame_id, "boxes": boxes})
        self.boxes = boxes
        if self._first_frame_id is None:
            self._first_frame_id = frame_id
        sent_at = self._in_flight.pop(frame_id, None)
        if sent_at is None:
            return None
        self._latencies.append(now - sent_at)
        return now - sent_at

    def summary(self) -> dict:
        """Returns the tally, ready for JSON."""
        return {
            "frames_sent": self._frames_sent,
            "predictions": self.predictions,
            "matched": len(self._latencies),
            "first_frame_id": self._first_frame_id,
            "latency_ms": self._latency_percentiles(),
            "newest_predictions": list(self._newest),
        }

    def _latency_percentiles(self) -> dict[str, float] | None:
        if not self._latencies:
            return None
        values = np.percentile(self._latencies, [50, 95, 99]) * 1000
        return {name: round(float(value), 1) for name, value in zip(("p50", "p95", "p99"), values, strict=True)}


# Frames that the backend skipped are never answered; this many, 17 s at 60 frames a second, are remembered.
MAX_IN_FLIGHT = 1024
# Predictions in the summary: ten seconds at 30 frames a second.
KEPT_PREDICTIONS = 300
