"""Draws the bar chart: for each network, the CPU time of each engine relative to ONNX Runtime."""

from html import escape

import report

WIDTH, LEFT, RIGHT = 940, 240, 230
BAR, GAP, GROUP = 18, 5, 34
# Longest bar, as a ratio. A longer one is broken, and its number shows the value.
LONGEST = 2.0
# divita's own executors.
OURS = ("fused", "half", "int8")
# Cosine with the output in single precision below which an engine computes something else.
WRONG = 0.9
OWN, OTHER, REFERENCE, INK, PALE = "#1f6f8b", "#b9c0c6", "#8b949b", "#22272b", "#e3e6e8"


def svg(result):
    """Draws the networks, the whole file and the counts on ARM, as far as they were measured."""
    shapes, y = [], 34
    write(shapes, 20, y, "CPU time relative to ONNX Runtime in single precision, one thread: shorter is faster", size=17, weight=600)
    y += 22
    rounds = result["rounds"]
    if "networks" in result:
        note = f"{report.describe(result['machine'])}. Median of {rounds} rounds in turn; the line spans the quartiles."
        write(shapes, 20, y, note, colour="#5b646b")
        y = networks(shapes, y + 26, result)
    if "whole_file" in result:
        y = whole_file(shapes, y + 10, result["whole_file"])
    y = counts(shapes, y + 10, result["arm_counts"])
    height = y + 16
    body = "\n".join(shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="system-ui, sans-serif" font-size="13">\n<rect width="100%" height="100%" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


def networks(shapes, y, result):
    """Draws a group of bars for each network. Returns the position below."""
    room = WIDTH - LEFT - RIGHT
    place = lambda ratio: LEFT + room * min(ratio, LONGEST) / LONGEST
    top, at = y, len(shapes)
    for row in result["networks"]:
        y += GROUP - GAP
        write(shapes, 20, y - 8, row["name"], weight=600)
        write(shapes, LEFT, y - 8, f"{row['multiply_accumulates'] / 1e6:.0f} M multiply-accumulates", colour="#5b646b")
        for engine, figure in row["engines"].items():
            title, own, colour = result["engines"][engine]["title"], engine in OURS, colour_of(engine)
            write(shapes, LEFT - 10, y + BAR - 5, title, anchor="end", weight=600 if own else 400)
            if "ratio" in figure:
                ratio, (low, high) = figure["ratio"]["median"], figure["ratio"]["quartiles"]
                bar(shapes, y, place(ratio), colour)
                end = place(ratio)
                if ratio > LONGEST:
                    torn(shapes, end - 26, y)
                else:
                    middle = y + BAR / 2
                    shapes.append(f'<path d="M{place(low):.1f} {middle}H{place(high):.1f}" stroke="{INK}" stroke-width="1.5"/>')
                    end = max(end, place(high))
                label = f"{ratio:.2f}x   {report.milliseconds(figure['median_ms'])} ms"
                if figure["cosine"] < WRONG:
                    label += "   wrong output"
                write(shapes, end + 8, y + BAR - 5, label, weight=600 if own else 400)
            else:
                write(shapes, LEFT + 4, y + BAR - 5, "cannot run it", colour="#a33a2a")
            y += BAR + GAP
    # Grid lines behind the bars at each half, and ONNX Runtime at one.
    lines = []
    for ratio in (0, 0.5, 1, 1.5, 2):
        dash = ' stroke-dasharray="4 3"' if ratio == 1 else ""
        lines.append(f'<path d="M{place(ratio):.1f} {top}V{y}" stroke="{REFERENCE if ratio == 1 else PALE}"{dash}/>')
        write(lines, place(ratio), y + 16, f"{ratio:g}x", anchor="middle", colour="#5b646b")
    shapes[at:at] = lines
    return y + 34


def whole_file(shapes, y, figure):
    """Draws bars of seconds for the programs that read a whole file. Returns the position below."""
    rows = {name: row for name, row in figure["programs"].items() if "cpu_s" in row}
    if not rows:
        return y
    title = f"Whole file: {figure['video']} at {figure['fps']} frames a second, seconds of CPU time, peak memory"
    write(shapes, 20, y + 8, title, size=15, weight=600)
    y += 24
    seconds = {name: report.statistics.median(row["cpu_s"]) for name, row in rows.items()}
    scale = (WIDTH - LEFT - RIGHT) / max(seconds.values())
    for name, row in rows.items():
        own = name.startswith("divita")
        write(shapes, LEFT - 10, y + BAR - 5, name, anchor="end", weight=600 if own else 400)
        end = LEFT + seconds[name] * scale
        bar(shapes, y, end, OWN if own else OTHER)
        memory = max(row["peak_memory_bytes"]) / 2**20
        write(shapes, end + 8, y + BAR - 5, f"{seconds[name]:.2f} s   {memory:.0f} MiB", weight=600 if own else 400)
        y += BAR + GAP
    return y


def counts(shapes, y, counted):
    """Draws instructions on ARM, for networks with counts of ONNX Runtime. Returns the position below."""
    rows = [(work, row) for work, row in report.by_work(counted) if {"fused", "onnxruntime"} <= row.keys()]
    if not rows:
        return y
    write(shapes, 20, y + 8, f"64-bit ARM: {counted['unit']} relative to ONNX Runtime. Counts, not times", size=15, weight=600)
    write(shapes, 20, y + 28, f"{counted['machine']}, one thread; recorded by benches/arm-counts", colour="#5b646b")
    y += 40
    scale = (WIDTH - LEFT - RIGHT) / max(count / row["onnxruntime"] for _, row in rows for count in row.values())
    for work, row in rows:
        y += GROUP - GAP
        write(shapes, 20, y - 8, work, weight=600)
        for engine, count in row.items():
            own = engine in OURS
            write(shapes, LEFT - 10, y + BAR - 5, report.counted_title(engine), anchor="end", weight=600 if own else 400)
            end = LEFT + count / row["onnxruntime"] * scale
            bar(shapes, y, end, colour_of(engine))
            write(shapes, end + 8, y + BAR - 5, f"{count / row['onnxruntime']:.2f}x   {count:.1f} M", weight=600 if own else 400)
            y += BAR + GAP
    return y + 10


def colour_of(engine):
    """Returns the colour of an engine's bars."""
    return OWN if engine in OURS else REFERENCE if engine == "onnxruntime" else OTHER


def bar(shapes, y, end, colour):
    """Draws a bar from the left edge to `end`."""
    shapes.append(f'<rect x="{LEFT}" y="{y}" width="{max(end - LEFT, 1):.1f}" height="{BAR}" fill="{colour}"/>')


def torn(shapes, x, y):
    """Marks a bar that is longer than the chart."""
    path = f"M{x:.1f} {y + BAR + 2}l8 -{BAR + 4}M{x + 7:.1f} {y + BAR + 2}l8 -{BAR + 4}"
    shapes.append(f'<path d="{path}" stroke="#ffffff" stroke-width="3"/>')


def write(shapes, x, y, text, anchor="start", colour=INK, weight=400, size=13):
    """Writes text that starts, ends or is centred at x."""
    style = f'text-anchor="{anchor}" fill="{colour}" font-weight="{weight}" font-size="{size}"'
    # A white outline over grid lines.
    style += ' stroke="#ffffff" stroke-width="4" paint-order="stroke"'
    shapes.append(f'<text x="{x:.1f}" y="{y:.1f}" {style} xml:space="preserve">{escape(text)}</text>')
