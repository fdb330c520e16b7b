"""Computes the figures from times, and prints the tables."""

import statistics

import numpy


def figures(results, macs, peaks, reference, quantised):
    """Returns for each engine its median time, ratio to the reference, difference and cosine of the outputs, and
    its share of the peak unless it is one of `quantised`; or its error."""
    expected = results[reference].get("output")
    base = results[reference].get("times_ms")
    rows = {}
    for name, result in results.items():
        if "error" in result:
            rows[name] = {"error": result["error"]}
            continue
        times = result["times_ms"]
        row = {"median_ms": statistics.median(times), "times_ms": times}
        if base:
            row["ratio"] = spread([time / other for time, other in zip(times, base)])
            row["differs"] = difference(result["output"], expected)
            row["cosine"] = cosine(result["output"], expected)
        if peaks and all(peaks) and name not in quantised:
            operations = 2 * macs
            row["share_of_peak"] = statistics.median(operations / (time / 1e3) / peak for time, peak in zip(times, peaks))
        rows[name] = row
    return rows


def spread(values):
    """Returns median and quartiles."""
    low, middle, high = numpy.percentile(values, [25, 50, 75]).tolist()
    return {"median": middle, "quartiles": [low, high]}


def difference(output, expected):
    """Returns largest difference over largest value; infinity if the shapes differ or a value is not finite."""
    output, expected = numpy.array(output), numpy.array(expected)
    if output.shape != expected.shape or not numpy.isfinite(output).all():
        return float("inf")
    return float(numpy.abs(output - expected).max() / numpy.abs(expected).max())


def cosine(outputs, expected):
    """Returns the mean over the inputs of the cosine between the outputs; 0 if the shapes differ or a value is not
    finite."""
    outputs, expected = numpy.array(outputs), numpy.array(expected)
    if outputs.shape != expected.shape or not numpy.isfinite(outputs).all():
        return 0.0
    lengths = numpy.linalg.norm(outputs, axis=1) * numpy.linalg.norm(expected, axis=1)
    return float(((outputs * expected).sum(axis=1) / lengths).mean())


def milliseconds(time):
    """Formats a time with three digits."""
    return f"{time:.{2 if time < 10 else 1 if time < 100 else 0}f}"


def text(result):
    """Formats all results as text."""
    parts = [" ".join(["measured on", describe(result["machine"])])]
    if "networks" in result:
        parts += networks(result)
    if "whole_file" in result:
        parts += whole_file(result["whole_file"])
    if "arm_counts" in result:
        parts += counts(result)
    return "\n".join(parts)


def describe(machine):
    """Formats the machine."""
    return ", ".join(str(part) for part in (machine["processor"], machine["architecture"], machine["vectors"]) if part)


def networks(result):
    """Formats the engines on each network."""
    rounds, lines = result["rounds"], []
    peaks = [peak for row in result["networks"] for peak in row["peaks"] if peak]
    peak = f"; one thread reaches at most {max(peaks) / 1e9:.0f} GFLOP/s" if peaks else ""
    lines.append(f"CPU time of one thread, {rounds} rounds{peak}\n")
    heading = ("network", "engine", "CPU time", "ratio", "quartiles", "share", "differs", "cosine")
    lines.append("{:<24} {:<32} {:>12} {:>8}  {:<14} {:>6} {:>8} {:>8}".format(*heading))
    for row in result["networks"]:
        name = row["name"]
        for engine, figure in row["engines"].items():
            about = result["engines"][engine]
            title = " ".join(part for part in (about["title"], about["version"]) if part)
            start = f"{name:<24} {title:<32}"
            name = ""
            if "error" in figure:
                lines.append(f"{start} cannot run it: {figure['error']}")
                continue
            ratio, share = figure.get("ratio"), figure.get("share_of_peak")
            low, high = ratio["quartiles"] if ratio else (0, 0)
            columns = [
                f"{figure['median_ms']:9.2f} ms",
                f"{ratio['median']:.2f}x" if ratio else "",
                f"{low:.2f} to {high:.2f}" if ratio else "",
                f"{share:.0%}" if share else "",
                f"{figure['differs']:.0e}" if ratio else "",
                f"{figure['cosine']:.5f}" if ratio else "",
            ]
            lines.append("{} {:>12} {:>8}  {:<14} {:>6} {:>8} {:>8}".format(start, *columns))
    return lines


def whole_file(figure):
    """Formats whole programs on one video."""
    lines = [f"\nwhole file {figure['video']} at {figure['fps']} frames a second, one thread, whole processes\n"]
    lines.append("{:<32} {:>10} {:>7} {:>12} {:>7} {:>7}".format("program", "CPU time", "ratio", "peak memory", "frames", "clips"))
    own = figure["programs"]["divita classify"].get("cpu_s")
    for name, row in figure["programs"].items():
        if "error" in row:
            lines.append(f"{name:<32} cannot run: {row['error']}")
            continue
        time, memory = statistics.median(row["cpu_s"]), max(row["peak_memory_bytes"]) / 2**20
        counted = row["result"]
        # Ratio to divita in each round.
        ratio = f"{spread([time / other for time, other in zip(row['cpu_s'], own)])['median']:.2f}x" if own else ""
        lines.append(f"{name:<32} {time:8.2f} s {ratio:>7} {memory:8.0f} MiB {counted.get('frames', ''):>7} {counted.get('clips', ''):>7}")
    bench = figure["bench"]
    if "error" in bench:
        lines.append(f"divita bench cannot run: {bench['error']}")
    else:
        decode, classify, ratio = (bench[key] for key in ("decode_cpu_s", "classify_cpu_s", "classify_over_decode"))
        lines.append(f"divita bench: decoding alone {decode:.2f} s, classifying {classify:.2f} s: {ratio:.2f} times decoding alone")
    results = [row.get("result", {}).get("probabilities") for row in figure["programs"].values()]
    both = [result for result in results if result]
    if len(both) > 1:
        largest = max(abs(both[0][label] - other[label]) for other in both[1:] for label in both[0])
        lines.append(f"probabilities differ by at most {largest:.3f}: divita finds other shots than the pipelines, and others with fewer pictures, and scales with another filter")
    pipeline = figure["programs"]["Python pipeline"].get("result")
    if pipeline:
        lines.append(f"Python's imports take {pipeline['imports_cpu_s']:.2f} s of the pipeline's CPU time")
    return lines


def counts(result):
    """Formats instructions on ARM: counts, not times."""
    counted = result["arm_counts"]
    engines = list(dict.fromkeys(row["engine"] for row in counted["rows"]))
    titles = [counted_title(engine) for engine in engines]
    lines = [f"\n64-bit ARM, COUNTS of {counted['unit']} ({counted['machine']}): these are not times\n"]
    lines.append("{:<24}".format("work") + "".join(f" {title:>22}" for title in titles))
    for work, row in by_work(counted):
        lines.append(f"{work:<24}" + "".join(f" {f'{row[engine]:,.1f}' if engine in row else '':>22}" for engine in engines))
    return lines


def by_work(counted):
    """Groups the counts by work and engine."""
    works = dict.fromkeys(row["work"] for row in counted["rows"])
    return [(work, {row["engine"]: row["count"] for row in counted["rows"] if row["work"] == work}) for work in works]


def counted_title(engine):
    """Returns the title of an engine with instruction counts."""
    own = {"fused": "divita", "half": "divita, half precision", "int8": "divita, eight bits", "tract": "tract, stock", "onnxruntime": "ONNX Runtime"}
    return own.get(engine, engine)
