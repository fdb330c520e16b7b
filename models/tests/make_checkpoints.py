#!/usr/bin/env python3
"""Makes models/tests/checkpoints anew: checkpoints that torch writes, and beside each the tensors that must be read from it.

    python3 models/tests/make_checkpoints.py        (torch 1.13 or later; nothing else)

NAME.expected.safetensors has the tensors of NAME.pt, NAME_legacy.pt or NAME.safetensors as float32; what lies in
refused/ must not be read at all. The keys of legacy storages are addresses, so those files differ from run to run.
"""

import argparse
import json
import os
import pathlib
import pickle
import shutil
import struct
import sys
import types
import zipfile
from collections import OrderedDict

import torch

HERE = pathlib.Path(__file__).parent / "checkpoints"

TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def write_safetensors(path, tensors):
    """Writes safetensors by hand: the format is a length, a JSON header and the bytes."""
    header, data = {}, b""
    for name, tensor in tensors.items():
        dtype = next(key for key, value in TYPES.items() if value == tensor.dtype)
        flat = tensor.detach().contiguous().reshape(-1)
        raw = bytes(flat.view(torch.uint8).tolist()) if flat.numel() else b""
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def tensors_of(value, path=()):
    """The tensors in nested containers by their path, as the reader must name them."""
    if isinstance(value, torch.Tensor):
        yield ".".join(path), value.detach().to(torch.float32).clone()
    elif isinstance(value, argparse.Namespace):
        yield from tensors_of(vars(value), path)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from tensors_of(item, (*path, str(key)))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from tensors_of(item, (*path, str(index)))


def write(name, value, **options):
    torch.save(value, HERE / f"{name}.pt", **options)
    write_safetensors(HERE / f"{name}.expected.safetensors", dict(tensors_of(value)))


def write_both(name, value, **options):
    write(name, value, **options)
    torch.save(value, HERE / f"{name}_legacy.pt", _use_new_zipfile_serialization=False, **options)


def nested():
    """What a training script saves: a state dict under DataParallel, an optimizer, arguments and a history."""
    network = torch.nn.Sequential(
        OrderedDict(
            conv1=torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3)),
            fc=torch.nn.Linear(3, 2),
        )
    )
    wrapped = torch.nn.Module()
    wrapped.module = network
    optimizer = torch.optim.Adam(wrapped.parameters())
    sum(parameter.square().sum() for parameter in wrapped.parameters()).backward()
    optimizer.step()
    return {
        "epoch": 7,
        "loss": 0.25,
        "big": 1 << 200,
        "negative": -(1 << 40),
        "state_dict": wrapped.state_dict(),
        "parameters": OrderedDict(wrapped.named_parameters()),
        "optimizer": optimizer.state_dict(),
        "args": argparse.Namespace(lr=0.1, names=["a", "ü"], mean=torch.tensor([0.5, 0.25])),
        "history": [(0, 1.5, None, True), [], {}, "text", {"last": torch.tensor([1.0, 2.0])}],
        "dtype": torch.float32,
        "device": torch.device("cpu"),
        "size": torch.Size([2, 3]),
        True: torch.tensor([3.0]),
    }


def views():
    """Tensors that share storages, in every arrangement."""
    base = torch.arange(60, dtype=torch.float32) / 8
    cube = base.view(3, 4, 5)
    return OrderedDict(
        base=base,
        same=base,
        cube=cube,
        transposed=cube.transpose(0, 2),
        permuted=cube.permute(1, 2, 0),
        sliced=cube[1:, ::2, 1:4],
        stepped=base[7::9],
        one=base[59],
        expanded=base[3:5].view(1, 2, 1).expand(2, 2, 3),
        diagonal=cube[0, :, :4].diagonal(),
        windows=base.unfold(0, 10, 5),
        scalar=torch.tensor(-2.5),
        empty=torch.empty(0),
        empty_axis=torch.empty(2, 0, 3),
        empty_view=base[60:],
        parameter=torch.nn.Parameter(cube[2].t(), requires_grad=False),
        halves=torch.arange(12, dtype=torch.float16).view(3, 4).t(),
        longs=torch.arange(12).view(3, 4)[:, 1::2],
    )


def dtypes():
    """Values at the ends of every type."""
    floats = [0.0, -0.0, 1.0, -1.5, 0.1, 1e-3, 65504.0, 6e-8, 1e-40, 1e300, float("inf"), float("-inf"), float("nan")]
    tensors = {}
    for name, dtype in TYPES.items():
        if dtype == torch.bool:
            tensor = torch.tensor([True, False, True])
        elif dtype.is_floating_point:
            tensor = torch.tensor(floats, dtype=torch.float64).to(dtype)
        else:
            ends = torch.iinfo(dtype)
            middle = [value for value in (-1, 0, 1, 7, 200, 16777217, -33554435) if ends.min <= value <= ends.max]
            tensor = torch.tensor([ends.min, *middle, ends.max], dtype=dtype)
        tensors[name] = tensor
    return tensors


class Harmful:
    """Calls os.system when Python unpickles it."""

    def __reduce__(self):
        return os.system, ("touch checkpoint-was-executed",)


def attribute_dict():
    """A class of pytorch_lightning's name, without pytorch_lightning."""
    module = types.ModuleType("pytorch_lightning.utilities.parsing")
    for name in ("pytorch_lightning", "pytorch_lightning.utilities"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules[module.__name__] = module
    module.AttributeDict = type("AttributeDict", (dict,), {"__module__": module.__name__})
    return module.AttributeDict(lr=0.1, weights=torch.tensor([1.0, 3.0]))


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    refused = HERE / "refused"
    refused.mkdir(parents=True)
    torch.manual_seed(12)

    write_both("nested", nested())
    write_both("views", views())
    write_both("dtypes", dtypes())
    write("bare", torch.arange(6.0).view(2, 3))
    write("lightning", {"state_dict": {"w": torch.tensor([2.0])}, "hyper_parameters": attribute_dict()})
    state = OrderedDict(w=torch.arange(4.0).view(2, 2).t(), n=torch.tensor(5))
    small = {"state_dict": state, "epoch": 300, "raw": b"\x00\xff", "set": {1, "a"}}
    # Sets have an opcode of their own from protocol 4 on, bytes from 3 on; before, both are calls that are refused.
    for protocol in (4, 5):
        write_both(f"protocol{protocol}", small, pickle_protocol=protocol)

    write_safetensors(HERE / "types.safetensors", dtypes())
    write_safetensors(HERE / "types.expected.safetensors", dict(tensors_of(dtypes())))

    torch.save({"w": torch.ones(1), "x": Harmful()}, refused / "harmful.pt")
    torch.save(Harmful(), refused / "harmful_legacy.pt", _use_new_zipfile_serialization=False)
    (refused / "harmful_bare_pickle.pt").write_bytes(pickle.dumps(Harmful(), protocol=2))
    torch.save(torch.nn.Linear(1, 1), refused / "module.pt")
    torch.save({"a": torch.ones(2), "w": torch.ones(2, dtype=torch.complex64)}, refused / "complex.pt")
    (refused / "other_pickle.pt").write_bytes(pickle.dumps({"w": [1, 2, 3]}, protocol=4))
    (refused / "page.pt").write_text("<!DOCTYPE html><title>Sign in</title>")
    with zipfile.ZipFile(HERE / "bare.pt") as good, zipfile.ZipFile(refused / "big_endian.pt", "w") as bad:
        for name in good.namelist():
            bad.writestr(name, good.read(name))
        bad.writestr("bare/byteorder", "big")
    with zipfile.ZipFile(HERE / "bare.pt") as good:
        with zipfile.ZipFile(refused / "compressed.pt", "w", zipfile.ZIP_DEFLATED) as bad:
            for name in good.namelist():
                bad.writestr(name, good.read(name) + b"." * 50)


if __name__ == "__main__":
    main()
