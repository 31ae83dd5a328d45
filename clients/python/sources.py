"""Where the pictures come from: a camera, a video file, or a synthetic lesion whose place is known."""

import math
from threading import Lock
from typing import Protocol

import cv2
import numpy as np


class SourceError(Exception):
    """The camera or the file gives no pictures."""


class Source(Protocol):
    """A supply of BGR pictures."""

    def read(self) -> np.ndarray | None:
        """Returns the next picture, or None when there are no more. May block."""

    def close(self) -> None:
        """Gives the device back."""


class CaptureSource:
    """A camera or a video file, read by OpenCV and scaled to `WIDTH`."""

    def __init__(self, device: int | str) -> None:
        self._capture = cv2.VideoCapture(device)
        if not self._capture.isOpened():
            kind = "camera" if isinstance(device, int) else "video file"
            raise SourceError(
                f"OpenCV cannot open {kind} {device}: it is missing, busy or of an unknown format; "
                "name another with --camera or --video, or try --synthetic"
            )
        # A session that ends may close the source while a thread still reads from it.
        self._lock = Lock()

    def read(self) -> np.ndarray | None:
        with self._lock:
            captured, picture = self._capture.read()
        return _scaled(picture) if captured else None

    def close(self) -> None:
        with self._lock:
            self._capture.release()


class SyntheticSource:
    """A dark ellipse that wanders over plain skin, the same way each time."""

    def __init__(self) -> None:
        self._frame_id = 0

    def read(self) -> np.ndarray:
        picture = np.full((HEIGHT, WIDTH, 3), SKIN_BGR, dtype=np.uint8)
        cv2.ellipse(picture, _lesion_centre(self._frame_id), LESION_AXES, 0, 0, 360, LESION_BGR, thickness=-1)
        self._frame_id += 1
        return picture

    def close(self) -> None:
        pass


def lesion_box(frame_id: int) -> list[int]:
    """Returns [x, y, width, height] of the lesion in that picture of a `SyntheticSource`."""
    (x, y), (half_width, half_height) = _lesion_centre(frame_id), LESION_AXES
    return [x - half_width, y - half_height, 2 * half_width + 1, 2 * half_height + 1]


def _lesion_centre(frame_id: int) -> tuple[int, int]:
    # Two periods without a common factor: the path does not repeat within a minute of video.
    x = WIDTH / 2 + WIDTH / 3 * math.sin(2 * math.pi * frame_id / 97)
    y = HEIGHT / 2 + HEIGHT / 3 * math.cos(2 * math.pi * frame_id / 61)
    return round(x), round(y)


def _scaled(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    # The encoder halves the colour planes, so the height must be even.
    even_height = max(2, round(height * WIDTH / width / 2) * 2)
    return cv2.resize(picture, (WIDTH, even_height))


# Pixels. Enough for a lesion, little enough for a phone's uplink.
WIDTH, HEIGHT = 640, 480
LESION_AXES = (48, 32)
SKIN_BGR = (150, 180, 224)
LESION_BGR = (40, 52, 88)
