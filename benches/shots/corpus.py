"""Make the corpus: videos assembled from real footage by a seed, each with the exact truth of its transitions.

`corpus.py FOLDER [--seed 1] [--local FOLDER] [--parts train,validation,test]` writes FOLDER/PART/NAME.mp4
and NAME.json. `transitions` have a `kind` and two frames: `last`, the last frame that shows only the
shot before, and `first`, the first frame that shows only the shot after. `disturbances` are events that
are no transitions. Frames are counted from 0 in decoding order.
"""

import argparse
import bisect
import json
import multiprocessing
import random
import subprocess
from pathlib import Path

import cv2
import numpy

import joins
from footage import HEIGHT, WIDTH, videos
from graphics import Graphics
from views import DISTURBANCES, View

# Number of videos in each set: trailers, and videos with disturbances and few transitions.
PARTS = {"train": (80, 110), "validation": (22, 32), "test": (38, 32)}
# Number of videos with drawn shots.
DRAWN = {"train": 26, "validation": 4}
# Number of videos of dark scenes, mostly dialogues, where a cut changes less than a flash
# elsewhere.
NIGHT = {"train": 40, "validation": 6}
# Copies of the drawn footage among the footage of these videos, so that two thirds of their shots
# are drawn.
OFTEN = 6
RATES = [24.0, 24.0, 24.0, 25.0, 25.0, 24000 / 1001, 30000 / 1001, 30.0, 30.0, 60.0, 50.0, 15.0, 12.0, 10.0, 5.0, 2.0]
SHOTS = 26
# Playback speeds. The training footage has little fast motion, so some of it is played very fast.
SPEEDS = {"train": [1.0, 1.0, 1.0, 0.5, 1.5, 2.0, 3.0, 5.0]}
USUAL_SPEEDS = [1.0, 1.0, 1.0, 0.5, 1.5, 2.0]
# Mean grey difference (of 255) of small pictures at a join, below which nobody sees it.
VISIBLE = 4.0
# The same in dark scenes.
VISIBLE_AT_NIGHT = 2.0
# Mean grey (of 255) of the darkest picture in a shot. A darker picture is black.
DARKEST = 10.0
DARKEST_AT_NIGHT = 6.0


class Programme:
    """One video of the corpus, drawn at random: shots, joins, camera and encoding."""

    def __init__(self, name, seed, footage, disturbing, night):
        self.name, self.random = name, random.Random(f"{seed} {name}")
        self.footage, self.disturbing, self.night = footage, disturbing, night
        self.darkest, self.visible, self.returning = (DARKEST_AT_NIGHT, VISIBLE_AT_NIGHT, 0.6) if night else (DARKEST, VISIBLE, 0.2)
        self.speeds = SPEEDS.get(footage[0].part, USUAL_SPEEDS)
        draw = self.random
        self.rate = draw.choice(RATES[:11] if disturbing else RATES)
        self.noise = draw.choice([0, 0, 0, 2, 4, 8])
        self.bars = draw.choice([0, 0, 0, 0, 20, 45])
        self.combed = not disturbing and draw.random() < 0.08
        self.dropped = 0 if disturbing else draw.choice([0, 0, 0, 0, 0, 0, 2, 4])
        self.size = draw.choice(["640:360", "640:360", "640:360", "1280:720", "426:240"])
        self.quality = draw.choice([18, 21, 23, 23, 26, 30, 36, 40])
        self.transitions, self.disturbances = [], []

    def shot(self, seconds, before, earlier=None):
        """Returns a view that differs visibly from the end of `before`. Sometimes the camera returns to `earlier`."""
        draw = self.random
        length = max(3, round(seconds * self.rate)) if self.rate > 6 else max(4, round(seconds * self.rate))
        for attempt in range(12):
            if earlier is not None and draw.random() < self.returning:
                # Like in a dialogue.
                view = earlier.again(draw, length)
                if difference(before.frame(before.length - 1), view.frame(0)) > self.visible:
                    return view
            if before is not None and draw.random() < 0.15:
                # A near-identical neighbour: the same shot of the footage.
                video, shot = before.video, before.shot
            else:
                video = draw.choices(self.footage, [min(len(video.shots), 12) ** 0.7 for video in self.footage])[0]
                shot = draw.randrange(len(video.shots))
            view = View(draw, video, shot, self.rate, length, lively=self.disturbing, night=self.night, speeds=self.speeds)
            if min(view.frame(k).mean() for k in (0, view.length // 2, view.length - 1)) < self.darkest:
                continue
            if before is None or difference(before.frame(before.length - 1), view.frame(0)) > self.visible:
                return view
        return None

    def join(self):
        """Draws a join: kind, number of frames between the shots, parameters."""
        draw = self.random
        kind = draw.choices(["cut", "dissolve", "black", "white", "wipe"], [62, 19, 9, 3, 7])[0]
        slow = min(self.rate, 30) / 24
        count = {"cut": 0, "dissolve": draw.randint(4, 48), "black": draw.randint(4, 48), "white": draw.randint(4, 30), "wipe": draw.randint(5, 30)}[kind]
        count = max(2, round(count * slow)) if count else 0
        down = draw.choice([0.0, draw.uniform(0.2, 0.5), draw.uniform(0.3, 0.5)])
        up = draw.choice([1.0, draw.uniform(max(down, 0.4), 0.8), draw.uniform(max(down, 0.5), 0.7)])
        return kind, count, {"turns": (down, up), "wipe": draw.choice(joins.WIPES), "soft": draw.choice([0.0, 0.0, 0.1, 0.3])}

    def pictures(self):
        """Yields every picture in order, and records the truth."""
        draw, at = self.random, 0
        view, earlier, offset = self.shot(4, None), None, 0
        shots = 4 if self.disturbing else SHOTS
        for index in range(shots):
            last = index + 1 == shots
            seconds = 15 if self.disturbing else 0.12 if draw.random() < 0.05 else min(draw.lognormvariate(0.45, 0.6), 6)
            view.length = max(view.length, offset + 3)
            self.disturb(view, offset, at)
            kind, count, choices = self.join()
            following = None if last else self.shot(seconds, view, earlier)
            if following is None:
                count = 0
            for k in range(offset, view.length):
                yield view.frame(k)
            at += view.length - offset
            if following is None:
                if last:
                    return
                # No shot differs visibly: this one continues for the same length.
                offset, view.length = view.length, 2 * view.length
                continue
            yield from joins.frames(kind, count, lambda k: view.frame(view.length + k), lambda k: following.frame(k), choices)
            name = choices["wipe"] if kind == "wipe" else kind
            self.transitions.append({"kind": kind, "how": name, "last": at - 1, "first": at + count})
            at += count
            view, earlier, offset = following, view, count

    def disturb(self, view, offset, at):
        """Adds disturbances to the rest of the shot."""
        draw, k = self.random, offset + 2
        while k < view.length - 2:
            if self.disturbing:
                k += round(draw.uniform(0.2, 2.5) * self.rate)
            elif draw.random() < 0.6:
                return
            else:
                k += round(draw.uniform(0.1, 2) * self.rate)
            kind = draw.choices(DISTURBANCES, [4, 2, 2, 3, 2, 1, 1])[0]
            if k >= view.length - 3:
                return
            end = view.disturb(draw, kind, k, self.rate)
            # A disturbance may continue into the join, as in films.
            self.disturbances.append({"kind": kind, "first": at + k - offset, "last": at + min(end, view.length - 1) - offset})
            k = end + 1

    def kept(self, frame):
        """Returns whether a frame is kept, for a variable rate."""
        return (frame * frame * 31 + frame * 17) % 10 >= self.dropped

    def write(self, folder):
        """Writes the video and its truth."""
        path = folder / f"{self.name}.mp4"
        filters = [f"scale={self.size}:flags=bicubic"]
        if self.dropped:
            filters.insert(0, f"select='gte(mod(n*n*31+n*17,10),{self.dropped})'")
        command = ["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{WIDTH}x{HEIGHT}", "-r", f"{self.rate:.6f}", "-i", "-",
                   "-vf", ",".join(filters), "-vsync", "vfr", "-c:v", "libx264", "-preset", "superfast", "-threads", "1", "-crf", str(self.quality),
                   "-pix_fmt", "yuv420p", path]
        coder = subprocess.Popen(command, stdin=subprocess.PIPE)
        grain = numpy.random.default_rng(self.random.randrange(1 << 30))
        bank = (grain.standard_normal((HEIGHT + 64, WIDTH + 64, 1)) * self.noise).astype(numpy.int16)
        count, before = 0, None
        for picture in self.pictures():
            if self.bars:
                picture = picture.copy()
                picture[: self.bars] = picture[HEIGHT - self.bars :] = 0
            if self.noise:
                x, y = grain.integers(0, 64, 2)
                picture = numpy.clip(picture + bank[y : y + HEIGHT, x : x + WIDTH], 0, 255).astype(numpy.uint8)
            if self.combed:
                # Odd lines are one field later, encoded as whole frames: interlaced video without a
                # deinterlacer.
                picture, before = (picture if before is None else weave(before, picture)), picture
            coder.stdin.write(numpy.ascontiguousarray(picture).data)
            count += 1
        coder.stdin.close()
        if coder.wait():
            raise SystemExit(f"ffmpeg cannot write {path}")
        kept = [frame for frame in range(count) if self.kept(frame)]
        truth = {"video": path.name, "rate": self.rate, "frames": len(kept), "disturbing": self.disturbing,
                 "made": {"noise": self.noise, "bars": self.bars, "combed": self.combed, "dropped": self.dropped, "size": self.size, "quality": self.quality},
                 "transitions": [renumber(transition, kept, "last", "first") for transition in self.transitions],
                 "disturbances": [renumber(happening, kept, "first", "last") for happening in self.disturbances]}
        path.with_suffix(".json").write_text(json.dumps(truth, indent=1))
        return len(kept), len(self.transitions)


def renumber(event, kept, early, late):
    """Renumbers an event by the kept frames: the last one not after `early`, the first one not before `late`."""
    return event | {early: max(bisect.bisect_right(kept, event[early]) - 1, 0), late: min(bisect.bisect_left(kept, event[late]), len(kept) - 1)}


def difference(one, other):
    """Returns the mean grey difference of the pictures, scaled down."""
    small = [cv2.cvtColor(cv2.resize(picture, (64, 36), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY).astype(float) for picture in (one, other)]
    return numpy.abs(small[0] - small[1]).mean()


def weave(before, picture):
    """Returns a combed frame: the even lines of `before`, the odd lines of `picture`."""
    woven = before.copy()
    woven[1::2] = picture[1::2]
    return woven


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--local", type=Path, help="folder of the videos that are in no package")
    parser.add_argument("--parts", default=",".join(PARTS))
    options = parser.parse_args()
    cv2.setNumThreads(1)
    for part in options.parts.split(","):
        footage = videos(options.folder / "footage", options.local, part)
        folder = options.folder / part
        folder.mkdir(parents=True, exist_ok=True)
        (trailers, disturbing) = PARTS[part]
        names = [(f"{part}-{index:02}", False) for index in range(trailers)] + [(f"{part}-disturbed-{index:02}", True) for index in range(disturbing)]
        names += [(f"{part}-{kind}-{index:02}", False) for kind, count in [("drawn", DRAWN), ("night", NIGHT)] for index in range(count.get(part, 0))]
        missing = [(name, options.seed, disturbed, folder) for name, disturbed in names if not (folder / f"{name}.json").exists()]
        # Processes inherit the footage without copies.
        with multiprocessing.get_context("fork").Pool(initializer=FOOTAGE.extend, initargs=(footage,)) as pool:
            for done, (name, frames, transitions) in enumerate(pool.imap_unordered(write, missing), 1):
                print(f"{part} {done}/{len(missing)}: {name}, {frames} frames, {transitions} transitions", flush=True)


# Footage of the current set, in each process.
FOOTAGE = []


def write(work):
    name, seed, disturbed, folder = work
    drawn = [Graphics(FOOTAGE[0].part)] * OFTEN if "-drawn-" in name else []
    return name, *Programme(name, seed, FOOTAGE + drawn, disturbed, "-night-" in name).write(folder)


if __name__ == "__main__":
    main()
