"""Runs other detectors, PySceneDetect's four and ffmpeg's scdet, on a video: transitions and CPU time."""

import re
import resource
import subprocess
import time

import cv2
from scenedetect import FrameTimecode
from scenedetect.detectors import AdaptiveDetector, ContentDetector, HashDetector, HistogramDetector
from scenedetect.scene_manager import compute_downscale_factor

SCENEDETECT = {"adaptive": AdaptiveDetector, "content": ContentDetector, "histogram": HistogramDetector, "hash": HashDetector}
# Settings of the sweep. For some detectors they include the defaults.
SHORTEST = [3, 15, 30]
SWEEP = {
    "adaptive": [{"adaptive_threshold": ratio, "min_scene_len": length, "min_content_val": least} for ratio in (1.8, 2.4, 4.0, 5.0, 7.0) for length in SHORTEST for least in (8, 15)],
    "content": [{"threshold": level, "min_scene_len": length} for level in (15, 20, 35, 45, 60) for length in SHORTEST],
    "histogram": [{"threshold": level, "min_scene_len": length} for level in (0.1, 0.2, 0.3, 0.45, 0.6) for length in SHORTEST],
    "hash": [{"threshold": level, "min_scene_len": length} for level in (0.25, 0.3, 0.35, 0.45, 0.55) for length in SHORTEST],
    "scdet": [{"threshold": level} for level in (3, 5, 7, 9, 12, 15, 20)],
}


def find(path, configurations):
    """Returns for each configuration (detector, settings) its result on one video: {"frames", "cpu_s", "transitions"}.

    CPU time includes scaling pictures down, but not decoding.
    """
    cv2.setNumThreads(1)
    own = [one for one in configurations if one[0] == "scdet"]
    others = [one for one in configurations if one[0] != "scdet"]
    results = iter(scenedetect(path, others) if others else [])
    scores, cpu = scdet(path) if own else ([], 0)
    found = []
    for name, settings in configurations:
        if name == "scdet":
            level = settings.get("threshold", 10)
            cuts, frames, seconds = [at for at, score in enumerate(scores) if score >= level], len(scores), cpu
        else:
            cuts, frames, seconds = next(results)
        found.append({"frames": frames, "cpu_s": seconds, "transitions": [{"last": cut - 1, "first": cut} for cut in cuts if cut > 0]})
    return found


def scenedetect(path, configurations):
    """Returns (first frames of scenes, frames, CPU seconds) of each. Scales pictures like PySceneDetect's scene manager."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    rate = capture.get(cv2.CAP_PROP_FPS)
    detectors = [SCENEDETECT[name](**settings) for name, settings in configurations]
    cuts, seconds, count = [[] for _ in detectors], [0.0] * len(detectors), 0
    while True:
        good, picture = capture.read()
        if not good:
            break
        before = time.thread_time()
        factor = compute_downscale_factor(max(picture.shape[:2]))
        if factor > 1:
            size = (round(picture.shape[1] / factor), round(picture.shape[0] / factor))
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
        shrinking = time.thread_time() - before
        for at, detector in enumerate(detectors):
            before = time.thread_time()
            cuts[at] += detector.process_frame(FrameTimecode(count, rate), picture)
            seconds[at] += shrinking + time.thread_time() - before
        count += 1
    for at, detector in enumerate(detectors):
        cuts[at] += detector.post_process(FrameTimecode(count, rate))
    return [(sorted({cut.frame_num for cut in cuts[at]}), count, seconds[at]) for at in range(len(detectors))]


def scdet(path):
    """Returns each frame's score by ffmpeg's filter, and its CPU time: ffmpeg with the filter less ffmpeg without."""
    base = ["ffmpeg", "-hide_banner", "-nostats", "-threads", "1", "-filter_threads", "1", "-i", path, "-an", "-vsync", "0"]
    seconds = []
    for filters in (["-vf", "null"], ["-vf", "scdet,metadata=print:file=-"]):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        output = subprocess.run([*base, *filters, "-f", "null", "-"], capture_output=True, text=True, check=True).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    frames = re.split(r"(?m)^frame:", output)[1:]
    # The first frame has no score.
    scores = [re.search(r"lavfi\.scd\.score=([\d.]+)", frame) for frame in frames]
    return [float(score[1]) if score else 0.0 for score in scores], max(seconds[1] - seconds[0], 0.0)
