"""The same task as `divita classify`, as one would write it in Python today: OpenCV decodes and scales, PySceneDetect finds the shots,
ONNX Runtime runs the four networks of the bundle. `pipeline.py VIDEO [--fps 4] [--bundle DIR]`; prints JSON.

PySceneDetect's `detect` reads the video on a thread of its own and gives the scenes at the end, as its documentation shows; then the video
is read again for the samples, of which alone OpenCV makes pictures. With `--one-pass` the detector is driven by a loop of our own instead: each frame
goes to it, and each sampled one is made small at once, all on one thread.
"""

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy
import onnxruntime
from scenedetect import FrameTimecode, detect
from scenedetect.detectors import AdaptiveDetector
from scenedetect.scene_manager import compute_downscale_factor

BINS = 8
# Seconds that a frame may come early and still be on time: what containers round times by.
EARLY = 0.002


def frames(video):
    """Each frame's time in seconds, the nominal rate, and what makes a picture of the frame."""
    capture = cv2.VideoCapture(video, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    if not capture.isOpened():
        raise SystemExit(f"OpenCV cannot open {video}")
    rate = capture.get(cv2.CAP_PROP_FPS)
    while capture.grab():
        yield capture.get(cv2.CAP_PROP_POS_MSEC) / 1000, rate, lambda: capture.retrieve()[1]


class WholeShots:
    """The cuts of a video, found by PySceneDetect before anything else is done with it."""

    def __init__(self, video):
        self.starts = [start.frame_num for start, _ in detect(video, AdaptiveDetector(), start_in_scene=True)]
        self.count = 0

    def push(self, picture, rate):
        self.count += 1

    def finish(self, rate):
        """The frames that begin a shot."""
        return self.starts


class OnePassShots:
    """The cuts of a video, as PySceneDetect's scene manager finds them, on pictures at least 256 wide, frame by frame."""

    def __init__(self):
        self.detector = AdaptiveDetector()
        self.cuts = []
        self.count = 0

    def push(self, picture, rate):
        frame = picture()
        height, width = frame.shape[:2]
        factor = compute_downscale_factor(max(width, height))
        if factor > 1:
            frame = cv2.resize(frame, (round(width / factor), round(height / factor)), interpolation=cv2.INTER_LINEAR)
        self.cuts += self.detector.process_frame(FrameTimecode(self.count, rate), frame)
        self.count += 1

    def finish(self, rate):
        """The frames that begin a shot."""
        self.cuts += self.detector.post_process(FrameTimecode(self.count, rate))
        return sorted({0, *(cut.frame_num for cut in self.cuts)})


def small(frame, stream):
    """What a stream sees of a frame: its shorter side scaled to `resize`, the middle square of `size` of that, in RGB. Cutting first
    is the same and scales less."""
    height, width = frame.shape[:2]
    side = min(height, width) * stream["size"] / stream["resize"]
    top, left, side = round((height - side) / 2), round((width - side) / 2), round(side)
    square = cv2.resize(frame[top : top + side, left : left + side], (stream["size"],) * 2, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(square, cv2.COLOR_BGR2RGB)


def normalised(pictures, stream):
    """Pictures (n, height, width, 3) as a network takes them: (3, n, height, width)."""
    scale = 1 / (255 * numpy.array(stream["std"], numpy.float32))
    shift = numpy.array(stream["mean"], numpy.float32) / numpy.array(stream["std"], numpy.float32)
    return numpy.ascontiguousarray((numpy.stack(pictures) * scale - shift).transpose(3, 0, 1, 2))


def keyframe(pictures):
    """The picture whose colour histogram is nearest to the mean of all."""
    count = lambda picture: cv2.calcHist([picture], [0, 1, 2], None, [BINS] * 3, [0, 256] * 3).ravel()
    histograms = numpy.stack([count(picture) for picture in pictures])
    return pictures[int(numpy.abs(histograms - histograms.mean(axis=0)).sum(axis=1).argmin())]


def session(file):
    """A network on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    loaded = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    name = loaded.get_inputs()[0].name
    return lambda data: loaded.run(None, {name: data})[0]


def classify(video, bundle, fps, one_pass):
    """The probabilities of the labels."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    image, video_stream = (manifest["streams"][name] for name in ("image", "video"))
    networks = {
        name: (session(bundle / stream["backbone"]), session(bundle / stream["head"]))
        for name, stream in (("image", image), ("video", video_stream))
    }
    shots = OnePassShots() if one_pass else WholeShots(video)
    # Sampled pictures: the frame's number, and the picture for each stream.
    samples, rate, next_sample = [], 24.0, 0
    for number, (at, rate, picture) in enumerate(frames(video)):
        shots.push(picture, rate)
        if at + EARLY >= next_sample / fps:
            frame = picture()
            large = small(frame, image["input"])
            # Black is between shots, not in them; the detector does not take it out.
            if cv2.cvtColor(large, cv2.COLOR_RGB2GRAY).mean() > manifest["shots"]["black_luma"]:
                samples.append((number, large, small(frame, video_stream["input"])))
            next_sample = int((at + EARLY) * fps) + 1
    starts = shots.finish(rate)

    # Clips of a second within shots; the last of a shot is filled up with black.
    black = numpy.zeros((video_stream["input"]["size"],) * 2 + (3,), numpy.uint8)
    vectors = {"image": [], "video": []}
    for start, end in zip(starts, [*starts[1:], shots.count]):
        shot = [sample for sample in samples if start <= sample[0] < end]
        for first in range(0, len(shot), fps):
            clip = shot[first : first + fps]
            key = keyframe([large for _, large, _ in clip])
            vectors["image"].append(networks["image"][0](normalised([key], image["input"]).transpose(1, 0, 2, 3))[0])
            pictures = [picture for _, _, picture in clip] + [black] * (fps - len(clip))
            vectors["video"].append(networks["video"][0](normalised(pictures, video_stream["input"])[None])[0])

    # Snippets of 30 clips, zero vectors for those that are missing; the streams' logits averaged, the sigmoid, the mean over snippets.
    length, clips, results = manifest["snippet_clips"], len(vectors["image"]), []
    for first in range(0, clips, length):
        logits = 0
        for name, (_, head) in networks.items():
            snippet = numpy.zeros((1, length, len(vectors[name][0])), numpy.float32)
            part = vectors[name][first : first + length]
            snippet[0, : len(part)] = part
            logits = logits + head(snippet)[0]
        results.append(1 / (1 + numpy.exp(-logits / len(networks))))
    if not results:
        raise SystemExit(f"{video} has no clips")
    probabilities = dict(zip(manifest["labels"], numpy.mean(results, axis=0).tolist()))
    return {"probabilities": probabilities, "frames": shots.count, "shots": len(starts), "clips": clips, "fps": fps}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video")
    parser.add_argument("--fps", type=int, default=4, help="working rate (default 4)")
    bundle = Path(__file__).resolve().parents[2] / "models/bundles/demo"
    parser.add_argument("--bundle", type=Path, default=bundle, help="folder of a bundle (default: the demo)")
    parser.add_argument("--one-pass", action="store_true", help="read the video once, with a loop of our own around the detector")
    parser.add_argument("--decode", action="store_true", help="only decode")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    started = time.process_time()
    if options.decode:
        result = {"frames": sum(1 for _ in frames(options.video))}
    else:
        result = classify(options.video, options.bundle, options.fps, options.one_pass)
    # The imports are not the pipeline's fault, and are told apart.
    print(json.dumps(result | {"imports_cpu_s": started}))


if __name__ == "__main__":
    main()
