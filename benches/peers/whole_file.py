"""Measures a whole video: `divita classify`, an equivalent Python pipeline, and decoding alone, of all pictures and of
those that others need."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

HERE = Path(__file__).resolve().parent


def measure(divita, bundle, video, fps, rounds, gstreamer=False):
    """Measures CPU time and peak memory of whole programs, in turn."""
    common = ["--fps", str(fps), "--bundle", bundle]
    pipeline = [sys.executable, HERE / "pipeline.py", video, *common]
    classify = [*common, "--threads", "1", "--format", "jsonl"]
    through_gstreamer = f"gst://{quote(str(Path(video).resolve()))}?threads=1"
    reference = ["--decode", "reference"]
    routes = {"divita classify": video, **({"divita classify, GStreamer": through_gstreamer} if gstreamer else {})}
    ffmpeg = ["ffmpeg", "-nostdin", "-v", "error", "-threads", "1"]
    commands = {
        **{name: [divita, "classify", input, *classify] for name, input in routes.items()},
        **{f"{name}, reference": [divita, "classify", input, *classify, *reference] for name, input in routes.items()},
        "Python pipeline": pipeline,
        "Python pipeline, one pass": [*pipeline, "--one-pass"],
        "Python pipeline, decoding alone": [*pipeline, "--decode"],
        "ffmpeg, decoding alone": [*ffmpeg, "-i", video, "-f", "null", "-"],
        "ffmpeg -skip_frame noref": [*ffmpeg, "-skip_frame", "noref", "-i", video, "-f", "null", "-"],
    }
    rows = {name: {"cpu_s": [], "peak_memory_bytes": []} for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            row = rows[name]
            if "error" not in row:
                used, last = account(command)
                if used is None:
                    rows[name] = {"error": last}
                    continue
                for key, value in used.items():
                    row[key].append(value)
                row["result"] = json.loads(last)
    return {"video": Path(video).name, "fps": fps, "programs": rows, "bench": bench(divita, video, common)}


def account(command):
    """Returns what a command used and its last line of output, `{}` without any; if it failed, None and its error."""
    with tempfile.NamedTemporaryFile("r") as result:
        launcher = [sys.executable, "-I", "-S", HERE / "account.py", result.name]
        done = subprocess.run([str(part) for part in launcher + command], capture_output=True, text=True)
        if done.returncode != 0:
            return None, (done.stderr.strip().splitlines() or ["failed"])[-1]
        return json.load(result), (done.stdout.strip().splitlines() or ["{}"])[-1]


def bench(divita, video, common):
    """Returns the figures of `divita bench`: decoding and classifying in one process."""
    done = subprocess.run([str(part) for part in [divita, "bench", video, *common, "--json"]], capture_output=True, text=True)
    if done.returncode != 0:
        return {"error": (done.stderr.strip().splitlines() or ["failed"])[-1]}
    figures = json.loads(done.stdout)
    names = ("decode_cpu_s", "classify_cpu_s", "classify_over_decode", "peak_memory_bytes", "frames", "clips")
    return {name: figures[name] for name in names}
