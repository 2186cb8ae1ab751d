"""Writes test/golden/ops/<op>.safetensors and manifest.json: outputs and PyTorch autograd gradients of single ops.

    python reference/make_op_golden.py --out test/golden/ops

For every case of op_cases.py: its inputs, its output(s), a random gradient of each output, and the gradients that autograd
gives for the inputs. The tensors are named `<case>/<input>`, `<case>/out`, `<case>/gradOut`, `<case>/grad.<input>`;
an op with several outputs has `out0`, `gradOut0` and so on.
"""

import argparse
import json
import math
from collections import defaultdict
from pathlib import Path

import torch
import torch.nn.functional as F
from op_cases import Case, all_cases
from safetensors.torch import save_file

Tensor = torch.Tensor
DTYPES = {"float16": torch.float16, "float32": torch.float32}


def mat_mul(a: Tensor, b: Tensor, transposeA: bool = False, transposeB: bool = False, alpha: float = 1.0) -> Tensor:
    left = a.transpose(-1, -2) if transposeA else a
    right = b.transpose(-1, -2) if transposeB else b
    return alpha * (left @ right)


def cast(x: Tensor, to: str, through: str | None = None) -> Tensor:
    inner = x if through is None else x.to(DTYPES[through])
    return inner.to(DTYPES[to])


def slice_axes(x: Tensor, axes: list[int], starts: list[int], ends: list[int], steps: list[int]) -> Tensor:
    index = [slice(None)] * x.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        index[axis] = slice(start, end, step)
    return x[tuple(index)]


def gather(x: Tensor, indices: Tensor, axis: int) -> Tensor:
    """ONNX Gather: the indices' axes take the place of the gathered one."""
    rows = x.index_select(axis, indices.long().flatten())
    return rows.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


def gather_gradient(indices: Tensor, updates: Tensor, axis: int, shape: list[int]) -> Tensor:
    rows = updates.reshape(*shape[:axis], indices.numel(), *shape[axis + 1 :])
    return torch.zeros(shape).index_add(axis, indices.long().flatten(), rows)


def gelu_gradient(x: Tensor, dy: Tensor) -> Tensor:
    leaf = x.clone().requires_grad_()
    return torch.autograd.grad(F.gelu(leaf), leaf, dy)[0]


def pad(x: Tensor, axis: int, before: int, after: int) -> Tensor:
    """Zeros along one axis; F.pad counts axes from the last."""
    return F.pad(x, [0, 0] * (x.ndim - 1 - axis) + [before, after])


def dimension(x: Tensor, axes: list[int], extra: int) -> Tensor:
    """The product of some sizes of x, plus a constant."""
    return torch.tensor(float(extra + math.prod(x.shape[axis] for axis in axes)))


def layer_norm(x: Tensor, axis: int, epsilon: float, gamma: Tensor | None = None, beta: Tensor | None = None) -> Tensor:
    return F.layer_norm(x, x.shape[axis:], gamma, beta, epsilon)


def cross_entropy(logits: Tensor, labels: Tensor, ignoreIndex: int, labelSmoothing: float) -> Tensor:
    rows, flat = logits.flatten(end_dim=-2), labels.long().flatten()
    return F.cross_entropy(rows, flat, ignore_index=ignoreIndex, label_smoothing=labelSmoothing)


OPS = {
    "matMul": mat_mul,
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "maximum": lambda a, b: torch.maximum(a, b),
    "minimum": lambda a, b: torch.minimum(a, b),
    "where": lambda condition, a, b: torch.where(condition, a, b),
    "pow": lambda x, exponent: x**exponent,
    "neg": lambda x: -x,
    "abs": torch.abs,
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "reciprocal": torch.reciprocal,
    "erf": torch.erf,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "gelu": F.gelu,
    "geluTanh": lambda x: F.gelu(x, approximate="tanh"),
    "sin": torch.sin,
    "cos": torch.cos,
    "reduceSum": lambda x, axes, keepDims: x.sum(axes, keepdim=keepDims),
    "reduceMean": lambda x, axes, keepDims: x.mean(axes, keepdim=keepDims),
    "reduceMax": lambda x, axes, keepDims: x.amax(axes, keepdim=keepDims),
    "cumSum": lambda x, axis: x.cumsum(axis),
    "reshape": lambda x, shape: x.reshape(shape),
    "transpose": lambda x, permutation: x.permute(permutation),
    "concat": lambda a, b, c, axis: torch.cat([a, b, c], axis),
    "slice": slice_axes,
    "split": lambda x, axis, sizes: x.split(sizes, axis),
    "expand": lambda x, shape: x.expand(shape),
    "after": lambda x, other: x.clone(),
    "stopGradient": lambda x: x * x.detach(),
    "cast": cast,
    "gather": gather,
    "gatherElements": lambda x, indices, axis: x.gather(axis, indices.long()),
    "scatterElementsAdd": lambda x, indices, updates, axis: x.scatter_add(axis, indices.long(), updates),
    "softmax": lambda x, axis: x.softmax(axis),
    "logSoftmax": lambda x, axis: x.log_softmax(axis),
    "layerNorm": layer_norm,
    "rmsNorm": lambda x, gamma, epsilon: F.rms_norm(x, gamma.shape, gamma, epsilon),
    "dropout": lambda x, mask, keepProbability: x * mask / keepProbability,
    "conv": lambda x, weight, bias, strides: F.conv2d(x, weight, bias, strides),
    "crossEntropy": cross_entropy,
    "mseLoss": lambda input, target: F.mse_loss(input, target),
    "equal": lambda a, b: a == b,
    "greater": lambda a, b: a > b,
    "less": lambda a, b: a < b,
    "gatherGradient": gather_gradient,
    "geluGradient": gelu_gradient,
    "pad": pad,
    "dimension": dimension,
    "linearGelu": lambda x, weight, bias: F.gelu(F.linear(x, weight, bias)),
    "attention": lambda query, key, value, scale: (scale * query @ key.mT).softmax(-1) @ value,
    "bceWithLogits": lambda logits, target: F.binary_cross_entropy_with_logits(logits, target),
}


def run(case: Case, generator: torch.Generator) -> tuple[dict[str, Tensor], list[str]]:
    """All tensors of one case and the names of its outputs."""
    leaves = {name: tensor.clone().requires_grad_(name in case.differentiated) for name, tensor in case.inputs.items()}
    result = OPS[case.op](**leaves, **case.attributes)
    single = isinstance(result, Tensor)
    outputs = {"out": result} if single else {f"out{index}": part for index, part in enumerate(result)}
    tensors = dict(case.inputs) | outputs
    if case.differentiated:
        seeds = {name: torch.randn(part.shape, generator=generator).to(part.dtype) for name, part in outputs.items()}
        torch.autograd.backward(list(outputs.values()), list(seeds.values()))
        tensors |= {"gradO" + name[1:]: seed for name, seed in seeds.items()}
        tensors |= {"grad." + name: leaves[name].grad for name in case.differentiated}
    named = {f"{case.name}/{name}": tensor.detach().clone().contiguous() for name, tensor in tensors.items()}
    return named, list(outputs)


def manifest_entry(case: Case, outputs: list[str]) -> dict:
    entry = {
        "op": case.op,
        "case": case.name,
        "inputs": list(case.inputs),
        "outputs": outputs,
        "attributes": case.attributes,
        "differentiated": list(case.differentiated),
    }
    return entry | ({"note": case.note} if case.note else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("test/golden/ops"))
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(arguments.seed)
    files, manifest = defaultdict(dict), []
    for case in all_cases():
        tensors, outputs = run(case, generator)
        assert not tensors.keys() & files[case.op].keys(), f"two cases of {case.op} are called {case.name}"
        files[case.op] |= tensors
        manifest.append(manifest_entry(case, outputs))
    arguments.out.mkdir(parents=True, exist_ok=True)
    for op, tensors in files.items():
        save_file(tensors, arguments.out / f"{op}.safetensors")
    lines = ",\n".join("  " + json.dumps(entry) for entry in manifest)
    (arguments.out / "manifest.json").write_text(f"[\n{lines}\n]\n")
    print(f"{len(manifest)} cases of {len(files)} ops")


if __name__ == "__main__":
    main()
