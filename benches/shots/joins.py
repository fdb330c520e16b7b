"""How one shot becomes the next: the frames of each kind of transition."""

import cv2
import numpy

from footage import HEIGHT, WIDTH
from views import COLUMNS, ROWS, WHITE

BLACK = numpy.zeros_like(WHITE)
WIPES = ["left", "right", "up", "down", "iris", "push"]


def frames(kind, count, before, after, choices):
    """The `count` pictures that are between the shots, from `before(k)` and `after(k)`, the shots' own pictures at the same time."""
    for k in range(count):
        yield between(kind, (k + 1) / (count + 1), before(k), after(k), choices)


def between(kind, share, before, after, choices):
    """The picture where `share` of the way is gone."""
    if kind == "dissolve":
        return cv2.addWeighted(before, 1 - share, after, share, 0)
    if kind in ("black", "white"):
        plain, (down, up) = BLACK if kind == "black" else WHITE, choices["turns"]
        # Down until the one, up from the other; where a turn is at an end, that side is a cut.
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
