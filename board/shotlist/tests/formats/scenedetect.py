"""Prints the CSV that PySceneDetect writes for scenes, given as pairs of frames on stdin."""
import json
import sys
from fractions import Fraction

from scenedetect import FrameTimecode
from scenedetect.output import write_scene_list

rate = Fraction(int(sys.argv[1]), int(sys.argv[2]))
with open(sys.argv[3]) as file:
    scenes = json.load(file)
scenes = [tuple(FrameTimecode(frame, rate) for frame in scene) for scene in scenes]
write_scene_list(sys.stdout, scenes, cut_list=[start.get_timecode() for start, _ in scenes[1:]])
