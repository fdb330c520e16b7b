"""The networks that are compared: the bundle's files, and the same in the form that other engines do best with."""

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
        """A name for files and for JSON."""
        return "-".join([self.file.removesuffix(".onnx"), "x".join(map(str, self.shape))])


# The rows of the table, in its order. The head of the video stream has the shapes of that of the image stream.
NETWORKS = [
    Network("2D backbone", "image.onnx", (1, 3, 224, 224)),
    *(Network(f"3D backbone, f = {frames}", "video.onnx", (1, 3, frames, 112, 112)) for frames in (4, 8, 12, 24)),
    Network("CAT head, 30 clips", "image_head.onnx", (1, 30, 1024)),
]


def simplified(bundle: Path, network: Network) -> onnx.ModelProto:
    """The network with what is known beforehand worked out: weights in single precision (the file stores them in half precision, each
    with a Cast), every shape a number (the file leaves time free). It computes the same."""
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
    model = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    shapes = shapes_of(model)
    for node in model.graph.node:
        if node.op_type == "Reshape":
            reshape_to(model.graph, node, shapes[node.output[0]])
        elif node.op_type == "Split" and len(node.input) == 1:
            # Into equal parts, as the file has it, it is not understood by all.
            axis = next((each.i for each in node.attribute if each.name == "axis"), 0)
            node.input.append(constant(model.graph, f"{node.name}.sizes", [shapes[part][axis] for part in node.output]))
    drop_unused(model.graph)
    return model


def with_few_axes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same with time, height and width as one axis wherever channels are shuffled, for engines that know no tensors of six axes."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    shapes = shapes_of(result)
    makers = {node.output[0]: node for node in result.graph.node}
    for swap in result.graph.node:
        apart = makers.get(swap.input[0])
        if swap.op_type == "Transpose" and apart is not None and len(shapes[swap.input[0]]) == 6:
            batch, groups, channels, *places = shapes[swap.input[0]]
            reshape_to(result.graph, apart, [batch, groups, channels, math.prod(places)])
            swap.attribute[0].ints[:] = [0, 2, 1, 3]
    del result.graph.value_info[:]
    drop_unused(result.graph)
    return shape_inference.infer_shapes(result, strict_mode=True, data_prop=True)


def reshape_to(graph, node, shape):
    """Makes `node`, a Reshape, one to `shape`."""
    node.input[1] = constant(graph, f"{node.output[0]}.shape", shape)


def constant(graph, name, numbers):
    """Adds whole numbers to a graph; gives their name."""
    graph.initializer.append(numpy_helper.from_array(numpy.array(numbers, dtype=numpy.int64), name))
    return name


def drop_unused(graph):
    """Takes out the constants that no node reads, and all but the last of those of one name."""
    used = {name for node in graph.node for name in node.input}
    tensors = {tensor.name: tensor for tensor in graph.initializer if tensor.name in used}
    kept = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in tensors.values()]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def shapes_of(model):
    """The shape of every value."""
    graph = model.graph
    values = [*graph.input, *graph.value_info, *graph.output]
    shapes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in values}
    return shapes | {tensor.name: list(tensor.dims) for tensor in graph.initializer}


def multiply_accumulates(model: onnx.ModelProto) -> int:
    """Multiplications of the convolutions and matrix products of a network of known shapes. Sums, pools, norms and the like are left
    out, as is usual."""
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
    """An input of numbers such as the networks meet: mean 0, deviation 1; the same ones each time."""
    return numpy.random.default_rng(12).standard_normal(network.shape, dtype=numpy.float32)
