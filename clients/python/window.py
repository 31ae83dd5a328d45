"""Shows the video with its predictions in an OpenCV window."""

import os
import sys

import cv2
import numpy as np


class WindowError(Exception):
    """This machine or this build of OpenCV cannot open a window."""


class Window:
    """One window; `q` asks to quit."""

    def __init__(self) -> None:
        # Without a display, OpenCV's window toolkit ends the whole process; so look first.
        if sys.platform == "linux" and not os.environ.get("DISPLAY"):
            raise WindowError("no display to open a window on: set DISPLAY, or run with --headless")
        try:
            cv2.namedWindow(TITLE)
        except cv2.error as error:
            raise WindowError(
                "OpenCV cannot open a window: install opencv-python in place of opencv-python-headless, "
                "or run with --headless"
            ) from error

    def show(self, picture: np.ndarray, boxes: list[dict]) -> bool:
        """Draws the picture and returns whether the user asked to quit."""
        canvas = picture.copy()
        for prediction in boxes:
            _draw(canvas, prediction)
        cv2.imshow(TITLE, canvas)
        return cv2.waitKey(1) & 0xFF == ord("q")

    def close(self) -> None:
        """Takes the window off the screen."""
        cv2.destroyWindow(TITLE)


def _draw(canvas: np.ndarray, prediction: dict) -> None:
    x, y, width, height = (round(value) for value in prediction["box"])
    cv2.rectangle(canvas, (x, y), (x + width, y + height), GREEN_BGR, thickness=2)
    cv2.putText(canvas, prediction["class"], (x, y - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.6, GREEN_BGR)


TITLE = "turnpike client (q quits)"
GREEN_BGR = (0, 255, 0)
