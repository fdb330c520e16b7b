"""What the detectors that people use find in a part of the corpus: PySceneDetect's four and ffmpeg's scdet.

`peers.py CORPUS PART DETECTOR [NAME=VALUE ...] --output FILE` writes what `divita-models shots --found` reads; CPU time is that of the detector
alone, on one thread, decoding left out.
"""

import argparse
import json
import multiprocessing
import re
import resource
import subprocess
import time
from pathlib import Path

import cv2
from scenedetect import FrameTimecode
from scenedetect.detectors import AdaptiveDetector, ContentDetector, HashDetector, HistogramDetector
from scenedetect.scene_manager import compute_downscale_factor

SCENEDETECT = {"adaptive": AdaptiveDetector, "content": ContentDetector, "histogram": HistogramDetector, "hash": HashDetector}


def scenedetect(path, name, settings):
    """The frames that begin a scene, frames, CPU seconds; pictures are made small as PySceneDetect's scene manager does it."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    rate = capture.get(cv2.CAP_PROP_FPS)
    detector = SCENEDETECT[name](**settings)
    cuts, count, cpu = [], 0, 0.0
    while True:
        good, picture = capture.read()
        if not good:
            break
        before = time.thread_time()
        factor = compute_downscale_factor(max(picture.shape[:2]))
        if factor > 1:
            size = (round(picture.shape[1] / factor), round(picture.shape[0] / factor))
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
        cuts += detector.process_frame(FrameTimecode(count, rate), picture)
        cpu += time.thread_time() - before
        count += 1
    cuts += detector.post_process(FrameTimecode(count, rate))
    return sorted(cut.frame_num for cut in cuts), count, cpu


def scdet(path, threshold):
    """The same by ffmpeg's filter; its time is that of ffmpeg with it less that of ffmpeg without it."""
    base = ["ffmpeg", "-hide_banner", "-nostats", "-threads", "1", "-filter_threads", "1", "-i", path, "-an", "-vsync", "0"]
    seconds = []
    for filters in (["-vf", "null"], ["-vf", f"scdet=threshold={threshold},metadata=print:file=-"]):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        output = subprocess.run([*base, *filters, "-f", "null", "-"], capture_output=True, text=True, check=True).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    frames = re.split(r"(?m)^frame:", output)[1:]
    return [at for at, frame in enumerate(frames) if "lavfi.scd.time" in frame], len(frames), max(seconds[1] - seconds[0], 0.0)


def find(work):
    path, detector, settings = work
    cv2.setNumThreads(1)
    cuts, frames, cpu = scdet(path, **settings) if detector == "scdet" else scenedetect(path, detector, settings)
    return path.name, {"frames": frames, "cpu_s": cpu, "transitions": [{"last": cut - 1, "first": cut} for cut in cuts if cut > 0]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("part")
    parser.add_argument("detector", choices=[*SCENEDETECT, "scdet"])
    parser.add_argument("settings", nargs="*")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--limit", type=int, help="only so many videos")
    options = parser.parse_args()
    settings = {name: json.loads(value) for name, value in (one.split("=") for one in options.settings)}
    if options.detector == "scdet":
        settings.setdefault("threshold", 10)
    videos = sorted((options.corpus / options.part).glob("*.mp4"))[: options.limit]
    # Counted in CPU time, so that several at once do not disturb each other much.
    with multiprocessing.get_context("spawn").Pool() as pool:
        found = dict(pool.imap_unordered(find, [(path, options.detector, settings) for path in videos]))
    name = " ".join([options.detector, *options.settings])
    options.output.write_text(json.dumps({"detector": name, "videos": found}))


if __name__ == "__main__":
    main()
