"""Classify a video in Python: OpenCV decodes and scales, PySceneDetect finds shots, ONNX Runtime runs the networks.

  pipeline.py VIDEO [--fps 4] [--bundle DIR]      prints JSON

PySceneDetect's `detect` reads the video on its own thread and returns the scenes at the end, as
documented. The video is then read again, and OpenCV converts only sampled frames. With --one-pass, one
loop on one thread passes each frame to the detector and scales sampled frames at once.
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
# Seconds that a frame may be early: the rounding of times in containers.
EARLY = 0.002


def frames(video):
    """Yields each frame's time in seconds, the nominal rate, and a function that decodes its picture."""
    capture = cv2.VideoCapture(video, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    if not capture.isOpened():
        raise SystemExit(f"OpenCV cannot open {video}")
    rate = capture.get(cv2.CAP_PROP_FPS)
    while capture.grab():
        yield capture.get(cv2.CAP_PROP_POS_MSEC) / 1000, rate, lambda: capture.retrieve()[1]


class WholeShots:
    """Cuts of a video, found by PySceneDetect in a separate pass."""

    def __init__(self, video):
        self.starts = [start.frame_num for start, _ in detect(video, AdaptiveDetector(), start_in_scene=True)]
        self.count = 0

    def push(self, picture, rate):
        self.count += 1

    def finish(self, rate):
        """Returns the first frame of each shot."""
        return self.starts


class OnePassShots:
    """Cuts of a video, found frame by frame as in PySceneDetect's scene manager, on pictures at least 256 wide."""

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
        """Returns the first frame of each shot."""
        self.cuts += self.detector.post_process(FrameTimecode(self.count, rate))
        return sorted({0, *(cut.frame_num for cut in self.cuts)})


def small(frame, stream):
    """Returns a stream's picture of a frame, in RGB: shorter side scaled to `resize`, then the middle square
    of `size`. Cropping first gives the same and scales less."""
    height, width = frame.shape[:2]
    side = min(height, width) * stream["size"] / stream["resize"]
    top, left, side = round((height - side) / 2), round((width - side) / 2), round(side)
    square = cv2.resize(frame[top : top + side, left : left + side], (stream["size"],) * 2, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(square, cv2.COLOR_BGR2RGB)


def normalised(pictures, stream):
    """Normalises pictures (n, height, width, 3) to a network's input (3, n, height, width)."""
    scale = 1 / (255 * numpy.array(stream["std"], numpy.float32))
    shift = numpy.array(stream["mean"], numpy.float32) / numpy.array(stream["std"], numpy.float32)
    return numpy.ascontiguousarray((numpy.stack(pictures) * scale - shift).transpose(3, 0, 1, 2))


def keyframe(pictures):
    """Returns the picture whose colour histogram is nearest to the mean of all."""
    count = lambda picture: cv2.calcHist([picture], [0, 1, 2], None, [BINS] * 3, [0, 256] * 3).ravel()
    histograms = numpy.stack([count(picture) for picture in pictures])
    return pictures[int(numpy.abs(histograms - histograms.mean(axis=0)).sum(axis=1).argmin())]


def session(file):
    """Loads a network for one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    loaded = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    name = loaded.get_inputs()[0].name
    return lambda data: loaded.run(None, {name: data})[0]


def clips(video, manifest, fps, shots):
    """Yields the inputs of both backbones for each clip: a keyframe (1, 3, height, width) and pictures (1, 3, `fps`,
    height, width). `shots` finds the cuts."""
    image, video_stream = (manifest["streams"][name]["input"] for name in ("image", "video"))
    # Samples: frame number, and the picture of each stream.
    samples, rate, next_sample = [], 24.0, 0
    for number, (at, rate, picture) in enumerate(frames(video)):
        shots.push(picture, rate)
        if at + EARLY >= next_sample / fps:
            frame = picture()
            large = small(frame, image)
            # Black frames belong to no shot, but the detector does not remove them.
            if cv2.cvtColor(large, cv2.COLOR_RGB2GRAY).mean() > manifest["shots"]["black_luma"]:
                samples.append((number, large, small(frame, video_stream)))
            next_sample = int((at + EARLY) * fps) + 1
    starts = shots.finish(rate)

    # Clips of one second within shots. Black fills the last clip of a shot.
    black = numpy.zeros((video_stream["size"],) * 2 + (3,), numpy.uint8)
    for start, end in zip(starts, [*starts[1:], shots.count]):
        shot = [sample for sample in samples if start <= sample[0] < end]
        for first in range(0, len(shot), fps):
            clip = shot[first : first + fps]
            key = keyframe([large for _, large, _ in clip])
            pictures = [picture for _, _, picture in clip] + [black] * (fps - len(clip))
            yield normalised([key], image).transpose(1, 0, 2, 3), normalised(pictures, video_stream)[None]


def classify(video, bundle, fps, one_pass):
    """Returns the probabilities of the labels."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    networks = {
        name: (session(bundle / stream["backbone"]), session(bundle / stream["head"]))
        for name, stream in ((name, manifest["streams"][name]) for name in ("image", "video"))
    }
    shots = OnePassShots() if one_pass else WholeShots(video)
    vectors = {name: [] for name in networks}
    for inputs in clips(video, manifest, fps, shots):
        for (name, (backbone, _)), data in zip(networks.items(), inputs):
            vectors[name].append(backbone(data)[0])

    # Snippets of 30 clips, padded with zero vectors. Mean of the streams' logits, sigmoid, mean
    # over snippets.
    length, count, results = manifest["snippet_clips"], len(vectors["image"]), []
    for first in range(0, count, length):
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
    return {"probabilities": probabilities, "frames": shots.count, "clips": count, "fps": fps}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video")
    parser.add_argument("--fps", type=int, default=4, help="working rate (default 4)")
    bundle = Path(__file__).resolve().parents[2] / "models/bundles/demo"
    parser.add_argument("--bundle", type=Path, default=bundle, help="folder of a bundle (default: the demo)")
    parser.add_argument("--one-pass", action="store_true", help="read the video once, with one loop around the detector")
    parser.add_argument("--decode", action="store_true", help="only decode")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    started = time.process_time()
    if options.decode:
        result = {"frames": sum(1 for _ in frames(options.video))}
    else:
        result = classify(options.video, options.bundle, options.fps, options.one_pass)
    # Report the time of imports separately.
    print(json.dumps(result | {"imports_cpu_s": started}))


if __name__ == "__main__":
    main()
