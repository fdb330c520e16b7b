"""Shows one shot of the footage: start, speed, moving window, colours and disturbances.

Disturbances are no transitions: flashes, flicker, explosions, whip pans, a passer-by close to the
camera, titles, changes of letterbox.
"""

import copy
import math

import cv2
import numpy

from footage import HEIGHT, WIDTH

WHITE = numpy.full((HEIGHT, WIDTH, 3), 255, numpy.uint8)
ROWS, COLUMNS = numpy.mgrid[0:HEIGHT, 0:WIDTH].astype(numpy.float32)
DISTURBANCES = ["flash", "flicker", "explosion", "whip", "passer", "title", "letterbox"]


class View:
    """`length` frames of one shot at `rate` frames a second; `view.frame(k)` is a picture, BGR."""

    def __init__(self, random, video, shot, rate, length, lively, night, speeds):
        self.video, self.shot = video, shot
        first, last = video.shots[shot]
        speed = random.choice(speeds)
        step = video.rate / rate * speed
        # A shot with too few frames is slowed down, at most to half speed, and then shortened. At
        # lower speeds the blend of two frames would look like a dissolve.
        self.length = length = min(length, max(3, int((last - first) / (step / 2)) + 1))
        self.step = min(step, (last - first) / max(length - 1, 1))
        spare = last - first - self.step * (length - 1)
        self.start = first + random.uniform(0, max(spare, 0))
        self.blend = random.random() < 0.5 and self.step > 0.4
        self.scale = random.choice([1.0, 1.0, 0.95, 0.8, 0.65])
        room = 1 - self.scale
        self.centre = (0.5 + random.uniform(-room, room) / 2, 0.5 + random.uniform(-room, room) / 2)
        self.mirrored = random.random() < 0.5
        # Motion of the window: zoom a frame, and pan a frame in picture widths.
        seconds = length / rate
        self.zoom = random.uniform(-0.35, 0.35) / max(seconds, 1) / rate if random.random() < (0.4 if lively else 0.15) else 0.0
        self.pan = random.uniform(-0.5, 0.5) * self.scale / rate if random.random() < (0.3 if lively else 0.15) else 0.0
        self.shakes = []
        if random.random() < (0.6 if lively else 0.2):
            strength = random.uniform(0.004, 0.02)
            self.shakes = [(strength * random.random(), random.uniform(0.5, 7) / rate, random.uniform(0, 7)) for _ in range(6)]
        self.table = colours(random, night)
        self.disturbances = []
        self.seed = random.randrange(1 << 30)

    def again(self, random, length):
        """Returns the same camera on the same shot at another time."""
        first, last = self.video.shots[self.shot]
        view = copy.copy(self)
        view.length = min(length, max(3, int((last - first) / self.step) + 1)) if self.step else length
        view.start = first + random.uniform(0, max(last - first - self.step * (view.length - 1), 0))
        view.disturbances = []
        return view

    def disturb(self, random, kind, first, rate):
        """Adds a disturbance from frame `first`. Returns its last frame."""
        seconds = {"flash": (0.04, 0.25), "flicker": (0.2, 1.2), "explosion": (0.3, 1.2), "whip": (0.15, 0.5), "passer": (0.2, 1.0),
                   "title": (0.6, 2.5), "letterbox": (0.02, 0.6)}[kind]
        frames = max(2 if kind == "whip" else 1, round(random.uniform(*seconds) * rate))
        choices = {"level": random.uniform(0.5, 1.0), "x": random.uniform(0.1, 0.9), "y": random.uniform(0.1, 0.9), "sign": random.choice([-1, 1]),
                   "far": random.uniform(0.5, 1.6), "sudden": random.random() < 0.5, "warm": random.random() < 0.7, "seed": random.randrange(1 << 30)}
        if kind == "flash" and random.random() < 0.4:
            choices["level"] = 1.0
        self.disturbances.append((kind, first, first + frames - 1, choices))
        return first + frames - 1

    def frame(self, k):
        """Returns frame `k`. Outside the view, the shot continues as far as there is footage."""
        first, last = self.video.shots[self.shot]
        place = min(max(self.start + k * self.step, first), last)
        picture = self.video.frames[int(place)]
        part = place - int(place)
        if self.blend and part > 0.05 and int(place) < last:
            picture = cv2.addWeighted(picture, 1 - part, self.video.frames[int(place) + 1], part, 0)
        picture = cv2.LUT(self.window(picture, k), self.table)
        for kind, begin, end, choices in self.disturbances:
            if begin <= k and (k <= end or kind == "letterbox"):
                picture = happen(picture, kind, min((k - begin + 1) / (end - begin + 1), 1.0), k, choices)
        return picture

    def window(self, picture, k):
        """Returns the part of the footage's picture that the camera sees."""
        scale = min(max(self.scale * math.exp(self.zoom * k), 0.3), 1.6)
        x, y = self.centre[0] + self.pan * k, self.centre[1]
        for at, (strength, rate, phase) in enumerate(self.shakes):
            move = strength * math.sin(2 * math.pi * rate * k + phase)
            x, y = (x + move, y) if at % 2 else (x, y + move)
        blur = 0
        for kind, begin, end, choices in self.disturbances:
            if kind == "whip" and k >= begin:
                # The pan is fastest in the middle.
                ease = lambda t: (1 - math.cos(math.pi * min(max(t, 0), 1))) / 2
                share = (k - begin + 1) / (end - begin + 1)
                way = choices["sign"] * choices["far"] * self.scale
                x += way * ease(share)
                blur = max(blur, int(0.7 * WIDTH * abs(way) / scale * abs(ease(share) - ease(share - 1 / (end - begin + 1)))))
        mirror = -1 if self.mirrored else 1
        matrix = numpy.float32([[mirror * scale, 0, (x - mirror * scale / 2) * WIDTH], [0, scale, (y - scale / 2) * HEIGHT]])
        seen = cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT_101)
        return cv2.blur(seen, (min(blur, WIDTH // 2), 1)) if blur > 1 else seen


def colours(random, night):
    """Draws a table of brightness, contrast and tint; some are dark, and with `night` all of them."""
    codes = numpy.arange(256, dtype=numpy.float32) / 255
    table = numpy.empty((1, 256, 3), numpy.uint8)
    dark = random.random() < 0.3 or night
    gamma, gain = (random.uniform(1.2, 2.2), random.uniform(0.2 if night else 0.3, 0.6 if night else 0.9)) if dark else (random.uniform(0.7, 1.4), random.uniform(0.75, 1.15))
    for channel in range(3):
        tint = random.uniform(0.85, 1.1)
        table[0, :, channel] = numpy.clip(255 * gain * tint * codes**gamma, 0, 255)
    return table


def happen(picture, kind, share, k, choices):
    """Returns the picture with a disturbance at `share` of its length, from 0 to 1."""
    if kind == "flash":
        level = choices["level"] * (1 - 0.8 * (share if not choices["sudden"] else 0))
        return cv2.addWeighted(picture, 1 - level, WHITE, level, 0)
    if kind == "flicker":
        lit = (k * 2654435761 + choices["seed"]) >> 7 & 3
        if lit > 1:
            return picture
        if choices["warm"]:
            # Muzzle flash: strong near its source.
            near = numpy.exp(-(((COLUMNS / WIDTH - choices["x"]) ** 2 + (ROWS / HEIGHT - choices["y"]) ** 2) * 6))[:, :, None]
            return numpy.clip(picture * (1 + 2.0 * choices["level"] * near) + 90 * choices["level"] * near, 0, 255).astype(numpy.uint8)
        return cv2.convertScaleAbs(picture, alpha=1 + choices["level"], beta=10)
    if kind == "explosion":
        far = numpy.hypot(COLUMNS - choices["x"] * WIDTH, ROWS - choices["y"] * HEIGHT) / WIDTH
        size = 1.3 * choices["far"] * share**0.5
        cover = numpy.clip((size - far) / 0.25, 0, 1)[:, :, None] * min(1.0, 3 * (1 - share)) * choices["level"]
        return (picture * (1 - cover) + numpy.float32([90, 180, 255]) * cover).astype(numpy.uint8)
    if kind == "passer":
        width = 0.25 + 0.4 * choices["level"]
        left = (share * (1 + width) - width if choices["sign"] > 0 else 1 - share * (1 + width)) * WIDTH
        edge = numpy.clip((COLUMNS - left) / 25, 0, 1) * numpy.clip((left + width * WIDTH - COLUMNS) / 25, 0, 1)
        return (picture * (1 - edge[:, :, None]) + 25 * choices["x"] * edge[:, :, None]).astype(numpy.uint8)
    if kind == "title":
        size = 1 + 2 * choices["level"]
        text = ["THIS SUMMER", "FROM THE DIRECTOR", "IN A WORLD", "ONE MAN", "COMING SOON"][choices["seed"] % 5]
        over = cv2.putText(picture.copy(), text, (int(choices["x"] * 200), int(60 + choices["y"] * 260)), cv2.FONT_HERSHEY_DUPLEX, size, (255, 255, 255), 3, cv2.LINE_AA)
        level = 1.0 if choices["sudden"] else min(1.0, 5 * share, 5 * (1 - share) + 0.1)
        return cv2.addWeighted(over, level, picture, 1 - level, 0)
    if kind == "letterbox":
        bars = int((0.08 + 0.1 * choices["level"]) * HEIGHT * (1.0 if choices["sudden"] else share))
        picture = picture.copy()
        picture[:bars] = picture[HEIGHT - bars :] = 0
    return picture
