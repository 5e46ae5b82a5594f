"""Writing ONNX graphs: values are names, and every operation adds a node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from wct.onnx.libraries import helper, numpy_helper, onnx

__all__ = ["DOMAIN", "DOUBLE", "FLOAT", "OPSET", "Graph"]

OPSET = 20
"""Of the standard's operations. Old enough for runtimes of 2024, and the first in which all that is used has its form."""

DOMAIN = "wct"
"""Of our own functions, which are written out within the file."""

FLOAT, DOUBLE = onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE
INT64 = onnx.TensorProto.INT64

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
        return self.several(function, count, *inputs, domain=DOMAIN)

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

    def function(self, name: str, inputs: Sequence[str], outputs: Mapping[str, str]) -> onnx.FunctionProto:
        """What was written as a function: its outputs by name."""
        for output, value in outputs.items():
            self.named(value, output)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)]
        return helper.make_function(DOMAIN, name, inputs, list(outputs), self.nodes, opsets)

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
        ends = (
            {name: helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in shapes.items()}
            for shapes in (inputs, {name: shape for name, (_, shape) in outputs.items()})
        )
        graph = helper.make_graph(self.nodes, name, *(list(values.values()) for values in ends), self.weights)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)]
        model = helper.make_model(graph, functions=functions, opset_imports=opsets, ir_version=10)
        helper.set_model_props(model, dict(about))
        return model

    def _name(self, op: str) -> str:
        self._count += 1
        return f"{op.lower()}_{self._count}"
