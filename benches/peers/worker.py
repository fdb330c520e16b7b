"""Runs one engine as a process that compare.py controls line by line: `worker.py ENGINE ONNX INPUTS SHAPE CALIBRATION`.

It answers like benches/src/bin/peer: `run 10` with the CPU time of ten runs on the first input in
nanoseconds, `output` with the outputs for all inputs as a JSON list. CALIBRATION has inputs for the
engines in eight bits.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy

from engines import ENGINES
from quantised_engines import QUANTISED_ENGINES


def main():
    # Engines and converters print to standard output. Redirect that to standard error.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    name, onnx, data, shape, calibration = sys.argv[1:]
    shape = [int(size) for size in shape.split(",")]
    inputs, calibration = (numpy.fromfile(file, numpy.float32).reshape([-1, *shape]) for file in (data, calibration))
    if name in ENGINES:
        engine = ENGINES[name](Path(onnx), inputs[0])
    else:
        engine = QUANTISED_ENGINES[name](Path(onnx), inputs[0], calibration)
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
                outputs = []
                for each in inputs:
                    engine.feed(each)
                    outputs.append(engine.run().ravel().tolist())
                engine.feed(inputs[0])
                print(json.dumps(outputs), file=answers)
            case _:
                raise ValueError(f"{line!r} is neither `run N` nor `output`")


if __name__ == "__main__":
    try:
        main()
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}")
