"""Writing ONNX graphs: values are names, and every operation adds a node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from wct.onnx.libraries import helper, numpy_helper, onnx

__all__ = ["DOUBLE", "FLOAT", "INT64", "Graph", "apart"]

_OPSET, _IR = 20, 10
"""Of early 2024, so that older runtimes read the files, too."""

_DOMAIN = "wct"
"""Of our own functions, which every file holds in full."""

FLOAT, DOUBLE, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.INT64

Shape = Sequence[int | str]


class Graph:
    """A graph, or the body of a function, while it is written."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._count = 0
        self._constants: dict[tuple[str, bytes], str] = {}

    def __call__(self, op: str, *inputs: str, **attributes: Any) -> str:
        """The value of an operation that gives one."""
        return self.several(op, 1, *inputs, **attributes)[0]

    def several(self, op: str, count: int, *inputs: str, domain: str = "", **attributes: Any) -> list[str]:
        """The values of an operation that gives `count`."""
        outputs = [self._name(op) for _ in range(count)]
        self.nodes.append(helper.make_node(op, inputs, outputs, name=outputs[0], domain=domain, **attributes))
        return outputs

    def call(self, function: str, count: int, *inputs: str) -> list[str]:
        """The values of one of our own functions."""
        return self.several(function, count, *inputs, domain=_DOMAIN)

    def named(self, value: str, name: str) -> None:
        """Give an output its name."""
        self.nodes.append(helper.make_node("Identity", [value], [name], name=name))

    def constant(self, value: NDArray[Any]) -> str:
        """A small constant, kept once."""
        key = (f"{value.dtype}{value.shape}", value.tobytes())
        if key not in self._constants:
            self._constants[key] = self("Constant", value=numpy_helper.from_array(value))
        return self._constants[key]

    def ints(self, *values: int) -> str:
        """A vector of whole numbers."""
        return self.constant(np.array(values, np.int64))

    def single(self, value: float) -> str:
        """A number in single precision."""
        return self.constant(np.array(value, np.float32))

    def double(self, value: float) -> str:
        """A number in double precision."""
        return self.constant(np.array(value, np.float64))

    def weight(self, name: str, tensor: Tensor) -> str:
        """A model's tensor as float32; kept as float16 where that loses nothing."""
        exact = tensor.detach().cpu().float()
        half = exact.half()
        small = bool((half.float() == exact).all())
        self.weights.append(numpy_helper.from_array((half if small else exact).numpy(), name))
        return self("Cast", name, to=FLOAT) if small else name

    def default(self, name: str, value: float) -> str:
        """What an input of one number (1,) is for those who do not give it."""
        self.weights.append(numpy_helper.from_array(np.array([value], np.float32), name))
        return name

    def function(self, name: str, inputs: Sequence[str], outputs: Mapping[str, str]) -> onnx.FunctionProto:
        """What was written as a function: its outputs by name."""
        for output, value in outputs.items():
            self.named(value, output)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_DOMAIN, 1)]
        return helper.make_function(_DOMAIN, name, inputs, list(outputs), self.nodes, opsets)

    def model(
        self,
        name: str,
        inputs: Mapping[str, Shape],
        outputs: Mapping[str, tuple[str, Shape]],
        functions: Sequence[onnx.FunctionProto],
        about: Mapping[str, str],
    ) -> onnx.ModelProto:
        """What was written as a model: all inputs and outputs are float32, {name: shape} and {name: (value, shape)}."""
        for output, (value, _) in outputs.items():
            self.named(value, output)
        taken, given = (
            [helper.make_tensor_value_info(end, FLOAT, shape) for end, shape in ends.items()]
            for ends in (inputs, {end: shape for end, (_, shape) in outputs.items()})
        )
        graph = helper.make_graph(self.nodes, name, taken, given, self.weights)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_DOMAIN, 1)]
        model = helper.make_model(graph, functions=functions, opset_imports=opsets, ir_version=_IR)
        helper.set_model_props(model, dict(about))
        return model

    def _name(self, op: str) -> str:
        self._count += 1
        return f"{op.lower()}_{self._count}"


def apart(models: Sequence[onnx.ModelProto], file: str) -> bytes:
    """Take the weights out of models, which then look for them in `file`; what it holds. Equal names are one tensor."""
    held, places = bytearray(), {}
    for tensor in (tensor for model in models for tensor in model.graph.initializer):
        if tensor.name not in places:
            places[tensor.name] = {"location": file, "offset": len(held), "length": len(tensor.raw_data)}
            held += tensor.raw_data
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in places[tensor.name].items():
            tensor.external_data.add(key=key, value=str(value))
    return bytes(held)
