"""Compare divita's executor with other engines, on the same networks and the same video.

Networks. The bundle's backbones and head run in ONNX Runtime, OpenVINO, ncnn, MNN, stock tract and
divita's executor, in single precision and the backbones in eight bits. Each engine is a process with
one thread. The engines take turns in every round, so that other load affects all of them. CPU time is
measured, not wall-clock time.

  ratio    an engine's time divided by ONNX Runtime's in single precision in the same round: median and
           quartiles
  share    part of the highest multiply-add rate of one thread, measured in the same round; not for
           eight bits, whose highest rate is another
  differs  largest difference from ONNX Runtime's output in single precision, divided by the largest
           value of that output; shows an engine that computes something else
  cosine   mean over the clips of the cosine between both outputs; shows what eight bits cost

For eight bits, each engine turns the same float network into its own form. All calibrate on the same
clips of the video, and are compared on others.

divita and tract read the bundle's files: weights in half precision with a Cast each, time free. The
other engines get files without both (networks.py), at no cost to them. Input and output are arrays in
memory. Copying them counts. divita, tract and OpenVINO keep their input in their own memory between
runs.

The report also shows instruction counts on ARM, recorded by benches/arm-counts.

Whole file. `divita classify --threads 1` against pipeline.py, which does the same with OpenCV,
PySceneDetect and ONNX Runtime: as documented, and tuned by hand in one pass. Whole processes are
measured, from start to end, and decoding alone with `divita bench`. --gstreamer adds divita with
GStreamer, whose H.264 decoder is ffmpeg's, like OpenCV's. `reference` decodes only pictures that
others need, as ffmpeg does with `-skip_frame noref`.

  benches/peers/run                                     the networks and the sample, twenty rounds, some minutes
  benches/peers/run --runs 40 --svg chart.svg --json figures.json
  benches/peers/run --only networks --engines fused,onnxruntime
  benches/peers/run --video film.mp4 --only file        your own video
"""

import argparse
import importlib.metadata
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

from programs import build

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# divita's engines, by their name in the worker.
OWN = {"fused": "divita", "tract": "tract, stock"}
OWN_QUANTISED = {"int8": "divita, eight bits"}
REFERENCE = "onnxruntime"


def main():
    options = parse()
    if options.write_networks:
        import networks

        networks.write(options.bundle, options.write_networks)
        return
    # Imported late: --help must work without these packages.
    import report
    from engines import ENGINES
    from quantised_engines import QUANTISED_ENGINES

    others = [{name: engine.title for name, engine in engines.items()} for engines in (ENGINES, QUANTISED_ENGINES)]
    titles = OWN | others[0] | OWN_QUANTISED | others[1]
    chosen = options.engines.split(",") if options.engines else list(titles)
    if unknown := set(chosen) - set(titles):
        sys.exit(f"no engine {', '.join(sorted(unknown))}; choose from {', '.join(titles)}")
    if REFERENCE not in chosen:
        chosen.append(REFERENCE)
    binaries = options.binaries or build(["divita/gstreamer"] if options.gstreamer else [])
    if missing := [name for name in ("divita", "peer") if not (binaries / name).exists()]:
        sys.exit(f"no program {' or '.join(missing)} in {binaries}; omit --binaries to build them")
    result = {
        "schema": 2,
        "machine": machine(),
        "rounds": options.runs,
        "engines": {name: {"title": titles[name], "version": version(name)} for name in chosen},
    }
    if options.only in (None, "networks"):
        result["networks"] = compare_networks(chosen, binaries, options)
    if options.only in (None, "file"):
        import whole_file

        say(f"whole file {options.video.name} ...")
        divita, rounds = binaries / "divita", options.file_runs
        result["whole_file"] = whole_file.measure(divita, options.bundle, options.video, options.fps, rounds, options.gstreamer)
    result["arm_counts"] = json.loads((ROOT / "benches/arm-counts/counts.json").read_text())
    print(report.text(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    if options.svg:
        import chart

        options.svg.write_text(chart.svg(result))


def parse():
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        prog="benches/peers/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--runs", type=int, default=20, metavar="N", help="rounds of the networks (default 20)")
    add("--file-runs", type=int, default=3, metavar="N", help="rounds of the whole file (default 3)")
    add("--only", choices=["networks", "file"], help="run only one of the two parts")
    add("--engines", metavar="A,B", help="compare only these and ONNX Runtime: fused, tract, onnxruntime, openvino, ncnn, mnn, and in eight bits int8, onnxruntime-int8, openvino-int8, mnn-int8, ncnn-int8")
    add("--networks", metavar="A,B", help="run only networks whose name contains one of these, such as 2D or 'of 4'")
    add("--json", type=Path, metavar="FILE", help="write all figures, with every turn")
    add("--svg", type=Path, metavar="FILE", help="write a bar chart")
    add("--video", type=Path, default=ROOT / "samples/sintel-trailer.mp4", metavar="FILE", help="video of the second part, and of the clips for the networks (default: the sample)")
    add("--gstreamer", action="store_true", help="also classify the video with GStreamer, with one decoder thread")
    add("--fps", type=int, default=4, help="working rate of the whole file (default 4)")
    add("--bundle", type=Path, default=ROOT / "models/bundles/demo", metavar="DIR", help="bundle, a folder (default: the demo)")
    add("--binaries", type=Path, metavar="DIR", help="folder of the programs divita and peer (default: cargo builds them)")
    add("--write-networks", type=Path, metavar="DIR", help="only write the networks and inputs of the other engines to DIR")
    return parser.parse_args()


def compare_networks(chosen, binaries, options):
    """Runs every network in every engine. Returns the rows of the report."""
    import onnx

    import inputs
    import networks
    import report
    import turns
    from quantised_engines import QUANTISED_ENGINES

    quantised = {*OWN_QUANTISED, *QUANTISED_ENGINES}
    rows = []
    wanted = options.networks.split(",") if options.networks else [""]
    for network in networks.NETWORKS:
        if not any(part in network.name for part in wanted):
            continue
        say(f"{network.name} ...")
        simplified = networks.simplified(options.bundle, network)
        output_shape = networks.shapes_of(simplified)[simplified.graph.output[0].name]
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            data, calibration = folder / "inputs", folder / "calibration"
            for each, file in zip(inputs.of(network, options.bundle, options.video), (data, calibration)):
                each.tofile(file)
            commands = {}
            for name in chosen:
                if name in quantised and not network.is_backbone:
                    continue
                if name in OWN or name in OWN_QUANTISED:
                    command = [binaries / "peer", "--executor", name, "--onnx", options.bundle / network.file, "--inputs", data]
                    command += ["--shape", sides(network.shape), "--output-shape", sides(output_shape)]
                    command += ["--calibration", calibration] if name in OWN_QUANTISED else []
                else:
                    # A folder for each: converters write beside their input.
                    file = folder / name / "network.onnx"
                    file.parent.mkdir()
                    onnx.save(simplified, file)
                    command = [sys.executable, HERE / "worker.py", name, file, data, sides(network.shape), calibration]
                commands[name] = command
            results, peaks = turns.compare(commands, options.runs, own="fused")
        macs = networks.multiply_accumulates(simplified)
        row = {"name": network.name, "file": network.file, "shape": network.shape, "multiply_accumulates": macs}
        rows.append(row | {"peaks": peaks, "engines": report.figures(results, macs, peaks, REFERENCE, quantised)})
    return rows


def sides(shape):
    """Returns a shape in the form of the command line."""
    return ",".join(map(str, shape))


def version(name):
    """Returns the version of an engine, or None if it is not installed."""
    from engines import ENGINES
    from quantised_engines import QUANTISED_ENGINES

    if name in OWN or name in OWN_QUANTISED:
        return locked("tract-onnx" if name == "tract" else "divita-runtime")
    try:
        return importlib.metadata.version((ENGINES | QUANTISED_ENGINES)[name].package)
    except importlib.metadata.PackageNotFoundError:
        return None


def locked(crate):
    """Returns the version of a crate in Cargo.lock."""
    lines = (ROOT / "Cargo.lock").read_text().splitlines()
    return lines[lines.index(f'name = "{crate}"') + 1].split('"')[1]


def machine():
    """Describes the machine."""
    processor, flags = platform.processor() or platform.machine(), ""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                processor = value.strip()
            if key.strip() == "flags":
                flags = value.split()
    except OSError:
        pass
    vectors = next((name for flag, name in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags), None)
    return {"processor": processor, "architecture": platform.machine(), "vectors": vectors, "processors": os.cpu_count()}


def say(message):
    """Prints progress to standard error."""
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
