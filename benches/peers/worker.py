"""Runs one engine as a process that compare.py controls line by line: `worker.py ENGINE ONNX INPUT SHAPE`.

It answers like benches/src/bin/peer: `run 10` with the CPU time of ten runs in nanoseconds, `output`
with the output as a JSON list.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy

from engines import ENGINES


def main():
    # Engines and converters print to standard output. Redirect that to standard error.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    name, onnx, data, shape = sys.argv[1:]
    shape = [int(size) for size in shape.split(",")]
    engine = ENGINES[name](Path(onnx), numpy.fromfile(data, numpy.float32).reshape(shape))
    print("ready", file=answers)
    for line in sys.stdin:
        match line.split():
            case ["run", times]:
                turns = range(int(times))
                before = time.process_time_ns()
                for _ in turns:
                    engine.run()
                print(time.process_time_ns() - before, file=answers)
            case ["output"]:
                print(json.dumps(engine.run().ravel().tolist()), file=answers)
            case _:
                raise ValueError(f"{line!r} is neither `run N` nor `output`")


if __name__ == "__main__":
    try:
        main()
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}")
