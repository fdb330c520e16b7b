"""Prints the clips of EDL, OTIO and FCPXML files as JSON: start and end in the source and in the
record, in frames, and the name. The argument is a JSON file of paths and frame rates."""
import json
import os
import sys
from fractions import Fraction
from xml.etree import ElementTree

import opentimelineio as otio


def with_opentimelineio(path, rate):
    options = {"adapter_name": "cmx_3600", "rate": rate} if path.endswith(".edl") else {}
    timeline = otio.adapters.read_from_file(path, **options)
    (track,) = timeline.video_tracks() or [[]]
    clips = []
    offset = None
    for clip in track.find_clips() if track else []:
        source = clip.source_range
        assert abs(source.start_time.rate - rate) < 1e-9, source.start_time.rate
        place = clip.range_in_parent()
        # A reader of EDL begins the track at the first event.
        if offset is None:
            offset = source.start_time.value - place.start_time.value if path.endswith(".edl") else 0
        record = place.start_time.value + offset
        clips.append([
            source.start_time.value, source.start_time.value + source.duration.value,
            record, record + place.duration.value, clip.name,
        ])
    return clips


def exactly(path, rate):
    tree = ElementTree.parse(path).getroot()
    (numerator, denominator) = rate
    frame = Fraction(denominator, numerator)

    def frames(text):
        assert text.endswith("s")
        frames = Fraction(text[:-1]) / frame
        assert frames.denominator == 1, text
        return int(frames)

    clips, end = [], 0
    (spine,) = tree.iter("spine")
    for item in spine:
        # The items of a spine adjoin.
        assert frames(item.get("offset")) == end, item.attrib
        end += frames(item.get("duration"))
        if item.tag == "asset-clip":
            start, offset = frames(item.get("start")), frames(item.get("offset"))
            duration = frames(item.get("duration"))
            clips.append([start, start + duration, offset, offset + duration, item.get("name")])
    (sequence,) = tree.iter("sequence")
    assert frames(sequence.get("duration")) == end
    (asset,) = tree.iter("asset")
    assert frames(asset.get("duration")) >= end
    (format,) = tree.iter("format")
    assert frames(format.get("frameDuration")) == 1
    return clips


def is_valid(path):
    """Checks the document against Apple's DTD, if the environment names it."""
    if "DIVITA_FCPXML_DTD" in os.environ:
        from lxml import etree
        dtd = etree.DTD(os.environ["DIVITA_FCPXML_DTD"])
        assert dtd.validate(etree.parse(path)), dtd.error_log


def clips(path, numerator, denominator):
    if not path.endswith(".fcpxml"):
        return with_opentimelineio(path, numerator / denominator)
    clips = exactly(path, (numerator, denominator))
    is_valid(path)
    # The adapter rounds times, so only its names count.
    timeline = otio.adapters.read_from_file(path)[0]
    names = [clip.name for clip in timeline.find_clips()]
    assert names == [clip[4] for clip in clips], names
    return clips


with open(sys.argv[1]) as file:
    json.dump([clips(*job) for job in json.load(file)], sys.stdout)
