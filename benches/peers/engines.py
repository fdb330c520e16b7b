"""The other engines. Each takes a network from an ONNX file and runs it on one thread, in single precision.

An engine is one class and one line in `ENGINES`. `title` and `package` (its name in pip) are for the
report. All options for speed and exactness are on. `feed` sets the input, and `run` returns the output
for it.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy


class OnnxRuntime:
    """ONNX Runtime."""

    title = "ONNX Runtime"
    package = "onnxruntime"

    def __init__(self, onnx: Path, data: numpy.ndarray):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        self.name = self.session.get_inputs()[0].name
        self.feed(data)

    def feed(self, data):
        self.input = {self.name: data}

    def run(self):
        return self.session.run(None, self.input)[0]


class OpenVino:
    """OpenVINO."""

    title = "OpenVINO"
    package = "openvino"

    def __init__(self, onnx: Path, data: numpy.ndarray):
        import openvino

        # Without the precision hint it computes in bf16 or f16 if the processor can.
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
        compiled = openvino.Core().compile_model(self.model(onnx), "CPU", settings)
        self.request = compiled.create_infer_request()
        self.feed(data)

    def model(self, onnx):
        import openvino

        return openvino.Core().read_model(onnx)

    def feed(self, data):
        import openvino

        self.input = openvino.Tensor(data, shared_memory=True)
        self.request.set_input_tensor(self.input)

    def run(self):
        self.request.infer()
        return self.request.get_output_tensor().data


class Ncnn:
    """ncnn, with files converted by pnnx."""

    title = "ncnn"
    package = "ncnn"

    def __init__(self, onnx: Path, data: numpy.ndarray):
        import ncnn

        # The module cannot be imported without torch, so find its program.
        pnnx = Path(importlib.util.find_spec("pnnx").origin).parent / "pnnx"
        shape = "inputshape=[" + ",".join(map(str, data.shape)) + "]"
        # pnnx writes its files beside the ONNX file. fp16=0 keeps weights in single precision.
        convert([pnnx, onnx.name, shape, "fp16=0"], onnx.parent)
        self.net = ncnn.Net()
        option = self.net.opt
        option.num_threads = 1
        option.lightmode = True
        option.use_packing_layout = option.use_winograd_convolution = option.use_sgemm_convolution = True
        option.use_fp16_packed = option.use_fp16_storage = option.use_fp16_arithmetic = option.use_bf16_storage = False
        option.use_vulkan_compute = False
        for load, suffix in ((self.net.load_param, "param"), (self.net.load_model, "bin")):
            if load(str(onnx.with_suffix(f".ncnn.{suffix}"))) != 0:
                raise RuntimeError(f"ncnn cannot load the {suffix} file that pnnx wrote")
        self.Mat = ncnn.Mat
        self.feed(data)

    def feed(self, data):
        self.input = self.Mat(data[0]).clone()

    def run(self):
        extractor = self.net.create_extractor()
        extractor.input("in0", self.input)
        status, output = extractor.extract("out0")
        if status != 0:
            raise RuntimeError(f"ncnn failed with status {status}")
        return numpy.array(output)


class Mnn:
    """MNN, with a file converted by its own converter."""

    title = "MNN"
    package = "MNN"

    def __init__(self, onnx: Path, data: numpy.ndarray):
        model = self.model(onnx)
        import MNN

        self.MNN = MNN
        self.interpreter = MNN.Interpreter(str(model))
        self.session = self.interpreter.createSession({"backend": "CPU", "numThread": 1, "precision": "high"})
        self.feed(data)
        self.output = self.interpreter.getSessionOutput(self.session)
        self.result = self.tensor(numpy.zeros(self.output.getShape(), numpy.float32))

    def model(self, onnx):
        model = onnx.with_suffix(".mnn")
        run_tool("mnnconvert", ["-f", "ONNX", "--modelFile", onnx, "--MNNModel", model, "--bizCode", "divita"], onnx.parent)
        return model

    def tensor(self, data):
        return self.MNN.Tensor(data.shape, self.MNN.Halide_Type_Float, data, self.MNN.Tensor_DimensionType_Caffe)

    def feed(self, data):
        self.input = (self.interpreter.getSessionInput(self.session), self.tensor(data))

    def run(self):
        tensor, data = self.input
        tensor.copyFrom(data)
        self.interpreter.runSession(self.session)
        self.output.copyToHostTensor(self.result)
        return self.result.getNumpyData()


def run_tool(name, arguments, folder):
    """Runs a program of MNN: the code behind its command, which would also send a usage report."""
    convert([sys.executable, "-c", f"import sys, _tools; _tools.{name}(sys.argv)", *arguments], folder)


def convert(command, folder):
    """Runs a converter in `folder`."""
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode != 0:
        raise RuntimeError(f"converter failed: {' '.join(done.stdout.split())[-300:]}")


ENGINES = {"onnxruntime": OnnxRuntime, "openvino": OpenVino, "ncnn": Ncnn, "mnn": Mnn}
