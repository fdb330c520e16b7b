"""The other engines. Each takes a network from an ONNX file and runs it on one thread, in single precision.

An engine is one class and one line in `ENGINES`. `title` and `package` (its name in pip) are for the
report. All options for speed and exactness are on. `run` returns the output for the engine's input.
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
        self.input = {self.session.get_inputs()[0].name: data}

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
        compiled = openvino.Core().compile_model(openvino.Core().read_model(onnx), "CPU", settings)
        self.request = compiled.create_infer_request()
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
        self.input = ncnn.Mat(data[0]).clone()

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
        model = onnx.with_suffix(".mnn")
        # The code behind the command `mnnconvert`, which would also send a usage report.
        code = "import sys, _tools; _tools.mnnconvert(sys.argv)"
        convert([sys.executable, "-c", code, "-f", "ONNX", "--modelFile", onnx, "--MNNModel", model, "--bizCode", "divita"], onnx.parent)
        import MNN

        self.MNN = MNN
        self.interpreter = MNN.Interpreter(str(model))
        self.session = self.interpreter.createSession({"backend": "CPU", "numThread": 1, "precision": "high"})
        kind = MNN.Tensor_DimensionType_Caffe
        tensor = self.interpreter.getSessionInput(self.session)
        self.input = (tensor, MNN.Tensor(data.shape, MNN.Halide_Type_Float, data, kind))
        self.output = self.interpreter.getSessionOutput(self.session)
        shape = self.output.getShape()
        self.result = MNN.Tensor(shape, MNN.Halide_Type_Float, numpy.zeros(shape, numpy.float32), kind)

    def run(self):
        tensor, data = self.input
        tensor.copyFrom(data)
        self.interpreter.runSession(self.session)
        self.output.copyToHostTensor(self.result)
        return self.result.getNumpyData()


def convert(command, folder):
    """Runs a converter in `folder`."""
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode != 0:
        raise RuntimeError(f"converter failed: {' '.join(done.stdout.split())[-300:]}")


ENGINES = {"onnxruntime": OnnxRuntime, "openvino": OpenVino, "ncnn": Ncnn, "mnn": Mnn}
