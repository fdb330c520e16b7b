"""The networks of the comparison: the bundle's files, and the same in a form that suits other engines."""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy
import onnx
from onnx import numpy_helper, shape_inference


@dataclass(frozen=True)
class Network:
    """One row of the comparison: a file of the bundle and the shape of its input."""

    name: str
    file: str
    shape: tuple[int, ...]

    @property
    def key(self):
        """Returns the name in files and JSON."""
        return "-".join([self.file.removesuffix(".onnx"), "x".join(map(str, self.shape))])

    @property
    def is_backbone(self):
        """Returns whether the network reads pictures: only such networks have a form in eight bits."""
        return self.file in ("image.onnx", "video.onnx")


# Rows of the table, in order, named as in `divita bench --networks`. Both heads have the same
# shapes.
NETWORKS = [
    Network("2D, a keyframe", "image.onnx", (1, 3, 224, 224)),
    *(Network(f"3D, a clip of {frames} frames", "video.onnx", (1, 3, frames, 112, 112)) for frames in (4, 8, 12, 24)),
    Network("image head, 30 clips", "image_head.onnx", (1, 30, 1024)),
]


def simplified(bundle: Path, network: Network) -> onnx.ModelProto:
    """Returns the same network in a form that suits other engines.

    Weights are in single precision (the file stores half precision with a Cast each). Every shape is a
    number (the file leaves time free). In channel shuffles, time, height and width are one axis: ncnn
    has no tensors of six axes, and other engines showed no difference beyond the noise."""
    model = onnx.load(bundle / network.file)
    graph = model.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for node in list(graph.node):
        if node.op_type == "Cast" and node.input[0] in tensors:
            weights = numpy_helper.to_array(tensors[node.input[0]]).astype(numpy.float32)
            graph.initializer.append(numpy_helper.from_array(weights, node.output[0]))
            graph.node.remove(node)
    for dim, size in zip(graph.input[0].type.tensor_type.shape.dim, network.shape, strict=True):
        dim.dim_value = size
    shapes = shapes_of(infer(model))
    for node in graph.node:
        if node.op_type == "Reshape":
            node.input[1] = constant(graph, f"{node.output[0]}.shape", few_axes(shapes[node.output[0]]))
        elif node.op_type == "Transpose" and len(shapes[node.input[0]]) == 6:
            permutation = next(each for each in node.attribute if each.name == "perm")
            if list(permutation.ints) != [0, 2, 1, 3, 4, 5]:
                raise ValueError(f"{node.name} shuffles more than channels")
            permutation.ints[:] = [0, 2, 1, 3]
        elif node.op_type == "Split" and len(node.input) == 1:
            # pnnx does not support a split into equal parts, which the file uses.
            axis = next((each.i for each in node.attribute if each.name == "axis"), 0)
            node.input.append(constant(graph, f"{node.output[0]}.sizes", [shapes[part][axis] for part in node.output]))
    drop_unused(graph)
    return infer(model)


def few_axes(shape):
    """Merges time, height and width of a shape (batch, groups, channels, time, height, width)."""
    return [*shape[:3], math.prod(shape[3:])] if len(shape) == 6 else shape


def infer(model):
    """Returns the model with the shapes of all values."""
    return shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)


def constant(graph, name, numbers):
    """Adds integers to a graph. Returns their name."""
    graph.initializer.append(numpy_helper.from_array(numpy.array(numbers, dtype=numpy.int64), name))
    return name


def drop_unused(graph):
    """Removes constants that no node reads."""
    used = {name for node in graph.node for name in node.input}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in used]:
        graph.initializer.remove(tensor)


def shapes_of(model):
    """Returns the shape of every value."""
    graph = model.graph
    values = [*graph.input, *graph.value_info, *graph.output]
    shapes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in values}
    return shapes | {tensor.name: list(tensor.dims) for tensor in graph.initializer}


def multiply_accumulates(model: onnx.ModelProto) -> int:
    """Counts the multiplications of convolutions and matrix products, for known shapes. As usual, sums,
    pools and norms do not count."""
    shapes = shapes_of(model)
    total = 0
    for node in model.graph.node:
        if node.op_type == "Conv":
            # Each output is a sum over the taps of one filter.
            total += math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[1]][1:])
        elif node.op_type == "MatMul":
            total += math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]
    return total


def example_input(network: Network) -> numpy.ndarray:
    """Returns a fixed input with mean 0 and deviation 1, like real ones."""
    return numpy.random.default_rng(12).standard_normal(network.shape, dtype=numpy.float32)


def write(bundle: Path, folder: Path):
    """Writes the simplified networks and their inputs to a folder, and `networks.json`, which lists them."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for network in NETWORKS:
        row = {"work": network.name, "onnx": f"{network.key}.onnx", "input": f"{network.key}.input", "shape": network.shape}
        onnx.save(simplified(bundle, network), folder / row["onnx"])
        example_input(network).tofile(folder / row["input"])
        rows.append(row)
    (folder / "networks.json").write_text(json.dumps(rows))
