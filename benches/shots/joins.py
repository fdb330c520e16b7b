"""Draws the frames of each kind of transition."""

import cv2
import numpy

from footage import HEIGHT, WIDTH
from views import COLUMNS, ROWS, WHITE

BLACK = numpy.zeros_like(WHITE)
WIPES = ["left", "right", "up", "down", "iris", "push"]


def frames(kind, count, before, after, choices):
    """Yields the `count` pictures between two shots, from their pictures `before(k)` and `after(k)` at the same time."""
    for k in range(count):
        yield between(kind, (k + 1) / (count + 1), before(k), after(k), choices)


def between(kind, share, before, after, choices):
    """Returns the picture at `share` of the transition, from 0 to 1."""
    if kind == "dissolve":
        return cv2.addWeighted(before, 1 - share, after, share, 0)
    if kind in ("black", "white"):
        plain, (down, up) = BLACK if kind == "black" else WHITE, choices["turns"]
        # Fade out until `down`, fade in from `up`. A turn at either end makes a cut on that side.
        if share < down:
            return cv2.addWeighted(before, 1 - share / down, plain, share / down, 0)
        if share > up:
            level = (share - up) / (1 - up)
            return cv2.addWeighted(plain, 1 - level, after, level, 0)
        return plain
    wipe = choices["wipe"]
    if wipe == "push":
        seam = round(share * WIDTH)
        return numpy.hstack([before[:, seam:], after[:, :seam]])
    gone = {
        "left": COLUMNS / WIDTH,
        "right": 1 - COLUMNS / WIDTH,
        "up": 1 - ROWS / HEIGHT,
        "down": ROWS / HEIGHT,
        "iris": numpy.hypot(COLUMNS - WIDTH / 2, ROWS - HEIGHT / 2) / (WIDTH * 0.58),
    }[wipe]
    edge = numpy.clip((share * (1 + choices["soft"]) - gone) / max(choices["soft"], 1e-3), 0, 1)[:, :, None]
    return (before * (1 - edge) + after * edge).astype(numpy.uint8)
