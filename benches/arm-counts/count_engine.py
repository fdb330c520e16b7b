"""Runs an engine of benches/peers on each network of a folder, on a machine whose clock counts instructions.

  count_engine.py ENGINE FOLDER

Prints a JSON list of {"work", "engine", "count"}, in millions. The count is that of the last of three
runs, because the first one also prepares the network.
"""

import json
import sys
import time
from pathlib import Path

import numpy

from engines import ENGINES

RUNS = 3


def main():
    name, folder = sys.argv[1], Path(sys.argv[2])
    rows = []
    for row in json.loads((folder / "networks.json").read_text()):
        data = numpy.fromfile(folder / row["input"], numpy.float32).reshape(row["shape"])
        begin = time.monotonic_ns()
        engine = ENGINES[name](folder / row["onnx"], data)
        opened = time.monotonic_ns() - begin
        for _ in range(RUNS):
            begin = time.monotonic_ns()
            engine.run()
            spent = time.monotonic_ns() - begin
        rows.append({"work": row["work"], "engine": name, "count": round(spent / 1e6, 2)})
        print(f"{row['work']}: {spent / 1e6:.2f}, opening {opened / 1e6:.1f}", file=sys.stderr)
    print(json.dumps(rows), flush=True)


if __name__ == "__main__":
    main()
