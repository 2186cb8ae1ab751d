"""The cases of make_op_golden.py: for every op its inputs and attributes. A new case is one more line in a list here."""

from dataclasses import dataclass, field

import torch

FLOAT_MIN = torch.finfo(torch.float32).min
GENERATOR = torch.Generator().manual_seed(0)


@dataclass(frozen=True)
class Case:
    """One case: inputs by name, attributes in Graft's spelling, and the inputs whose gradient is wanted."""

    op: str
    name: str
    inputs: dict[str, torch.Tensor]
    attributes: dict = field(default_factory=dict)
    differentiated: tuple[str, ...] = ()
    note: str = ""


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=GENERATOR)


def positive(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=GENERATOR) * 2 + 0.3


def away_from_zero(*shape: int) -> torch.Tensor:
    return positive(*shape) * torch.where(normal(*shape) < 0, -1.0, 1.0)


def integers(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.int32)


def floats(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)


def bits(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=GENERATOR) < 0.5


def pair(op: str, name: str, a: torch.Tensor, b: torch.Tensor, **attributes) -> Case:
    return Case(op, name, {"a": a, "b": b}, attributes, ("a", "b"))


def single(op: str, name: str, x: torch.Tensor, **attributes) -> Case:
    return Case(op, name, {"x": x}, attributes, ("x",))


def matrix_products() -> list[Case]:
    return [
        pair("matMul", "2d", normal(3, 4), normal(4, 5)),
        pair("matMul", "4d", normal(2, 3, 4, 5), normal(2, 3, 5, 2)),
        pair("matMul", "3dBy2d", normal(2, 3, 4), normal(4, 5)),
        pair("matMul", "broadcastBatch", normal(2, 1, 3, 4), normal(3, 4, 2)),
        pair("matMul", "transposeA", normal(4, 3), normal(4, 5), transposeA=True),
        pair("matMul", "transposeB", normal(3, 4), normal(5, 4), transposeB=True),
        pair("matMul", "transposeBoth", normal(2, 4, 3), normal(2, 5, 4), transposeA=True, transposeB=True),
        pair("matMul", "3dByTransposed2d", normal(2, 3, 4), normal(5, 4), transposeB=True),
        pair("matMul", "alpha", normal(2, 2, 3, 4), normal(2, 2, 5, 4), transposeB=True, alpha=0.5),
    ]


def binary() -> list[Case]:
    shapes = {
        "sameShape": ((3, 4), (3, 4)),
        "lastAxis": ((2, 3, 4), (4,)),
        "middleAxis": ((2, 3, 4), (2, 1, 4)),
        "oneByMany": ((1,), (2, 3)),
        "scalar": ((2, 3), ()),
        "both": ((3, 1), (1, 4)),
    }
    cases = []
    for op in ("add", "sub", "mul", "div", "maximum", "minimum"):
        make_right = away_from_zero if op == "div" else normal
        cases += [pair(op, name, normal(*a), make_right(*b)) for name, (a, b) in shapes.items()]
    tied = floats([1, 2, 3], [0, -1, 5]), floats([1, 3, 3], [0, -1, 4])
    cases += [pair(op, "ties", *tied) for op in ("maximum", "minimum")]
    condition = {"condition": bits(2, 3, 4)}
    for name, (a, b) in {"sameShape": ((2, 3, 4), (2, 3, 4)), "broadcast": ((3, 1), ()), "wide": ((2, 3, 4), (4,))}.items():
        cases.append(Case("where", name, condition | {"a": normal(*a), "b": normal(*b)}, {}, ("a", "b")))
    narrow = {"condition": bits(3, 1), "a": normal(2, 3, 4), "b": normal(4)}
    return [*cases, Case("where", "broadcastCondition", narrow, {}, ("a", "b"))]


def elementwise() -> list[Case]:
    wide = torch.linspace(-6, 6, 25).reshape(5, 5)
    domains = {"log": positive, "sqrt": positive, "reciprocal": away_from_zero, "relu": away_from_zero, "abs": away_from_zero}
    plain = ("neg", "abs", "exp", "log", "sqrt", "reciprocal", "erf", "tanh", "sigmoid", "relu", "gelu", "geluTanh", "sin", "cos")
    cases = [single(op, "matrix", domains.get(op, normal)(3, 5)) for op in plain]
    cases += [single(op, "wide", wide) for op in ("erf", "tanh", "sigmoid", "gelu", "geluTanh", "exp", "sin", "cos")]
    cases += [single(op, "zeros", floats(-1, 0, 0, 2)) for op in ("relu", "abs")]
    cases += [single("sigmoid", "saturated", floats(-100, -30, 30, 100)), single("tanh", "saturated", floats(-50, 50))]
    cases += [single("exp", "scalar", floats(0.7).reshape(())), single("log", "small", floats(1e-30, 1e-7, 1e7))]
    cases += [single("pow", f"exponent{e}", normal(3, 4), exponent=e) for e in (2, 3)]
    cases += [single("pow", "exponentHalf", positive(3, 4), exponent=0.5)]
    cases += [single("pow", "exponentMinusOne", away_from_zero(3, 4), exponent=-1)]
    return cases


def reductions() -> list[Case]:
    forms = {
        "lastAxis": {"axes": [-1], "keepDims": False},
        "lastAxisKept": {"axes": [-1], "keepDims": True},
        "middleAxis": {"axes": [1], "keepDims": False},
        "twoAxes": {"axes": [0, 2], "keepDims": False},
        "twoAxesKept": {"axes": [0, 2], "keepDims": True},
        "allAxes": {"axes": [0, 1, 2], "keepDims": False},
        "allAxesKept": {"axes": [0, 1, 2], "keepDims": True},
    }
    ops = ("reduceSum", "reduceMean", "reduceMax")
    cases = [single(op, name, normal(2, 3, 4), **form) for op in ops for name, form in forms.items()]
    tied = floats([1, 3, 3], [2, 2, 2], [5, 0, 1])
    cases.append(single("reduceMax", "ties", tied, axes=[-1], keepDims=False))
    cases.append(single("reduceMax", "tiesOverAll", floats([4, 1], [4, 4]), axes=[0, 1], keepDims=True))
    return [*cases, *(single("cumSum", f"axis{axis}", normal(2, 3, 4), axis=axis) for axis in (0, 1, -1))]


def shapes() -> list[Case]:
    parts = {"a": normal(2, 1, 3), "b": normal(2, 2, 3), "c": normal(2, 3, 3)}
    flat = {"a": normal(2, 3), "b": normal(2, 3), "c": normal(2, 3)}
    return [
        single("reshape", "flatten", normal(2, 3, 4), shape=[6, 4]),
        single("reshape", "inferred", normal(2, 3, 4), shape=[2, -1]),
        single("reshape", "addAxes", normal(6), shape=[1, 2, 3, 1]),
        single("transpose", "2d", normal(3, 4), permutation=[1, 0]),
        single("transpose", "heads", normal(2, 3, 4, 5), permutation=[0, 2, 1, 3]),
        single("transpose", "rotation", normal(2, 3, 4), permutation=[2, 0, 1]),
        Case("concat", "axis1", parts, {"axis": 1}, ("a", "b", "c")),
        Case("concat", "lastAxis", flat, {"axis": -1}, ("a", "b", "c")),
        Case("concat", "axis0", flat, {"axis": 0}, ("a", "b", "c")),
        single("slice", "oneAxis", normal(4, 5), axes=[1], starts=[1], ends=[4], steps=[1]),
        single("slice", "twoAxes", normal(4, 5, 3), axes=[0, 2], starts=[0, 1], ends=[2, 3], steps=[1, 1]),
        single("slice", "negative", normal(4, 5), axes=[-1], starts=[-3], ends=[-1], steps=[1]),
        single("slice", "toTheEnd", normal(4, 5), axes=[0], starts=[2], ends=[2**31 - 1], steps=[1]),
        single("split", "equal", normal(2, 6), axis=1, sizes=[2, 2, 2]),
        single("split", "unequal", normal(5, 3), axis=0, sizes=[1, 4]),
        single("expand", "leading", normal(3), shape=[2, 3]),
        single("expand", "inner", normal(2, 1, 3), shape=[2, 4, 3]),
        single("expand", "scalar", normal(), shape=[2, 3]),
        single("cast", "float32ToFloat16", normal(3, 4), to="float16"),
        single("cast", "float16ToFloat32", normal(3, 4).half(), to="float32"),
        single("cast", "roundTrip", normal(3, 4), through="float16", to="float32"),
        Case("cast", "int32ToFloat32", {"x": integers(1, -2, 3)}, {"to": "float32"}),
        Case("cast", "boolToFloat32", {"x": bits(2, 3)}, {"to": "float32"}),
    ]


def indexing() -> list[Case]:
    def gather(op: str, name: str, x: torch.Tensor, indices: torch.Tensor, axis: int) -> Case:
        return Case(op, name, {"x": x, "indices": indices}, {"axis": axis}, ("x",))

    def scatter(name: str, x: torch.Tensor, indices: torch.Tensor, axis: int) -> Case:
        tensors = {"x": x, "indices": indices, "updates": normal(*indices.shape)}
        return Case("scatterElementsAdd", name, tensors, {"axis": axis}, ("x", "updates"))

    return [
        gather("gather", "embedding", normal(5, 3), integers([0, 2, 2, 4], [2, 0, 1, 1]), 0),
        gather("gather", "axis1", normal(2, 5, 3), integers(4, 0, 4), 1),
        gather("gather", "oneToken", normal(2, 5, 3), integers(0)[0], 1),
        gather("gatherElements", "axis0", normal(4, 3), integers([0, 1, 2], [0, 3, 2]), 0),
        gather("gatherElements", "repeated", normal(2, 4), integers([1, 1, 3], [0, 0, 0]), 1),
        scatter("axis0", normal(4, 3), integers([0, 1, 2], [0, 3, 2]), 0),
        scatter("repeated", normal(2, 4), integers([1, 1, 3], [0, 0, 0]), 1),
    ]


def softmaxes() -> list[Case]:
    masked = normal(3, 5)
    masked[0, 3:] = FLOAT_MIN
    fully_masked = masked.clone()
    fully_masked[2] = FLOAT_MIN
    infinite = masked.masked_fill(masked == FLOAT_MIN, float("-inf"))
    cases = []
    for op in ("softmax", "logSoftmax"):
        cases += [single(op, "lastAxis", normal(2, 3, 4), axis=-1), single(op, "axis1", normal(2, 3, 4), axis=1)]
        cases += [single(op, "large", 100 * normal(3, 4), axis=-1)]
    cases += [single("softmax", "masked", masked, axis=-1), single("softmax", "fullyMaskedRow", fully_masked, axis=-1)]
    return [*cases, single("softmax", "negativeInfinity", infinite, axis=-1)]


def networks() -> list[Case]:
    def norm(name: str, x: torch.Tensor, epsilon: float, affine: bool = True) -> Case:
        size = x.shape[-1]
        weights = {"gamma": 1 + 0.3 * normal(size), "beta": normal(size)} if affine else {}
        return Case("layerNorm", name, {"x": x} | weights, {"axis": -1, "epsilon": epsilon}, ("x", *weights))

    mask = {"x": normal(3, 4), "mask": bits(3, 4).to(torch.uint8)}
    kernel = {"x": normal(2, 3, 8, 8), "weight": normal(5, 3, 4, 4), "bias": normal(5)}
    return [
        norm("affine", normal(2, 3, 8), 1e-5),
        norm("withoutAffine", normal(2, 3, 8), 1e-5, affine=False),
        norm("tinyEpsilon", normal(4, 6), 1e-12),
        norm("largeEpsilon", 0.1 * normal(4, 6), 0.1),
        norm("largeMean", normal(4, 6) + 50, 1e-5),
        Case("dropout", "quarter", mask, {"keepProbability": 0.75}, ("x",)),
        Case("conv", "patches", kernel, {"strides": [4, 4]}, ("x", "weight", "bias")),
    ]


def losses() -> list[Case]:
    def entropy(name: str, labels: torch.Tensor, smoothing: float = 0.0, note: str = "") -> Case:
        tensors = {"logits": 3 * normal(*labels.shape, 5), "labels": labels}
        attributes = {"ignoreIndex": -100, "labelSmoothing": smoothing}
        return Case("crossEntropy", name, tensors, attributes, ("logits",), note)

    some = integers(1, -100, 4, 0, -100)
    nothing = "PyTorch gives a loss of nan (0 / 0) when every label is ignored"
    return [
        entropy("plain", integers(0, 3, 4, 1)),
        entropy("ignored", some),
        entropy("smoothed", integers(0, 3, 4, 1), 0.1),
        entropy("smoothedIgnored", some, 0.1),
        entropy("tokens", integers([1, 2, -100], [0, 4, 3])),
        entropy("allIgnored", integers(-100, -100, -100), note=nothing),
        Case("mseLoss", "vector", {"input": normal(6), "target": normal(6)}, {}, ("input",)),
        Case("mseLoss", "matrix", {"input": normal(3, 2), "target": normal(3, 2)}, {}, ("input",)),
        Case("bceWithLogits", "hard", {"logits": 3 * normal(4, 3), "target": bits(4, 3).float()}, {}, ("logits",)),
        Case("bceWithLogits", "soft", {"logits": floats(-60, 0, 60, 2), "target": floats(0.2, 0.5, 0.9, 1)}, {}, ("logits",)),
    ]


def comparisons() -> list[Case]:
    shapes = {"sameShape": ((2, 3), (2, 3)), "broadcast": ((3, 1), (4,)), "scalar": ((2, 3), ())}
    cases = []
    for op in ("equal", "greater", "less"):
        cases += [Case(op, name, {"a": normal(*a), "b": normal(*b)}) for name, (a, b) in shapes.items()]
        cases.append(Case(op, "ties", {"a": floats(1, 2, 3, -0.0), "b": floats(1, 3, 2, 0.0)}))
        cases.append(Case(op, "integers", {"a": integers(1, 2, -100), "b": integers(1, 3, 2)}))
    return cases


def adjoints() -> list[Case]:
    def scattered(name: str, updates: torch.Tensor, indices: torch.Tensor, axis: int, shape: list[int]) -> Case:
        tensors = {"indices": indices, "updates": updates}
        return Case("gatherGradient", name, tensors, {"axis": axis, "shape": shape}, ("updates",))

    return [
        scattered("embedding", normal(2, 4, 3), integers([0, 2, 2, 4], [2, 0, 1, 1]), 0, [5, 3]),
        scattered("axis1", normal(2, 3, 3), integers(4, 0, 4), 1, [2, 5, 3]),
        scattered("oneToken", normal(2, 3), integers(0)[0], 1, [2, 5, 3]),
        Case("geluGradient", "matrix", {"x": normal(3, 5), "dy": normal(3, 5)}),
        Case("geluGradient", "wide", {"x": torch.linspace(-6, 6, 25), "dy": normal(25)}),
        single("pad", "bothSides", normal(2, 3), axis=1, before=1, after=2),
        single("pad", "before", normal(2, 3, 4), axis=0, before=3, after=0),
        single("pad", "nothing", normal(3), axis=0, before=0, after=0),
        Case("dimension", "one", {"x": normal(2, 3, 4)}, {"axes": [1], "extra": 0}),
        Case("dimension", "product", {"x": normal(2, 3, 4)}, {"axes": [0, 2], "extra": 0}),
        Case("dimension", "sum", {"x": normal(2, 3, 4)}, {"axes": [0, 1], "extra": 5}),
    ]


def hard_points() -> list[Case]:
    """Where a plausible gradient rule gives nan or another broadcast."""
    infinite = floats([1, -torch.inf, 2], [torch.inf, 0, -torch.inf])
    picked = {"x": infinite, "indices": integers([0], [1])}
    return [
        Case("gatherElements", "besideInfinity", picked, {"axis": 1}, ("x",)),
        single("pow", "exponent0", floats(-1, 0, 2), exponent=0),
        single("pow", "exponent1", floats(-1, 0, 2), exponent=1),
        pair("matMul", "2dBy3d", normal(3, 4), normal(2, 4, 5)),
        pair("matMul", "2dBy3dTransposed", normal(3, 4), normal(2, 5, 4), transposeB=True),
        pair("matMul", "transposedA3dBy2d", normal(2, 4, 3), normal(4, 5), transposeA=True),
        pair("matMul", "transposedABy3d", normal(4, 3), normal(2, 4, 5), transposeA=True),
        pair("matMul", "transposeBoth2d", normal(4, 3), normal(5, 4), transposeA=True, transposeB=True, alpha=-2.0),
        pair("matMul", "broadcastTransposed", normal(2, 1, 4, 3), normal(3, 2, 4), transposeA=True, transposeB=True),
        Case("softmax", "oneClass", {"x": normal(3, 1)}, {"axis": -1}, ("x",)),
    ]


def rewritten() -> list[Case]:
    """Combinations that a backend may write in another form."""
    linear = {"x": normal(2, 3, 4), "weight": normal(5, 4), "bias": normal(5)}
    heads = {"query": normal(2, 3, 4), "key": normal(2, 5, 4), "value": normal(2, 5, 4)}
    return [
        Case("linearGelu", "sequence", linear, {}, tuple(linear)),
        Case("linearGelu", "rows", linear | {"x": 4 * normal(6, 4)}, {}, tuple(linear)),
        Case("linearGelu", "frozenWeight", linear, {}, ("x",)),
        Case("attention", "scaled", heads, {"scale": 0.5}, tuple(heads)),
    ]


def orders() -> list[Case]:
    """What says when something is computed, not what."""
    return [Case("after", "sameShape", {"x": normal(2, 3), "other": normal(2, 3)}, {}, ("x",))]


def constants() -> list[Case]:
    """What gradients do not see. The case is x * stopGradient(x)."""
    return [Case("stopGradient", "factor", {"x": normal(2, 3)}, {}, ("x",))]


def root_mean_squares() -> list[Case]:
    def norm(name: str, x: torch.Tensor, epsilon: float) -> Case:
        return Case("rmsNorm", name, {"x": x, "gamma": 1 + 0.3 * normal(x.shape[-1])}, {"epsilon": epsilon}, ("x", "gamma"))

    return [
        norm("sequence", normal(2, 3, 8), 1e-5),
        norm("rows", normal(4, 6), 1e-6),
        norm("largeEpsilon", 0.1 * normal(4, 6), 0.1),
        norm("heads", 5 * normal(2, 2, 3, 4), 1e-6),
    ]


GROUPS = (matrix_products, binary, elementwise, reductions, shapes, indexing, softmaxes, networks, losses, comparisons, adjoints, hard_points, rewritten, orders, constants, root_mean_squares)


def all_cases() -> list[Case]:
    return [case for group in GROUPS for case in group()]
