"""The other engines in eight bits. Each turns the float network into its own form, with its own tool.

All calibrate on the same inputs, with the settings that its documentation advises for this processor.
`calibration` has the shape (inputs, *shape of the input).
"""

import json
from pathlib import Path

import numpy

from engines import Mnn, Ncnn, OnnxRuntime, OpenVino, run_tool


class OnnxRuntimeInt8(OnnxRuntime):
    """ONNX Runtime: weights per channel, activations unsigned, in the QDQ form."""

    title = "ONNX Runtime, eight bits"

    def __init__(self, onnx: Path, data: numpy.ndarray, calibration: numpy.ndarray):
        from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

        class Reader(CalibrationDataReader):
            def __init__(self, name):
                self.inputs = iter({name: each} for each in calibration)

            def get_next(self):
                return next(self.inputs, None)

        import onnx as format

        reader, file = Reader(format.load(onnx).graph.input[0].name), onnx.with_suffix(".int8.onnx")
        settings = {"per_channel": True, "activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
        quantize_static(onnx, file, reader, quant_format=QuantFormat.QDQ, **settings)
        super().__init__(file, data)


class OpenVinoInt8(OpenVino):
    """OpenVINO, with NNCF."""

    title = "OpenVINO, eight bits"

    def __init__(self, onnx: Path, data: numpy.ndarray, calibration: numpy.ndarray):
        self.calibration = list(calibration)
        super().__init__(onnx, data)

    def model(self, onnx):
        import nncf

        data = nncf.Dataset(self.calibration)
        return nncf.quantize(super().model(onnx), data, subset_size=len(self.calibration))


class MnnInt8(Mnn):
    """MNN, with its program for calibration."""

    title = "MNN, eight bits"

    def __init__(self, onnx: Path, data: numpy.ndarray, calibration: numpy.ndarray):
        self.calibration = calibration
        super().__init__(onnx, data)

    def model(self, onnx):
        import onnx as format

        graph = format.load(onnx).graph
        name, output = graph.input[0].name, graph.output[0].name
        for number, data in enumerate(self.calibration):
            folder = onnx.parent / "calibration" / str(number)
            folder.mkdir(parents=True)
            numpy.savetxt(folder / f"{name}.txt", data.ravel(), "%.7g")
            description = {"inputs": [{"name": name, "shape": data.shape}], "outputs": [output]}
            (folder / "input.json").write_text(json.dumps(description))
        settings = {
            "path": f"{onnx.parent}/calibration/",
            "used_sample_num": len(self.calibration),
            "feature_quantize_method": "EMA",
            "weight_quantize_method": "MAX_ABS",
            "batch_size": 1,
            "quant_bits": 8,
            "input_type": "sequence",
        }
        (onnx.parent / "calibration.json").write_text(json.dumps(settings))
        quantised = onnx.with_suffix(".int8.mnn")
        run_tool("mnnquant", [super().model(onnx), quantised, "calibration.json"], onnx.parent)
        return quantised


class NcnnInt8(Ncnn):
    """ncnn. Its programs for calibration are not in its Python package."""

    title = "ncnn, eight bits"

    def __init__(self, onnx: Path, data: numpy.ndarray, calibration: numpy.ndarray):
        raise RuntimeError("its Python package has no ncnn2table and no ncnn2int8")


QUANTISED_ENGINES = {
    "onnxruntime-int8": OnnxRuntimeInt8,
    "openvino-int8": OpenVinoInt8,
    "mnn-int8": MnnInt8,
    "ncnn-int8": NcnnInt8,
}
