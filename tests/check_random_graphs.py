"""Random expressions over the op table, next to numpy in float64.

    python3 -m pip install numpy                                  (tried with 2.3)
    python3 tests/check_random_graphs.py build/test_random_graphs [--count 2000] [--seed N]
    python3 tests/check_random_graphs.py build/test_random_graphs --only SEED    one expression, shown
    python3 tests/check_random_graphs.py build/test_random_graphs --write FILE --count 220 --seed 1

Draws expressions (depth 1 to 8; tensors of rank 0 to 4 with sizes 0, 1, 2, 3, 5; all dtypes), computes
them here and lets the program compare: tests/test_random_graphs.c has the form of the file. Without
--seed, a seed is drawn and printed. A seed makes its expression alone. Exit status: 0 when all agree.

A new op takes one line in OPS (how its arguments are drawn, and the op in numpy) or in WITHOUT.

What may differ. Each number that f32 arithmetic meets it rounds by 2^-24 of it at most. An op's result y =
f(x) may differ by what each element x[i] on its own changes in y when it moves by its own error and by
C * 2^-24 of itself (the op computes exactly with slightly other inputs: backward stability), all added up,
and by C * 2^-24 |y|; where an op adds larger terms inside than its result, `size` names them. C = 4: two
last places, which is what the kernels promise (tests/test_vmath.c), and sums of a few terms. Ops without
arithmetic (exact=True) add nothing of their own. The errors of the inputs are known in the same way, so
the bound goes through the whole expression, to first order. bf16 results: 2^-8 of them. In float64 the
program is held to 2^-26 of these: 2^-29, and eight times that, for numpy rounds in float64, too.

What such an error could turn over (an order, a comparison, a rounding) or blow up (more than 1/500 of the
largest element) is not part of an expression: another op is drawn instead.

Gradients (of sum(w y)) are held, in float64, against differences with two steps h, extrapolated; how far
those two are apart tells what is allowed. At a kink (the slopes to the left and right do not meet) nothing
is compared; fewer than one of ten elements are such.
"""

import argparse
import math
import os
import random
import subprocess
import sys
import tempfile

import numpy as np

EPS, C, BF16 = 2.0**-24, 4, 2.0**-8
SIZES, WEIGHTS = (0, 1, 2, 3, 5), (2, 10, 14, 14, 8)
MOST = 150  # elements of a tensor
KINDS = {"f": ("f32", "bf16"), "r": ("f32",), "i": ("i32",), "b": ("bool",)}
RANK = {"bool": 0, "i32": 1, "bf16": 2, "f32": 3}


class Reject(Exception):
    """This op cannot follow here: draw another."""


def want(condition):
    if not condition:
        raise Reject


# --- ops in numpy: arrays of float64, int64 and bool ---

erf = np.vectorize(math.erf, otypes=[float])


def each(f):  # over axes; none are all
    return lambda x, axes=(), keep=False, **a: f(x, axis=tuple(axes) or None, keepdims=keep, **a)


def along(f):  # rows that are not empty
    def g(x, *rest, axis=-1, **a):
        want(x.ndim and x.shape[axis])
        return f(x, *rest, axis=axis, **a)

    return g


def logsumexp(x, axis=-1, keep=False):
    top = x.max(axis=axis, keepdims=True)
    y = top + np.log(np.exp(x - top).sum(axis=axis, keepdims=True))
    return y if keep else y.squeeze(axis)


def softmax(x, axis):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def whole_sum(f):  # bools are counted
    return lambda x, **a: f(x.astype(np.int64) if x.dtype == bool else x, **a)


def norm(x, axis=None, keepdims=False, p=2):
    want(axis is None or len(axis) < 3)
    y = np.abs(x)
    if p == math.inf:
        return y.max(axis=axis, keepdims=keepdims)
    want(p != 0 and np.all(y > 1e-2))
    return (y**p).sum(axis=axis, keepdims=keepdims) ** (1 / p)


def mean(x, axis=None, keepdims=False):
    y = x.sum(axis=axis, keepdims=keepdims)
    want(x.size or not y.size)
    return y / (x.size / max(y.size, 1))


def some(f, floor=1e-6):  # variance of more than one element, not near 0
    def g(x, axis=None, keepdims=False, correction=1):
        n = np.prod([x.shape[a] for a in axis]) if axis else x.size
        want(n > correction)
        y = f(x, axis=axis, keepdims=keepdims, ddof=correction)
        want(np.all(y > floor))
        return y

    return g


def sort(x, axis=-1, descending=False):
    i = np.argsort(-x if descending else x, axis=axis, kind="stable")
    return np.take_along_axis(x, i, axis), i


def topk(x, k, axis=-1):
    v, i = sort(x, axis, True)
    cut = [slice(None)] * x.ndim
    cut[axis] = slice(0, k)
    return v[tuple(cut)], i[tuple(cut)]


def running(x, axis=-1, reverse=False):
    return np.flip(np.cumsum(np.flip(x, axis), axis), axis) if reverse else np.cumsum(x, axis)


def python_slice(x, axis, start, stop, step=1):
    cut = [slice(None)] * x.ndim
    cut[axis] = slice(start, stop, step)
    return x[tuple(cut)]


def scatter_add(x, ids, rows, skip=-1):
    y = np.zeros((rows,) + x.shape[1:], dtype=x.dtype)
    np.add.at(y, ids[ids != skip], x[ids != skip])
    return y


def texts(f):  # f of each text's rows; zeros for an empty one
    def g(x, starts):
        rows = [f(x[a:b]) if b > a else np.zeros(x.shape[1:]) for a, b in zip(starts[:-1], starts[1:])]
        return np.stack(rows)

    return g


def layer_norm(x, weight, bias, eps=1e-5):
    want(x.ndim and x.shape[-1])
    mean = x.mean(-1, keepdims=True)
    rstd = 1 / np.sqrt(((x - mean) ** 2).mean(-1, keepdims=True) + eps)
    return (x - mean) * rstd * weight + bias, mean[..., 0], rstd[..., 0]


def layer_terms(x, weight, bias, eps):  # x - mean: a mean that is off moves all elements together
    rstd = layer_norm(x, weight, bias, eps)[2]
    return np.abs(x).max(-1, keepdims=True) * rstd[..., None] * np.abs(weight), 0, 0


def rms_norm(x, weight, eps=1e-6):
    want(x.ndim and x.shape[-1])
    y = x / np.sqrt((x * x).mean(-1, keepdims=True) + eps)
    return y if weight is None else y * weight


def length(x, axis, eps):
    y = np.sqrt((x * x).sum(axis=axis, keepdims=True))
    want(np.all(y > 1e-3))  # at eps it has a kink
    return np.maximum(y, eps)


def cosine(x, y, axis=-1, eps=1e-8):
    return (x / length(x, axis, eps) * y / length(y, axis, eps)).sum(axis)


def cross_entropy(scores, targets, smoothing=0.0):
    want(scores.shape[-1])
    lse = logsumexp(scores)
    if targets.dtype == np.int64:
        targets = np.eye(scores.shape[1])[targets]
    targets = targets * (1 - smoothing) + smoothing / scores.shape[1] * targets.sum(-1, keepdims=True)
    want(np.allclose(targets.sum(-1), 1))
    return (targets * (lse[:, None] - scores)).sum(-1), lse


def huber(x, y, delta=1.0):
    d = np.abs(x - y)
    return np.where(d < delta, d * d / 2, delta * (d - delta / 2))


def kl_div(x, target):
    want(np.all(target > 1e-3))
    return target * (np.log(target) - x)


def matmul(a, b, ta=False, tb=False):
    want(a.ndim >= 2 and b.ndim >= 2)
    return np.matmul(a.swapaxes(-1, -2) if ta else a, b.swapaxes(-1, -2) if tb else b)


def attention(q, k, v, starts, bias, key, who, heads, longest, causal=False):
    y = np.zeros(v.shape)
    d = q.shape[1] // heads
    for a, b in zip(starts[:-1], starts[1:]):
        for h in range(heads):
            c = slice(h * d, h * d + d)
            s = q[a:b, c] @ k[a:b, c].T / math.sqrt(d)
            if bias is not None:
                s = s + bias[longest - 1 + np.arange(b - a)[None] - np.arange(b - a)[:, None], h]
            if causal:
                s = np.where(np.tri(b - a, dtype=bool), s, -np.inf)
            if b > a:
                e = np.exp(s - s.max(-1, keepdims=True))
                y[a:b, c] = e / e.sum(-1, keepdims=True) @ v[a:b, c]
    return y


def arithmetic(f):  # two bools are refused
    def g(x, y):
        want(x.dtype != bool)
        return f(x, y)

    return g


def clip_sides(x, low, high):
    want(low <= high)
    return np.clip(x, low, high)


def remainder(x, y):
    want(np.all(np.abs(y) > 1e-2))
    return np.mod(x, y)


def floored(x, y):
    want(np.all(np.abs(y) > 1e-2))
    return np.floor_divide(x, y)


def apart(x, y):
    return np.sqrt(((x - y + 1e-6) ** 2).sum(-1))


def power(x, y):
    want(np.all(x > 1e-2))
    return x**y


def cast(x, dtype):
    return {"i32": lambda: np.trunc(x).astype(np.int64), "bool": lambda: x != 0}.get(dtype, lambda: x.astype(float))()


def band(f):
    def g(x, diagonal=0):
        want(x.ndim >= 2)
        return f(x, diagonal)

    return g


def dropped(x, key, who, starts, rate):
    return x


# --- how arguments are drawn: d(kinds, dims, fits) gives a tensor; x.shape of what was drawn ---


def unary(kinds="fib"):
    return lambda d: ([d(kinds)], {})


def binary(kinds="fib", other=None):
    def draw(d):
        x = d(kinds)
        return [x, d(other or kinds, *d.with_(d.shape(x)))], {}

    return draw


def same(kinds, n=2, rank=None):
    def draw(d):
        x = d(kinds, *(d.of_rank(rank) if rank is not None else ()))
        return [x] + [d(kinds, *d.just(d.shape(x))) for _ in range(n - 1)], {}

    return draw


def reduce_(kinds, **more):
    def draw(d):
        x = d(kinds)
        rank = len(d.shape(x))
        axes = d.r.sample(range(rank), d.r.randint(0, rank))
        attrs = {"axes": [d.sided(a, rank) for a in axes], "keep": d.r.random() < 0.5}
        return [x], {**attrs, **{name: d.r.choice(values) for name, values in more.items() if d.r.random() < 0.6}}

    return draw


def axis(kinds, tensors=1, most=0, **more):
    def draw(d):
        x = d(kinds)
        rank = len(d.shape(x)) + most
        want(rank)
        xs = [x] + [d(kinds, *d.just(d.shape(x))) for _ in range(tensors - 1)]
        attrs = {"axis": d.sided(d.r.randrange(rank), rank)}
        return xs, {**attrs, **{name: d.r.choice(values) for name, values in more.items() if d.r.random() < 0.6}}

    return draw


def shaped(f, kinds="fib"):  # f(d, dims) gives the attributes
    def draw(d):
        x = d(kinds)
        return [x], f(d, d.shape(x))

    return draw


def new_dims(d, dims):
    dims, out = list(dims), []
    d.r.shuffle(dims)
    while dims:
        n = dims.pop()
        if dims and d.r.random() < 0.5:
            n *= dims.pop()
        out.append(n)
    out += [1] * (d.r.random() < 0.3)
    if out and 0 not in out and d.r.random() < 0.4:
        out[d.r.randrange(len(out))] = -1
    return {"dims": out}


def stretched(keep):
    def f(d, dims):
        out = [d.r.choice(SIZES) if n == 1 else -1 if keep and d.r.random() < 0.5 else n for n in dims]
        return {"dims": [d.r.choice((1, 2, 3)) for _ in range(d.r.randint(0, 2))] + out}

    return f


def any_slice(d, dims):
    want(dims)
    a = d.r.randrange(len(dims))
    start, stop = (d.r.randint(-dims[a] - 2, dims[a] + 2) for _ in range(2))
    return {"axis": d.sided(a, len(dims)), "start": start, "stop": stop, "step": d.r.choice((1, 1, 2, 3, -1, -2))}


def one_axis(d, dims):
    at = [i for i, n in enumerate(dims) if n == 1]
    want(at)
    return {"axis": d.sided(d.r.choice(at), len(dims))}


def joined(stack):
    def draw(d):
        x = d("fib")
        dims = list(d.shape(x))
        want(stack or dims)
        at, xs = d.r.randrange(len(dims) + stack), [x]
        for _ in range(d.r.randint(0, 3)):
            if not stack:
                dims[at] = d.r.choice(SIZES)
            xs.append(d("fib", *d.just(tuple(dims))))
        return xs, {"axis": d.sided(at, len(dims) + stack)}

    return draw


def padded(d, dims):
    before, after = ([d.r.choice((0, 0, 1, 2)) for _ in dims] for _ in range(2))
    return {"before": before, "after": after, "value": d.r.choice((0, 1, -2, 7))}


def rows_of(name=None):
    def draw(d):
        x = d("fib", *d.ranked(1))
        n = d.shape(x)[0]
        dims = d.dims() if d.r.random() < 0.5 else (d.r.choice(SIZES),)
        want(n or 0 in dims)
        return [x, d.ids(dims, n)], {}

    return draw


def lookup(d):
    x = d("f", *d.of_rank(2))
    n = d.shape(x)[0]
    want(n)
    return [x, d.ids(d.r.choice(((), (3,), (2, 3), (0,))), n)], {"padding": d.r.choice((-1, n))}


def gathered(select):
    def draw(d):
        x = d("fib", *d.ranked(1))
        dims = list(d.shape(x))
        at = d.r.randrange(len(dims))
        n, dims[at] = dims[at], d.r.choice(SIZES)
        want(n or dims[at] == 0)
        return [x, d.ids((dims[at],) if select else dims, n)], {"axis": d.sided(at, len(dims))}

    return draw


def scattered(d):
    x = d("f", *d.ranked(1))
    rows = d.r.choice((1, 2, 3, 5))
    return [x, d.ids((d.shape(x)[0],), rows)], {"rows": rows, "skip": d.r.choice((-1, 0))}


def product(d):
    a = d("f", *d.ranked(2))
    ta, tb = d.r.random() < 0.3, d.r.random() < 0.3
    k = d.shape(a)[-2 if ta else -1]
    lead = d.shape(a)[:-2] if d.r.random() < 0.4 else ()
    n = d.r.choice(SIZES)
    return [a, d("f", *d.just(lead + ((n, k) if tb else (k, n))))], {"ta": ta, "tb": tb}


def layer(d):
    x = d("f", *d.ranked(1))
    k, n = d.shape(x)[-1], d.r.choice(SIZES)
    return [x, d("f", *d.just((n, k))), d("f", *d.just((n,))) if d.r.random() < 0.5 else None], {}


def normed(n):
    def draw(d):
        x = d("f", *d.ranked(1))
        row = d.just(d.shape(x)[-1:])
        rest = [d("f", *row) if n == 2 or d.r.random() < 0.6 else None for _ in range(n)]
        return [x] + rest, {"eps": d.r.choice((1e-5, 0.5))}

    return draw


def packed(d):
    x = d("f", *d.of_rank(2))
    return [x, d.starts(d.shape(x)[0])], {}


def attended(d):
    heads, n = d.r.choice((1, 2)), d.r.choice((1, 2, 3, 5))
    xs = [d("f", *d.just((n, heads * 2))) for _ in range(3)]
    bias = d("f", *d.just((2 * n - 1, heads))) if d.r.random() < 0.5 else None
    return xs + [d.starts(n), bias, None, None], {"heads": heads, "longest": n, "causal": d.r.random() < 0.4}


def scored(d):
    x = d("f", *d.of_rank(2))
    rows, n = d.shape(x)
    want(n)
    t = d.ids((rows,), n)
    if d.r.random() < 0.4:
        t = d.leaf("f32", (rows, n), np.eye(n)[[d.r.randrange(n) for _ in range(rows)]] * 0.5 + 0.5 / n)
        want(n in (1, 2))  # so that rows add up to 1 in f32, too
    return [x, t], {"smoothing": d.r.choice((0, 0, 0.25))}


def chosen(d):
    x = d("f")
    mask = d("b", *d.with_(d.shape(x)))
    return [mask, x, d("f", *d.with_(d.shape(x)))], {}


def masked(d):
    x = d("f")
    return [x, d("b", *d.with_(d.shape(x))), d.number()], {}


def many(d):
    return [d("f") for _ in range(d.r.randint(1, 3))], {}


def starts_only(d):
    n = d.r.choice((1, 2, 3, 5))
    return [d.starts(n)], {"total": n + d.r.choice((0, 2))}


def hot(d):
    n = d.r.choice((1, 2, 3, 5))
    return [d.ids(d.dims(), n)], {"n": n}


def with_key(d):
    return [d("f"), d.leaf("i32", (3,), np.array([1, 2, 3])), None, None], {"rate": 0}


def nothing(**attrs):
    return lambda d: ([], {name: d.r.choice(values) for name, values in attrs.items()})


class Op:
    def __init__(self, draw, ref, exact=False, size=None):
        self.draw, self.ref, self.exact, self.size = draw, ref, exact, size


def same_bits(draw, ref):
    return Op(draw, ref, exact=True)


OPS = {
    "add": Op(binary(), arithmetic(np.add)),
    "sub": Op(binary("fi"), np.subtract),
    "mul": Op(binary(), arithmetic(np.multiply)),
    "div": Op(binary(), np.divide),
    "maximum": same_bits(binary(), arithmetic(np.maximum)),
    "minimum": same_bits(binary(), arithmetic(np.minimum)),
    "pow": Op(binary("f"), power),
    "mod": Op(binary("fi"), remainder),
    "neg": same_bits(unary("fi"), np.negative),
    "abs": same_bits(unary("fi"), np.abs),
    "sign": same_bits(unary("fi"), np.sign),
    "square": Op(unary("fi"), np.square),
    "exp": Op(unary(), np.exp),
    "expm1": Op(unary(), np.expm1),
    "log": Op(unary("f"), np.log),
    "log1p": Op(unary("f"), np.log1p),
    "sqrt": Op(unary("f"), np.sqrt),
    "rsqrt": Op(unary("f"), lambda x: 1 / np.sqrt(x)),
    "sin": Op(unary(), np.sin),
    "cos": Op(unary(), np.cos),
    "tanh": Op(unary(), np.tanh),
    "erf": Op(unary(), erf),
    "sigmoid": Op(unary(), lambda x: 1 / (1 + np.exp(-x))),
    "softplus": Op(unary("f"), lambda x: np.logaddexp(0, x)),
    "logaddexp": Op(binary("f"), np.logaddexp),
    "silu": Op(unary("f"), lambda x: x / (1 + np.exp(-x))),
    "gelu": Op(shaped(lambda d, dims: {"approximate": d.r.random() < 0.5}, "f"),
               lambda x, approximate: x / 2 * (1 + (np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)) if approximate
                                                    else erf(x / math.sqrt(2)))), size=lambda x, approximate: np.abs(x)),
    "relu": same_bits(unary("f"), lambda x: np.maximum(x, 0)),
    "floor": same_bits(unary("fi"), lambda x: x if x.dtype == np.int64 else np.floor(x)),
    "ceil": same_bits(unary("fi"), lambda x: x if x.dtype == np.int64 else np.ceil(x)),
    "round": same_bits(unary("fi"), lambda x: x if x.dtype == np.int64 else np.rint(x)),
    "clip": same_bits(shaped(lambda d, dims: {"low": d.r.choice((-1, 0, 0.25)), "high": d.r.choice((0.5, 1, 2))}, "f"), clip_sides),
    "is_finite": same_bits(unary(), lambda x: np.ones(x.shape, bool)),
    "is_nan": same_bits(unary("f"), lambda x: np.zeros(x.shape, bool)),
    "equal": same_bits(binary(), np.equal),
    "not_equal": same_bits(binary(), np.not_equal),
    "less": same_bits(binary(), np.less),
    "less_equal": same_bits(binary(), np.less_equal),
    "greater": same_bits(binary(), np.greater),
    "greater_equal": same_bits(binary(), np.greater_equal),
    "logical_and": same_bits(binary(), np.logical_and),
    "logical_or": same_bits(binary(), np.logical_or),
    "logical_not": same_bits(unary(), np.logical_not),
    "where": same_bits(chosen, np.where),
    "masked_fill": same_bits(masked, lambda x, mask, value: np.where(mask, value, x)),
    "cast": same_bits(shaped(lambda d, dims: {"dtype": d.r.choice(("f32", "i32", "bool", "bf16"))}), cast),
    "stop_grad": same_bits(unary("f"), np.array),
    "sum": Op(reduce_("fib"), whole_sum(each(np.sum))),
    "mean": Op(reduce_("fi"), each(mean)),
    "max": same_bits(reduce_("fi"), each(np.max)),
    "min": same_bits(reduce_("fi"), each(np.min)),
    "prod": Op(reduce_("fi"), each(np.prod)),
    "all": same_bits(reduce_("b"), each(np.all)),
    "any": same_bits(reduce_("b"), each(np.any)),
    "var": Op(reduce_("f", correction=(0, 1, 2)), each(some(np.var))),
    "std": Op(reduce_("f", correction=(0, 1, 2)), each(some(np.std))),
    "norm": Op(reduce_("f", p=(1, 2, 3, math.inf)), each(norm)),
    "argmax": same_bits(axis("f"), along(lambda x, axis: x.argmax(axis))),
    "argmin": same_bits(axis("f"), along(lambda x, axis: x.argmin(axis))),
    "sort": same_bits(axis("fi", descending=(True, False)), sort),
    "argsort": same_bits(axis("fi", descending=(True, False)), lambda x, **a: sort(x, **a)[1]),
    "topk": same_bits(lambda d: topk_draw(d), topk),
    "cumsum": Op(axis("fi", reverse=(True, False)), running),
    "softmax": Op(axis("f"), along(softmax)),
    "log_softmax": Op(axis("f"), along(lambda x, axis: x - logsumexp(x, axis, True)), size=lambda x, axis: np.abs(x).max(initial=1)),
    "logsumexp": Op(axis("f", keep=(True, False)), along(logsumexp)),
    "normalize": Op(axis("f"), along(lambda x, axis: x / length(x, axis, 1e-12))),
    "cosine": Op(axis("f", 2), along(cosine)),
    "layer_norm": Op(normed(2), layer_norm, size=layer_terms),
    "rms_norm": Op(normed(1), rms_norm),
    "cross_entropy": Op(scored, cross_entropy, size=lambda x, *_, **a: np.abs(x).max(initial=1)),
    "mse": Op(binary("f"), lambda x, y: (x - y) ** 2),
    "huber": Op(binary("f"), huber),
    "kl_div": Op(same("f"), kl_div),
    "reshape": same_bits(shaped(new_dims), lambda x, dims: x.reshape(dims)),
    "squeeze": same_bits(shaped(one_axis), lambda x, axis: x.squeeze(axis)),
    "unsqueeze": same_bits(axis("fib", most=1), lambda x, axis: np.expand_dims(x, axis)),
    "transpose": same_bits(lambda d: ([d("fib", *d.ranked(2))], {}), lambda x: x.swapaxes(-1, -2)),
    "permute": same_bits(shaped(lambda d, dims: {"axes": [d.sided(a, len(dims)) for a in d.r.sample(range(len(dims)), len(dims))]}),
                         lambda x, axes: x.transpose(axes)),
    "broadcast_to": same_bits(shaped(stretched(False)), lambda x, dims: np.broadcast_to(x, dims)),
    "expand": same_bits(shaped(stretched(True)), lambda x, dims: np.broadcast_to(
        x, [x.shape[i - len(dims) + x.ndim] if n == -1 else n for i, n in enumerate(dims)])),
    "tile": same_bits(shaped(lambda d, dims: {"reps": [d.r.choice((0, 1, 2, 3)) for _ in range(d.r.randint(0, 3))]}),
                      lambda x, reps: np.tile(x, reps)),
    "slice": same_bits(shaped(any_slice), python_slice),
    "concat": same_bits(joined(False), lambda *xs, axis: np.concatenate(xs, axis)),
    "stack": same_bits(joined(True), lambda *xs, axis: np.stack(xs, axis)),
    "flip": same_bits(shaped(lambda d, dims: {"axes": d.r.sample(range(len(dims)), d.r.randint(0, len(dims)))}),
                      lambda x, axes: np.flip(x, axes) if axes else x),
    "roll": same_bits(axis("fib", shift=(0, 1, -1, 7, -9)), lambda x, axis, shift=0: np.roll(x, shift, axis)),
    "pad": same_bits(shaped(padded, "fi"), lambda x, before, after, value: np.pad(x, list(zip(before, after)), constant_values=value)
                     if x.ndim else x),
    "tril": same_bits(shaped(lambda d, dims: {"diagonal": d.r.choice((0, 1, -1, 9))}), band(np.tril)),
    "triu": same_bits(shaped(lambda d, dims: {"diagonal": d.r.choice((0, 1, -1, 9))}), band(np.triu)),
    "eye": same_bits(nothing(n=(0, 1, 3), m=(-1, 2, 5)), lambda n, m: np.eye(n, None if m < 0 else m)),
    "iota": same_bits(nothing(n=(0, 1, 5)), lambda n: np.arange(n)),
    "linspace": Op(nothing(start=(0, -1.5), stop=(2, 0.25), n=(0, 1, 5)), lambda start, stop, n: np.linspace(start, stop, n), size=lambda start, stop, n: 2),
    "take": same_bits(rows_of(), lambda x, ids: x[ids]),
    "embedding": same_bits(lookup, lambda table, ids, padding: table[ids]),
    "gather": same_bits(gathered(False), np.take_along_axis),
    "index_select": same_bits(gathered(True), lambda x, ids, axis: np.take(x, ids, axis)),
    "scatter_add": Op(scattered, scatter_add),
    "one_hot": same_bits(hot, lambda ids, n: np.eye(n)[ids]),
    "segment_ids": same_bits(starts_only, lambda starts, total: np.searchsorted(starts[1:], np.arange(total), side="right")),
    "matmul": Op(product, matmul),
    "linear": Op(layer, lambda x, w, b: x @ w.T + (0 if b is None else b)),
    "dot": Op(same("f", rank=1), np.dot),
    "outer": Op(lambda d: ([d("f", *d.of_rank(1)), d("f", *d.of_rank(1))], {}), np.outer),
    "mean_pool": Op(packed, texts(lambda x: x.mean(0))),
    "max_pool": same_bits(packed, texts(lambda x: x.max(0))),
    "first_pool": same_bits(packed, texts(lambda x: x[0])),
    "attention": Op(attended, attention),
    "global_norm": Op(many, lambda *xs: np.sqrt(sum((x * x).sum() for x in xs))),
    "dropout": same_bits(with_key, dropped),
    "shard_gather": same_bits(lambda d: ([d("fib", *d.ranked(1))], {}), np.array),
    "shard_sum": same_bits(unary("f"), np.array),
    "shard_mean": same_bits(unary("f"), np.array),
}

OPS.update({
    "tan": Op(unary("fi"), np.tan),
    "asin": Op(unary("f"), np.arcsin),
    "acos": Op(unary("f"), np.arccos),
    "atan": Op(unary("fi"), np.arctan),
    "atan2": Op(binary("f"), np.arctan2),
    "sinh": Op(unary("fi"), np.sinh),
    "cosh": Op(unary("fi"), np.cosh),
    "asinh": Op(unary("fi"), np.arcsinh),
    "acosh": Op(unary("f"), np.arccosh),
    "atanh": Op(unary("f"), np.arctanh),
    "log2": Op(unary("f"), np.log2),
    "log10": Op(unary("f"), np.log10),
    "exp2": Op(unary("fi"), np.exp2),
    "erfc": Op(unary("fi"), np.vectorize(math.erfc, otypes=[float])),
    "hypot": Op(binary("f"), np.hypot),
    "diagonal": same_bits(lambda d: ([d("fib", *d.ranked(2))], {"offset": d.r.choice((0, 1, -1, 9))}), lambda x, offset: np.diagonal(x, offset, -2, -1)),
    "diag": same_bits(lambda d: ([d("fib", *d.of_rank(1))], {}), np.diag),
    "trunc": same_bits(unary("fi"), np.trunc),
    "log_sigmoid": Op(unary("f"), lambda x: -np.logaddexp(0, -x)),
    "reciprocal": Op(unary("fi"), lambda x: 1 / x),
    "lerp": Op(lambda d: ([d("f") for _ in range(3)], {}), lambda x, y, w: x + w * (y - x)),
    "leaky_relu": Op(shaped(lambda d, dims: {"slope": d.r.choice((0.01, 0.25))}, "f"), lambda x, slope: np.where(x > 0, x, slope * x)),
    "elu": Op(shaped(lambda d, dims: {"alpha": d.r.choice((1, 0.5))}, "f"), lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(x))),
    "selu": Op(unary("f"), lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))),
    "softsign": Op(unary("f"), lambda x: x / (1 + np.abs(x))),
    "logical_xor": same_bits(binary(), np.logical_xor),
    "is_inf": same_bits(unary("f"), np.isinf),
    "nan_to_num": same_bits(unary("f"), np.array),
    "count_nonzero": same_bits(reduce_("fib"), each(lambda x, axis, keepdims: np.asarray(np.count_nonzero(x, axis=axis, keepdims=keepdims)))),
    "diff": Op(axis("fi", n=(1, 2)), lambda x, axis, n=1: np.diff(x, n, axis), size=lambda x, axis, n=1: 2**n * np.abs(x).max(initial=0)),
    "floor_divide": Op(binary("fi"), floored),
    "l1": Op(binary("f"), lambda x, y: np.abs(x - y)),
    "hinge": Op(binary("f"), lambda x, t: np.maximum(0, 1 - t * x)),
    "bce_with_logits": Op(lambda d: (binary("f")(d)[0] + [None], {}), lambda x, t, w: t * np.logaddexp(0, -x) + (1 - t) * np.logaddexp(0, x)),
    "margin_ranking": Op(same("f", 3), lambda x, y, t: np.maximum(0, -t * (x - y))),
    "triplet": Op(same("f", 3, 2), lambda a, p, n: np.maximum(0, apart(a, p) - apart(a, n) + 1)),
})

WITHOUT = {
    "cosine_embedding": "wants targets of 1 and -1: tests/make/ops_reference.py",
    "linear_int8": "rounds to steps of a row's largest number: tests/test_int8.c",
    "adamw": "writes over its inputs: tests/test_optim.c",
    "sgd": "writes over its inputs: tests/test_optim.c",
    "shard_scatter": "between shards: tests/lua/mpi_collectives.lua",
    "shard_broadcast": "between shards: tests/lua/mpi_collectives.lua",
    "shard_index": "between shards: tests/lua/mpi_collectives.lua",
    "shard_rows": "between shards: tests/lua/mpi_collectives.lua",
    "shard_divide": "between shards: tests/lua/mpi_collectives.lua",
    "shard_part": "between shards: tests/lua/mpi_collectives.lua",
    "fill_from": "writes over its input: tests/lua/mpi_collectives.lua",
    "nearest": "a step of lua/sembed/search.lua: tests/lua/test_search.lua",
    "random_bernoulli": "draws: tests/test_random.c",
    "random_categorical": "draws: tests/test_random.c",
    "random_integers": "draws: tests/test_random.c",
    "random_normal": "draws: tests/test_random.c",
    "random_permutation": "draws: tests/test_random.c",
    "random_truncated_normal": "draws: tests/test_random.c",
    "random_uniform": "draws: tests/test_random.c",
}


def topk_draw(d):
    x = d("f", *d.ranked(1))
    at = d.r.randrange(len(d.shape(x)))
    return [x], {"axis": d.sided(at, len(d.shape(x))), "k": d.r.randint(0, d.shape(x)[at])}


# --- graphs ---


class Value:
    def __init__(self, dtype, v, e=None):
        self.dtype, self.v = dtype, v
        self.e = np.zeros(v.shape) if e is None else e


class Item:
    def __init__(self, op, inputs, attrs, outs, depth):
        self.op, self.inputs, self.attrs, self.outs, self.depth = op, inputs, attrs, outs, depth


class Draw:
    """Draws the tensors of one call; what is drawn is (item, output)."""

    def __init__(self, graph, rng):
        self.g, self.r = graph, rng

    def shape(self, x):
        return self.g[x[0]].outs[x[1]].v.shape

    def sided(self, at, rank):
        return at - rank if self.r.random() < 0.4 else at

    def dims(self, least=0):
        return tuple(self.r.choices(SIZES, WEIGHTS)[0] for _ in range(self.r.choice([n for n in (0, 1, 2, 2, 3, 3, 4) if n >= least])))

    # what can be asked of a shape: (how to make one, whether one fits)
    def just(self, dims):
        return (lambda: tuple(dims)), (lambda s: s == tuple(dims))

    def of_rank(self, n):
        return (lambda: self.r.choices(SIZES, WEIGHTS, k=n)), (lambda s: len(s) == n)

    def ranked(self, least):
        return (lambda: self.dims(least)), (lambda s: len(s) >= least)

    def with_(self, dims):
        def make():
            out = [n if self.r.random() < 0.7 else 1 for n in dims]
            out = out[self.r.randint(0, len(out)) if self.r.random() < 0.4 else 0:]
            if not out or self.r.random() < 0.8:
                return out
            out = [self.r.choice((2, 3)) if n == 1 else n for n in out]
            return [2] * (self.r.random() < 0.3 and len(out) < 4) + out

        def fits(s):
            try:
                np.broadcast_shapes(s, dims)
                return True
            except ValueError:
                return False

        return make, fits

    def __call__(self, kinds, dims=None, fits=lambda s: True):
        dtypes = [t for k in kinds for t in KINDS[k]]
        there = [(i, k) for i, x in enumerate(self.g) for k, o in enumerate(x.outs) if o.dtype in dtypes and fits(o.v.shape)]
        if there and self.r.random() < 0.75:
            deepest = max(self.g[i].depth for i, _ in there)
            best = [x for x in there if self.g[x[0]].depth == deepest]
            return self.r.choice(best if self.r.random() < 0.7 else there)
        dtype = self.r.choices(dtypes, [{"f32": 10, "bf16": 1, "i32": 3, "bool": 2}[t] for t in dtypes])[0]
        if "f" not in kinds and "r" not in kinds or not fits(()) or self.r.random() < 0.97:
            return self.leaf(dtype, (dims or self.dims)())
        return self.number()

    def leaf(self, dtype, dims, v=None):
        dims = tuple(dims)
        n = math.prod(dims)
        low, high, parts = self.r.choice({"f32": ((-2, 2, 64), (0.25, 3, 64), (-9, 9, 64), (0, 3, 1)), "bf16": ((-4, 4, 16),),
                                          "i32": ((0, 4, 1), (-5, 6, 1)), "bool": ((0, 2, 1),)}[dtype])
        if v is None:
            v = np.array([low + self.r.randrange(int((high - low) * parts)) / parts for _ in range(n)]).reshape(dims)
            if parts == 64:  # no two alike: the choice between equals has no slope
                v = v + np.array([self.r.randrange(4096) / 2**18 for _ in range(n)]).reshape(dims)
        v = np.asarray(v).astype({"i32": np.int64, "bool": bool}.get(dtype, float))
        self.g.append(Item(None, [], {}, [Value(dtype, v)], 0))
        return len(self.g) - 1, 0

    def number(self):
        v = self.r.choice((0.5, 2.0, -1.5, 3.0, 1.0))
        self.g.append(Item(None, [], {}, [Value("num", np.array(v))], 0))
        return len(self.g) - 1, 0

    def ids(self, dims, n):
        count = math.prod(dims)
        want(n or not count)
        return self.leaf("i32", dims, np.array([self.r.randrange(n) for _ in range(count)], dtype=int).reshape(dims))

    def starts(self, n):
        cuts = sorted(self.r.randint(0, n) for _ in range(self.r.randint(0, 3)))
        return self.leaf("i32", (len(cuts) + 2,), np.array([0] + cuts + [n]))


def common(dtypes, values):
    """The dtype that inputs are brought to; plain numbers take the others'."""
    others = [t for t in dtypes if t != "num"]
    best = max(others, key=RANK.get, default="f32")
    numbers = [v for t, v in zip(dtypes, values) if t == "num"]
    if RANK[best] <= 1 and any(v != np.trunc(v) for v in numbers):
        return "f32"
    return "i32" if best == "bool" and numbers else best


def converted(info, inputs):
    """The arrays that an op computes with."""
    given = [x for x in inputs if x is not None]
    to = common([x.dtype for x in given], [x.v for x in given]) if info["promote"] and given else None
    if to in ("i32", "bool") and info["floats"]:
        to = "f32"
    out = []
    for x in inputs:
        dtype = x and (to or ("f32" if info["floats"] or x.dtype == "num" else x.dtype))
        out.append(None if x is None else x.v.astype({"i32": np.int64, "bool": bool}.get(dtype, float)))
    return out


def run(op, arrays, attrs):
    try:
        with np.errstate(all="ignore"):
            y = op.ref(*arrays, **attrs)
    except (ValueError, IndexError, np.exceptions.AxisError) as error:
        raise Reject from error
    y = [np.asarray(a) for a in (y if isinstance(y, tuple) else (y,))]
    for a in y:
        want(a.size <= MOST and a.ndim <= 6)
        want(a.dtype.kind != "f" or np.all(np.abs(a) < 1e6))  # false for nan
        want(a.dtype.kind != "i" or np.all(np.abs(a) < 2**31))
    return y


def bounds(op, arrays, errors, attrs, y):
    """How far each result may be off: see above."""
    e = [np.zeros(a.shape) for a in y]
    want(sum(a.size for a in arrays if a is not None) <= 2 * MOST)
    for i, (x, dx) in enumerate(zip(arrays, errors)):
        if x is None or x.dtype.kind != "f":
            continue
        move = dx + (0 if op.exact else C * EPS * np.abs(x))
        for at in np.ndindex(x.shape):
            if move[at] == 0:
                continue
            worst = [np.zeros(a.shape) for a in y]
            for sign in (1, -1):
                moved = x.copy()
                moved[at] += sign * move[at]
                other = run(op, arrays[:i] + [moved] + arrays[i + 1:], attrs)
                for k, a in enumerate(other):
                    want(a.dtype.kind == "f" or np.array_equal(a, y[k]))
                    if a.dtype.kind == "f":
                        worst[k] = np.maximum(worst[k], np.abs(a - y[k]))
            e = [a + b for a, b in zip(e, worst)]
    if not op.exact:
        size = op.size(*arrays, **attrs) if op.size else 0
        size = size if isinstance(size, tuple) else [size] * len(y)
        e = [a + C * EPS * (np.abs(b) + c) + 2.0**-126 if b.dtype.kind == "f" else a for a, b, c in zip(e, y, size)]
    return e


def apply(graph, table, name, inputs, attrs):
    op, info = OPS[name], table[name]
    values = [None if x is None else graph[x[0]].outs[x[1]] for x in inputs]
    # an op that gives its input as it is (a flip of no axis) gives a plain number as one, too
    want(not inputs or any(x is not None and x.dtype != "num" for x in values))
    arrays = converted(info, values)
    y = run(op, arrays, attrs)
    e = bounds(op, arrays, [None if x is None else x.e for x in values], attrs, y)
    dtypes = {x.dtype for x in values if x is not None}
    outs = []
    for a, b in zip(y, e):
        dtype = {"b": "bool", "i": "i32"}.get(a.dtype.kind, "bf16" if "bf16" in dtypes and "f32" not in dtypes else "f32")
        if name == "cast":
            dtype = attrs["dtype"]
        if dtype == "bf16":
            b = b + BF16 * np.abs(a)
        want(not b.size or b.max() <= np.abs(a).max() / 500)
        outs.append(Value(dtype, a, b))
    depth = 1 + max((graph[x[0]].depth for x in inputs if x is not None), default=0)
    graph.append(Item(name, inputs, attrs, outs, depth))


def pruned(graph, last):
    """Only what item `last` needs, in order."""
    needed = {last}
    for i in range(last, -1, -1):
        if i in needed:
            needed.update(x[0] for x in graph[i].inputs if x is not None)
    place = {old: new for new, old in enumerate(sorted(needed))}
    for old in place:
        graph[old].inputs = [x and (place[x[0]], x[1]) for x in graph[old].inputs]
    return [graph[old] for old in sorted(needed)]


def make(seed, table):
    rng = random.Random(seed)
    depth, graph, names = rng.randint(1, 8), [], sorted(OPS)
    for _ in range(80):
        before = len(graph)
        try:
            name = rng.choice(names)
            inputs, attrs = OPS[name].draw(Draw(graph, rng))
            apply(graph, table, name, inputs, attrs)
        except Reject:
            del graph[before:]
        if graph and max(x.depth for x in graph) >= depth or len(graph) > 40:
            break
    deepest = max(range(len(graph)), key=lambda i: graph[i].depth)
    return pruned(graph, deepest)


# --- gradients by differences ---

STEPS = {"stop_grad", "floor", "ceil", "round", "trunc", "floor_divide", "sign"}  # what has no slope keeps its value


def total(graph, table, leaf, v):
    """sum(w y) with another value of a leaf."""
    values = []
    for i, x in enumerate(graph):
        if x.op is None or x.op in STEPS:
            values.append([Value(x.outs[0].dtype, v if i == leaf else x.outs[0].v)])
            continue
        arrays = converted(table[x.op], [None if r is None else values[r[0]][r[1]] for r in x.inputs])
        y = run(OPS[x.op], arrays, x.attrs)
        values.append([Value(o.dtype, a if o.dtype == "f32" else o.v) for o, a in zip(x.outs, y)])
    parts = [weights(o.v) * o.v for o in values[-1] if o.dtype == "f32"]
    return sum(p.sum() for p in parts), sum(np.abs(p).sum() for p in parts)


def weights(y):
    return (np.arange(y.size) * 37 % 64 / 32 - 1).reshape(y.shape)


def slopes(f, h):
    """With h, h / 2 and h / 4: the slope, and how far the right one is from the left one."""
    (zero, size), out = f(0), []
    for step in (h, h / 2, h / 4):
        up, down = f(step)[0], f(-step)[0]
        out.append(((up - down) / (2 * step), abs((up - zero) / step - (zero - down) / step)))
    return out, size


def gradient(graph, table, leaf):
    x = graph[leaf].outs[0].v
    g, allowed, kinks = np.zeros(x.shape), np.zeros(x.shape), 0
    for at in np.ndindex(x.shape):
        def f(step):
            v = x.copy()
            v[at] += step
            return total(graph, table, leaf, v)

        h = 2.0**-13 * max(1, abs(x[at]))
        allowed[at], kinks = math.inf, kinks + 1
        try:
            ((one, bend), (two, bend_2), (three, bend_4)), size = slopes(f, h)
        except Reject:
            continue
        noise = 1024 * 2.0**-53 * (size + abs(two)) / h  # what f rounds, divided by the smallest step
        fits = abs(two - three) <= abs(one - two) / 3 + noise  # 1/4, where the term of h^2 is the largest
        fits = fits and abs(one - two) <= abs(two) / 100 + noise  # else h is too large for these bends
        if fits and bend_2 <= 0.7 * bend + noise and bend_4 <= 0.7 * bend_2 + noise:
            g[at], kinks = (4 * two - one) / 3, kinks - 1
            allowed[at] = abs(two - three) / 4 + noise  # (the term of h^4: far below that of h^2)
    return g, allowed, kinks


def has_gradient(graph):
    equal = any(not x.op and x.outs[0].dtype == "f32" and x.outs[0].v.size > 1 and np.all(x.outs[0].v % 1 == 0) for x in graph)
    return not equal and all(o.dtype != "bf16" for x in graph for o in x.outs) and any(o.dtype == "f32" for o in graph[-1].outs)


# --- the file ---


def sizes(dims):
    return "x".join(map(str, dims)) or "-"


def numbers(v, e=None):
    v = np.asarray(v).reshape(-1)
    texts_ = [repr(float(a)) if v.dtype.kind == "f" else str(int(a)) for a in v]
    e = np.zeros(v.shape) if e is None else np.asarray(e).reshape(-1)
    return " ".join(t if d == 0 else f"{t}~{d:.2g}" for t, d in zip(texts_, e))


def attribute(value):
    if isinstance(value, (list, tuple)):
        return "{" + ",".join(map(str, value)) + "}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def write(out, seed, graph, table, every, counts):
    print("case", seed, file=out)
    for i, x in enumerate(graph):
        if x.op is None:
            v = x.outs[0]
            print("leaf", v.dtype, sizes(v.v.shape), "=", numbers(v.v), file=out)
            continue
        inputs = ["-" if r is None else str(r[0]) if r[1] == 0 else f"{r[0]}.{r[1]}" for r in x.inputs]
        attrs = [f"{name}={attribute(a)}" for name, a in x.attrs.items()]
        print("op", x.op, *inputs, *attrs, file=out)
        counts["ops"][x.op] = counts["ops"].get(x.op, 0) + 1
        for k, o in enumerate(x.outs):
            if every or i == len(graph) - 1:
                print("out", k, o.dtype, sizes(o.v.shape), "=", numbers(o.v, o.e), file=out)
    for i, x in enumerate(graph):
        if has_gradient(graph) and x.op is None and x.outs[0].dtype == "f32":
            g, allowed, kinks = gradient(graph, table, i)
            counts["kinks"] += kinks
            counts["slopes"] += g.size
            print("grad", i, "=", numbers(g, allowed), file=out)
    depth = graph[-1].depth
    counts["depth"][depth] = counts["depth"].get(depth, 0) + 1


def read_table(program):
    lines = subprocess.run([program, "table"], check=True, capture_output=True, text=True).stdout.split("\n")
    rows = [line.split("|") for line in lines if line]
    return {r[0]: {"outs": int(r[1]), "promote": r[2] == "1", "floats": r[3] == "1"} for r in rows}


def check_names(table):
    wrong = [f"{n}: no line in OPS, and none in WITHOUT that says why" for n in table if n not in OPS and n not in WITHOUT]
    wrong += [f"{n}: there is no such op" for n in list(OPS) + list(WITHOUT) if n not in table]
    if wrong:
        sys.exit("\n".join(wrong))


def write_all(out, seeds, table, every):
    counts = {"ops": {}, "depth": {}, "kinks": 0, "slopes": 0}
    for seed in seeds:
        write(out, seed, make(seed, table), table, every, counts)
    uses = counts["ops"]
    print(f"{len(seeds)} expressions of depth {dict(sorted(counts['depth'].items()))}, {sum(uses.values())} calls of"
          f" {len(uses)} ops; {counts['slopes']} slopes, {counts['kinks']} at kinks")
    rare = sorted(n for n in OPS if uses.get(n, 0) == 0)
    if len(seeds) >= 1000 and (rare or counts["kinks"] * 10 > counts["slopes"]):
        sys.exit(f"too few of some: {rare}; kinks: {counts['kinks']} of {counts['slopes']}")


def compare(program, path):
    sides = [subprocess.run([program, *mode, path], capture_output=True, text=True) for mode in ([], ["f64"])]
    for side in sides:
        print("\n".join(line for line in (side.stdout + side.stderr).split("\n") if line and not line.startswith("[")))
    return any(side.returncode for side in sides)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 1000000))
    parser.add_argument("--only", type=int)
    parser.add_argument("--write")
    a = parser.parse_args()
    table = read_table(a.program)
    check_names(table)
    seeds = [a.only] if a.only is not None else [a.seed * 100000 + k for k in range(a.count)]
    if a.write:
        with open(a.write, "w", encoding="utf-8") as out:
            print("# Written by tests/check_random_graphs.py: see tests/data/random_graphs/README.md", file=out)
            write_all(out, seeds, table, False)
        return 0
    if a.only is None:
        print(f"--seed {a.seed}")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "cases.txt")
        with open(path, "w", encoding="utf-8") as out:
            write_all(out, seeds, table, True)
        if a.only is not None:
            print(open(path, encoding="utf-8").read())
        failed = compare(a.program, path)
    if failed:
        print(f"an expression alone: python3 tests/check_random_graphs.py {a.program} --only SEED")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
