"""Finds dark blobs in a picture."""

import cv2
import numpy as np


def detect_lesions(picture: np.ndarray) -> list[dict]:
    """Returns a box for each region that is much darker than the skin around it."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    skin = float(np.median(grey))
    _, dark = cv2.threshold(grey, skin * DARK_FRACTION, 255, cv2.THRESH_BINARY_INV)
    contours, _ = cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [
        {"class": "lesion", "box": list(cv2.boundingRect(contour))}
        for contour in contours
        if cv2.contourArea(contour) >= MIN_AREA_PIXELS
    ]


# Halfway between the synthetic lesion and its skin, so that blurred edges fall on the true outline.
DARK_FRACTION = 0.65
# Smaller than any lesion that a camera resolves, larger than the specks that compression leaves.
MIN_AREA_PIXELS = 200
