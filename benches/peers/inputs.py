"""The inputs of a comparison: clips of a video for the backbones, every second of them for calibration."""

import functools
import json

import numpy

import networks
import pipeline

# Clips of each of the two parts at most: tract needs some seconds for that many.
MOST = 16
# Working rate of the keyframes.
FPS = 4


def of(network, bundle, video):
    """Returns inputs for the outputs to compare and inputs for calibration, each (inputs, *shape).

    A head has one input for both: eight bits are for backbones."""
    if not network.is_backbone:
        data = networks.example_input(network)[None]
        return data, data
    fps = network.shape[2] if network.file == "video.onnx" else FPS
    clips = clips_of(video, bundle, fps)[network.file != "image.onnx"]
    if len(clips) < 2:
        raise SystemExit(f"{video} has {len(clips)} clips: two are needed, one of them for calibration")
    return numpy.stack(clips[0::2][:MOST]), numpy.stack(clips[1::2][:MOST])


@functools.cache
def clips_of(video, bundle, fps):
    """Returns keyframes and clips of `video`, as divita cuts them."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    return tuple(zip(*pipeline.clips(str(video), manifest, fps, pipeline.OnePassShots())))
