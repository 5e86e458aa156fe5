"""Every op of the table next to PyTorch in float64: python tests/make/ops_reference.py
Writes tests/data/ops/cases.json. See reference.py for the notation; the calls are Lua, axes count from 1."""
import math
import pathlib
import zlib

import numpy as np
import torch
import torch.nn.functional as F

import reference
import threefry
from reference import Input, make_case

cases = []
inf, nan = math.inf, math.nan


def case(op, call, ref, *inputs, **how):
    n = zlib.crc32(op.encode()) % 10**6 + sum(c["op"] == op for c in cases) * 8  # of the op's own cases alone
    cases.append(make_case(op, call, ref, [Input(text, n + k) for k, text in enumerate(inputs)], **how))


# --- elementwise, one input ---

SHAPES = ["f32[]", "f32[0x3]", "f32[1]", "f32[1x2x1x1x3x1]", "f32[23x37]", "bf16[7]"]
SPECIAL = "x:f32[7]=0,-0,inf,-inf,nan,1e-30,3e9!"


def erf_size(x):  # x (1 + erf(x / sqrt 2)) / 2 adds 1 and a number near -1
    return x / 2


# op: reference, range of the inputs, a wide range (None: the first says it all), size
UNARY = {
    "neg": (torch.neg, (-2, 2), (-1000000000, 1000000000), 0),
    "abs": (torch.abs, (-2, 2), (-1000000000, 1000000000), 0),
    "square": (torch.square, (-2, 2), (-1000000000, 1000000000), 0),
    "exp": (torch.exp, (-2, 2), (-80, 80), 0),
    "expm1": (torch.expm1, (-1, 1), None, 0),
    "log": (torch.log, (0.125, 4), (0.5, 1000000), 0),
    "log1p": (torch.log1p, (-0.875, 2), (0.5, 1000000), 0),
    "sqrt": (torch.sqrt, (0.125, 4), (0.5, 1000000), 0),
    "rsqrt": (torch.rsqrt, (0.125, 4), (0.5, 1000000), 0),
    "sin": (torch.sin, (-7, 7), (-300, 300), 0),
    "cos": (torch.cos, (-7, 7), (-300, 300), 0),
    "tanh": (torch.tanh, (-2, 2), (-30, 30), 0),
    "erf": (torch.erf, (-2, 2), (-30, 30), 0),
    "sigmoid": (torch.sigmoid, (-2, 2), (-80, 80), 0),
    "softplus": (F.softplus, (-2, 2), (-18, 18), 0),
    "silu": (F.silu, (-2, 2), (-80, 80), 0),
    "gelu": (F.gelu, (-2, 2), (-9, 9), erf_size),
    "relu": (torch.relu, (-2, 2), (-1000000000, 1000000000), 0),
    "sign": (torch.sign, (-2, 2), None, 0),
    "floor": (torch.floor, (-9, 9), (-1000000000, 1000000000), 0),
    "ceil": (torch.ceil, (-9, 9), (-1000000000, 1000000000), 0),
    "round": (torch.round, (-9, 9), (-1000000000, 1000000000), 0),
}
FLAT = {"tanh": 1, "sigmoid": 1, "silu": 80, "gelu": 9}  # the gradient adds terms of this size where it is near 0
EXACT = {"neg", "abs", "relu", "sign", "floor", "ceil", "round"}
NOT_SPECIAL = {"sign"}  # PyTorch gives 0 for nan

for name, (ref, near, wide, size) in UNARY.items():
    how = {"exact": name in EXACT, "exact_grad": name in EXACT, "size": size}
    for shape in SHAPES:
        case(name, f"x:{name}()", ref, f"x:{shape}@{near[0]}..{near[1]}", **how,
             dtype="bf16" if shape.startswith("bf16") else None)
    if wide:
        case(name, f"se.{name}(x)", ref, f"x:f32[40]@{wide[0]}..{wide[1]}", **{**how, "grad_size": FLAT.get(name, size)})
    if name not in NOT_SPECIAL:
        case(name, f"x:{name}()", ref, SPECIAL, **how)
case("round", "x:round()", torch.round, "x:f32[8]=-2.5,-1.5,-0.5,0.5,1.5,2.5,3.49,1e20!", exact=True)
# torch's gradient of expm1, y + 1, is 0 where exp(x) is below its last place
case("expm1", "x:expm1()", lambda x: x.exp() - 1, "x:f32[40]@-80..80")
case("sign", "x:sign()", torch.sign, "x:f32[5]=0,-0,inf,-inf,1e-30!", exact=True)
for name in ("neg", "abs", "square", "sign"):
    case(name, f"x:{name}()", UNARY[name][0], "x:i32[2x3]@-5..5", exact=True)
for name in ("exp", "sqrt", "sin", "sigmoid", "tanh", "log1p", "relu", "gelu"):
    case(name, f"x:{name}()", lambda x, f=UNARY[name][0]: f(x.double()), "x:i32[2x3]@0..4")
    case(name, f"x:{name}()", lambda x, f=UNARY[name][0]: f(x.double()), "x:bool[4]")
tanh_gelu = lambda x: F.gelu(x, approximate="tanh")
case("gelu", "x:gelu(true)", tanh_gelu, "x:f32[3x5]", size=erf_size)
case("gelu", "x:gelu { approximate = true }", tanh_gelu, "x:f32[40]@-9..9", size=erf_size)
case("clip", "x:clip(-0.5, 1)", lambda x: x.clip(-0.5, 1), "x:f32[4x5]", exact=True, exact_grad=True)
case("clip", "x:clip { low = -1, high = 0.25 }", lambda x: x.clip(-1, 0.25), "x:f32[0x2]", exact=True)
case("clip", "x:clip(-1, 1)", lambda x: x.clip(-1, 1), "x:f32[6]=nan,inf,-inf,0,1,-1!", exact=True)
for name, ref in (("is_finite", torch.isfinite), ("is_nan", torch.isnan)):
    case(name, f"x:{name}()", ref, SPECIAL)
    case(name, f"x:{name}()", ref, "x:bf16[5]=0,inf,-inf,nan,1")
    case(name, f"x:{name}()", ref, "x:f32[0x2]")
for kind in ("f32[2x3]", "f32[0]", "i32[5]@-1..2", "bool[2x2]", "f32[4]=0,-0,nan,1"):
    case("logical_not", "x:logical_not()", torch.logical_not, f"x:{kind}")
case("stop_grad", "x:stop_grad() * x", lambda x: x.detach() * x, "x:f32[2x3]")
case("stop_grad", "x:stop_grad()", lambda x: x.detach(), "x:f32[2x0]", exact=True)

# --- elementwise, two inputs ---

PAIRS = [("", ""), ("", "2x3"), ("2x3", "3"), ("2x1", "1x3"), ("1", "0"), ("0x3", "3"), ("4x1x2x1x3x1", "2x1x3x1x1"),
         ("19x31", "19x31"), ("19x31", "31"), ("19x1", "31")]
safe = "@0.5..3"
BINARY = {
    "add": (torch.add, "", ""), "sub": (torch.sub, "", ""), "mul": (torch.mul, "", ""), "div": (torch.div, "", safe),
    "maximum": (torch.maximum, "", ""), "minimum": (torch.minimum, "", ""), "pow": (torch.pow, safe, ""),
    "mod": (torch.remainder, "@-5..5", "@0.5..3"), "logaddexp": (torch.logaddexp, "", ""),
    "mse": (lambda x, y: (x - y) ** 2, "", ""),
    "huber": (lambda x, y: F.huber_loss(x, y, reduction="none"), "", ""),
}
EXACT_TWO = {"maximum", "minimum"}
for name, (ref, a, b) in BINARY.items():
    how = {"exact": name in EXACT_TWO}
    spread = lambda x, y, f=ref: f(*torch.broadcast_tensors(x, y))
    for x, y in PAIRS:
        case(name, f"x:{name}(y)", spread, f"x:f32[{x}]{a}", f"y:f32[{y}]{b}", **how)
    case(name, f"se.{name}(x, y)", spread, f"x:bf16[5]{a}", f"y:bf16[5]{b}", dtype="bf16", **how)
    case(name, f"x:{name}(y)", spread, f"x:bf16[5]{a}", f"y:f32[2x1]{b}", **how)
    case(name, f"x:{name}(1.5)", lambda x, f=ref: f(x, torch.full_like(x, 1.5)), f"x:f32[2x3]{a}", **how)
for sign, name in (("+", "add"), ("-", "sub"), ("*", "mul"), ("/", "div"), ("^", "pow"), ("%", "mod")):
    ref, a, b = BINARY[name]
    case(name, f"x {sign} y", ref, f"x:f32[2x3]{a}", f"y:f32[3]{b}")
    case(name, f"1.5 {sign} y", lambda y, f=ref: f(torch.full_like(y, 1.5), y), f"y:f32[4]{b}")
WHOLE = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "maximum": torch.maximum, "minimum": torch.minimum,
         "mod": torch.remainder}
for name, ref in WHOLE.items():
    case(name, f"x:{name}(y)", ref, "x:i32[3x4]@-9..9", "y:i32[4]=-3,2,5,-7")
    case(name, f"x:{name}(y)", lambda x, y, f=ref: f(x.double(), y), "x:i32[3]@-9..9", "y:f32[2x1]@0.5..3")
case("div", "x:div(y)", lambda x, y: x / y, "x:i32[3x4]@-9..9", "y:i32[4]=-3,2,5,-7")
case("pow", "x ^ 3", lambda x: x**3, "x:f32[2x3]")
case("pow", "x ^ 2", lambda x: x**2, "x:f32[5]=-2,-1,0,1,3")
case("pow", "x ^ 0.5", lambda x: x**0.5, "x:f32[5]@0.125..9")
case("pow", "x ^ -1", lambda x: x**-1, "x:f32[5]@0.125..9")
case("mod", "x % y", torch.remainder, "x:f32[6]=5,-5,5,-5,6,-0.25!", "y:f32[6]=3,3,-3,-3,3,4!", exact=True)
case("maximum", "x:maximum(y)", torch.maximum, "x:f32[4]=1,nan,inf,-1!", "y:f32[4]=nan,1,2,-inf!", exact=True)
case("minimum", "x:minimum(y)", torch.minimum, "x:f32[4]=1,nan,inf,-1!", "y:f32[4]=nan,1,2,-inf!", exact=True)
case("logaddexp", "x:logaddexp(y)", torch.logaddexp, "x:f32[6]=0,90,-inf,-inf,inf,-200!", "y:f32[6]=0,90,0,-inf,0,200!")
case("huber", "x:huber(y, 0.5)", lambda x, y: F.huber_loss(x, y, reduction="none", delta=0.5), "x:f32[3x4]", "y:f32[3x4]")
case("huber", "x:huber(y, { delta = 3 })", lambda x, y: F.huber_loss(x, y, reduction="none", delta=3.0), "x:f32[3x4]",
     "y:f32[3x4]")
KINDS = [("f32[2x3]", "f32[3]"), ("i32[2x1]", "i32[1x3]"), ("i32[4]", "f32[4]"), ("bool[4]", "bool[4]"), ("f32[]", "f32[0x2]"),
         ("bf16[5]", "f32[5]"), ("f32[5]=0,nan,inf,-0,1", "f32[5]=-0,nan,inf,0,nan"), ("bool[3]", "i32[3]"), ("i32[2x3x1x2]", "i32[3x2x1]"),
         ("i32[3]=16777217,2147483647,-2147483648", "i32[3]=16777216,2147483647,0")]
COMPARE = {"equal": torch.eq, "not_equal": torch.ne, "less": torch.lt, "less_equal": torch.le, "greater": torch.gt,
           "greater_equal": torch.ge, "logical_and": torch.logical_and, "logical_or": torch.logical_or}
for name, ref in COMPARE.items():
    for x, y in KINDS:
        case(name, f"x:{name}(y)", ref, f"x:{x}", f"y:{y}")
    case(name, f"x:{name}(1)", lambda x, f=ref: f(x, torch.ones_like(x)), "x:i32[5]")

# --- choices and conversions ---

for x, y, c in (("2x3", "2x3", "2x3"), ("", "3", "2x1"), ("0x2", "2", ""), ("2x1x3", "4x1", "4x3"), ("19x31", "31", "19x1")):
    case("where", "c:where(x, y)", torch.where, f"c:bool[{c}]", f"x:f32[{x}]", f"y:f32[{y}]", exact=True)
    case("masked_fill", "x:masked_fill(c, -0.5)", lambda x, c: torch.where(c, torch.tensor(-0.5).double(), x),
         f"x:f32[{x}]", f"c:bool[{c}]", exact=True)
case("where", "se.where(c, x, 0)", lambda c, x: torch.where(c, x, 0), "c:bool[2x3]", "x:i32[3]")
case("where", "se.where(c, x, y)", lambda c, x, y: torch.where(c, x.double(), y), "c:bool[4]", "x:i32[4]", "y:f32[4]", exact=True)
case("masked_fill", "x:masked_fill(c, v)", torch.masked_fill, "x:f32[2x3]", "c:bool[3]", "v:f32[]", exact=True)
case("masked_fill", "x:masked_fill(c, 1)", lambda x, c: x.masked_fill(c, True), "x:bool[2x3]", "c:bool[2x3]")
case("masked_fill", "x:masked_fill(c, 0)", lambda x, c: x.masked_fill(c, False), "x:bool[2x3]", "c:bool[3]")
case("masked_fill", "x:masked_fill(c, v)", lambda x, c, v: torch.where(c, v, x), "x:bool[2x3]", "c:bool[3]", "v:bool[3]")
case("masked_fill", "x:masked_fill(c, 7)", lambda x, c: x.masked_fill(c, 7), "x:i32[2x3]", "c:bool[2x1]")
case("cast", "x:cast 'i32'", lambda x: x.trunc().long(), "x:f32[9]=-2.9,-1.5,-0.5,0,0.5,1.5,2.9,16777216,-7!")
case("cast", "x:cast 'bool'", lambda x: x != 0, "x:f32[5]=0,-0,nan,1e-40,2!")
case("cast", "x:cast 'bf16'", lambda x: x.to(torch.bfloat16).double(), "x:f32[9]=1,1.00390625,1.01171875,3e38,-1e-30,inf,-inf,0.1,1.005!",
     exact=True, dtype="bf16")
case("cast", "x:cast 'f32'", lambda x: x.double(), "x:i32[2x3]@-9..9", exact=True)
case("cast", "x:cast 'f32'", lambda x: x.double(), "x:bool[5]", exact=True)
case("cast", "x:cast 'f32'", lambda x: x, "x:bf16[5]", exact=True)
case("cast", "x:cast 'bf16'", lambda x: x.double(), "x:bool[5]", exact=True, dtype="bf16")
case("cast", "x:cast 'i32'", lambda x: x.trunc().long(), "x:bf16[6]@-9..9")
case("cast", "x:cast 'bool'", lambda x: x != 0, "x:bf16[4]=0,1,-2,nan")
case("cast", "x:cast 'i32'", lambda x: x.long(), "x:bool[5]")
case("cast", "x:cast 'bool'", lambda x: x != 0, "x:i32[6]@-1..2")
case("cast", "x:f32():f32()", lambda x: x, "x:f32[0x2]", exact=True)
case("cast", "x:i32()", lambda x: x.trunc().long(), "x:f32[4]@-9..9")
case("cast", "x:bool()", lambda x: x != 0, "x:i32[5]")
case("cast", "x:bf16():f32()", lambda x: x, "x:f32[4]=1,0.5,-3,0!", exact=True)

# --- reductions ---

SUMS = [("", ""), ("2x3", ""), ("2x3x4", "axes = 2"), ("2x3x4", "axes = -1, keep = true"), ("2x3x4", "axes = {1, 3}"), ("1x5x1", "axes = 1"),
        ("2x3x1x2x2x2", "axes = {1, 3, -2}, keep = true"), ("37x53", "axes = 1"), ("37x53", "axes = 2"), ("3x700", "axes = {-1, -2}")]
EMPTY = [("0x3", "axes = 1"), ("3x0", "axes = 1"), ("0", "")]


def axes_of(text):
    """The arguments of a call, for PyTorch: axes and keep. {} are all."""
    import re
    found = re.search(r"axes = (\{[-\d, ]+\}|-?\d+)", text)
    axes = [int(a) for a in re.findall(r"-?\d+", found.group(1))] if found else []
    return tuple(a - 1 if a > 0 else a for a in axes), "keep = true" in text


def over(f):
    """f(x, axis, keep) of one axis over several: they are joined to one at the end first."""
    def reduce(x, axes, keep):
        axes = [a % x.dim() for a in axes] or list(range(x.dim()))
        rest = [a for a in range(x.dim()) if a not in axes]
        y = f(x.permute(rest + axes).reshape([x.shape[a] for a in rest] + [-1 if x.numel() else math.prod(x.shape[a] for a in axes)]))
        return y.reshape([1 if a in axes else x.shape[a] for a in range(x.dim())]) if keep else y
    return reduce


REDUCE = {
    "sum": (over(lambda x: x.sum(-1)), ""), "mean": (over(lambda x: x.mean(-1)), ""),
    "max": (over(lambda x: x.amax(-1)), ""), "min": (over(lambda x: x.amin(-1)), ""),
    "prod": (over(lambda x: x.prod(-1)), "@-1.5..1.5"),
    "var": (over(lambda x: x.var(-1)), ""), "std": (over(lambda x: x.std(-1)), ""),
    "norm": (over(lambda x: torch.linalg.vector_norm(x, dim=-1)), ""),
}
for name, (ref, span) in REDUCE.items():
    many = {"var", "std"}
    for shape, text in SUMS:
        if name in many and shape in ("", "1x5x1"):
            continue
        if name == "prod" and shape in ("37x53", "3x700"):
            span = "@0.75..1.25"
        axes, keep = axes_of(text)
        arguments = f" {{ {text} }}" if text else "()"
        case(name, f"x:{name}{arguments}", lambda x: ref(x, axes, keep), f"x:f32[{shape}]{span}", exact=name in ("max", "min"),
             exact_grad=name in ("max", "min"))
    case(name, f"x:{name}(1)", lambda x: ref(x, (0,), False), "x:bf16[5x3]", dtype="bf16", exact=name in ("max", "min"))
for name in ("sum", "prod"):
    for shape, text in EMPTY:
        axes, keep = axes_of(text)
        case(name, f"x:{name} {{ {text} }}", lambda x: REDUCE[name][0](x, axes, keep), f"x:f32[{shape}]")
for name in ("mean", "max", "min", "var", "std", "norm"):
    case(name, f"x:{name}(1)", lambda x: torch.zeros(0).double(), "x:f32[3x0]!", exact=True)
for name in ("sum", "max", "min", "prod"):
    case(name, f"x:{name}(-1)", lambda x: REDUCE[name][0](x, (-1,), False), "x:i32[3x4]@-4..5")
case("sum", "x:sum { 1, keep = true }", lambda x: x.sum(0, keepdim=True), "x:f32[2x3]")
case("sum", "x:sum { {1, -1}, keep = true }", lambda x: x.sum((0, 2), keepdim=True), "x:f32[2x3x2]")
case("sum", "x:sum { axes = 1 }", lambda x: x.sum(0), "x:bool[5x3]")
case("sum", "x:sum(1)", lambda x: x.sum(0), "x:f32[9]=1e8,1,-1e8,1,1e8,1,-1e8,1,1", size=4e8)
case("mean", "x:mean(2)", lambda x: x.double().mean(1), "x:i32[3x4]@-4..5")
case("max", "x:max(2)", lambda x: x.amax(1), "x:f32[3x3]=1,1,0,2,2,2,-1,0,-1", exact=True)
case("min", "x:min(2)", lambda x: x.amin(1), "x:f32[3x3]=1,1,0,2,2,2,-1,0,-1", exact=True)
case("max", "x:max()", torch.amax, "x:f32[4]=1,nan,3,inf!", exact=True)
case("min", "x:min()", torch.amin, "x:f32[4]=1,nan,3,-inf!", exact=True)
case("prod", "x:prod(2)", lambda x: x.prod(1), "x:f32[3x3]=1,2,3,0,2,5,0,3,0")
for correction in (0, 1, 2):
    for name in ("var", "std"):
        case(name, f"x:{name} {{ axes = 2, correction = {correction} }}",
             lambda x: getattr(torch, name)(x, dim=1, correction=correction), "x:f32[3x5]")
case("var", "x:var(2)", lambda x: x.var(1), "x:f32[2x40]@999..1001")
case("std", "x:std(2)", lambda x: x.std(1), "x:f32[2x40]@999..1001")
case("var", "x:var(-1, true, 0)", lambda x: x.var(-1, correction=0, keepdim=True), "x:f32[3x1]")
for p, text in ((1, "1"), (2, "2"), (3, "3"), (0.5, "0.5"), (inf, "math.huge"), (inf, "1e308")):
    case("norm", f"x:norm {{ axes = 2, p = {text} }}", lambda x: torch.linalg.vector_norm(x, ord=p, dim=1), "x:f32[3x5]@0.25..2")
# Where there is no slope, or many: PyTorch's choice is 0, and equal shares of the largest.
case("std", "x:std(2)", lambda x: x.std(1), "x:f32[2x4]=2,2,2,2,1,2,3,5")
case("std", "x:std { axes = 2, correction = 0 }", lambda x: x.std(1, correction=0), "x:f32[3x1]")
for p, text in ((1, "1"), (2, "2"), (3, "3"), (1.5, "1.5"), (0.5, "0.5"), (inf, "math.huge"), (-inf, "-math.huge"), (0, "0")):
    case("norm", f"x:norm {{ axes = 2, p = {text} }}", lambda x: torch.linalg.vector_norm(x, ord=p, dim=1), "x:f32[3x4]=0,0,0,0,0,-2,2,1,-3,0,0,0")
case("norm", "x:norm { axes = 2, p = -1 }", lambda x: torch.linalg.vector_norm(x, ord=-1, dim=1), "x:f32[2x4]@0.25..2")
case("norm", "x:norm { axes = 2, p = -1 }", lambda x: torch.linalg.vector_norm(x, ord=-1, dim=1), "x:f32[1x3]=1,0,2!", exact=True)
for name in ("var", "std", "norm"):
    case(name, f"x:{name}(1)", lambda x, f=REDUCE[name][0]: f(x.double(), (0,), False), "x:i32[4x3]@-9..9")
case("norm", "x:norm()", lambda x: x.double().norm(), "x:bool[5]")
case("prod", "x:prod()", lambda x: x.prod(), "x:f32[2x3]=1,2,3,-1,0,5")
case("prod", "x:prod()", lambda x: x.prod(), "x:f32[2x3]=1,2,0,-1,0,5")
case("prod", "x:prod(1)", lambda x: x.prod(0), "x:bool[5x3]")
case("prod", "x:prod()", lambda x: x.to(torch.int32).prod(dtype=torch.int32), "x:i32[40]=3")
case("prod", "x:prod()", lambda x: x.prod(), "x:f32[6]=1e30,1e30,1e30,1e-30,1e-30,1e-30!")
for name, f in (("max", torch.amax), ("min", torch.amin)):
    case(name, f"x:{name}(2)", lambda x: f(x, 1), "x:bool[9x3]")
    case(name, f"x:{name}()", lambda x: f(x), "x:bool[9]")
for name, f in (("argmax", torch.argmax), ("argmin", torch.argmin)):
    for axis in (1, 2):
        case(name, f"x:{name}({axis})", lambda x: f(x.long(), dim=axis - 1), "x:bool[9x3]")
case("norm", "x:norm { p = 1 }", lambda x: x.abs().sum(), "x:f32[3x4]")
case("norm", "x:norm(1, true)", lambda x: torch.linalg.vector_norm(x, dim=0, keepdim=True), "x:f32[3x4]")
for shape, text in (("2x3", "axes = 2"), ("2x3x2", "axes = {1, -1}, keep = true"), ("5", ""), ("", ""), ("0x2", "axes = 1"), ("37x53", "axes = 1")):
    axes, keep = axes_of(text)
    for name, f in (("any", torch.any), ("all", torch.all)):
        case(name, f"x:{name} {{ {text} }}" if text else f"x:{name}()", lambda x: over(lambda y: f(y, dim=-1))(x, axes, keep), f"x:bool[{shape}]")
for name, f in (("argmax", torch.argmax), ("argmin", torch.argmin)):
    for shape, axis in (("5", -1), ("1", 1), ("3x4", 1), ("3x4", 2), ("2x3x4", -2), ("2x1x3x1x2x2", 3), ("0x3", 2), ("41x67", 1)):
        case(name, f"x:{name}({axis})", lambda x: f(x, dim=axis - 1 if axis > 0 else axis) if x.numel() else torch.zeros(0).long(), f"x:f32[{shape}]")
    case(name, f"x:{name}()", lambda x: f(x, dim=-1), "x:i32[3x4]@-9..9")
    case(name, f"x:{name}()", lambda x: f(x, dim=-1), "x:bf16[3x4]")
    case(name, f"x:{name}()", lambda x: f(x, dim=-1), "x:f32[2x4]=1,2,2,1,0,0,0,0!")
for shape, axis in (("5", -1), ("1", 1), ("3x4", 1), ("2x3x4", -2), ("0x3", 2), ("3x0", 2), ("2x1x3x1x2x2", 5), ("5x900", 2), ("300x7", 1)):
    at = axis - 1 if axis > 0 else axis
    case("cumsum", f"x:cumsum({axis})", lambda x: x.cumsum(at), f"x:f32[{shape}]")
    for text, down in (("", False), (", true", True)):
        case("sort", f"x:sort({axis}{text})", lambda x: tuple(torch.sort(x, dim=at, descending=down, stable=True)), f"x:f32[{shape}]", exact=True, exact_grad=True)
    case("argsort", f"x:argsort({axis})", lambda x: torch.argsort(x, dim=at, stable=True), f"x:f32[{shape}]")
case("cumsum", "x:cumsum()", lambda x: x.cumsum(-1), "x:i32[2x5]@-9..9")
case("cumsum", "x:cumsum()", lambda x: x.cumsum(-1), "x:bool[2x9]")
case("cumsum", "x:cumsum { axis = 1, reverse = true }", lambda x: x.flip(0).cumsum(0).flip(0), "x:f32[5x3]")
case("cumsum", "x:cumsum()", lambda x: x.cumsum(-1), "x:bf16[2x5]", dtype="bf16", size=lambda x: x.abs().sum() * 2.0**-8 / reference.EPS / 4 * reference.EPS)
case("sort", "x:sort()", lambda x: tuple(torch.sort(x, stable=True)), "x:i32[2x9]@-3..3")
case("sort", "x:sort { descending = true }", lambda x: tuple(torch.sort(x, stable=True, descending=True)), "x:i32[2x9]@-3..3")
case("sort", "x:sort()", lambda x: tuple(torch.sort(x, stable=True)), "x:f32[2x4]=1,nan,-inf,inf,2,0,-0,2!", exact=True)
case("sort", "x:sort()", lambda x: tuple(torch.sort(x, stable=True)), "x:bool[2x9]")
case("sort", "x:sort { descending = true }", lambda x: tuple(torch.sort(x, stable=True, descending=True)), "x:f32[2x4]=1,nan,-inf,inf,2,0,-0,2!", exact=True)
case("sort", "x:sort(2, true)", lambda x: tuple(torch.sort(x, stable=True, descending=True)), "x:i32[2x200]@-70000..70000")
case("sort", "x:sort()", lambda x: tuple(torch.sort(x, stable=True)), "x:bf16[2x9]@-3..3", exact=True, dtype="bf16")
case("argsort", "x:argsort { descending = true, axis = 1 }", lambda x: torch.argsort(x, dim=0, descending=True, stable=True), "x:f32[7x3]")
case("argsort", "x:argsort()", lambda x: torch.argsort(x, stable=True), "x:i32[9]@-3..3")
for shape, k, axis in (("5", 2, -1), ("3x4", 3, 1), ("2x3x4", 1, 2), ("3x4", 4, 2), ("2x5", 0, 2), ("0x3", 2, 2), ("3x600", 7, -1)):
    at = axis - 1 if axis > 0 else axis
    case("topk", f"x:topk({k}, {axis})", lambda x: tuple(y.narrow(at, 0, k) for y in torch.sort(x, dim=at, descending=True, stable=True)), f"x:f32[{shape}]", exact=True, exact_grad=True)
for kind in ("i32[2x40]@-9..9", "i32[1x3]=16777217,16777216,2147483647", "bool[3x9]", "bf16[2x9]"):
    case("topk", "x:topk(3)", lambda x: tuple(y[:, :3] for y in torch.sort(x, descending=True, stable=True)), f"x:{kind}",
         exact=True, dtype="bf16" if kind.startswith("bf16") else None)
case("topk", "x:topk(2)", lambda x: (x[:, [1, 3]], torch.tensor([[1, 3]])), "x:f32[1x4]=0,nan,-inf,inf!", exact=True)

# --- made from nothing but attributes ---

for n in (0, 1, 5, 300):
    case("iota", f"se.iota({n})", lambda: torch.arange(n))
for a, b, n in ((0, 1, 5), (-2, 3, 1), (1, 1, 3), (5, -5, 11), (0, 1, 0), (0, 100, 300)):
    case("linspace", f"se.linspace({a}, {b}, {n})", lambda: torch.linspace(a, b, n, dtype=torch.float64), size=max(abs(a), abs(b)))
for text, n, m in (("3", 3, 3), ("2, 4", 2, 4), ("4, 2", 4, 2), ("0", 0, 0), ("3, 0", 3, 0), ("1", 1, 1)):
    case("eye", f"se.eye({text})", lambda: torch.eye(n, m).double(), exact=True)
for name, f in (("tril", torch.tril), ("triu", torch.triu)):
    for k in (0, 1, -1, 9, -9):
        case(name, f"x:{name}({k})", lambda x: f(x, k), "x:f32[3x4]", exact=True)
    case(name, f"x:{name}()", f, "x:f32[2x1x4x3]", exact=True)
    case(name, f"x:{name}()", f, "x:f32[0x3]", exact=True)
    case(name, f"x:{name}()", f, "x:i32[3x3]@1..9")
    case(name, f"x:{name}(1)", lambda x: f(x, 1), "x:bool[3x4]")
case("one_hot", "x:one_hot(4)", lambda x: F.one_hot(x, 4).double(), "x:i32[2x3]@0..4", exact=True)
case("one_hot", "x:one_hot(1)", lambda x: F.one_hot(x, 1).double(), "x:i32[]=0", exact=True)
case("one_hot", "x:one_hot(3)", lambda x: torch.zeros(0, 3).double(), "x:i32[0]", exact=True)
case("segment_ids", "s:segment_ids(7)", lambda s: torch.tensor([0, 0, 2, 2, 2, 3, 3]), "s:i32[4]=0,2,2,5")
case("segment_ids", "s:segment_ids(3)", lambda s: torch.tensor([0, 0, 0]), "s:i32[1]=0")

# --- shapes ---

MOVES = {
    "reshape": [("x:reshape(3, 2)", lambda x: x.reshape(3, 2), "2x3"), ("x:reshape(-1)", lambda x: x.reshape(-1), "2x3x2"),
                ("x:reshape(2, -1, 1)", lambda x: x.reshape(2, -1, 1), "2x3x2"), ("x:reshape { dims = {} }", lambda x: x.reshape([]), "1x1"),
                ("x:reshape(0, 5)", lambda x: x.reshape(0, 5), "3x0"), ("x:reshape(1, 2, 1, 3, 1, 1)", lambda x: x.reshape(1, 2, 1, 3, 1, 1), "6")],
    "squeeze": [("x:squeeze(2)", lambda x: x.squeeze(1), "2x1x3"), ("x:squeeze(-1)", lambda x: x.squeeze(-1), "0x1")],
    "unsqueeze": [("x:unsqueeze(1)", lambda x: x.unsqueeze(0), "2x3"), ("x:unsqueeze(-1)", lambda x: x.unsqueeze(-1), "2x3"),
                  ("x:unsqueeze(3)", lambda x: x.unsqueeze(2), "2x3x2x1x2"), ("x:unsqueeze(1)", lambda x: x.unsqueeze(0), "")],
    "transpose": [("x:t()", lambda x: x.T, "2x3"), ("x:transpose()", lambda x: x.mT, "2x1x3x4"), ("x:transpose()", lambda x: x.mT, "0x3"), ("x:transpose()", lambda x: x.T, "35x70")],
    "permute": [("x:permute(3, 1, 2)", lambda x: x.permute(2, 0, 1), "2x3x4"), ("x:permute(-1, 2, 1)", lambda x: x.permute(2, 1, 0), "2x3x4"),
                ("x:permute(6, 2, 4, 1, 5, 3)", lambda x: x.permute(5, 1, 3, 0, 4, 2), "2x1x3x2x1x3"), ("x:permute(2, 1)", lambda x: x.T, "0x4"),
                ("x:permute(2, 3, 1)", lambda x: x.permute(1, 2, 0), "9x11x13"), ("x:permute { axes = {} }", lambda x: x, "")],
    "broadcast_to": [("x:broadcast_to(2, 3)", lambda x: x.broadcast_to(2, 3), "3"), ("x:broadcast_to(4, 2, 3)", lambda x: x.broadcast_to(4, 2, 3), "2x1"),
                     ("x:broadcast_to(0, 3)", lambda x: x.broadcast_to(0, 3), "1x3"), ("x:broadcast_to(2, 2)", lambda x: x.broadcast_to(2, 2), ""),
                     ("x:broadcast_to(1, 2, 1, 3, 2, 2)", lambda x: x.broadcast_to(1, 2, 1, 3, 2, 2), "3x1x2")],
    "expand": [("x:expand(2, -1, 4)", lambda x: x.expand(2, -1, 4), "2x3x1"), ("x:expand(5, -1)", lambda x: x.expand(5, -1), "3"), ("x:expand(0, -1)", lambda x: x.expand(0, -1), "1x3")],
    "slice": [(f"x:slice({text})", ref, shape) for text, ref, shape in (
        ("1, 0, 2", lambda x: x[0:2], "3x4"), ("2, -3, -1", lambda x: x[:, -3:-1], "2x5"), ("-1, 1, 1", lambda x: x[..., 1:1], "2x5"),
        ("1, 2, 100", lambda x: x[2:100], "5"), ("1, -100, 2", lambda x: x[-100:2], "5"), ("1, 4, 1", lambda x: x[4:1], "5x2"), ("1, 0, 9, 2", lambda x: x[0:9:2], "5x2"),
        ("2, 1, 8, 3", lambda x: x[:, 1:8:3], "2x9"), ("1, -1, -100, -1", lambda x: x.flip(0), "5x2"), ("2, 7, 1, -3", lambda x: x[:, [7, 4]], "2x9"),
        ("3, 1, 2, 1", lambda x: x[:, :, 1:2], "2x1x3x2x1x2"), ("1, 0, 3", lambda x: x[0:3], "0x2"), ("1, -2, -5, -1", lambda x: x[[3, 2, 1]], "5"))],
    "flip": [("x:flip(1)", lambda x: x.flip(0), "3x2"), ("x:flip { axes = {1, -1} }", lambda x: x.flip(0, -1), "2x3x4"), ("x:flip(2)", lambda x: x.flip(1), "2x0"), ("x:flip(1)", lambda x: x.flip(0), "1")],
    "roll": [("x:roll(1, 1)", lambda x: x.roll(1, 0), "3x2"), ("x:roll(-2, 2)", lambda x: x.roll(-2, 1), "2x5"), ("x:roll(13, -1)", lambda x: x.roll(13, -1), "2x5"),
             ("x:roll(0, 1)", lambda x: x.roll(0, 0), "4"), ("x:roll(3, 1)", lambda x: x, "0x2")],
    "pad": [("x:pad({1, 0}, {2, 3})", lambda x: F.pad(x, (0, 3, 1, 2)), "2x3"), ("x:pad({0, 2}, {0, 0}, 1.5)", lambda x: F.pad(x, (2, 0), value=1.5), "2x3"),
            ("x:pad { before = {1}, after = {1}, value = -1 }", lambda x: F.pad(x, (1, 1), value=-1), "0"), ("x:pad({0, 0, 1}, {1, 0, 0})", lambda x: F.pad(x, (1, 0, 0, 0, 0, 1)), "2x1x3")],
    "tile": [("x:tile(2, 3)", lambda x: x.tile(2, 3), "2x3"), ("x:tile(2, 1, 2)", lambda x: x.tile(2, 1, 2), "3x2"), ("x:tile(0, 2)", lambda x: x.tile(0, 2), "2x3"), ("x:tile(3)", lambda x: x.tile(3), "1")],
}
for name, list_ in MOVES.items():
    for call, ref, shape in list_:
        case(name, call, ref, f"x:f32[{shape}]", exact=True)
    call, ref, shape = list_[0]
    for kind in ("i32", "bool"):
        case(name, call, ref, f"x:{kind}[{shape}]")
    case(name, call, ref, f"x:bf16[{shape}]", exact=True, dtype="bf16")
for name, lua, f in (("concat", "se.concat", torch.cat), ("stack", "se.stack", torch.stack)):
    one = name == "concat"
    case(name, f"{lua}({{x, y}}, 1)", lambda x, y: f((x, y), 0), "x:f32[2x3]", f"y:f32[{'4' if one else '2'}x3]", exact=True)
    case(name, f"{lua}({{x, y, x}}, -1)", lambda x, y: f((x, y, x), -1), "x:f32[2x3]", f"y:f32[2x{'0' if one else '3'}]", exact=True)
    case(name, f"{lua} {{ x, y, axis = 2 }}", lambda x, y: f((x, y), 1), "x:f32[2x3]", "y:f32[2x3]", exact=True)
    case(name, f"{lua} {{ {{ x, y }}, axis = 2 }}", lambda x, y: f((x, y), 1), "x:f32[2x3]", "y:f32[2x3]", exact=True)
    case(name, f"{lua}({{x}}, 2)", lambda x: f((x,), 1), "x:f32[2x1x3]", exact=True)
    case(name, f"{lua}(x, y)", lambda x, y: f((x, y), 0), "x:i32[2]", "y:i32[2]")
    case(name, f"{lua}({{x, y}}, 2)", lambda x, y: f((x, y), 1), "x:bool[2x1]", "y:bool[2x1]")
    case(name, f"{lua}({{x, y}}, 1)", lambda x, y: f((x, y), 0), "x:f32[0x2]", "y:f32[0x2]", exact=True)
    case(name, f"{lua}({{x, x}}, 2)", lambda x: f((x, x), 1), "x:bf16[2x2]", exact=True, dtype="bf16")

# --- rows by number ---

for shape, ids in (("5x3", "i32[4]=4,0,0,2"), ("5", "i32[2x2]=4,0,0,2"), ("5x2x2", "i32[]=3"), ("5x3", "i32[0]"), ("70x9", "i32[50]@0..70")):
    case("take", "x:take(ids)", lambda x, ids: x[ids], f"x:f32[{shape}]", f"ids:{ids}", exact=True)
case("take", "x:take(ids)", lambda x, ids: x[ids], "x:i32[5x3]", "ids:i32[2]=4,1")
case("embedding", "w:embedding(ids)", lambda w, ids: w[ids], "w:f32[5x3]", "ids:i32[4]=4,0,0,2", exact=True)
case("embedding", "w:embedding(ids, 0)", lambda w, ids: F.embedding(ids, w, padding_idx=0), "w:f32[5x3]", "ids:i32[2x3]=4,0,0,2,1,1", exact=True)
case("embedding", "w:embedding(ids, { padding = 1 })", lambda w, ids: F.embedding(ids, w, padding_idx=1), "w:f32[40x9]", "ids:i32[60]@0..40", exact=True)
case("scatter_add", "x:scatter_add(ids, 5)", lambda x, ids: x.new_zeros(5, 3).index_add(0, ids, x), "x:f32[4x3]", "ids:i32[4]=4,0,0,2")
case("scatter_add", "x:scatter_add(ids, 3, 1)", lambda x, ids: x.new_zeros(3, 2).index_add(0, ids, x * (ids != 1)[:, None]), "x:f32[6x2]", "ids:i32[6]=1,0,2,1,0,0")
case("scatter_add", "x:scatter_add(ids, 2)", lambda x, ids: x.new_zeros(2, 3), "x:f32[0x3]!", "ids:i32[0]")
case("scatter_add", "x:scatter_add(ids, 7)", lambda x, ids: x.new_zeros(7, 5).index_add(0, ids, x), "x:f32[300x5]", "ids:i32[300]@0..7")
GATHER = [("3x4", "i32[2x4]@0..3", 1), ("3x4", "i32[3x2]@0..4", 2), ("2x3x4", "i32[2x3x6]@0..4", -1), ("5", "i32[7]@0..5", 1), ("3x4", "i32[3x0]", 2), ("2x1x3x1x2x2", "i32[2x1x5x1x2x2]@0..3", 3),
          ("31x17", "i32[31x40]@0..17", 2)]
for shape, ids, axis in GATHER:
    at = axis - 1 if axis > 0 else axis
    case("gather", f"x:gather(ids, {axis})", lambda x, ids: x.gather(at, ids), f"x:f32[{shape}]", f"ids:{ids}", exact=True)
case("gather", "x:gather(ids, 2)", lambda x, ids: x.gather(1, ids), "x:i32[2x3]", "ids:i32[2x2]@0..3")
case("gather", "x:gather(ids, 2)", lambda x, ids: x.gather(1, ids), "x:bool[2x3]", "ids:i32[2x2]@0..3")
for shape, ids, axis in (("3x4", "i32[2]=2,0", 1), ("3x4", "i32[5]=3,3,0,1,3", 2), ("2x3x4", "i32[1]=1", -2), ("5", "i32[0]", 1), ("31x17", "i32[40]@0..17", 2)):
    at = axis - 1 if axis > 0 else axis
    case("index_select", f"x:index_select(ids, {axis})", lambda x, ids: x.index_select(at, ids), f"x:f32[{shape}]", f"ids:{ids}", exact=True)
case("index_select", "x:index_select(ids, 2)", lambda x, ids: x.index_select(1, ids), "x:i32[2x3]", "ids:i32[2]=2,2")

# --- products ---

for x, y, call, ref in (
        ("2x3", "3x4", "x:matmul(y)", torch.matmul), ("1x1", "1x1", "x:matmul(y)", torch.matmul), ("0x3", "3x4", "x:matmul(y)", torch.matmul),
        ("2x0", "0x4", "x:matmul(y)", torch.matmul), ("2x3", "4x3", "x:matmul(y:t())", lambda x, y: x @ y.T), ("3x2", "3x4", "x:t():matmul(y)", lambda x, y: x.T @ y),
        ("3x2", "4x3", "x:matmul(y, true, true)", lambda x, y: x.T @ y.T), ("5x2x3", "5x3x4", "x:matmul(y)", torch.matmul), ("5x2x3", "3x4", "x:matmul(y)", torch.matmul),
        ("2x3", "5x3x4", "x:matmul(y)", torch.matmul), ("2x1x2x3", "3x3x2", "x:matmul(y)", torch.matmul), ("2x1x1x2x2x3", "3x1x1x3x2", "x:matmul(y)", torch.matmul),
        ("0x2x3", "0x3x4", "x:matmul(y)", torch.matmul), ("2x4x3", "2x5x3", "x:matmul(y:permute(1, 3, 2))", lambda x, y: x @ y.mT), ("37x129", "129x41", "x:matmul(y)", torch.matmul),
        ("4x9x300", "4x300x5", "x:matmul(y)", torch.matmul)):
    # k products, each addition rounds a partial sum of about 4/3 sqrt(k): a random walk of 3 sigma is k / 1.5 half-ulps
    case("matmul", call, ref, f"x:f32[{x}]", f"y:f32[{y}]", size=int((x.split("x") or [0])[-1]) / 6)
for x in ("2x3", "5x1x3", "0x3", "1x3", "3"):
    if x != "3":
        case("linear", "x:linear(w, b)", F.linear, f"x:f32[{x}]", "w:f32[4x3]", "b:f32[4]")
case("linear", "x:linear(w)", F.linear, "x:f32[33x65]", "w:f32[17x65]")


def rounded_linear(x, w):
    return F.linear(x.bfloat16().double(), w.bfloat16().double())


def int8_linear(x, w, b=0):
    def rounded(x):
        most = x.abs().amax(-1, keepdim=True)
        return (x * torch.where(most > 0, 127 / most, 0)).round(), most / 127
    (x, scale), (w, columns) = rounded(x), rounded(w)
    return F.linear(x, w) * scale * columns.squeeze(-1) + b


for x, w in (("3x5", "4x5"), ("33x65", "37x65"), ("2x1x700", "3x700"), ("1x1", "1x1"), ("0x3", "4x3")):
    case("linear", "x:linear(w, nil, { bf16 = true })", rounded_linear, f"x:f32[{x}]!", f"w:f32[{w}]!", size=int(x.split("x")[-1]) / 6)
    case("linear_int8", "x:linear_int8(w)", int8_linear, f"x:f32[{x}]!", f"w:f32[{w}]!")
    case("linear_int8", "x:linear_int8(w, b)", int8_linear, f"x:f32[{x}]!", f"w:f32[{w}]!", f"b:f32[{w.split('x')[0]}]!")
case("linear_int8", "x:linear_int8(w)", int8_linear, "x:f32[3x2]=0,0,1,-127,1e-20,3e-21!", "w:f32[2x2]=0,0,5,1e9!")
case("dot", "x:dot(y)", torch.dot, "x:f32[5]", "y:f32[5]")
case("dot", "x:dot(y)", torch.dot, "x:f32[1]", "y:f32[1]")
case("dot", "x:dot(y)", torch.dot, "x:f32[0]", "y:f32[0]")
case("dot", "x:dot(y)", torch.dot, "x:f32[1003]", "y:f32[1003]")
for x, y in (("2", "3"), ("1", "1"), ("0", "3"), ("41", "17")):
    case("outer", "x:outer(y)", torch.outer, f"x:f32[{x}]", f"y:f32[{y}]")

# --- layers ---

LAST = ["f32[5]", "f32[2x3]", "f32[0x3]", "f32[4x1]", "f32[2x1x3x1x2x2]", "f32[7x131]"]
ROWS = {"softmax": lambda x: x.softmax(-1), "log_softmax": lambda x: x.log_softmax(-1), "logsumexp": lambda x: x.logsumexp(-1), "normalize": lambda x: F.normalize(x, dim=-1)}
for name, ref in ROWS.items():
    sizes = {"log_softmax": (80, 1), "logsumexp": (0, 80)}.get(name, (0, 1))  # x - lse, exp(x - lse), sums of dy y
    for shape in LAST:
        # the gradient of normalize is a difference of terms of the size of 1 / |x|
        grad_size = (lambda x: 1 / x.norm(dim=-1)) if name == "normalize" else 1
        case(name, f"x:{name}()", ref, f"x:{shape}", size=4 if name == "log_softmax" else 0, grad_size=grad_size)
    case(name, f"x:{name}()", ref, "x:f32[3x5]@-80..80", size=sizes[0], grad_size=sizes[1])
    case(name, f"x:{name}()", ref, "x:bf16[3x5]", dtype="bf16")
case("softmax", "x:softmax()", lambda x: x.softmax(-1), "x:f32[2x4]=0,-inf,1,-inf,5,5,5,5!")
case("logsumexp", "x:logsumexp { keep = true }", lambda x: x.logsumexp(-1, keepdim=True), "x:f32[3x5]")
case("logsumexp", "x:logsumexp()", lambda x: x.logsumexp(-1), "x:f32[3x2]=-inf,-inf,inf,0,0,-inf!")
case("normalize", "x:normalize()", lambda x: F.normalize(x, dim=-1), "x:f32[2x3]=0,0,0,3,0,4!")
case("normalize", "x:normalize { eps = 10 }", lambda x: F.normalize(x, dim=-1, eps=10.0), "x:f32[2x3]")
norm = lambda eps: lambda x, w, b: (F.layer_norm(x, x.shape[-1:], w, b, eps), x.mean(-1), (x.var(-1, correction=0) + eps).rsqrt())
for shape, n in (("5", 5), ("2x3", 3), ("0x3", 3), ("2x1x3x1x2x4", 4), ("7x131", 131)):
    case("layer_norm", "(x:layer_norm(w, b))", lambda x, w, b: norm(1e-5)(x, w, b)[0], f"x:f32[{shape}]", f"w:f32[{n}]", f"b:f32[{n}]", size=2)
    case("rms_norm", "x:rms_norm(w)", lambda x, w: F.rms_norm(x, x.shape[-1:], w, 1e-6), f"x:f32[{shape}]", f"w:f32[{n}]")
case("layer_norm", "x:layer_norm(w, b, 0.5)", norm(0.5), "x:f32[3x5]!", "w:f32[5]!", "b:f32[5]!", size=2)
case("rms_norm", "x:rms_norm()", lambda x: F.rms_norm(x, x.shape[-1:], None, 1e-6), "x:f32[3x5]")
case("rms_norm", "x:rms_norm(w, 0.5)", lambda x, w: F.rms_norm(x, x.shape[-1:], w, 0.5), "x:f32[3x5]", "w:f32[5]")

# --- losses: one number a row ---


def rows_loss(smoothing=0.0):
    return lambda x, t: F.cross_entropy(x, t, reduction="none", label_smoothing=smoothing)


def lse(f):
    return lambda x, t: (f(x, t), x.logsumexp(-1))


for shape, ids in (("4x3", "i32[4]@0..3"), ("1x1", "i32[1]=0"), ("0x3", "i32[0]"), ("5x131", "i32[5]@0..131")):
    case("cross_entropy", "x:cross_entropy(t)", lse(rows_loss()), f"x:f32[{shape}]", f"t:{ids}", size=5)
    case("cross_entropy", "(x:cross_entropy(t, { smoothing = 0.1 }))", rows_loss(0.1), f"x:f32[{shape}]", f"t:{ids}", size=5)
soft = lambda s: lambda x, t: F.cross_entropy(x, t, reduction="none", label_smoothing=s)
case("cross_entropy", "(x:cross_entropy(t))", soft(0.0), "x:f32[4x3]", "t:f32[4x3]@0..1!", size=5)
case("cross_entropy", "(x:cross_entropy(t, 0.25))", soft(0.25), "x:f32[4x3]", "t:f32[4x3]@0..1!", size=5)
case("cross_entropy", "(x:cross_entropy(t))", rows_loss(), "x:f32[4x6]@-80..80", "t:i32[4]@0..6", size=80)
kl = lambda x, t: F.kl_div(x, t, reduction="none")
case("kl_div", "x:kl_div(t)", kl, "x:f32[4x3]@-3..0", "t:f32[4x3]@0.125..1", size=3)
case("kl_div", "x:kl_div(t)", kl, "x:f32[4]@-3..0", "t:f32[4]=0,0.5,0,1!", size=3)
case("kl_div", "x:kl_div(t)", kl, "x:f32[0x3]", "t:f32[0x3]!")
for shape, axis in (("5", -1), ("3x4", 2), ("3x4", 1), ("2x3x4", -2), ("1x1", 1), ("0x3", 2), ("7x131", -1)):
    at = axis - 1 if axis > 0 else axis
    case("cosine", f"x:cosine(y, {axis})", lambda x, y: F.cosine_similarity(x, y, dim=at), f"x:f32[{shape}]", f"y:f32[{shape}]", size=1)
case("cosine", "x:cosine(y)", lambda x, y: F.cosine_similarity(x, y, dim=-1), "x:f32[2x3]=0,0,0,1,2,3!", "y:f32[2x3]=1,2,3,2,4,6!", size=1)

# --- packed texts ---


def by_text(f, empty=0.0):
    def pool(x, starts):
        parts = [x[a:b] for a, b in zip(starts[:-1].tolist(), starts[1:].tolist())]
        return torch.stack([f(p) if len(p) else x.new_zeros(x.shape[1:]) for p in parts]) if parts else x.new_zeros(0, *x.shape[1:])
    return pool


POOL = {"mean_pool": lambda p: p.mean(0), "max_pool": lambda p: p.amax(0), "first_pool": lambda p: p[0]}
for name, f in POOL.items():
    for x, starts in (("5x3", "=0,2,2,5"), ("1x1", "=0,1"), ("7x2", "=0,3,4"), ("0x3", "=0,0"), ("60x17", "=0,1,20,60")):
        n = starts.count(",") + 1
        if name == "first_pool" and "2,2" in starts:
            starts = "=0,2,4,5"
        case(name, f"x:{name}(s)", by_text(f), f"x:f32[{x}]", f"s:i32[{n}]{starts}", exact=name != "mean_pool", exact_grad=name != "mean_pool")


def attention(heads, longest, bias_kind=None, causal=False):
    def run(q, k, v, starts, bias=None):
        out = torch.zeros_like(q)
        d = q.shape[1] // heads
        for a, b in zip(starts[:-1].tolist(), starts[1:].tolist()):
            split = lambda x: x[a:b].reshape(b - a, heads, d).transpose(0, 1)
            score = split(q) @ split(k).mT / math.sqrt(d)
            i = torch.arange(b - a)
            if bias_kind == "distance":
                score = score + bias[i[None, :] - i[:, None] + longest - 1].permute(2, 0, 1)
            elif bias_kind == "matrix":
                score = score + bias[:, : b - a, : b - a]
            if causal:
                score = score.masked_fill(i[None, :] > i[:, None], -inf)
            rows = (score.softmax(-1) @ split(v)).transpose(0, 1).reshape(b - a, heads * d)
            out = torch.cat([out[:a], rows, out[b:]])
        return out
    return run


PACK = ("q:f32[7x4]", "k:f32[7x4]", "v:f32[7x4]", "s:i32[4]=0,3,3,7")
ask = "q:attention(k, v, s, { heads = 2, longest = 5"
case("attention", ask + " })", attention(2, 5), *PACK, size=2)
case("attention", ask + ", bias = b })", attention(2, 5, "distance"), *PACK, "b:f32[9x2]", size=2)
case("attention", ask + ", bias = b })", attention(2, 5, "matrix"), *PACK, "b:f32[2x5x5]", size=2)
case("attention", ask + ", causal = true })", attention(2, 5, causal=True), *PACK, size=2)
case("attention", ask + ", causal = true, bias = b })", attention(2, 5, "distance", True), *PACK, "b:f32[9x2]", size=2)
case("attention", ask + ", causal = true, bias = b })", attention(2, 5, "matrix", True), *PACK, "b:f32[2x5x5]", size=2)
case("attention", "q:attention(k, v, s, { heads = 1, longest = 1 })", attention(1, 1), "q:f32[1x1]", "k:f32[1x1]", "v:f32[1x1]", "s:i32[2]=0,1", size=2)
BIG = ("q:f32[70x24]", "k:f32[70x24]", "v:f32[70x24]", "s:i32[4]=0,41,42,70")
case("attention", "q:attention(k, v, s, { heads = 3, longest = 41, bias = b })", attention(3, 41, "distance"), *BIG, "b:f32[81x3]", size=2)
case("attention", "q:attention(k, v, s, { heads = 3, longest = 50, causal = true })", attention(3, 50, causal=True), *BIG, size=2)

# --- optimizers ---


def adamw(torch_form, t, decay, scale=1.0, ok=True, b1=0.9, b2=0.999, eps=1e-6):
    def run(p, m, v, g):
        if not ok:
            return p, m, v
        g = g * scale
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        rate, c1, c2 = 0.01, 1 - b1**t, 1 - b2**t
        if torch_form:
            return p * (1 - rate * decay) - rate * (m / c1) / ((v / c2).sqrt() + eps), m, v
        return (p - rate * math.sqrt(c2) / c1 * m / (v.sqrt() + eps)) * (1 - rate * decay), m, v
    return run


STATE = ("p:f32[{}]!", "m:f32[{}]@-0.5..0.5!", "v:f32[{}]@0.125..1!", "g:f32[{}]!")
for shape in ("", "1", "0", "3x4", "7x29"):
    inputs = [s.format(shape) for s in STATE]
    case("adamw", "se.adamw(p, m, v, g, 0.01, 3)", adamw(False, 3, 0), *inputs)
    case("adamw", "se.adamw(p, m, v, g, 0.01, 7, { decay = 0.1, torch = true, scale = se.tensor(0.5), eps = 1e-8 })", adamw(True, 7, 0.1, 0.5, eps=1e-8), *inputs)
case("adamw", "se.adamw(p, m, v, g, 0.01, 900, { decay = 0.1, beta1 = 0.8, beta2 = 0.99 })", adamw(False, 900, 0.1, b1=0.8, b2=0.99), *[s.format("5") for s in STATE])
case("adamw", "se.adamw(p, m, v, g, 0.01, 2, { ok = se.tensor(false) })", adamw(False, 2, 0, ok=False), *[s.format("5") for s in STATE])
for shape in ("", "0x2", "3x4", "7x29"):
    case("sgd", "se.sgd(p, g, 0.1)", lambda p, g: p - 0.1 * g, f"p:f32[{shape}]!", f"g:f32[{shape}]!")
    case("sgd", "se.sgd(p, g, 0.1, { decay = 0.5, scale = se.tensor(0.25) })", lambda p, g: p - 0.1 * (0.25 * g + 0.5 * p), f"p:f32[{shape}]!", f"g:f32[{shape}]!")
total = lambda *x: torch.sqrt(sum((v * v).sum() for v in x))
case("global_norm", "se.global_norm { x, y }", total, "x:f32[2x3]", "y:f32[]")
case("global_norm", "se.global_norm { x }", total, "x:f32[1]")
case("global_norm", "se.global_norm { x, y }", total, "x:f32[37x53]", "y:f32[0]")

# --- over shards: with one, each is its input ---

for name in ("shard_gather", "shard_scatter", "shard_sum", "shard_mean", "shard_broadcast"):
    for shape in ("2x3", "1", "0x2"):
        case(name, f"x:{name}()", lambda x: x * 1, f"x:f32[{shape}]", exact=True)
case("shard_index", "se.shard_index()", lambda: torch.tensor(0), exact=True)
for shape in ("4x3", "5", "1", "0x2"):
    case("shard_rows", "x:shard_rows()", lambda x: torch.arange(x.shape[0]), f"x:f32[{shape}]!", exact=True)
flat = lambda *xs: torch.cat([x.reshape(-1) for x in xs])
case("shard_divide", "se.shard_divide { x }", flat, "x:f32[2x3]", exact=True)
case("shard_divide", "se.shard_divide { x }", flat, "x:f32[1]", exact=True)
case("shard_divide", "se.shard_divide { x, y, z }", flat, "x:f32[2x3]", "y:f32[]", "z:f32[0x4]", exact=True)
for low, high in ((2, 5), (0, 7), (3, 3)):
    case("shard_part", f"x:shard_part({low}, {high})", lambda x: x[low:high], "x:f32[7]", exact=True)
case("shard_part", "x:shard_part(0, 1)", lambda x: x, "x:f32[1]", exact=True)
for shape, at in (("2x3", 4), ("", 9), ("0x2", 10)):
    case("fill_from", f"p:fill_from(x, {at})", lambda p, x: x[at:at + p.numel()].reshape(p.shape), f"p:f32[{shape}]!", "x:f32[10]", exact=True)
best = lambda q, c, v, p: (torch.tensor([[5.0, 0.5], [1.0, 0.25]]).double(), torch.tensor([[10, 7], [9, 8]]))
case("nearest", "q:nearest(c, v, p, 0, 2, 10)", lambda q, c, v, p: tuple(torch.tensor(x) for x in (
    [[5.0, 0.5], [2.0, 1.0]], [[10, 7], [10, 11]])), "q:f32[2x2]=1,0,0,1!", "c:f32[3x2]=5,2,-1,1,9,9!", "v:f32[2x2]=0.5,-3,0.25,-9!", "p:i32[2x2]=7,6,8,5", exact=True)

# --- Lua functions over ops ---

EINSUM = [("ij,jk->ik", "2x3", "3x4"), ("bij,bjk->bik", "2x3x4", "2x4x5"), ("ij,kj->ik", "2x3", "4x3"), ("i,i->", "5", "5"), ("i,j->ij", "3", "4"), ("ij,ij->i", "3x4", "3x4"),
          ("bhqd,bhkd->bhqk", "2x2x3x4", "2x2x5x4"), ("...ij,...jk->...ik", "2x1x3x4", "5x4x2"), ("ij,jk", "2x3", "3x4"), ("ij,->ji", "2x3", ""), ("ai,bi->ab", "0x3", "4x3"),
          ("bqd,bkd->bk", "2x3x4", "2x5x4")]
for text, x, y in EINSUM:
    case("einsum", f"se.einsum('{text}', x, y)", lambda x, y: torch.einsum(text, x, y), f"x:f32[{x}]", f"y:f32[{y}]", size=0)
for text, x in (("ij->ji", "2x3"), ("ij->", "2x3"), ("ii->i", "3x3"), ("ii->", "3x3"), ("ij->j", "2x3"), ("...i->i...", "2x3x4"), ("ba", "2x3"), ("iij->j", "3x3x2")):
    case("einsum", f"se.einsum('{text}', x)", lambda x: torch.einsum(text, x), f"x:f32[{x}]")
case("einsum", "se.einsum('ij,jk,kl->il', x, y, z)", lambda x, y, z: torch.einsum("ij,jk,kl->il", x, y, z), "x:f32[2x3]", "y:f32[3x4]", "z:f32[4x2]")
case("einsum", "se.einsum('i,j,k->kij', x, y, z)", lambda x, y, z: torch.einsum("i,j,k->kij", x, y, z), "x:f32[2]", "y:f32[3]", "z:f32[4]")
case("split", "se.split(x, 2, 1)", lambda x: x.split(2), "x:f32[5x3]", exact=True)
case("split", "se.split(x, {1, 3}, 2)", lambda x: x.split([1, 3], 1), "x:f32[2x4]", exact=True)
case("split", "se.split(x, 9, -1)", lambda x: x.split(9, -1), "x:i32[2x4]")
case("split", "se.split(x, {0, 2}, 1)", lambda x: x.split([0, 2]), "x:f32[2x1]", exact=True)
unique = lambda x: tuple(y for y in (lambda v, inv, n: (v, n, inv))(*torch.unique(x, return_inverse=True, return_counts=True)))
case("unique", "se.unique(x)", unique, "x:i32[12]@-2..3")
case("unique", "se.unique(x)", unique, "x:f32[6]=1,0.5,1,-2,0.5,0.5!", exact=True)
case("unique", "se.unique(x)", unique, "x:i32[2x4]@0..3")
case("unique", "se.unique(x)", unique, "x:f32[1]!", exact=True)
case("unique", "se.unique(x)", unique, "x:i32[0]")
case("unique", "x:unique()", unique, "x:bool[7]")
case("unique", "se.unique(x)", unique, "x:bf16[40]@-1..1", exact=True, dtype="bf16")
case("unique", "se.unique(x)", unique, "x:i32[90]=5")
case("unique", "se.unique(x)", unique, "x:f32[4]=nan,1,nan,inf!", exact=True)

# --- random numbers: the draws themselves, from threefry.py ---

KEY, OTHER = "key:i32[3]=1,2,0", "key:i32[3]=-5,2147483647,-1"
for dims in ("", "1", "2, 3", "0, 2", "3, 0", "2, 1, 2, 1, 3", "7, 131"):
    sizes = [int(d) for d in dims.split(", ")] if dims else []
    case("random_uniform", f"se.random.uniform(key, {{{dims}}}, 4)", lambda key: threefry.uniform(key, sizes, 4), KEY, exact=True)
    # f32 rounds the angle, up to 2 pi, and the radius, up to 6.7 but rarely above 4
    case("random_normal", f"se.random.normal(key, {{{dims}}}, 4)", lambda key: threefry.normal(key, sizes, 4), OTHER, size=7)
    case("random_truncated_normal", f"se.random.truncated_normal(key, {{{dims}}})", lambda key: threefry.truncated(-2, 2)(key, sizes), OTHER)
    case("random_integers", f"se.random.randint(key, {{{dims}}}, -3, 9)", lambda key: threefry.integers(-3, 9)(key, sizes), KEY)
    case("random_bernoulli", f"se.random.bernoulli(key, {{{dims}}}, 0.25)", lambda key: threefry.bernoulli(key, torch.full(sizes, 0.25)), OTHER)
case("random_truncated_normal", "se.random.truncated_normal(key, {5, 7}, 0.5, 1, 3)", lambda key: threefry.truncated(0.5, 1)(key, [5, 7], 3), KEY)
case("random_integers", "se.random.randint(key, {5, 7}, -2^31, 2^31, 3)", lambda key: threefry.integers(-(2**31), 2**31)(key, [5, 7], 3), OTHER)
case("random_bernoulli", "se.random.bernoulli(key, p, 3)", lambda key, p: threefry.bernoulli(key, p, 3), KEY, "p:f32[4x5]@0..1")
case("random_bernoulli", "se.random.bernoulli(key, {2, 3}, p)", lambda key, p: threefry.bernoulli(key, p.expand(2, 3)), KEY, "p:f32[3]=0,0.5,1")
for shape, draws in (("5", 7), ("1", 2), ("0x4", 2), ("3x4", 5), ("2x3x4", 1), ("9x131", 3)):
    case("random_categorical", f"se.random.categorical(key, x, {draws}, 6)", lambda key, x: threefry.categorical(key, x, draws, 6), KEY, f"x:f32[{shape}]")
case("random_categorical", "se.random.categorical(key, x)", lambda key, x: threefry.categorical(key, x, 1)[..., 0], OTHER, "x:f32[3x2x5]@-9..9")
case("random_categorical", "se.random.categorical(key, x, 9)", lambda key, x: threefry.categorical(key, x, 9), OTHER, "x:f32[2x3]=-inf,0,-inf,1e5,-inf,99999")
case("random_categorical", "se.random.categorical(key, x, 5)", lambda key, x: threefry.categorical(key, x, 5), OTHER, "x:bf16[3x7]")
for n in (0, 1, 2, 9, 300):
    case("random_permutation", f"se.random.permutation(key, {n}, 8)", lambda key: threefry.permutation(key, n, 8), OTHER)

# --- more functions of single elements ---

MORE = {  # op: reference, range of the inputs, a wide range; x for the special values, sharp ones
    "tan": (torch.tan, (-1.5, 1.5), (-300, 300), "1.57079625,1.57079637,-4.71238899,11,1e6,3.14159274,1e-30,-3e9"),
    "asin": (torch.asin, (-1, 1), None, "1,-1,0.99999994,1e-30,1.0000001"),
    "acos": (torch.acos, (-1, 1), None, "1,-1,0.99999994,1e-30,-1.0000001"),
    "atan": (torch.atan, (-2, 2), (-1000, 1000), "1e-30,1e30,-1,16777216"),
    "sinh": (torch.sinh, (-2, 2), (-80, 80), "1e-30,-1e-4,89,-89,1000,0.5"),
    "cosh": (torch.cosh, (-2, 2), (-80, 80), "1e-30,-1e-4,89,-89,1000,0.5"),
    "asinh": (torch.asinh, (-2, 2), (-1000000, 1000000), "1e-30,-1e-4,3e-3,1e20,-3e38,16777216"),
    "acosh": (torch.acosh, (1.25, 4), (2, 1000000), "1,1.0000001,1.001,1e20,3e38,0.5,-2"),
    "atanh": (torch.atanh, (-0.875, 0.875), None, "1e-30,-1e-4,0.99999994,-0.99999994,1,-1,2"),
    "log2": (torch.log2, (0.125, 4), (0.5, 1000000), "0,-1,1.0000001,0.99999994,1e-40,3e38"),
    "log10": (torch.log10, (0.125, 4), (0.5, 1000000), "0,-1,1.0000001,0.99999994,1e-40,3e38"),
    "exp2": (torch.exp2, (-2, 2), (-120, 120), "0,-1e-30,127.5,2000,-126,-200,0.5"),
    "reciprocal": (torch.reciprocal, (0.125, 4), (-1000000, -1), "0,-0,3e38,1e-38,7"),
    "log_sigmoid": (F.logsigmoid, (-2, 2), (-80, 80), "15,80,87,-80,-1e5,1e5,0"),
    "leaky_relu": (F.leaky_relu, (-2, 2), (-1000000, 1000000), "0,-0,1e-30,-1e-30"),
    "elu": (F.elu, (-2, 2), (-80, 80), "0,-0,-1e-30,-1e-4,-200,1e5"),
    "selu": (F.selu, (-2, 2), (-80, 80), "0,-0,-1e-30,-1e-4,-200,1e5"),
    "softsign": (F.softsign, (-2, 2), (-1000000, 1000000), "0,-0,1e-30,-1e20,3e38"),
    "trunc": (torch.trunc, (-9, 9), (-1000000000, 1000000000), "0,-0,0.99999994,-0.99999994,-1.5,1e20"),
}
for name, (ref, near, wide, sharp) in MORE.items():
    how = {"exact": name == "trunc", "exact_grad": name == "trunc"}
    for shape in ("f32[]", "f32[0x3]", "f32[2x1x3]", "f32[23x37]", "bf16[7]"):
        case(name, f"x:{name}()", ref, f"x:{shape}@{near[0]}..{near[1]}", **how, dtype="bf16" if shape.startswith("bf16") else None)
    if wide:
        case(name, f"se.{name}(x)", ref, f"x:f32[40]@{wide[0]}..{wide[1]}", **how)
    case(name, f"x:{name}()", ref, f"x:f32[{sharp.count(',') + 1}]={sharp}!", sharp=True)
    case(name, f"x:{name}()", ref, "x:f32[5]=0,-0,inf,-inf,nan!", sharp=True)
    kind = torch.Tensor.long if name == "trunc" else torch.Tensor.double
    case(name, f"x:{name}()", lambda x: ref(kind(x)), "x:i32[2x3]@-1..4")
    if name != "trunc":
        case(name, f"x:{name}()", lambda x: ref(x.double()), "x:bool[4]")
for name, base in (("log2", 2), ("log10", 10)):
    powers = [float(np.float32(base) ** k) for k in range(0, 38 if base == 10 else 127, 3)]
    case(name, f"x:{name}()", MORE[name][0], f"x:f32[{len(powers)}]=" + ",".join(repr(p) for p in powers) + "!", exact=base == 2, sharp=True)
case("log2", "x:log2():floor()", lambda x: x.log2().floor(), "x:f32[5]=1,2,8,1024,0.125!", exact=True)
case("log10", "x:log10():floor()", lambda x: x.log10().floor(), "x:f32[5]=1,10,1000,1e6,1e9!", exact=True)
case("exp2", "x:exp2()", torch.exp2, "x:i32[9]@-20..30", sharp=True)
for x in ("0", "0,1e-30,-1e-30,-3,100,-100"):
    n = x.count(",") + 1
    case("elu", "x:elu(1.5)", lambda x: F.elu(x, 1.5), f"x:f32[{n}]={x}", exact=n == 1)
    case("leaky_relu", "x:leaky_relu { slope = 0.25 }", lambda x: F.leaky_relu(x, 0.25), f"x:f32[{n}]={x}")
    case("selu", "x:selu()", F.selu, f"x:f32[{n}]={x}")
    case("log_sigmoid", "x:log_sigmoid()", F.logsigmoid, f"x:f32[{n}]={x}")
    case("softsign", "x:softsign()", F.softsign, f"x:f32[{n}]={x}")

for x, y in PAIRS:
    spread = lambda f: lambda x, y: f(*torch.broadcast_tensors(x, y))
    case("atan2", "x:atan2(y)", spread(torch.atan2), f"x:f32[{x}]", f"y:f32[{y}]@0.5..3")
    case("floor_divide", "x:floor_divide(y)", spread(torch.floor_divide), f"x:f32[{x}]@-5..5!", f"y:f32[{y}]@0.5..3!", exact=True)
    case("lerp", "x:lerp(y, 0.25)", lambda x, y: torch.lerp(*torch.broadcast_tensors(x, y), 0.25), f"x:f32[{x}]", f"y:f32[{y}]")
case("atan2", "se.atan2(y, x)", torch.atan2, "y:f32[12]=0,-0,0,-0,1,-1,inf,-inf,nan,inf,-inf,1e-30!", "x:f32[12]=1,1,-1,-1,0,-0,1,1,1,inf,-inf,-1e30!", sharp=True)
case("atan2", "se.atan2(y, x)", torch.atan2, "y:bf16[5]", "x:bf16[5]@-3..-1", dtype="bf16")
case("atan2", "se.atan2(y, x)", lambda y, x: torch.atan2(y.double(), x.double()), "y:i32[5]@-2..3", "x:i32[5]@-2..3")
case("floor_divide", "x:floor_divide(y)", torch.floor_divide, "x:f32[9]=1,-1,5,-5,7,1,-1,0,-7!", "y:f32[9]=0.1,0.1,3,3,-inf,0,0,0,inf!", exact=True)
case("floor_divide", "x:floor_divide(y)", torch.floor_divide, "x:i32[3x4]@-9..9", "y:i32[4]=-3,2,5,-7")
case("floor_divide", "x:floor_divide(y)", torch.floor_divide, "x:i32[2]=-2147483648,2147483647", "y:i32[2x1]=2,-2147483648")
case("floor_divide", "x:floor_divide(2)", lambda x: x.floor_divide(2), "x:i32[7]@-9..9")
case("floor_divide", "x:floor_divide(y)", lambda x, y: torch.floor_divide(x.double(), y), "x:i32[3]@-9..9", "y:f32[2x1]@0.5..3!", exact=True)
case("lerp", "x:lerp(y, w)", torch.lerp, "x:f32[3x4]", "y:f32[3x4]", "w:f32[3x4]@-1..2")
case("lerp", "x:lerp(y, w)", torch.lerp, "x:f32[4]=1e8,1,-3,16777216!", "y:f32[4]=1,1e8,0.1,1!", "w:f32[4]=1,0,1,0!", exact=True)

# --- kinds of numbers, counts ---

KIND = "x:f32[9]=0,-0,inf,-inf,nan,1e-30,3e38,-3e38,1!"
for call, ref in (("x:nan_to_num()", lambda x: x.nan_to_num(0.0, 3.4028234663852886e38, -3.4028234663852886e38)),
                  ("x:nan_to_num(7, 1, -1)", lambda x: x.nan_to_num(7.0, 1.0, -1.0)), ("x:nan_to_num { posinf = 9, neginf = -9 }", lambda x: x.nan_to_num(0.0, 9.0, -9.0))):
    case("nan_to_num", call, ref, KIND, exact=True)
    case("nan_to_num", call, ref, "x:f32[2x3]", exact=True, exact_grad=True)
case("nan_to_num", "x:nan_to_num(1)", lambda x: x, "x:i32[3]")
case("nan_to_num", "x:nan_to_num(1)", lambda x: x, "x:bool[3]")
case("nan_to_num", "x:nan_to_num(1, 2, 3)", lambda x: x.nan_to_num(1.0, 2.0, 3.0), "x:bf16[4]=0.5,nan,inf,-inf", dtype="bf16", exact=True)
for kind in (KIND[2:-1], "f32[0x2]", "f32[]", "bf16[4]=0,inf,-inf,nan", "i32[3]", "bool[3]"):
    case("is_inf", "x:is_inf()", lambda x: torch.isinf(x), f"x:{kind}")
for x, y in KINDS:
    case("logical_xor", "x:logical_xor(y)", torch.logical_xor, f"x:{x}", f"y:{y}")
    case("count_nonzero", "x:count_nonzero()", lambda x: x.count_nonzero(), f"x:{x}")
for axis in (1, 2, -1):
    at = axis - 1 if axis > 0 else axis
    case("count_nonzero", f"x:count_nonzero({axis})", lambda x: x.count_nonzero(at), "x:i32[3x4]@-1..2")
    case("count_nonzero", f"x:count_nonzero {{ axes = {axis}, keep = true }}", lambda x: x.count_nonzero(at).unsqueeze(at), "x:bool[3x4]")
case("count_nonzero", "x:count_nonzero(1)", lambda x: x.count_nonzero(0), "x:f32[0x3]")
case("count_nonzero", "x:count_nonzero({1, 3})", lambda x: x.count_nonzero((0, 2)), "x:i32[2x3x4]@0..2")
for shape, n, axis in (("5", 1, 1), ("3x4", 1, -1), ("3x4", 1, 1), ("2x3x4", 2, 2), ("3", 5, 1), ("0x3", 1, 1), ("3x0", 1, 2), ("7x131", 3, 2), ("4", 0, 1)):
    at = axis - 1 if axis > 0 else axis
    case("diff", f"x:diff({n}, {axis})", lambda x: torch.diff(x, n, at), f"x:f32[{shape}]", size=2 ** n)
case("diff", "x:diff()", torch.diff, "x:i32[2x5]@-9..9")
case("diff", "x:diff()", torch.diff, "x:bool[2x7]")
case("diff", "x:diff { axis = 1 }", lambda x: torch.diff(x, dim=0), "x:bf16[4x2]", dtype="bf16")

# --- more losses ---

bce = lambda x, t, w=None: F.binary_cross_entropy_with_logits(x, t, pos_weight=w, reduction="none")
spread = lambda f: lambda *x: f(*torch.broadcast_tensors(*x))
for x, y in PAIRS:
    case("l1", "x:l1(y)", spread(lambda x, y: F.l1_loss(x, y, reduction="none")), f"x:f32[{x}]", f"y:f32[{y}]")
    case("bce_with_logits", "x:bce_with_logits(t)", spread(bce), f"x:f32[{x}]", f"t:f32[{y}]@0..1", size=1)
    case("hinge", "x:hinge(t)", spread(lambda x, t: (1 - t * x).relu()), f"x:f32[{x}]", f"t:f32[{y}]@0.5..1", size=1)
case("l1", "x:l1(y)", lambda x, y: F.l1_loss(x, y, reduction="none"), "x:f32[3]=1,2,-1", "y:f32[3]=1,0,1", exact=True, exact_grad=True)
case("l1", "x:l1(y)", lambda x, y: (x - y.long()).abs().double(), "x:i32[3]@-5..5", "y:bool[3]")
case("bce_with_logits", "x:bce_with_logits(t, w)", bce, "x:f32[3x4]@-9..9", "t:f32[3x4]@0..1", "w:f32[4]@0.5..3!", size=9)
case("bce_with_logits", "x:bce_with_logits(t, w)", lambda x, t, w: w * t * F.softplus(-x) + (1 - t) * F.softplus(x), "x:f32[2x3]", "t:f32[3]@0..1", "w:f32[2x1]@0.5..3", size=2)
case("bce_with_logits", "x:bce_with_logits(t)", bce, "x:f32[3]=0,0,0", "t:f32[3]=0,0.25,1", grad_size=1)
case("bce_with_logits", "x:bce_with_logits(t, { pos_weight = 2 })", lambda x, t: bce(x, t.double(), torch.tensor(2.0).double()), "x:f32[2x3]", "t:bool[2x3]", size=2)
case("bce_with_logits", "x:bce_with_logits(t)", lambda x, t: bce(x, t.double()), "x:f32[2x3]", "t:i32[2x3]@0..2", size=1)
far = lambda x, t: t * torch.logaddexp(-x, x * 0) + (1 - t) * torch.logaddexp(x, x * 0)  # torch's own loses the digits of what is near 0
case("bce_with_logits", "x:bce_with_logits(t)", far, "x:f32[6]=80,-80,15,-15,80,-80", "t:f32[6]=1,0,1,0,0,1!")
case("bce_with_logits", "x:bce_with_logits(t)", far, "x:f32[6]=80,-80,15,-15,300,-300!", "t:f32[6]=1,0,1,0,0,1!", sharp=True)
rank = lambda m: lambda x, y, t: F.margin_ranking_loss(*torch.broadcast_tensors(x, y, t.double()), margin=m, reduction="none")
case("margin_ranking", "x:margin_ranking(y, t)", rank(0.0), "x:f32[2x3]", "y:f32[2x3]", "t:f32[2x3]=1,-1,-1,1,1,-1!", size=1)
case("margin_ranking", "x:margin_ranking(y, t, 0.5)", rank(0.5), "x:f32[6]", "y:f32[6]", "t:i32[6]=1,-1,-1,1,1,-1", size=1)
case("margin_ranking", "x:margin_ranking(y, 1, { margin = 2 })", lambda x, y: rank(2.0)(x, y, torch.ones(3)), "x:f32[2x3]", "y:f32[3]", size=2)
case("margin_ranking", "x:margin_ranking(y, 1)", lambda x, y: rank(0.0)(x, y, torch.ones(3)), "x:f32[0x3]", "y:f32[3]")
case("hinge", "x:hinge(t, 0.5)", lambda x, t: (0.5 - t * x).relu(), "x:f32[4]", "t:i32[4]=1,-1,-1,1", size=1)
case("hinge", "x:hinge(t)", lambda x, t: (1 - t * x).relu(), "x:bf16[4]", "t:i32[4]=1,-1,-1,1", dtype="bf16", size=1)
for shape, margin in (("4x5", 1.0), ("4x5", 9.0), ("5", 5.0), ("0x3", 1.0), ("2x3x4", 2.0), ("7x131", 1.0)):
    triple = [f"{name}:f32[{shape}]" for name in "apn"]
    case("triplet", f"a:triplet(p, n, {margin})", lambda a, p, n: F.triplet_margin_loss(a, p, n, margin=margin, reduction="none"), *triple, size=max(margin, 20 if "131" in shape else 5), grad_size=1)  # a difference of two lengths
case("triplet", "a:triplet(p, n, { margin = 5, eps = 0.01 })", lambda a, p, n: F.triplet_margin_loss(a, p, n, margin=5.0, eps=0.01, reduction="none"),
     "a:f32[4x5]", "p:f32[4x5]", "n:f32[1x5]", size=5, grad_size=1)
case("triplet", "a:triplet(p, n)", lambda a, p, n: F.triplet_margin_loss(a, p, n, eps=1e-6, reduction="none"), "a:f32[2x2]=1,2,3,4!", "p:f32[2x2]=1,2,3,4!", "n:f32[2x2]=9,2,3,4.5!", size=1)
embed = lambda m: lambda x, y, t: F.cosine_embedding_loss(x, y, t, margin=m, reduction="none")
for shape, t in (("4x5", "f32[4]=1,-1,-1,1!"), ("1x7", "f32[1]=-1!"), ("4x131", "i32[4]=1,-1,1,-1")):
    case("cosine_embedding", "x:cosine_embedding(y, t)", embed(0.0), f"x:f32[{shape}]", f"y:f32[{shape}]", f"t:{t}", size=1)
    case("cosine_embedding", "x:cosine_embedding(y, t, { margin = -0.75 })", embed(-0.75), f"x:f32[{shape}]", f"y:f32[{shape}]", f"t:{t}", size=1)
case("cosine_embedding", "x:cosine_embedding(y, -1)", lambda x, y: embed(0.0)(x[None], y[None], -torch.ones(1))[0], "x:f32[5]=1,2,3,-1,2", "y:f32[5]=2,1,0.5,1,2", size=1)

# --- Lua functions ---

for call, indexing in (("se.meshgrid(x, y)", "ij"), ("se.meshgrid(x, y, { indexing = 'xy' })", "xy")):
    case("meshgrid", call, lambda x, y: torch.meshgrid(x, y, indexing=indexing), "x:f32[3]", "y:f32[2]", exact=True, exact_grad=True)
    case("meshgrid", call, lambda x, y: torch.meshgrid(x.double(), y.double(), indexing=indexing), "x:f32[0]", "y:f32[2]", exact=True)
case("meshgrid", "se.meshgrid(x)", lambda x: torch.meshgrid(x, indexing="xy"), "x:i32[4]")
case("meshgrid", "se.meshgrid(x, y, z, { indexing = 'xy' })", lambda x, y, z: torch.meshgrid(x, y, z, indexing="xy"), "x:i32[2]", "y:i32[3]", "z:i32[4]")

# --- edges that the cases above leave out: tests/lua/test_op_edges.lua says which are wanted ---

case("attention", "q:attention(k, v, s, { heads = 1, longest = 1 })", attention(1, 1), "q:f32[0x2]", "k:f32[0x2]", "v:f32[0x2]", "s:i32[2]=0,0")
case("unsqueeze", "x:unsqueeze(2)", lambda x: x.unsqueeze(1), "x:f32[0x3]", exact=True)
case("embedding", "w:embedding(ids)", lambda w, ids: w[ids], "w:f32[2x3]", "ids:i32[0]", exact=True)
case("embedding", "w:embedding(ids)", lambda w, ids: w[ids], "w:f32[1x1]", "ids:i32[2]=0,0")
case("nan_to_num", "x:nan_to_num()", lambda x: x, "x:f32[0x2]", exact=True)
case("cosine_embedding", "x:cosine_embedding(y, t)", lambda x, y, t: x.sum(1) * t, "x:f32[0x3]", "y:f32[0x3]", "t:f32[0]!")
case("segment_ids", "s:segment_ids(0)", lambda s: torch.zeros(0).long(), "s:i32[2]=0,0")
case("kl_div", "x:kl_div(t)", lambda x, t: kl(*torch.broadcast_tensors(x, t)), "x:f32[4x3]@-3..0", "t:f32[3]@0.125..1", size=3)
for shape in ("2x3", "0x3", "1x1"):  # what it draws: tests/test_random.c
    case("dropout", "x:dropout(key, { rate = 0 })", lambda x, key: x, f"x:f32[{shape}]", KEY)
for name, ref in (("is_finite", torch.isfinite), ("is_nan", torch.isnan), ("is_inf", torch.isinf)):
    case(name, f"x:{name}()", ref, "x:f32[2x3]=0,inf,1,-inf,nan,5")
    case(name, f"x:{name}()", ref, "x:f32[1x1]=nan")
ONE = [
    ("cast", "x:cast 'i32'", lambda x: x.trunc().long()), ("clip", "x:clip(-0.5, 1)", lambda x: x.clip(-0.5, 1)),
    ("concat", "se.concat({ x, x }, 1)", lambda x: torch.cat([x, x], 0)), ("diff", "x:diff()", lambda x: torch.diff(x)),
    ("expand", "x:expand(2, 3)", lambda x: x.expand(2, 3)), ("logical_not", "x:logical_not()", torch.logical_not),
    ("log_softmax", "x:log_softmax()", lambda x: x.log_softmax(-1)), ("logsumexp", "x:logsumexp(1)", lambda x: x.logsumexp(0)),
    ("softmax", "x:softmax()", lambda x: x.softmax(-1)), ("normalize", "x:normalize()", lambda x: F.normalize(x, dim=-1)),
    ("nan_to_num", "x:nan_to_num()", lambda x: x), ("pad", "x:pad({ 1, 0 }, { 0, 2 })", lambda x: F.pad(x, (0, 2, 1, 0))),
    ("roll", "x:roll(3, 1)", lambda x: x),
    ("slice", "x:slice(1, 0, 5)", lambda x: x), ("squeeze", "x:squeeze(1)", lambda x: x.squeeze(0)),
    ("stack", "se.stack({ x, x }, 2)", lambda x: torch.stack([x, x], 1)), ("stop_grad", "x:stop_grad() * x", lambda x: x.detach() * x),
    ("topk", "x:topk(1)", lambda x: (x, torch.zeros(1, 1).long())), ("transpose", "x:t()", lambda x: x.T),
    ("tril", "x:tril()", torch.tril), ("triu", "x:triu(1)", lambda x: x.triu(1)), ("var", "x:var(1, false, 0)", lambda x: x.var(0, correction=0)),
]
for name, call, ref in ONE:
    case(name, call, ref, "x:f32[1x1]@0.25..2")
case("rms_norm", "x:rms_norm()", lambda x: F.rms_norm(x, x.shape[-1:], None, 1e-6), "x:f32[1x1]@0.25..2", grad_size=4)  # 1 / |x| - x^2 / |x|^3
case("std", "x:std(1, false, 0)", lambda x: x.std(0, correction=0), "x:f32[1x1]!")
case("kl_div", "x:kl_div(t)", kl, "x:f32[1x1]@-3..0", "t:f32[1x1]@0.125..1", size=3)
case("gather", "x:gather(ids, 1)", lambda x, ids: x.expand(3, 1), "x:f32[1x1]", "ids:i32[3x1]=0,0,0")
case("index_select", "x:index_select(ids, 2)", lambda x, ids: x.expand(1, 2), "x:f32[1x1]", "ids:i32[2]=0,0")
case("take", "x:take(ids)", lambda x, ids: x[ids], "x:f32[1x1]", "ids:i32[2]=0,0")
case("scatter_add", "x:scatter_add(ids, 2)", lambda x, ids: torch.cat([0 * x, x]), "x:f32[1x1]", "ids:i32[1]=1")
case("layer_norm", "(x:layer_norm(w, b))", lambda x, w, b: b.expand(1, 1) + 0 * x * w, "x:f32[1x1]", "w:f32[1]", "b:f32[1]", grad_size=320)  # 1 / sqrt(eps)
case("linear", "x:linear(w, b)", F.linear, "x:f32[1x1]", "w:f32[1x1]", "b:f32[1]")
case("margin_ranking", "x:margin_ranking(y, t, 5)", rank(5.0), "x:f32[1x1]", "y:f32[1x1]", "t:f32[1]=1!", size=5)
case("triplet", "a:triplet(p, n, 9)", lambda a, p, n: F.triplet_margin_loss(a, p, n, margin=9.0, reduction="none"), "a:f32[1x1]", "p:f32[1x1]", "n:f32[1x1]", size=9, grad_size=1)
case("cosine_embedding", "x:cosine_embedding(y, t, { margin = -1.5 })", embed(-1.5), "x:f32[1x1]", "y:f32[1x1]", "t:f32[1]=-1!", size=1)

# --- diagonals, lengths, tails ---

for shape, offset in (("3x3", 0), ("3x5", 2), ("5x3", -3), ("2x4x3", -1), ("3x3", 3), ("0x3", 0), ("3x0", 1), ("2x2", -1), ("1x1", 0), ("31x17", -9)):
    case("diagonal", f"x:diagonal({offset})", lambda x: x.diagonal(offset, -2, -1), f"x:f32[{shape}]", exact=True, exact_grad=True)
case("diagonal", "x:diagonal { offset = 1 }", lambda x: x.diagonal(1), "x:i32[3x4]")
case("diagonal", "x:diagonal()", lambda x: x.diagonal(), "x:bool[3x4]")
case("diagonal", "x:diagonal():sum()", torch.trace, "x:f32[4x4]")
for n in (0, 1, 3, 17):
    case("diag", "x:diag()", torch.diag, f"x:f32[{n}]", exact=True, exact_grad=True)
for kind in ("i32", "bool"):
    case("diag", "se.diag(x)", torch.diag, f"x:{kind}[3]")
case("diag", "x:diag()", torch.diag, "x:bf16[3]", dtype="bf16", exact=True)
for x, y in PAIRS:
    case("hypot", "x:hypot(y)", lambda x, y: torch.hypot(*torch.broadcast_tensors(x, y)), f"x:f32[{x}]", f"y:f32[{y}]@0.5..3")
case("hypot", "x:hypot(y)", torch.hypot, "x:f32[8]=3,0,-0,1e30,1e-30,inf,nan,nan!", "y:f32[8]=4,0,-2,-1e30,1e-30,-1,inf,1!", sharp=True)
case("hypot", "x:hypot(y)", lambda x, y: torch.hypot(x.double(), y.double()), "x:i32[3]", "y:i32[3]@1..4")
for shape in ("f32[]", "f32[0x3]", "f32[2x1x3]", "f32[23x37]", "bf16[7]"):
    case("erfc", "x:erfc()", torch.erfc, f"x:{shape}", dtype="bf16" if shape.startswith("bf16") else None)
case("erfc", "x:erfc()", torch.erfc, "x:f32[9]=0,-0,3,6,9,-9,inf,-inf,nan!", sharp=True)
case("erfc", "x:erfc()", lambda x: torch.erfc(x.double()), "x:i32[2x3]@-1..4")

for x, m in (("3x4", "3x4"), ("3x4", "3"), ("5", "5"), ("2x3x4", "2x3"), ("0x3", "0x3"), ("7x31", "7x31")):
    case("masked_select", "x[m]", lambda x, m: x[m], f"x:f32[{x}]", f"m:bool[{m}]", exact=True, exact_grad=True)
case("masked_select", "x:masked_select(m)", lambda x, m: x[m], "x:i32[4x2]", "m:bool[4]=0,0,0,0")
case("masked_select", "se.masked_select(x, m)", lambda x, m: x[m], "x:bool[6]", "m:bool[6]")
for kind in ("i32[3x4]@-1..2", "f32[5]=0,-0,nan,1e-30,-inf", "bool[2x3x4]", "f32[0x2]", "i32[4]=0,0,0,0", "bf16[3]=0,1,-0", "i32[]=3", "i32[]=0"):
    case("nonzero", "x:nonzero()", torch.nonzero, f"x:{kind}")

for call, ref in (("x:flatten()", lambda x: x.flatten()), ("x:flatten(2)", lambda x: x.flatten(1)), ("x:flatten(1, -2)", lambda x: x.flatten(0, -2)), ("x:flatten(2, 2)", lambda x: x.flatten(1, 1))):
    case("flatten", call, ref, "x:f32[2x3x4]", exact=True, exact_grad=True)
    case("flatten", call, ref, "x:i32[0x3x2]")
case("flatten", "x:flatten()", lambda x: x.flatten(), "x:f32[]", exact=True)
for call, ref in (("x:repeat_interleave(2)", lambda x: x.repeat_interleave(2)), ("x:repeat_interleave(3, 1)", lambda x: x.repeat_interleave(3, 0)), ("x:repeat_interleave(2, -1)", lambda x: x.repeat_interleave(2, -1))):
    case("repeat_interleave", call, ref, "x:f32[2x3]")
    case("repeat_interleave", call, ref, "x:bool[2x1x2]")
case("chunk", "x:chunk(3)", lambda x: x.chunk(3), "x:f32[7x2]", exact=True, exact_grad=True)
case("chunk", "x:chunk(4, 2)", lambda x: x.chunk(4, 1), "x:i32[2x6]")
case("unbind", "x:unbind()", lambda x: x.unbind(), "x:f32[2x3]", exact=True, exact_grad=True)
case("unbind", "x:unbind(-1)", lambda x: x.unbind(-1), "x:i32[2x3]")
case("zeros_like", "se.zeros_like(x)", torch.zeros_like, "x:i32[2x3]")
case("ones_like", "se.ones_like(x)", torch.ones_like, "x:f32[0x3]", exact=True)
case("full_like", "se.full_like(x, 7)", lambda x: torch.full_like(x, 7), "x:bf16[2]", dtype="bf16", exact=True)
for start, stop, step in ((0, 5, 1), (2, 9, 3), (5, 0, -2), (3, 3, 1), (4, 1, 1)):
    arange = lambda: torch.tensor(np.arange(start, stop, step))
    case("arange", f"se.arange({start}, {stop}, {step})", lambda: arange())
case("arange", "se.arange(4)", lambda: torch.arange(4))
case("arange", "se.arange(0.5, 2, 0.125)", lambda: torch.arange(0.5, 2, 0.125).double(), exact=True)
case("arange", "se.arange(1.5)", lambda: torch.arange(1.5).double(), exact=True)
case("is_close", "x:is_close(y)", torch.isclose, "x:f32[6]=1,1,inf,-inf,nan,0", "y:f32[6]=1.000001,1.001,inf,inf,nan,1e-9")
case("is_close", "x:is_close(y, { rtol = 0.5, equal_nan = true })", lambda x, y: torch.isclose(x, y, rtol=0.5, equal_nan=True), "x:f32[4]=1,3,nan,0", "y:f32[4]=1.5,1.5,nan,nan")

if __name__ == "__main__":
    here = pathlib.Path(__file__).parent.parent
    there = set((here.parent / "core/ops/all.def").read_text().split()) | {"einsum", "split", "unique", "meshgrid", "masked_select", "nonzero", "flatten", "repeat_interleave", "chunk", "unbind", "zeros_like", "ones_like",
                                                                                "full_like", "arange", "is_close"}
    missing = {c["op"] for c in cases} - there
    if missing:
        print("left out, for there is no such op:", *sorted(missing))
    cases = [c for c in cases if c["op"] in there]
    reference.write(here / "data" / "ops" / "cases.json", cases, f"torch {torch.__version__}, numpy {np.__version__}")
    print(len(cases), "cases of", len({c["op"] for c in cases}), "ops")
