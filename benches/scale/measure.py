#!/usr/bin/env python3
"""Measure opening, training and evaluation on stores of Trailers12k's size: 12,000 trailers, two streams, 12 GB.

Generates the stores in FOLDER, which takes some minutes; they stay for the next run. There are two
layouts: `published` (zarr 2's defaults) and `raw` (as `divita-models extract` writes them). Then runs
`divita-models train` and `evaluate`, and prints a Markdown table:

  opening      until the program prints what it trains on
  epoch        the slowest epoch, with its validation
  predictions  of the best weights, for the validation and test sets
  memory       peak resident set

Times are wall time and CPU time (user and system, all threads). The exit status is 1 if memory
exceeds 2 GB. Times have no limit, because they depend on other load.

Examples:
  benches/scale/run scale-work
  benches/scale/run scale-work --trailers 3000 --layout published --epochs 2
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from programs import build
from stores import LAYOUTS, STREAMS, generate

MEMORY_BOUND = 2_000_000_000


def main():
    options = parse()
    program = (options.binaries or build()) / "divita-models"
    rows, largest = [], 0
    for layout in options.layout or LAYOUTS:
        folder = options.folder / f"{layout}-{options.trailers}"
        began = time.monotonic()
        clips = generate(folder, options.trailers, layout)
        print(f"{layout}: {options.trailers} trailers, {clips} clips in {time.monotonic() - began:.0f} s", file=sys.stderr)
        trained = train(program, folder, options)
        evaluated = run([program, "evaluate", folder / "films.csv", "--predictions", f"split0={folder / 'run/predictions.csv'}"])
        largest = max(largest, trained["memory"], evaluated["memory"])
        rows.append((layout, trained, evaluated))
    print("| layout | opening | epoch | predictions | memory of `train` | `evaluate` | memory |")
    print("|---|---|---|---|---|---|---|")
    for layout, trained, evaluated in rows:
        stages = [trained["opening"], trained["epoch"], trained["predictions"], evaluated["used"]]
        cells = [f"{wall:.1f} s, CPU {cpu:.1f} s" for wall, cpu in stages]
        memory = [f"{measured['memory'] / 1e9:.2f} GB" for measured in (trained, evaluated)]
        print(f"| {layout} | {' | '.join(cells[:3])} | {memory[0]} | {cells[3]} | {memory[1]} |")
    if largest > MEMORY_BOUND:
        sys.exit(f"memory of {largest / 1e9:.2f} GB exceeds {MEMORY_BOUND / 1e9:.2f} GB")


def train(program, folder, options):
    """Trains fusion heads. Returns the seconds of each stage."""
    shutil.rmtree(folder / "run", ignore_errors=True)
    stores = [part for stream in STREAMS for part in (f"--{stream}", folder / f"{stream}.zarr")]
    output = ["--output", folder / "run", "--epochs", str(options.epochs), *options.argument]
    measured = run([program, "train", folder / "films.csv", *stores, *output])
    stages = {"epoch": (0, 0)}
    before = (0, 0)
    for used, line in measured["lines"]:
        taken = tuple(now - then for now, then in zip(used, before))
        if "training on" in line:
            stages["opening"] = taken
        elif re.search(r"epoch \d+: loss", line):
            stages["epoch"] = max(stages["epoch"], taken)
        elif "the best of" in line:
            stages["predictions"] = taken
        else:
            continue
        before = used
    return measured | stages


def run(command):
    """Runs a program. Returns seconds used (wall, CPU), peak resident bytes, and the log lines with the seconds used until each."""
    print(" ".join(map(str, command)), file=sys.stderr)
    began, lines = time.monotonic(), []
    environment = {**os.environ, "RUST_LOG": "info"}
    child = subprocess.Popen(command, stdout=sys.stderr, stderr=subprocess.PIPE, text=True, env=environment)
    for line in child.stderr:
        lines.append(((time.monotonic() - began, cpu_seconds(child.pid)), line))
        print(line, end="", file=sys.stderr)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{command[0]} ended with status {child.returncode}")
    used_in_all = (time.monotonic() - began, used.ru_utime + used.ru_stime)
    return {"used": used_in_all, "memory": used.ru_maxrss * 1024, "lines": lines}


def cpu_seconds(pid):
    """Returns the CPU time of a running process and its threads, ended threads included."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder of the stores and runs; 24 GB for both layouts")
    parser.add_argument("--trailers", type=int, default=12_000, metavar="N", help="number of trailers (default 12000)")
    parser.add_argument("--layout", action="append", choices=LAYOUTS, help="layout to measure (default: all)")
    parser.add_argument("--epochs", type=int, default=2, metavar="N", help="epochs to train (default 2)")
    parser.add_argument("--argument", action="append", default=[], metavar="ARG", help="further argument of `train`, such as --room=1")
    parser.add_argument("--binaries", type=Path, metavar="DIR", help="folder of the built programs (default: build them)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
