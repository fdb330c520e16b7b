"""Drawn footage: evenly moving stripes, rings and patches, like title backgrounds and test pictures, and plain colours.

However much of the picture changes, it is one shot.
"""

import random

import numpy

from footage import HEIGHT, WIDTH

SHOTS, FRAMES = 60, 200
KINDS = ["stripes", "rings", "patches", "plain"]
ROWS, COLUMNS = numpy.mgrid[0:HEIGHT, 0:WIDTH].astype(numpy.float32)


class Graphics:
    """Like `footage.Video`: each shot is one moving pattern. `graphics.frames[k]` is drawn on access."""

    def __init__(self, part):
        draw = random.Random(f"graphics {part}")
        self.name, self.part, self.rate = f"graphics-{part}", part, 24.0
        self.shots = [(at * FRAMES, at * FRAMES + FRAMES - 1) for at in range(SHOTS)]
        self.frames = self
        self.patterns = [
            {
                "kind": draw.choices(KINDS, [14, 5, 13, 8])[0],
                "seed": draw.randrange(1 << 30),
                "wave": draw.uniform(40, 900),
                "slant": draw.choice([0, 0, 1, -1, 2, 3, 0.3]),
                "speed": draw.uniform(0.5, 8) * draw.choice([1, 2, 7]) * draw.choice([-1, 1]),
                "grey": draw.random() < 0.4,
                "hard": draw.choice([1, 1, 3, 20]),
                "colours": colours(draw),
            }
            for _ in range(SHOTS)
        ]

    def __getitem__(self, index):
        shot, k = divmod(int(index), FRAMES)
        pattern = self.patterns[shot]
        one, other = (numpy.float32(colour) for colour in pattern["colours"])
        if pattern["kind"] == "plain":
            return numpy.full((HEIGHT, WIDTH, 3), one.astype(numpy.uint8))
        if pattern["kind"] == "patches":
            size = min(pattern["wave"], 500) / 4
            cells = numpy.random.default_rng(pattern["seed"]).integers(15, 240, (64, 64, 3), numpy.uint8)
            across, down = (int(k * pattern["speed"] / 4) + numpy.arange(WIDTH)) / size, numpy.arange(HEIGHT) / size
            if pattern["grey"]:
                cells[:] = cells[:, :, :1]
            return cells[down.astype(int)[:, None] % 64, across.astype(int)[None, :] % 64]
        if pattern["kind"] == "rings":
            way = numpy.hypot(COLUMNS - WIDTH / 2, ROWS - HEIGHT / 2)
        else:
            way = COLUMNS + pattern["slant"] * ROWS
        phase = (way + k * pattern["speed"]) / pattern["wave"] % 1
        # A triangle wave. `hard` sharpens its edges.
        share = numpy.clip((numpy.abs(2 * phase - 1) - 0.5) * pattern["hard"] + 0.5, 0, 1)[:, :, None]
        return (one * share + other * (1 - share)).astype(numpy.uint8)


def colours(draw):
    """Draws two colours, often of one hue."""
    one = [draw.randrange(15, 240) for _ in range(3)]
    if draw.random() < 0.5:
        return [one, [draw.randrange(15, 240) for _ in range(3)]]
    darker, hue = draw.uniform(0.1, 0.8), draw.choice([one, [max(one)] * 3])
    return [hue, [max(round(channel * darker), 12) for channel in hue]]
