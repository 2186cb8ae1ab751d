"""Writes the ONNX files that test/onnx/proto.test.ts compares with, using Python's onnx package."""

import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper

folder = pathlib.Path(__file__).parent.parent / "test" / "golden" / "onnx"
folder.mkdir(parents=True, exist_ok=True)


def raw(name, array):
    return onnx.numpy_helper.from_array(array, name)


def external(name, dtype, dims, location, offset, length):
    tensor = TensorProto(name=name, data_type=dtype, dims=dims, data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


# One of everything: each attribute type, raw and external initialisers, symbolic dimensions, a second domain.
nodes = [
    helper.make_node("Gemm", ["x", "weight", "bias"], ["hidden"], name="gemm", transB=1, alpha=0.5),
    helper.make_node("Gelu", ["hidden"], ["active"], approximate="tanh"),
    helper.make_node("FusedMatMul", ["active", "projection"], ["product"], domain="com.microsoft", transB=1),
    helper.make_node("Constant", [], ["axes"], value=raw("", np.array([-1], dtype=np.int64))),
    helper.make_node("Clip", ["product", "", "ceiling"], ["clipped"]),
    helper.make_node("ReduceSum", ["clipped", "axes"], ["sum"], keepdims=0),
    helper.make_node("Upsample", ["sum"], ["y"], scales=[1.0, 2.5], axes=[-2, 300, 2**40]),
]
graph = helper.make_graph(
    nodes,
    "everything",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3]), helper.make_tensor_value_info("s", TensorProto.BOOL, [])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch"])],
    [
        external("weight", TensorProto.FLOAT, [4, 3], "model.safetensors", 1048, 48),
        raw("bias", np.array([1, -2, 3.5, 1e-8], dtype=np.float32)),
        raw("projection", np.arange(200, dtype=np.float32).reshape(50, 4)),
        raw("ceiling", np.array(6, dtype=np.float32)),
        raw("half", np.array([1, 2], dtype=np.float16)),
        raw("ids", np.array([[2**40, -1]], dtype=np.int64)),
    ],
    value_info=[helper.make_tensor_value_info("hidden", TensorProto.FLOAT, ["batch", 4])],
)
model = helper.make_model(
    graph,
    producer_name="graft",
    producer_version="0.1.0",
    ir_version=10,
    opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)],
)
helper.set_model_props(model, {"purpose": "test"})
(folder / "everything.onnx").write_bytes(model.SerializeToString())

# The same values in the typed fields that other exporters use.
typed = helper.make_graph(
    [],
    "typed",
    [],
    [],
    [
        helper.make_tensor("float32", TensorProto.FLOAT, [2], [1.5, -2]),
        helper.make_tensor("float64", TensorProto.DOUBLE, [1], [1e300]),
        helper.make_tensor("int64", TensorProto.INT64, [3], [2**63 - 1, -(2**63), 7]),
        helper.make_tensor("int32", TensorProto.INT32, [2], [-(2**31), 5]),
        helper.make_tensor("int8", TensorProto.INT8, [2], [-128, 5]),
        helper.make_tensor("bool", TensorProto.BOOL, [2], [True, False]),
        helper.make_tensor("float16", TensorProto.FLOAT16, [1], [1.0]),
    ],
)
(folder / "typed.onnx").write_bytes(helper.make_model(typed, ir_version=10).SerializeToString())
