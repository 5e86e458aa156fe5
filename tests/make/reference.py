"""What ops_reference.py and random_graphs.py share: a case is a Lua expression next to its PyTorch
form, computed in float64, with the error that f32 arithmetic may make.

An input is told as in the op table's samples: "x:f32[2x3]@0.5..3" is drawn from 0.5 to 3, "x:i32[4]=0,2"
has these values (all the same where one is given), "!" at the end asks for no gradient. Drawn numbers come
from a seed by `draw`, which tests/lua/reference.lua repeats, so that no input is stored, and are rounded to
f32.

Tolerances. A computation in f32 rounds each number it meets by a relative 2^-24 at most. So the reference
is computed again with every float input, the gradient that comes in, and (random graphs) every result
between moved by that much up or down at random, in float64: the largest change over 12 such runs is the
size of the error that nobody can avoid. Allowed are 4 times that (12 draws do not find the worst
directions) and 4 * 2^-24 of the result itself (functions are good to two last places), and the same of
`size` (of gradients: `grad_size`) where a case names it: what a formula adds up inside, when that is
larger than its result. A `sharp` case takes its inputs as they are and allows the 4 * 2^-24 alone:
where a function runs away (next to a pole), or falls to nothing, the inputs' rounding would hide all
that is asked. bf16 results have 8 bits: 2^-8 of the result. Results without arithmetic are to be
equal. Stored are nine digits, which tell any f32 from its neighbours.
"""
import json
import re

import numpy as np
import torch

EPS = 2.0**-24
PLACES = 16  # of a large result so many elements are stored
torch.manual_seed(1)

FORM = re.compile(r"(\w+):(f32|bf16|i32|bool)\[([0-9x]*)\](?:@(-?[0-9.]+)\.\.(-?[0-9.]+))?(?:=([^!]+))?(!?)$")


def draw(seed, count):
    """`count` whole numbers from 0 to 65535."""
    state, out = seed * 7919 + 1, np.empty(count, dtype=np.int64)
    for i in range(-3, count):
        state = state * 16807 % 2147483647
        if i >= 0:
            out[i] = state % 65536
    return out


class Input:
    def __init__(self, text, seed):
        name, dtype, dims, low, high, values, fixed = FORM.match(text).groups()
        self.name, self.dtype, self.seed = name, dtype, seed
        self.dims = [int(d) for d in dims.split("x")] if dims else []
        default = {"f32": (-2, 2), "bf16": (-2, 2), "i32": (0, 3), "bool": (0, 1)}[dtype]
        self.low, self.high = (float(low), float(high)) if low else default
        self.values = [float(v) for v in values.split(",")] if values else None
        self.grad = dtype == "f32" and not fixed

    def tensor(self):
        count = int(np.prod(self.dims))
        k = draw(self.seed, count)
        if self.values:
            x = np.array(self.values * (count if len(self.values) == 1 else 1), dtype=np.float64)
        elif self.dtype == "bool":
            x = k >= 32768
        elif self.dtype == "i32":
            x = self.low + np.floor((self.high - self.low) * k / 65536)
        else:
            x = self.low + (self.high - self.low) * k / 65536
        if self.dtype == "f32":
            x = x.astype(np.float32).astype(np.float64)
        x = torch.tensor(x.reshape(self.dims))
        if self.dtype == "bf16":
            return x.to(torch.bfloat16).double()
        return x.to({"f32": torch.float64, "i32": torch.int64, "bool": torch.bool}[self.dtype])

    def stored(self):
        tail = [numbers(self.values)] if self.values else [self.low, self.high, self.seed]
        return [self.name, self.dtype, self.dims, *tail]


class Rounding(torch.autograd.Function):
    """x, moved up or down by a relative `amount`; the gradient, too."""

    @staticmethod
    def forward(ctx, x, amount):
        ctx.amount = amount
        return x * (1 + amount * sign(x))

    @staticmethod
    def backward(ctx, g):
        return g * (1 + ctx.amount * sign(g)), None


def sign(x):
    return torch.randint(0, 2, x.shape, dtype=torch.float64) * 2 - 1


def rounded(x, amount):
    return Rounding.apply(x, amount) if amount and x.is_floating_point() else x


def evaluate(ref, inputs, amount=0.0, cotangent_seed=900):
    """Outputs, and the gradients of sum(output * cotangent) by the name of the input."""
    leaves = [i.tensor() for i in inputs]
    for leaf, i in zip(leaves, inputs):
        leaf.requires_grad_(i.grad)
    out = ref(*[rounded(x, amount) for x in leaves])
    out = list(out) if isinstance(out, (tuple, list)) else [out]
    loss = None
    for n, y in enumerate(out):
        if y.is_floating_point() and y.requires_grad:
            c = torch.tensor(-1 + 2 * draw(cotangent_seed + n, y.numel()) / 65536).reshape(y.shape)
            part = (y * rounded(c, amount)).sum()
            loss = part if loss is None else loss + part
    grads = {}
    wanted = [k for k, i in enumerate(inputs) if i.grad and loss is not None]
    if wanted:
        found = torch.autograd.grad(loss, [leaves[k] for k in wanted], allow_unused=True)
        grads = {inputs[k].name: g for k, g in zip(wanted, found) if g is not None}
    return [y.detach() for y in out], grads


def numbers(values):
    """For JSON: nine digits, whole numbers as such; what is not finite as text."""
    out = []
    for v in values:
        v = float(v)
        if not np.isfinite(v):
            out.append(str(v))
        else:
            whole = v == int(v) and abs(v) < 2**53 and (v or np.copysign(1, v) > 0)
            out.append(int(v) if whole else float(f"{v:.9g}"))
    return out


def picked(x):
    flat = x.reshape(-1)
    n = flat.numel()
    return flat if n <= PLACES else flat[[k * (n - 1) // (PLACES - 1) for k in range(PLACES)]]


def record(base, noisy, dtype, exact, size):
    e = picked(base).double()
    entry = {"v": numbers(e)}
    if not exact:
        change = torch.zeros_like(e)
        for other in noisy:
            change = torch.maximum(change, (picked(other).double() - e).abs().nan_to_num(0, 0, 0))
        allowed = 4 * change / EPS + 4 * e.abs().nan_to_num(0, 0, 0) + 4 * size
        if dtype == "bf16":
            allowed = allowed + e.abs().nan_to_num(0, 0, 0) * 2.0**16
        t = [float(f"{v:.2g}") if v < 99 else int(v + 1) for v in allowed.nan_to_num(0, 1e300).tolist()]
        entry["t"] = numbers(t[:1] if len(set(t)) == 1 else t)
    return entry


def dtype_of(x, wanted):
    if x.is_floating_point():
        return wanted or "f32"
    return "bool" if x.dtype == torch.bool else "i32"


def make_case(op, call, ref, inputs, exact=False, size=0.0, grad_size=None, dtype=None,
              exact_grad=False, sharp=False):
    """The case as it is stored. `size`: a number, or a function of the inputs (see above)."""
    out, grads = evaluate(ref, inputs)
    runs = [] if sharp or (exact and exact_grad) else [evaluate(ref, inputs, EPS) for _ in range(12)]
    grad_size = size if grad_size is None else grad_size
    size, grad_size = [max(s(*[i.tensor() for i in inputs]).abs().reshape(-1).tolist(), default=0.0)
                       if callable(s) else s for s in (size, grad_size)]
    case = {"op": op, "call": call, "in": [i.stored() for i in inputs], "out": []}
    for n, y in enumerate(out):
        name = dtype_of(y, dtype)
        plain = exact or not y.is_floating_point()
        entry = record(y, [r[0][n] for r in runs], name, plain, size)
        case["out"].append({"dtype": name, "dims": list(y.shape), **entry})
    if grads:
        case["grad"] = {k: record(g, [r[1][k] for r in runs], "f32", exact_grad, grad_size)
                        for k, g in grads.items()}
    return case


def write(path, cases, about):
    lines = ",\n".join(json.dumps(c, separators=(",", ":"), allow_nan=False) for c in cases)
    path.write_text('{"made_with":%s,\n"cases":[\n%s\n]}\n' % (json.dumps(about), lines))
